"""``clusterdns get``: kubectl's tables, cell by cell (v1.36, ``pkg/printers/internalversion``)."""

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from clusterdns.cluster.addresses import host_port
from clusterdns.views.ages import age
from clusterdns.views.columns import TABLE, align
from clusterdns.views.pod_status import ready_cell, restarts_cell, status_cell
from clusterdns.views.trees import (
    NONE,
    Tree,
    format_labels,
    get,
    joined,
    labels_of,
    many,
    name_of,
    namespace_of,
    number,
    pairs,
    text,
    texts,
)

_SHOWN = 3  # endpoints


class Style(Struct, frozen=True):
    """What a table has besides its kind's columns."""

    wide: bool = False
    namespaces: bool = False  # -A
    labels: bool = False  # --show-labels


class Column(Struct, frozen=True):
    title: str
    cell: Callable[[Tree, float], str]  # (object, now)
    wide: bool = False  # only there


def table(kind: str, items: Iterable[Tree], now: float, style: Style) -> str:
    """The whole table; "" for no objects.  *kind* as in COLUMNS; *now*: Unix seconds."""
    found = [cells(kind, item, now, style) for item in items]
    return align([titles(kind, style), *found], TABLE)[0] if found else ""


def titles(kind: str, style: Style) -> list[str]:
    shown = [column.title for column in _columns(kind, style)]
    return ["NAMESPACE"] * style.namespaces + shown + ["LABELS"] * style.labels


def cells(kind: str, item: Tree, now: float, style: Style) -> list[str]:
    shown = [column.cell(item, now) for column in _columns(kind, style)]
    namespaces = [namespace_of(item)] * style.namespaces
    return namespaces + shown + [format_labels(labels_of(item))] * style.labels


def _columns(kind: str, style: Style) -> Sequence[Column]:
    return [column for column in COLUMNS[kind] if style.wide or not column.wide]


def _name(item: Tree, _: float) -> str:
    return name_of(item)


def _age(item: Tree, now: float) -> str:
    return age(get(item, "metadata", "creationTimestamp"), now)


def _cluster_ip(item: Tree, _: float) -> str:
    return (texts(item, "spec", "clusterIPs") or [NONE])[0]


def _external_ip(item: Tree, _: float) -> str:
    """Whole also where the table is not wide: an API server makes all tables wide, and kubectl drops columns only."""
    kind, outside = text(item, "spec", "type"), texts(item, "spec", "externalIPs")
    if kind == "ExternalName":
        return text(item, "spec", "externalName")
    if kind != "LoadBalancer":
        return joined(outside)
    found = {text(entry, "ip") or text(entry, "hostname") for entry in many(item, "status", "loadBalancer", "ingress")}
    return ",".join([*sorted(found - {""}), *outside]) or "<pending>"


def _ports(item: Tree, _: float) -> str:
    return joined(_port(port) for port in many(item, "spec", "ports"))


def _port(port: Tree) -> str:
    node = f":{number(port, 'nodePort')}" if number(port, "nodePort") else ""
    return f"{number(port, 'port')}{node}/{text(port, 'protocol')}"


def _endpoints(item: Tree, _: float) -> str:
    subsets = many(item, "subsets")
    if not subsets:
        return NONE
    found: list[str] = []
    for subset in subsets:
        addresses = [text(address, "ip") for address in many(subset, "addresses")]
        ports = many(subset, "ports")
        found += addresses if not ports else [host_port(a, number(p, "port")) for p in ports for a in addresses]
    return first_of(found)


def first_of(found: Sequence[str]) -> str:
    """``a,b,c + 2 more...``"""
    more = f" + {len(found) - _SHOWN} more..." if len(found) > _SHOWN else ""
    return ",".join(found[:_SHOWN]) + more


def _pod_ip(item: Tree, _: float) -> str:
    return next((text(entry, "ip") for entry in many(item, "status", "podIPs")), "") or NONE


def _gates(item: Tree, _: float) -> str:
    gates = [text(gate, "conditionType") for gate in many(item, "spec", "readinessGates")]
    met = {text(one, "type") for one in many(item, "status", "conditions") if text(one, "status") == "True"}
    return f"{sum(gate in met for gate in gates)}/{len(gates)}" if gates else NONE


def _at(*path: str, none: str = NONE) -> Callable[[Tree, float], str]:
    return lambda item, _: text(item, *path) or none


COLUMNS: dict[str, tuple[Column, ...]] = {
    "services": (
        Column("NAME", _name),
        Column("TYPE", _at("spec", "type", none="")),
        Column("CLUSTER-IP", _cluster_ip),
        Column("EXTERNAL-IP", _external_ip),
        Column("PORT(S)", _ports),
        Column("AGE", _age),
        Column("SELECTOR", lambda item, _: format_labels(pairs(item, "spec", "selector")), wide=True),
    ),
    "endpoints": (Column("NAME", _name), Column("ENDPOINTS", _endpoints), Column("AGE", _age)),
    "pods": (
        Column("NAME", _name),
        Column("READY", lambda item, _: ready_cell(item)),
        Column("STATUS", lambda item, _: status_cell(item)),
        Column("RESTARTS", restarts_cell),
        Column("AGE", _age),
        Column("IP", _pod_ip, wide=True),
        Column("NODE", _at("spec", "nodeName"), wide=True),
        Column("NOMINATED NODE", _at("status", "nominatedNodeName"), wide=True),
        Column("READINESS GATES", _gates, wide=True),
    ),
    "namespaces": (Column("NAME", _name), Column("STATUS", _at("status", "phase", none="")), Column("AGE", _age)),
}
