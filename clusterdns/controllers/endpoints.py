"""Selector -> EndpointSlices, as the endpointslice controller makes them (Kubernetes v1.36.3)."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

from clusterdns.cluster.addresses import family
from clusterdns.cluster.model import (
    READY,
    SERVING,
    TERMINATING,
    Endpoint,
    Endpoints,
    EndpointSlice,
    Key,
    Pod,
    Port,
    Service,
    ServicePort,
)

# Not the real controllers' names: a dump of ourselves, served again, would then switch us off for that Service and
# freeze its endpoints.  Under our own name the manager knows such slices for copies of what it makes itself.
MANAGED_BY = "controllers.clusterdns.io"


def slices_for(service: Service, pods: Iterable[Pod], families: Sequence[int]) -> tuple[EndpointSlice, ...]:
    """The slices of *service*, whose selector matches *pods*; in the order of their keys, for any order of *pods*.

    One slice per address family and set of resolved ports.  The real controller cuts at 100 endpoints to keep single
    objects small in etcd; DNS sees their union only, so nothing is cut here.
    """
    alive = sorted((pod for pod in pods if pod.phase not in ("Succeeded", "Failed")), key=lambda pod: pod.key)
    groups: dict[tuple[int, tuple[Port, ...]], list[Endpoint]] = {}
    for pod in alive:
        ports = resolve_ports(service.ports, pod)
        for address in pod.addresses:
            if family(address) in families:
                groups.setdefault((family(address), ports), []).append(_endpoint(service, pod, address))
    return made_slices(service, groups)


def made_slices(
    author: Service | Endpoints, groups: dict[tuple[int, tuple[Port, ...]], list[Endpoint]]
) -> tuple[EndpointSlice, ...]:
    """One slice for each (family, ports) of *groups*, named by these, as nothing else about it is stable.

    The labels are the very dictionary of *author*, shared: what the real controllers add to it has fields here.
    """
    namespace, name = author.key
    slices = [
        EndpointSlice(
            Key(namespace, f"{name}-{_digest(ip_family, ports)}"),
            author.key,
            labels=author.labels,
            family=ip_family,
            ports=ports,
            endpoints=tuple(endpoints),
            managed_by=MANAGED_BY,
        )
        for (ip_family, ports), endpoints in groups.items()
    ]
    return tuple(sorted(slices, key=lambda one: one.key))


def resolve_ports(ports: Sequence[ServicePort], pod: Pod) -> tuple[Port, ...]:
    """The ports of *pod* behind *ports*; one whose name the pod does not know is left out."""
    resolved = []
    for port in ports:
        number = port.target if isinstance(port.target, int) else _named(port, pod)
        if number is not None:
            resolved.append(Port(port.name, port.protocol, number))
    return tuple(resolved)


def _named(port: ServicePort, pod: Pod) -> int | None:
    for candidate in pod.ports:  # containers in order, then native sidecars
        if candidate.name == port.target and candidate.protocol == port.protocol:
            return candidate.number
    return None


def _endpoint(service: Service, pod: Pod, address: bytes) -> Endpoint:
    ready = service.publish_not_ready or (pod.ready and not pod.terminating)
    return Endpoint(
        address,
        READY * ready | SERVING * pod.ready | TERMINATING * pod.terminating,
        pod.hostname if pod.subdomain == service.key.name else "",
        pod.node,
        pod.key.name,
    )


def _digest(ip_family: int, ports: tuple[Port, ...]) -> str:
    text = "/".join([str(ip_family), *(f"{port.name}:{port.protocol}:{port.number}" for port in ports)])
    return blake2b(text.encode(), digest_size=4).hexdigest()
