"""What was written -> the model.  Meant for objects that ``cluster.validate`` found no error in.

Texts become exact ``str``, and those that repeat in a cluster (labels, namespaces, nodes, port names) are interned.
"""

from collections.abc import Iterable, Iterator
from sys import intern
from typing import TypeVar

from clusterdns.cluster import schema
from clusterdns.cluster.addresses import parse_address
from clusterdns.cluster.labels import Requirement, Selector, equals
from clusterdns.cluster.model import (
    READY,
    SERVING,
    TERMINATING,
    Endpoint,
    Endpoints,
    EndpointSlice,
    Key,
    Namespace,
    Object,
    Place,
    Pod,
    Port,
    Service,
    ServicePort,
    Subset,
    Workload,
)
from clusterdns.cluster.rules import flag, number
from clusterdns.cluster.shared import shared

T = TypeVar("T")

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SKIP_MIRROR = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
TOLERATE_UNREADY = "service.alpha.kubernetes.io/tolerate-unready-endpoints"  # what publishNotReadyAddresses was
ADDRESS = "clusterdns.io/address"
NODE_TOPOLOGY = "kubernetes.io/hostname"

FAMILIES = {"IPv4": 4, "IPv6": 6, "FQDN": 0}
OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


def build(
    kind: str, api_version: str, wire: schema.Wire, place: Place, endpoints: tuple[Endpoint, ...] | None = None
) -> Object:
    """*endpoints*: those of a slice where they are built already.

    Raises ValueError for numbers and addresses that are none.
    """
    meta = wire.metadata or schema.Meta()
    namespace = "" if kind == "Namespace" else meta.namespace or "default"
    key = Key(intern(str(namespace)), str(meta.name or ""))
    if isinstance(wire, schema.WireSlice):
        return _slice(wire, key, meta, place, endpoints)
    if isinstance(wire, schema.WirePod):
        return _pod(wire, key, meta, place)
    if isinstance(wire, schema.WireService):
        return _service(wire, key, meta, place)
    if isinstance(wire, schema.WireEndpoints):
        return _endpoints(wire, key, meta, place)
    if isinstance(wire, schema.WireWorkload):
        return _workload(kind, api_version, wire, key, meta, place)
    return Namespace(key, place, {**pairs(meta.labels), "kubernetes.io/metadata.name": key.name})


def there(items: Iterable[T | None] | None) -> list[T]:
    """A list of the API without nulls, which are as good as absent."""
    return [item for item in items if item is not None] if items else []


def pairs(written: dict[str, str | None] | None) -> dict[str, str]:
    return {intern(str(key)): intern(str(value or "")) for key, value in written.items()} if written else {}


def annotation(meta: schema.Meta | None, name: str) -> str:
    return str(((meta and meta.annotations) or {}).get(name) or "")


def target_port(value: int | str | None, default: int) -> int | str:
    """A number, or the name of a container port."""
    if value is None or value == "":
        return default
    try:
        return number(value)
    except ValueError:
        return intern(str(value))


def _service(wire: schema.WireService, key: Key, meta: schema.Meta, place: Place) -> Service:
    spec = wire.spec or schema.WireServiceSpec()
    addresses = [str(text) for text in spec.cluster_ips or () if text] or [str(spec.cluster_ip or "")]
    balancer = wire.status and wire.status.load_balancer
    ingress = there(balancer.ingress) if balancer else ()
    return Service(
        key=key,
        place=place,
        labels=pairs(meta.labels),
        type=intern(str(spec.type or "ClusterIP")),
        headless=addresses == ["None"],
        cluster_ips=tuple([parse_address(text) for text in addresses if text and text != "None"]),
        external_name=str(spec.external_name or ""),
        selector=pairs(spec.selector) if spec.selector is not None else None,
        ports=_service_ports(spec.ports),
        publish_not_ready=flag(spec.publish_not_ready_addresses) or annotation(meta, TOLERATE_UNREADY) == "true",
        ip_families=tuple([FAMILIES[text] for text in spec.ip_families or () if text]),
        ip_family_policy=intern(str(spec.ip_family_policy or "")),
        external_ips=tuple([str(text) for text in spec.external_ips or () if text]),
        load_balancer=tuple([str(entry.ip or entry.hostname) for entry in ingress if entry.ip or entry.hostname]),
        allocate_node_ports=flag(spec.allocate_load_balancer_node_ports, default=True),
    )


@shared
def _service_ports(ports: tuple[schema.WireServicePort | None, ...] | None) -> tuple[ServicePort, ...]:
    return tuple([_service_port(port) for port in there(ports)])


def _service_port(port: schema.WireServicePort) -> ServicePort:
    own = number(port.port)
    target = target_port(port.target_port, own)
    return ServicePort(_name(port.name), _protocol(port.protocol), own, target or own, number(port.node_port))


def _name(text: str | None) -> str:
    return intern(str(text)) if text else ""


def _protocol(text: str | None) -> str:
    return intern(str(text).lower()) if text else "tcp"


@shared
def _ports(ports: tuple[schema.WirePort | None, ...] | None) -> tuple[Port, ...]:
    return tuple([Port(_name(port.name), _protocol(port.protocol), number(port.port)) for port in there(ports)])


def _slice(
    wire: schema.WireSlice, key: Key, meta: schema.Meta, place: Place, endpoints: tuple[Endpoint, ...] | None
) -> EndpointSlice:
    labels = pairs(meta.labels)
    family = FAMILIES[wire.address_type or "IPv4"]
    return EndpointSlice(
        key=key,
        service=Key(key.namespace, labels.get(SERVICE_NAME, "")),
        place=place,
        labels=labels,
        family=family,
        ports=_ports(wire.ports),
        endpoints=tuple(_slice_endpoints(wire, family)) if endpoints is None else endpoints,
        managed_by=labels.get(MANAGED_BY, ""),
    )


