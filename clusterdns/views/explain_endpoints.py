"""Which endpoints a Service has, who made them, and why others that might be expected are none of them."""

from collections.abc import Generator, Iterable, Iterator

from clusterdns.cluster.addresses import address_text, family
from clusterdns.cluster.labels import matches
from clusterdns.cluster.model import (
    TERMINATING,
    Endpoint,
    EndpointSlice,
    Key,
    Object,
    Pod,
    Published,
    Service,
    subject,
)
from clusterdns.controllers.endpoints import MANAGED_BY
from clusterdns.controllers.manager import SLICE_CONTROLLER, selects
from clusterdns.views.explanation import SHOWN, EndpointLine, Endpoints
from clusterdns.world import World
from clusterdns.zone import causes
from clusterdns.zone.causes import Cause
from clusterdns.zone.records import endpoint_label

Steps = Generator[None, None, Endpoints]

_NEAR = 5  # pods that are shown although they are not selected
_TOGETHER = 64  # looked at without a pause
_FAMILIES = {4: "IPv4", 6: "IPv6"}


def where(item: Object) -> str:
    """``shop.yaml:12``"""
    place = item.place
    return f"{place.path}:{place.line}" if place.line else place.path or "API object"


def told(world: World, item: Object) -> str:
    """``Pod shop/web-0 (shop.yaml:12)``"""
    if isinstance(item, Pod) and item.stand_in:
        return f"{subject(item)} (stand-in of {item.stand_in}{_workload_place(world, item)})"
    return f"{subject(item)} ({where(item)})"


def _workload_place(world: World, pod: Pod) -> str:
    kind, _, name = pod.stand_in.partition(" ")
    owner = world.state.get(kind, Key(*name.split("/", 1)))
    return f", {where(owner)}" if owner else ""


def selector_text(service: Service) -> str:
    return ",".join(f"{label}={value}" for label, value in sorted((service.selector or {}).items()))


def endpoints_of(world: World, published: Published, host: str = "", port: str = "") -> Steps:
    """*published*: before filters.  *host*, *port*: what is asked for below the Service, if anything is."""
    service = published.service
    lines: list[EndpointLine] = []
    for piece in published.slices:
        for endpoint in piece.endpoints:
            lines.append(_line(world, published, piece, endpoint, host, port))
            if not len(lines) % _TOGETHER:
                yield
    selected = yield from _selected(world, service)
    lines += _no_endpoints(world, published, selected, {line.item for line in lines})
    yield
    inside = sum(line.inside for line in lines)
    outside = len(lines) - inside
    if service.selector and (not lines or host):
        lines += yield from _near(world, service, host, everyone=not lines)
    yield
    # Who is asked for must not be lost among the others.
    lines.sort(key=lambda line: (line.name != host and f"/{host} (" not in line.item, line.inside, line.item))
    known = _knows_pods(world, published)
    makers = tuple(_makers(world, published, selected, known))
    return Endpoints(
        makers, inside, outside, tuple(lines[:SHOWN]), known, len(lines[SHOWN:]), not world.controllers.enabled
    )


def _knows_pods(world: World, published: Published) -> bool:
    """Whether pods that are not known do not exist.

    A live API's are followed for ``pods: verified`` alone, and a dump may have been made without them.
    """
    if not world.controllers.enabled:
        return world.table.options.pods == "verified"
    dumped = any(piece.managed_by == SLICE_CONTROLLER for piece in published.slices)
    return not dumped or bool(world.state.pods(published.service.key.namespace))


def _selected(world: World, service: Service) -> Generator[None, None, list[Pod]]:
    """The pods that its selector matches.  Of a live API's there is no index."""
    if world.controllers.enabled:
        return world.controllers.selected(world.state, service)
    found = []
    for count, pod in enumerate(pods_in(world, service.key.namespace)):
        if service.selector and selects(service.selector, pod.labels):
            found.append(pod)
        if not count % _TOGETHER:
            yield
    return found


def _line(
    world: World, published: Published, piece: EndpointSlice, endpoint: Endpoint, host: str, port: str
) -> EndpointLine:
    service = published.service
    pod = world.controllers.pod(world.state, Key(service.key.namespace, endpoint.target)) if endpoint.target else None
    cause = _hidden(world, piece) or _unready(service, endpoint, pod)
    if not cause and port and not any(one.name == port for one in piece.ports):
        cause = _portless(service, pod, port)
    inside = not cause
    if pod and inside:
        cause = _unnamed(service, pod, host)
    pod_names = world.table.options.filters.endpoint_pod_names
    name = endpoint_label(endpoint, pod_names)
    return EndpointLine(inside, address_text(endpoint.address), _author(world, pod, piece, endpoint), name, cause)


def _author(world: World, pod: Pod | None, piece: EndpointSlice, endpoint: Endpoint) -> str:
    """Whose address an endpoint is, or else who wrote it."""
    if pod:
        return told(world, pod)
    if piece.managed_by == SLICE_CONTROLLER and endpoint.target:
        return f"Pod {piece.key.namespace}/{endpoint.target}, by {told(world, piece)}"
    return told(world, piece) if piece.managed_by != MANAGED_BY else "address as written"


def _unnamed(service: Service, pod: Pod, host: str) -> Cause | None:
    """Why an endpoint does not have the name that its pod asks for, or that somebody asked for."""
    if not pod.hostname:
        asked = host == pod.key.name
        return causes.NO_HOSTNAME.of(host=host, service=service.key.name) if asked else None
    if pod.subdomain == service.key.name or not service.headless:
        return None
    cause = causes.SUBDOMAIN if pod.subdomain else causes.NO_SUBDOMAIN
    return cause.of(has=pod.subdomain, wants=service.key.name)


