"""``clusterdns describe``: kubectl's descriptions, without events (v1.36, ``pkg/describe``)."""

from collections.abc import Iterable, Sequence

from clusterdns.cluster.addresses import host_port
from clusterdns.views.columns import DESCRIPTION, align
from clusterdns.views.trees import NONE, Tree, format_labels, get, many, number, pairs, text, texts

Row = list[str]  # the last cell is in no column

UNSET = "<unset>"
_LONGEST = 140  # octets of an annotation in one line
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SHOWN = 3  # endpoints


def describe_service(service: Tree, slices: Sequence[Tree]) -> str:
    """*slices*: the EndpointSlices labelled with it, in the order of their names."""
    spec = "spec"
    rows = [
        *heading(service),
        ["Selector:", format_labels(pairs(service, spec, "selector"))],
        ["Type:", text(service, spec, "type")],
        *_if_any("IP Family Policy:", text(service, spec, "ipFamilyPolicy")),
        ["IP Families:", ",".join(texts(service, spec, "ipFamilies")) or NONE],
        ["IP:", text(service, spec, "clusterIP")],
        ["IPs:", ",".join(texts(service, spec, "clusterIPs")) or NONE],
        *_if_any("External IPs:", ",".join(texts(service, spec, "externalIPs"))),
        *_if_any("Desired LoadBalancer IP:", text(service, spec, "loadBalancerIP")),
        *_if_any("External Name:", text(service, spec, "externalName")),
        *_if_any("LoadBalancer Ingress:", _ingress(service)),
    ]
    for port in many(service, spec, "ports"):
        rows += _service_port(port, slices)
    rows += [
        ["Session Affinity:", text(service, spec, "sessionAffinity")],
        *_if_any("External Traffic Policy:", text(service, spec, "externalTrafficPolicy")),
        *_if_any("Internal Traffic Policy:", text(service, spec, "internalTrafficPolicy")),
        *_if_any("HealthCheck NodePort:", text(service, spec, "healthCheckNodePort").removeprefix("0")),
        *_if_any("LoadBalancer Source Ranges:", ",".join(texts(service, spec, "loadBalancerSourceRanges"))),
        *_if_any("Traffic Distribution:", text(service, spec, "trafficDistribution")),
    ]
    return align(rows, DESCRIPTION)[0]


def describe_endpoints(endpoints: Tree) -> str:
    rows = [*heading(endpoints), ["Subsets:"]]
    for subset in many(endpoints, "subsets"):
        rows += [
            ["  Addresses:", _addresses(subset, "addresses")],
            ["  NotReadyAddresses:", _addresses(subset, "notReadyAddresses")],
        ]
        if ports := many(subset, "ports"):
            rows += [["  Ports:"], ["    Name", "Port", "Protocol"], ["    ----", "----", "--------"]]
            rows += [
                [f"    {text(port, 'name') or UNSET}", text(port, "port"), text(port, "protocol")] for port in ports
            ]
        rows.append([""])
    return align(rows, DESCRIPTION)[0]


def heading(item: Tree) -> list[Row]:
    return [
        ["Name:", text(item, "metadata", "name")],
        ["Namespace:", text(item, "metadata", "namespace")],
        *labels_and_annotations(item),
    ]


def labels_and_annotations(item: Tree) -> list[Row]:
    return [
        *several("Labels:", (f"{key}={value}" for key, value in pairs(item, "metadata", "labels").items())),
        *_annotations(item),
    ]


def several(title: str, values: Iterable[str]) -> list[Row]:
    """*title* before the first value, nothing before the others; ``<none>`` for none."""
    rows = [["", value] for value in values] or [["", NONE]]
    rows[0][0] = title
    return rows


def _annotations(item: Tree) -> list[Row]:
    rows: list[Row] = []
    for key, value in pairs(item, "metadata", "annotations").items():
        if key == _APPLIED:
            continue
        lines = value.removesuffix("\n").split("\n")
        if len(lines) == 1 and len(key) + len(lines[0]) + 2 <= _LONGEST:
            rows.append(["", f"{key}: {lines[0]}"])
        else:
            rows.append(["", f"{key}:"])
            rows += [["", f"  {_shortened(line)}"] for line in lines]
    rows = rows or [["", NONE]]
    rows[0][0] = "Annotations:"
    return rows


def _shortened(line: str) -> str:
    return line if len(line) <= _LONGEST - 2 else line[: _LONGEST - 2] + "..."


def _if_any(title: str, value: str) -> list[Row]:
    return [[title, value]] if value else []


def _ingress(service: Tree) -> str:
    return ", ".join(_entry(entry) for entry in many(service, "status", "loadBalancer", "ingress"))


def _entry(entry: Tree) -> str:
    mode = text(entry, "ipMode")
    address = text(entry, "ip")
    return (f"{address} ({mode})" if mode else address) if address else text(entry, "hostname")


def _service_port(port: Tree, slices: Sequence[Tree]) -> list[Row]:
    name, protocol = text(port, "name") or UNSET, text(port, "protocol")
    rows = [
        ["Port:", name, f"{text(port, 'port')}/{protocol}"],
        ["TargetPort:", f"{text(port, 'targetPort')}/{protocol}"],
        *_if_any("AppProtocol:", text(port, "appProtocol")),
    ]
    if number(port, "nodePort"):
        rows.append(["NodePort:", name, f"{number(port, 'nodePort')}/{protocol}"])
    return [*rows, ["Endpoints:", endpoints_of(slices, text(port, "name"))]]


def endpoints_of(slices: Sequence[Tree], port_name: str) -> str:
    """``10.244.4.8:80,10.244.4.9:80,10.244.5.2:80 + 2 more...``: the ready ones of that port."""
    if not slices:
        return NONE
    found: list[str] = []
    more = False  # kubectl says "+ 0 more..." where only unready ones follow the third
    for piece in slices:
        ports = many(piece, "ports")
        numbers: list[int | None] = [number(port, "port") for port in ports if text(port, "name") == port_name]
        for port in numbers if ports else [None]:
            for endpoint in many(piece, "endpoints"):
                more |= len(found) >= _SHOWN
                if get(endpoint, "conditions", "ready") is not False:
                    address = next(iter(texts(endpoint, "addresses")), "")
                    found.append(address if port is None else host_port(address, port))
    return ",".join(found[:_SHOWN]) + (f" + {len(found) - _SHOWN} more..." if more else "")


def _addresses(subset: Tree, which: str) -> str:
    return ",".join(text(address, "ip") for address in many(subset, which)) or NONE
