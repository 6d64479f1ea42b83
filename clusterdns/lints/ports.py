"""Port names of hand-written endpoints (CD507 and CD508)."""

from collections.abc import Iterator, Sequence

from clusterdns.cluster.documents import Path
from clusterdns.cluster.model import Endpoints, EndpointSlice, Key, Port
from clusterdns.controllers.endpoints import MANAGED_BY
from clusterdns.controllers.manager import MIRRORING_CONTROLLER, SLICE_CONTROLLER
from clusterdns.lints.scene import Finding, Scene, warn

CONTROLLERS = (SLICE_CONTROLLER, MIRRORING_CONTROLLER, MANAGED_BY)  # their slices nobody wrote by hand


def ports(scene: Scene) -> Iterator[Finding]:
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
            yield warn(piece, ("ports", index, "name"), "CD508", text, "write the name of the Service's port")
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
        if not names or (port.name, port.protocol) in names or (not port.name and len(own) > 1):
            continue
        known = ", ".join(sorted(name or "(no name)" for name, _ in names))
        text = f"{port.name or '(no name)'}/{port.protocol.upper()} is no port of Service {key.name}, which has {known}"
        remedy = "write the Service's port names in the endpoints"
        yield warn(item, at, "CD507", text, remedy)