def _portless(service: Service, pod: Pod | None, port: str) -> Cause | None:
    target = next((one.target for one in service.ports if one.name == port), None)
    if pod is None or target is None:
        return causes.PORT_NOT_GIVEN.of(service=service.key, port=port) if target is None else None
    return causes.PORT_NOT_IN_POD.of(port=target)


def _hidden(world: World, piece: EndpointSlice) -> Cause | None:
    filters = world.table.options.filters
    if filters.noendpoints:
        return causes.NOENDPOINTS
    if filters.labels and not matches(filters.labels, piece.labels):
        return causes.HIDDEN_LABELS.of(item="its EndpointSlice", labels=labels_text(piece.labels))
    return None


def labels_text(labels: dict[str, str]) -> str:
    return ",".join(f"{label}={value}" for label, value in sorted(labels.items())) or "no labels"


def _unready(service: Service, endpoint: Endpoint, pod: Pod | None) -> Cause | None:
    if endpoint.ready or service.publish_not_ready:
        return None
    if endpoint.conditions & TERMINATING or (pod and pod.terminating):
        return causes.TERMINATING
    return causes.NOT_READY


def _no_endpoints(world: World, published: Published, selected: Iterable[Pod], known: set[str]) -> list[EndpointLine]:
    """Selected pods that cannot be endpoints, or are none although they could: others make those of a live API."""
    service = published.service
    targets = {endpoint.target for piece in published.slices for endpoint in piece.endpoints}
    lines = []
    for pod in selected:
        cause = _unfit(service, pod) or (None if pod.key.name in targets else causes.NO_SLICE)
        if cause and (item := told(world, pod)) not in known:
            address = address_text(pod.addresses[0]) if pod.addresses else ""
            lines.append(EndpointLine(False, address, item, "", cause))
    return lines


def _unfit(service: Service, pod: Pod) -> Cause | None:
    if pod.phase in ("Succeeded", "Failed"):
        return causes.PHASE.of(phase=pod.phase)
    if not pod.addresses:
        return causes.NO_IP.of(phase=pod.phase)
    if service.ip_families and not any(family(address) in service.ip_families for address in pod.addresses):
        return causes.OTHER_FAMILY.of(family=" or ".join(_FAMILIES[one] for one in service.ip_families))
    return None


def _near(world: World, service: Service, host: str, *, everyone: bool) -> Generator[None, None, list[EndpointLine]]:
    """Pods that the selector misses: those that are asked for by name, and with *everyone* those nearest."""
    wanted = service.selector or {}
    found: list[tuple[int, bool, str, Pod]] = []
    for count, pod in enumerate(pods_in(world, service.key.namespace)):
        missing = [label for label, value in wanted.items() if pod.labels.get(label) != value]
        if missing and (everyone or host in {pod.key.name, pod.hostname}):
            alike = any(service.key.name in text or text in service.key.name for text in _words(pod))
            found.append((len(missing), not alike, pod.key.name, pod))
        if not count % _TOGETHER:
            yield
    found.sort(key=lambda one: one[:3])
    return [
        EndpointLine(False, address_text(pod.addresses[0]) if pod.addresses else "", told(world, pod), "", cause, True)
        for *_, pod in found[:_NEAR]
        if (cause := label_cause(wanted, pod.labels))
    ]


def pods_in(world: World, namespace: str) -> Iterator[Pod]:
    """Stand-ins too."""
    yield from list(world.state.pods(namespace))
    yield from [pod for pod in world.controllers.stand_ins() if pod.key.namespace == namespace]


def _words(pod: Pod) -> Iterator[str]:
    yield pod.key.name
    yield from (value for value in pod.labels.values() if value)


def label_cause(wanted: dict[str, str], labels: dict[str, str]) -> Cause | None:
    """The first label by which a selector misses; one that is there with another value before one that is not."""
    missing = sorted((label not in labels, label) for label, value in wanted.items() if labels.get(label) != value)
    for absent, label in missing[:1]:
        if absent:
            return causes.LABEL_MISSING.of(label=label, wants=wanted[label])
        return causes.LABEL_DIFFERS.of(label=label, has=labels[label], wants=wanted[label])
    return None


def _makers(world: World, published: Published, selected: list[Pod], pods_known: bool) -> Iterator[str]:
    service, state = published.service, world.state
    managers = {piece.managed_by for piece in published.slices}
    if service.selector:
        pods = f": {_count(len(selected), 'pod')}" if pods_known else ""
        yield f"selector {selector_text(service)}{pods}"
    stood = dict.fromkeys(pod.stand_in + _workload_place(world, pod) for pod in selected if pod.stand_in)
    for owner in list(stood)[:_NEAR]:
        yield f"stand-ins of {owner.replace(', ', ' (', 1)}{')' * (', ' in owner)}"
    endpoints = state.get("Endpoints", service.key)
    if endpoints and MANAGED_BY in managers and not selected:
        yield f"{told(world, endpoints)}, mirrored"
    for piece in [piece for piece in published.slices if piece.managed_by != MANAGED_BY][:_NEAR]:
        author = "the cluster's controller" if piece.managed_by == SLICE_CONTROLLER else piece.managed_by or "hand"
        fqdn = f", {causes.FQDN_SLICE.text}: DNS does not use it" if piece.family == 0 else ""
        yield f"{told(world, piece)}, by {author}{fqdn}"
    if service.publish_not_ready:
        yield "publishNotReadyAddresses: those that are not ready count, too"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
