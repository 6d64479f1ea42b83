"""Why a name of a Service is answered as it is: the Service itself, its endpoints' and its ports' names."""

from collections.abc import Generator, Sequence

from msgspec import Struct

from clusterdns.cluster.addresses import address_text
from clusterdns.cluster.labels import matches
from clusterdns.cluster.model import Key, Object, Published, Service
from clusterdns.errors import Problem
from clusterdns.views.explain_endpoints import endpoints_of, labels_text, pods_in, selector_text, told, where
from clusterdns.views.explain_hints import close, first, services_like
from clusterdns.views.explain_names import PROTOCOLS, Fall
from clusterdns.views.explanation import EndpointLine, Endpoints, ServiceLine
from clusterdns.world import World
from clusterdns.zone import causes
from clusterdns.zone.causes import Cause
from clusterdns.zone.records import records_for, shown_by_host

_FAMILIES = {4: "IPv4", 6: "IPv6"}


class Finding(Struct):
    """What there is to say about one name."""

    why: str = ""  # of a positive answer
    cause: Cause | None = None
    suggestions: Sequence[str] = ()
    service: ServiceLine | None = None
    alias: Sequence[str] = ()
    notes: Sequence[str] = ()


Find = Generator[None, None, Finding]


class Asked(Struct, frozen=True):
    """One name and what it got.  *status* of its answers together; *types* that were asked for."""

    fall: Fall
    name: str
    status: str
    types: tuple[str, ...]
    problems: Sequence[Problem] = ()


def of_service(world: World, asked: Asked) -> Find:
    key = asked.fall.service
    if key is None:
        return Finding()
    service = world.state.get("Service", key)
    published = world.controllers.published(world.state, key)
    if service is None or published is None:
        return (yield from absent(world, asked, key))
    yield
    host, port = _parts(asked.fall)
    endpoints = None
    if service.type != "ExternalName":
        endpoints = yield from endpoints_of(world, published, host, port)
    line = _line(service, published, endpoints)
    if key not in world.table.tree.published:
        return Finding(cause=hidden(world, published, endpoints), service=line)
    complaint = _complaint(asked.problems, f"Service {key}") if asked.status == "NOERROR" else None
    if service.type == "ExternalName":
        return Finding(why=f"{line.name} ({line.place}) is an alias", cause=complaint, service=line)
    found = yield from _existing(world, asked, published, endpoints or Endpoints())
    found.service = line
    if found.cause and found.cause.code in _EMPTY:
        found.cause = _with_rejected(found.cause, asked.problems, service)
    found.cause = found.cause or complaint
    return found


def _complaint(problems: Sequence[Problem], subject: str) -> Cause | None:
    """What is known to be wrong with an object that is answered all the same."""
    mine = [problem for problem in problems if problem.subject == subject and problem.code != "CD307"]
    if not mine:
        return None
    worst = min(mine, key=lambda problem: (problem.code == _LAST_GOOD, problem.severity != "error"))
    kept = any(problem.code == _LAST_GOOD and problem.path == worst.path for problem in problems)
    after = "; the last good version stays in use" if kept and worst.severity == "error" else ""
    place = f"{worst.path}:{worst.line}" if worst.line else worst.path
    return Cause(worst.code, f"{place}: {worst.text}{after}", worst.remedy)


_LAST_GOOD = "CD308"

# Causes behind which there may be a document that was not taken.
_EMPTY = ("no-pod-selected", "no-selector", "slice-empty", "no-endpoint-addresses")
_PODS = ("Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")


def _with_rejected(cause: Cause, problems: Sequence[Problem], service: Service) -> Cause:
    """Together with the first document that could have given *service* its endpoints, had it no fault."""
    kinds = _PODS if service.selector else ("EndpointSlice", "Endpoints")
    for problem in problems:
        kind, _, name = problem.subject.partition(" ")
        if problem.severity == "error" and kind in kinds and name.startswith(f"{service.key.namespace}/"):
            place = f"{problem.path}:{problem.line}, {problem.subject}"
            refused = causes.REJECTED.of(place=place, problem=problem.text, remedy=problem.remedy)
            return Cause(refused.code, f"{cause.text}; {refused.text}", refused.advice)
    return cause


