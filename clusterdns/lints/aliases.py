"""ExternalNames: where they lead (CD511 to CD515)."""

from collections.abc import Iterator

from clusterdns.cluster.documents import Path
from clusterdns.cluster.model import Key, Service
from clusterdns.lints.scene import Finding, Scene, nearest, warn
from clusterdns.zone.names import Name, is_below, labels, parse_name, to_text
from clusterdns.zone.records import endpoint_label

MAX_LINKS = 8  # as many aliases are followed for one answer (engine.chain)
_PATH: Path = ("spec", "externalName")


def aliases(scene: Scene) -> Iterator[Finding]:
    for service in scene.services:
        if service.type == "ExternalName":
            yield from _alias(scene, service)


def _alias(scene: Scene, service: Service) -> Iterator[Finding]:
    text = service.external_name.removesuffix(".")
    if text.replace(".", "").isdigit():
        remedy = "write a Service without selector and an EndpointSlice with this address, or a DNS name"
        yield Finding(service, _PATH, "error", "CD511", f"{text} is an IP address: an alias needs a name", remedy)
        return
    try:
        target = parse_name(text)
    except ValueError:
        return  # validation has told it
    if full := _full_name(scene, service, text):
        yield warn(service, _PATH, "CD515", f"{text} is no full name, and no search path applies to it", full)
        return
    yield from _chain(scene, service, target)


def _full_name(scene: Scene, service: Service, text: str) -> str:
    """What to write instead; "" where *text* looks like the full name of something."""
    parts, domain = text.lower().split("."), to_text(scene.zones.domains[0]).removesuffix(".")
    if parts == ["localhost"]:
        return "write the name of the machine: every client would ask itself"
    if len(parts) == 1:
        return f"write {text}.{service.key.namespace}.svc.{domain} if the Service is meant, else the host's full name"
    if parts[-1] == "svc" or (len(parts) == 2 and scene.service(parts[1], parts[0])):
        return f"write {text if parts[-1] == 'svc' else text + '.svc'}.{domain}"
    return ""


def _chain(scene: Scene, service: Service, target: Name) -> Iterator[Finding]:
    """Follows it through the ExternalNames of the cluster."""
    way = {service.key: None}
    while True:
        found = _inside(scene, target)
        if found is None:
            return
        zone, rest = found
        key = Key(rest[-2], rest[-3]) if len(rest) == 3 and rest[-1] == "svc" else None
        following = scene.state.get("Service", key) if key else None
        if following is None or following.type != "ExternalName":
            if len(way) == 1 and (why := _missing(scene, zone, rest)):
                yield warn(service, _PATH, "CD514", f"{to_text(target)} does not exist: {why[0]}", why[1])
            return
        if following.key in way:
            links = " -> ".join(map(str, (*way, following.key)))
            text = f"leads back to itself: {links}" if following.key == service.key else f"leads into a loop: {links}"
            remedy = "let one of them name what is really meant"
            yield Finding(service, _PATH, "error", "CD512", text, remedy)
            return
        way[following.key] = None
        if len(way) > MAX_LINKS:
            text = f"leads through more than {MAX_LINKS} aliases: {' -> '.join(map(str, way))}"
            yield warn(service, _PATH, "CD513", text, "name the last one directly")
            return
        try:
            target = parse_name(following.external_name)
        except ValueError:
            return


def _inside(scene: Scene, target: Name) -> tuple[Name, list[str]] | None:
    """The zone of ours that *target* lies in and its labels before that; None: it is somebody else's."""
    zones = scene.zones
    own = [zone for zone in zones.domains if is_below(target, zone)]
    if not own:
        return None
    zone = max(own, key=len)
    if zones.falls(zone):
        return None  # what we lack an upstream may have
    return zone, [label.decode("ascii") for label in labels(target)[: len(labels(target)) - len(labels(zone))]]


def _missing(scene: Scene, zone: Name, rest: list[str]) -> tuple[str, str] | None:
    """(what is missing, remedy), where the name before *zone* is that of no Service and no endpoint."""
    domain = to_text(zone).removesuffix(".")
    if len(rest) == 2 and rest[-1] not in ("svc", "pod", "dns") and scene.service(rest[1], rest[0]):
        return "svc is missing in it", f"write {rest[0]}.{rest[1]}.svc.{domain}"
    if rest[-1:] == ["pod"] or len(rest) < 2 or rest == ["ns", "dns"]:
        return None
    if rest[-1] != "svc":
        return f"below {domain} there are svc and pod only", f"write SERVICE.NAMESPACE.svc.{domain}"
    namespace = rest[-2]
    if not scene.state.has_namespace(namespace):
        near = nearest(namespace, scene.state.namespaces())
        return f"there is no namespace {namespace}", f"write {near}" if near else "name one that exists"
    if len(rest) == 2:
        return "it is a namespace, which has no address", f"write SERVICE.{namespace}.svc.{domain}"
    if scene.service(namespace, rest[-3]) is None:
        near = scene.nearest_service(Key(namespace, rest[-3]))
        remedy = f"write {near}.{namespace}.svc.{domain}" if near else "name one that exists, or add it"
        return f"namespace {namespace} has no Service {rest[-3]}", remedy
    return _no_endpoint(scene, Key(namespace, rest[-3]), rest[0]) if len(rest) == 4 else None


def _no_endpoint(scene: Scene, key: Key, host: str) -> tuple[str, str] | None:
    published = scene.published(key)
    slices = published.slices if published else ()
    if any(endpoint_label(endpoint) == host for piece in slices for endpoint in piece.endpoints):
        return None
    return f"Service {key} has no endpoint of the hostname {host}", "check the hostnames of its pods"