def _slice_endpoints(wire: schema.WireSlice, family: int) -> Iterator[Endpoint]:
    for endpoint in there(wire.endpoints):
        for text in endpoint.addresses or ():
            if family and text:
                yield Endpoint(
                    parse_address(text),
                    conditions_of(endpoint.conditions),
                    str(endpoint.hostname) if endpoint.hostname else "",
                    _name(endpoint.node_name or (endpoint.topology or {}).get(NODE_TOPOLOGY)),
                    _pod_name(endpoint.target_ref),
                )


def conditions_of(written: schema.Conditions | None) -> int:
    """null: ready; serving as it is ready; not terminating (EndpointSlice API)."""
    if written is None:
        return READY | SERVING
    ready = flag(written.ready, default=True)
    serving = flag(written.serving, default=ready)
    return (READY if ready else 0) | (SERVING if serving else 0) | (TERMINATING if flag(written.terminating) else 0)


def _pod_name(target: schema.Target | None) -> str:
    return str(target.name) if target and target.name and target.kind == "Pod" else ""


def _endpoints(wire: schema.WireEndpoints, key: Key, meta: schema.Meta, place: Place) -> Endpoints:
    labels = pairs(meta.labels)
    return Endpoints(
        key=key,
        place=place,
        labels=labels,
        subsets=tuple(
            Subset(
                _ports(subset.ports),
                tuple(_old_endpoint(address, READY | SERVING) for address in there(subset.addresses))
                + tuple(_old_endpoint(address, 0) for address in there(subset.not_ready_addresses)),
            )
            for subset in there(wire.subsets)
        ),
        mirrored=labels.get(SKIP_MIRROR) != "true" and LEADER not in (meta.annotations or {}),
    )


def _old_endpoint(address: schema.WireAddress, conditions: int) -> Endpoint:
    hostname = str(address.hostname or "")
    return Endpoint(
        parse_address(address.ip or ""), conditions, hostname, _name(address.node_name), _pod_name(address.target_ref)
    )


def _pod(wire: schema.WirePod, key: Key, meta: schema.Meta, place: Place) -> Pod:
    spec, status = wire.spec or schema.PodSpec(), wire.status or schema.PodStatus()
    addresses = pod_addresses(status)
    phase = str(status.phase or ("Running" if addresses else "Pending"))
    terminating = bool(meta.deletion_timestamp)
    conditions = there(status.conditions)
    # A hand-written pod has an IP at most: then it is meant to be up.
    ready = any(condition.type == "Ready" and condition.status == "True" for condition in conditions)
    return Pod(
        key=key,
        place=place,
        labels=pairs(meta.labels),
        addresses=tuple(parse_address(text) for text in addresses),
        hostname=str(spec.hostname or ""),
        subdomain=_name(spec.subdomain),
        node=_name(spec.node_name),
        phase=intern(phase),
        ready=ready if conditions else bool(addresses) and phase == "Running" and not terminating,
        terminating=terminating,
        ports=_container_ports(spec),
    )


def pod_addresses(status: schema.PodStatus) -> list[str]:
    """``podIPs``, else ``podIP``."""
    found = [str(entry.ip) for entry in there(status.pod_ips) if entry.ip]
    return found or ([str(status.pod_ip)] if status.pod_ip else [])


def _container_ports(spec: schema.PodSpec) -> tuple[Port, ...]:
    """Of containers in order, then of native sidecars, as Services look names up (FindPort)."""
    sidecars = [container for container in there(spec.init_containers) if container.restart_policy == "Always"]
    return tuple(
        Port(_name(port.name), _protocol(port.protocol), number(port.container_port))
        for container in there(spec.containers) + sidecars
        for port in there(container.ports)
    )


def _workload(
    kind: str, api_version: str, wire: schema.WireWorkload, key: Key, meta: schema.Meta, place: Place
) -> Workload:
    spec = wire.spec or schema.WorkloadSpec()
    template = spec.template or schema.Template()
    pod_spec = template.spec or schema.PodSpec()
    written = annotation(meta, ADDRESS) or annotation(template.metadata, ADDRESS)
    return Workload(
        key=key,
        kind=intern(str(kind)),
        place=place,
        labels=pairs(meta.labels),
        replicas=1 if kind == "DaemonSet" else number(spec.replicas, 1),
        selector=workload_selector(api_version, spec),
        pod_labels=template_labels(spec),
        hostname=str(pod_spec.hostname or ""),
        subdomain=_name(pod_spec.subdomain),
        ports=_container_ports(pod_spec),
        service_name=_name(spec.service_name) if kind == "StatefulSet" else "",
        first_ordinal=number(spec.ordinals.start) if spec.ordinals else 0,
        addresses=tuple(parse_address(text.strip()) for text in written.split(",") if text.strip()),
        controlled=any(flag(owner.controller) for owner in there(meta.owner_references)),
    )


def template_labels(spec: schema.WorkloadSpec) -> dict[str, str]:
    return pairs(spec.template.metadata.labels) if spec.template and spec.template.metadata else {}


def workload_selector(api_version: str, spec: schema.WorkloadSpec) -> Selector:
    if spec.selector is None:
        return equals(template_labels(spec)) if api_version in schema.DEFAULTS_SELECTOR else ()
    expressions = tuple(
        Requirement(
            intern(str(expression.key or "")),
            OPERATORS[expression.operator or ""],
            frozenset(intern(str(value or "")) for value in expression.values or ()),
        )
        for expression in there(spec.selector.match_expressions)
    )
    return equals(pairs(spec.selector.match_labels)) + expressions