def _parts(fall: Fall) -> tuple[str, str]:
    """The endpoint and the port that are asked for, "" for none."""
    if fall.rule == "port":
        return "", fall.parts[0].removeprefix("_")
    return (fall.parts[0] if fall.rule == "endpoint" else ""), ""


def _line(service: Service, published: Published, endpoints: Endpoints | None) -> ServiceLine:
    full = published.service
    kind = full.type if not full.headless else "headless"
    if full.type == "ExternalName":
        kind = f"ExternalName {full.external_name}"
    if full.load_balancer or full.external_ips:
        kind += f" (outside: {first([*full.external_ips, *full.load_balancer])})"
    addresses = tuple(_source(address, service) for address in full.cluster_ips)
    ports = tuple(f"{port.name or '(no name)'} {port.number}/{port.protocol.upper()}" for port in full.ports)
    return ServiceLine(str(full.key), where(service), kind, addresses, ports, endpoints)


def _source(address: bytes, service: Service) -> str:
    if address not in service.cluster_ips:
        return f"{address_text(address)}, allocated from service_cidr"
    return f"{address_text(address)}, {'as written' if service.place.line else 'from the API'}"


def hidden(world: World, published: Published, endpoints: Endpoints | None) -> Cause:
    """Why a Service that exists is not served."""
    filters, service = world.table.options.filters, published.service
    if cause := hidden_namespace(world, service.key.namespace):
        return cause
    if not matches(filters.labels, service.labels):
        return causes.HIDDEN_LABELS.of(item=f"Service {service.key}", labels=labels_text(service.labels))
    if filters.noendpoints and service.headless:
        return causes.NOENDPOINTS
    inside = endpoints.inside if endpoints else 0
    if filters.ignore_empty_service and not inside and endpoints:
        why = _empty(published, endpoints)
        return Cause(causes.EMPTY_SERVICE.code, f"{causes.EMPTY_SERVICE.text}: {why.text}", why.advice)
    return causes.NOT_SYNCED


def hidden_namespace(world: World, namespace: str) -> Cause | None:
    filters = world.table.options.filters
    if namespace in world.table.tree.namespaces or not world.state.has_namespace(namespace):
        return None
    if filters.namespaces:
        return causes.HIDDEN_NAMESPACES.of(namespace=namespace)
    declared = world.state.get("Namespace", Key("", namespace))
    labels = labels_text(declared.labels) if declared else "no labels: it is not declared"
    return causes.HIDDEN_NAMESPACE_LABELS.of(namespace=namespace, labels=labels)


def absent(world: World, asked: Asked, key: Key) -> Find:
    """There is no such Service."""
    before = "".join(f"{part}." for part in asked.fall.parts[:-3])
    similar = yield from services_like(world, key, before)
    cause = rejected(asked.problems, "Service", key) or hidden_namespace(world, key.namespace)
    if cause:
        return Finding(cause=cause)
    if not world.state.has_namespace(key.namespace):
        near = yield from close(key.namespace, world.state.namespaces())
        text = causes.NO_NAMESPACE.of(namespace=key.namespace)
        return Finding(cause=text, suggestions=similar or [f"{before}{key.name}.{one}" for one in near])
    cause = _almost(world, key) or (yield from _by_pod(world, key))
    notes = [f"rejected, and nobody knows what it is: {one}" for one in asked.problems if _unknown(one)][:3]
    return Finding(cause=cause or causes.NO_SERVICE.of(service=key), suggestions=similar, notes=notes)


def _unknown(problem: Problem) -> bool:
    return problem.severity == "error" and not problem.subject


