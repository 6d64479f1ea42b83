"""Names of ports, and names that DNS cannot hold (CD505 to CD508)."""

from collections.abc import Iterator, Sequence

from clusterdns.cluster.documents import Path
from clusterdns.cluster.model import Endpoints, EndpointSlice, Key, Port, Service, ServicePort
from clusterdns.controllers.endpoints import MANAGED_BY
from clusterdns.controllers.manager import MIRRORING_CONTROLLER, SLICE_CONTROLLER
from clusterdns.lints.scene import Finding, Scene, warn
from clusterdns.zone.names import to_text
from clusterdns.zone.records import endpoint_label, port_owner, service_name, shown

CONTROLLERS = (SLICE_CONTROLLER, MIRRORING_CONTROLLER, MANAGED_BY)  # their slices nobody wrote by hand


def ports(scene: Scene) -> Iterator[Finding]:
    for service in scene.services:
        yield from _too_long(scene, service)
        for index, port in enumerate(service.ports):
            yield from _label(service, ("spec", "ports", index, "name"), port)
    for piece in scene.state.all("EndpointSlice"):
        if piece.managed_by not in CONTROLLERS and piece.service.name:
            yield from _of_slice(scene, piece)
    for endpoints in scene.state.all("Endpoints"):
        if endpoints.mirrored and not (scene.selected.get(endpoints.key)):
            for at, subset in enumerate(endpoints.subsets):
                yield from _names(scene, endpoints, endpoints.key, ("subsets", at, "ports"), subset.ports)


def _of_slice(scene: Scene, piece: EndpointSlice) -> Iterator[Finding]:
    for index, port in enumerate(piece.ports):
        if not port.name and len(piece.ports) > 1:
            text = "absent, though there are several ports: no SRV record names this one, and no Service port matches"
            yield warn(piece, ("ports", index, "name"), "CD506", text, "write the name of the Service's port")
    yield from _names(scene, piece, piece.service, ("ports",), piece.ports)


def _names(
    scene: Scene, item: EndpointSlice | Endpoints, key: Key, path: Path, own: Sequence[Port]
) -> Iterator[Finding]:
    """A Service's port leads to the endpoints' port of its name: kube-proxy looks for nothing else."""
    service = scene.state.get("Service", key)
    if service is None or service.type == "ExternalName":
        return
    names = {(port.name, port.protocol) for port in service.ports}
    for index, port in enumerate(own):
        at = (*path, index, "name")
        if service.headless:
            yield from _label(item, at, port)
        if not names or (port.name, port.protocol) in names or (not port.name and len(own) > 1):
            continue
        known = ", ".join(sorted(name or "(no name)" for name, _ in names))
        text = f"{port.name or '(no name)'}/{port.protocol.upper()} is no port of Service {key.name}, which has {known}"
        remedy = "write the Service's port names in the endpoints"
        yield warn(item, at, "CD505", text, remedy)


def _label(item: Service | EndpointSlice | Endpoints, path: Path, port: Port | ServicePort) -> Iterator[Finding]:
    if len(port.name) > 62:
        text = f"{port.name} has 63 characters: with the underscore of an SRV name it is longer than a DNS label"
        yield warn(item, path, "CD507", text, "shorten it; at most 62 characters have an SRV record")


def _too_long(scene: Scene, service: Service) -> Iterator[Finding]:
    for domain in scene.zones.domains:
        try:
            base = service_name(service.key, domain)
        except ValueError:
            text = f"{service.key.name}.{service.key.namespace}.svc.{to_text(domain)} is longer than 255 octets"
            remedy = "shorten the domain, the namespace or the name"
            yield Finding(service, ("metadata", "name"), "error", "CD508", f"{text}: it has no records", remedy)
            continue
        # The longest label is 64 octets with its length: what can take one more pair of them needs no closer look.
        if len(base) + 64 + 5 <= 255:
            continue
        for index, port in enumerate(service.ports):
            if 0 < len(port.name) < 63 and port_owner(port.name, port.protocol, base) is None:
                text = f"_{port.name}._{port.protocol}.{to_text(base)} is longer than 255 octets: it has no SRV record"
                yield warn(service, ("spec", "ports", index, "name"), "CD508", text, "shorten one of its parts")
        yield from _long_hosts(scene, service, base)


def _long_hosts(scene: Scene, service: Service, base: bytes) -> Iterator[Finding]:
    published = scene.published(service.key)
    if published is None or service.type == "ExternalName":
        return
    for host in sorted({endpoint_label(endpoint) for _, endpoint in shown(published)}):
        if len(base) + 1 + len(host) > 255:
            text = f"{host}.{to_text(base)} is longer than 255 octets: this endpoint has no name"
            yield warn(service, ("metadata", "name"), "CD508", text, "shorten one of its parts")
            return