def rejected(problems: Sequence[Problem], kind: str, key: Key) -> Cause | None:
    for problem in problems:
        if problem.subject == f"{kind} {key}" and problem.severity == "error":
            place = f"{problem.path}:{problem.line}"
            return causes.REJECTED.of(place=place, problem=problem.text, remedy=problem.remedy)
    return None


def _almost(world: World, key: Key) -> Cause | None:
    """Objects that would be the Service's if there were one."""
    state = world.state
    orphan: Object | None = state.get("Endpoints", key) or next(iter(state.slices(key)), None)
    if orphan:
        return causes.ORPHAN.of(service=key, item=told(world, orphan))
    namesake: Object | None = state.get("Pod", key)
    for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"):
        namesake = namesake or state.get(kind, key)
    stateful = next((one for one in state.workloads() if one.service_name == key.name and one.key[0] == key[0]), None)
    if stateful:
        pod = f"{told(world, stateful)} by its serviceName"
        return causes.NO_SUBDOMAIN_SERVICE.of(service=key, pod=pod)
    return causes.NOT_A_SERVICE.of(service=key, item=told(world, namesake)) if namesake else None


def _by_pod(world: World, key: Key) -> Generator[None, None, Cause | None]:
    for count, pod in enumerate(pods_in(world, key.namespace)):
        if pod.subdomain == key.name:
            return causes.NO_SUBDOMAIN_SERVICE.of(service=key, pod=told(world, pod))
        if not count % 64:
            yield
    return None


def _existing(world: World, asked: Asked, published: Published, endpoints: Endpoints) -> Find:
    """The Service is served, as far as it has records."""
    service, rule = published.service, asked.fall.rule
    place = f"Service {service.key} ({where(world.state.get('Service', service.key) or service)})"
    served = world.table.tree.published.get(service.key, published)
    if not records_for(served, asked.fall.apex, 0):
        return Finding(cause=_nothing(published, endpoints, asked, place))
    if rule == "deep":
        return Finding(cause=causes.TOO_DEEP.of(form="_port._protocol.service.namespace.svc"))
    if rule == "endpoint":
        return _endpoint(asked, served, endpoints, place)
    if rule == "port":
        return (yield from _port(asked, published, endpoints, place))
    if rule == "protocol" and asked.status == "NODATA":
        return Finding(cause=causes.NO_RECORDS.of(name=asked.name))
    if rule == "protocol":
        wanted = asked.fall.parts[0].removeprefix("_")
        return Finding(cause=causes.NO_PROTOCOL.of(service=place, protocol=wanted.upper()))
    return Finding(_why(published, endpoints, place), _wrong(asked, published, endpoints, place))


def _why(published: Published, endpoints: Endpoints, place: str) -> str:
    total = endpoints.inside + endpoints.outside
    if not total:
        return f"{place} is headless" if published.service.headless else f"the ClusterIP of {place}"
    if published.service.headless:
        return f"{place} is headless: the addresses of its endpoints, {endpoints.inside} of {total} ready"
    return f"the ClusterIP of {place}, {endpoints.inside} of {total} endpoints ready"


def _nothing(published: Published, endpoints: Endpoints, asked: Asked, place: str) -> Cause:
    """Why a Service has no records at all."""
    service = published.service
    if not service.headless and service.cluster_ips:
        return causes.NAME_TOO_LONG.of(zone=asked.fall.zone)
    if not service.headless:
        problem = _complaint(asked.problems, f"Service {service.key}")
        return causes.NO_CLUSTER_IP.of(service=place, problem=problem.text if problem else "none is left")
    why = _empty(published, endpoints)
    return Cause(why.code, f"headless {place}: {why.text}", why.advice)


def _empty(published: Published, endpoints: Endpoints) -> Cause:
    """Why nothing is behind a Service."""
    service, lines = published.service, endpoints.lines
    if any(published.slices) and any(piece.endpoints for piece in published.slices):
        total = sum(len(piece.endpoints) for piece in published.slices)
        cause = causes.NO_ENDPOINT_READY.of(total=total)
        hiding = next((line.cause for line in lines if line.cause and line.cause.code.startswith(("hid", "noe"))), None)
        return hiding or Cause(cause.code, f"{cause.text}: {_reasons(lines, endpoints.outside)}")
    if not service.selector:
        if published.slices:
            return causes.SLICE_EMPTY.of(makers=first(endpoints.makers))
        return causes.NO_SELECTOR.of(name=service.key.name)
    words = {"selector": selector_text(service), "namespace": service.key.namespace}
    if endpoints.outside:
        pods = f"{endpoints.outside} pod{'s' * (endpoints.outside != 1)}"
        cause = causes.NO_ADDRESSES.of(total=pods, **words)
        advice = causes.LOOK_AT_PODS.format(**words) if endpoints.live else ""
        return Cause(cause.code, f"{cause.text}: {_reasons(lines, endpoints.outside)}", advice)
    if not endpoints.pods_known:
        unknown = causes.PODS_UNKNOWN.of(**words)
        return unknown if endpoints.live else causes.SLICE_EMPTY.of(makers=first(endpoints.makers))
    cause = (causes.NO_POD_RUNS if endpoints.live else causes.NO_POD_SELECTED).of(**words)
    return Cause(cause.code, cause.text + (f"; nearest is {_reasons(lines, len(lines))}" if lines else ""))


def _reasons(lines: Sequence[EndpointLine], total: int) -> str:
    """``Pod shop/web-0 (shop.yaml:3): not ready and 3 more``, of *total*, of which *lines* are the first."""
    told_of = next((f"{line.item}: {line.cause.text}" for line in lines if line.cause), "")
    return told_of + (f" and {total - 1} more" if total > 1 else "")


def _wrong(asked: Asked, published: Published, endpoints: Endpoints, place: str) -> Cause | None:
    """What is wrong at a Service's own name; None: nothing."""
    service = published.service
    if asked.status == "NODATA":
        missing = [version for rtype, version in (("A", 4), ("AAAA", 6)) if rtype in asked.types]
        if missing:
            has = first([address_text(address) for address in service.cluster_ips]) or "its endpoints have none"
            family_text = " or ".join(_FAMILIES[one] for one in missing)
            return causes.NO_FAMILY.of(item=place, family=family_text, has=f"it has {has}")
        if asked.types == ("SRV",):
            return causes.NO_PORTS.of(service=place)
        return causes.NO_TYPE.of(name=asked.name, type=first(asked.types), kind="a Service", types="A, AAAA and SRV")
    if not endpoints.inside:
        why = _empty(published, endpoints)
        return Cause(why.code, f"nothing is behind it: {why.text}", why.advice)
    for port in service.ports:
        if isinstance(port.target, str) and not any(
            one.name == port.name for piece in published.slices for one in piece.ports
        ):
            return causes.PORT_NOWHERE.of(port=port.target, service=service.key, total=endpoints.inside)
    return None


def _endpoint(asked: Asked, published: Published, endpoints: Endpoints, place: str) -> Finding:
    host = asked.fall.parts[0]
    hosts = shown_by_host(published)
    if host in hosts:
        why = f"{first([line.item for line in endpoints.lines if line.inside and line.name == host])}, of {place}"
        cause = None
        if asked.status == "NODATA":
            types = "A, AAAA and SRV"
            cause = causes.NO_TYPE.of(name=asked.name, type=first(asked.types), kind="this endpoint", types=types)
            if set(asked.types) <= {"A", "AAAA"}:
                has = first([address_text(endpoint.address) for _, endpoint in hosts[host]])
                wanted = " or ".join("IPv4" if one == "A" else "IPv6" for one in asked.types)
                cause = causes.NO_FAMILY.of(item=host, family=wanted, has=f"it has {has}")
        return Finding(why, cause)
    if host in PROTOCOLS:
        return Finding(cause=causes.UNDERSCORES.of(wanted=f"_port._{host}.{asked.fall.parts[1]}"))
    for line in endpoints.lines:
        if line.name == host or f"/{host} (" in line.item:
            return Finding(cause=_of_host(published.service, host, line))
    base = ".".join(asked.fall.parts[1:-1])
    return Finding(
        cause=causes.NO_ENDPOINT.of(service=place, host=host),
        suggestions=[f"{one}.{base}" for one in sorted(hosts)[:3]],
    )


def _of_host(service: Service, host: str, line: EndpointLine) -> Cause:
    """Why a pod that is there does not have the name that was asked for."""
    cause = line.cause or causes.NO_HOSTNAME.of(host=host, service=service.key.name)
    return Cause(cause.code, f"{line.item}: {cause.text}", cause.advice)


def _port(asked: Asked, published: Published, endpoints: Endpoints, place: str) -> Find:
    written, protocol = asked.fall.parts[0], asked.fall.parts[1].removeprefix("_")
    service, name = published.service, written.removeprefix("_")
    if asked.status == "NOERROR":
        return Finding(f"port {name} of {place}", _portless_pods(service, endpoints, name))
    if asked.status == "NODATA":
        types = {"name": asked.name, "type": first(asked.types), "kind": "a port name", "types": "SRV only"}
        return Finding(cause=causes.NO_TYPE.of(**types), suggestions=[f"{asked.name} SRV"])
    base = ".".join(asked.fall.parts[2:-1])
    if not (written.startswith("_") and asked.fall.parts[1].startswith("_")):
        if protocol in PROTOCOLS:
            wanted = f"_{name}._{protocol}.{base}"
            return Finding(cause=causes.UNDERSCORES.of(wanted=wanted), suggestions=[f"{wanted} SRV"])
        return Finding(cause=causes.TOO_DEEP.of(form="_port._protocol.service.namespace.svc"))
    named = [(port.name, port.protocol) for port in service.ports] + _given(published) * service.headless
    others = sorted({has for one, has in named if one == name and has != protocol})
    if others:
        text = causes.OTHER_PROTOCOL.of(port=name, service=place, has=first(others).upper(), wants=protocol.upper())
        return Finding(cause=text, suggestions=[f"_{name}._{one}.{base} SRV" for one in others])
    if any(len(one) > 62 for one, _ in named if one[:40] == name[:40]):
        return Finding(cause=causes.PORT_TOO_LONG)
    if any(one == name for one, _ in named):
        missing = causes.PORT_NOT_GIVEN.of(service=place, port=name)
        return Finding(cause=_portless_pods(service, endpoints, name) or missing)
    existing = sorted({(one, has) for one, has in named if one})
    if any(not one for one, _ in named) and not existing:
        unnamed = first([f"{port.number}/{port.protocol.upper()}" for port in service.ports])
        return Finding(cause=causes.PORT_UNNAMED.of(service=place, ports=unnamed))
    near = yield from close(name, [one for one, _ in existing])
    chosen = [one for one in existing if one[0] in near] or existing
    return Finding(
        cause=causes.NO_PORT.of(service=place, port=name),
        suggestions=[f"_{one}._{has}.{base} SRV" for one, has in chosen[:3]],
    )


def _given(published: Published) -> list[tuple[str, str]]:
    """Ports of endpoints."""
    return [(port.name, port.protocol) for piece in published.slices for port in piece.ports]


def _portless_pods(service: Service, endpoints: Endpoints, name: str) -> Cause | None:
    lost = [line for line in endpoints.lines if line.cause and line.cause.code == causes.PORT_NOT_IN_POD.code]
    target = next((port.target for port in service.ports if port.name == name), name)
    if not lost:
        return None
    if len(lost) == endpoints.inside + endpoints.outside:
        return causes.PORT_NOWHERE.of(port=target, service=service.key, total=len(lost))
    return Cause(causes.PORT_NOT_IN_POD.code, _reasons(lost, len(lost)))
