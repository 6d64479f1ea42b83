"""Endpoints and slices that somebody wrote, and the Services they are for (CD531 to CD534)."""

from collections.abc import Iterator

from clusterdns.cluster.build import SERVICE_NAME
from clusterdns.cluster.documents import Path
from clusterdns.cluster.model import Endpoints, EndpointSlice, Key, Service
from clusterdns.lints.scene import Finding, Scene, warn


def endpoints(scene: Scene) -> Iterator[Finding]:
    for service in scene.services:
        yield from _none(scene, service)
    for written in scene.state.all("Endpoints"):
        if written.mirrored:
            yield from _of_endpoints(scene, written)
    for piece in scene.state.all("EndpointSlice"):
        if piece.service.name:
            yield from _of_slice(scene, piece)


def _none(scene: Scene, service: Service) -> Iterator[Finding]:
    if service.type == "ExternalName" or service.selector:
        return
    written = scene.state.get("Endpoints", service.key)
    if not scene.state.slices(service.key) and (written is None or not written.mirrored):
        text = "absent, and there is neither an EndpointSlice nor Endpoints for this Service: nothing is behind it"
        remedy = f"write a selector, or an EndpointSlice labelled {SERVICE_NAME}: {service.key.name}"
        yield warn(service, ("spec", "selector"), "CD531", text, remedy)


def _of_endpoints(scene: Scene, written: Endpoints) -> Iterator[Finding]:
    service = scene.state.get("Service", written.key)
    path: Path = ("metadata", "name")
    if service is None:
        yield _orphan(scene, written, path, written.key)
    elif service.type == "ExternalName":
        text = f"Service {written.key.name} is of type ExternalName: these endpoints are ignored"
        yield warn(written, path, "CD533", text, "remove them, or the type")
    elif service.selector and _ignored(scene, written):
        text = f"Service {written.key.name} has a selector that finds pods: these endpoints are ignored"
        yield warn(written, path, "CD533", text, "remove them, or the selector")


def _ignored(scene: Scene, written: Endpoints) -> bool:
    """A dump holds what the endpoints controller made: the addresses of the very pods, so nothing is lost."""
    pods = scene.selected.get(written.key, ())
    known = {address for pod in pods for address in pod.addresses}
    own = (endpoint for subset in written.subsets for endpoint in subset.endpoints)
    return bool(pods) and any(not endpoint.target and endpoint.address not in known for endpoint in own)


def _of_slice(scene: Scene, piece: EndpointSlice) -> Iterator[Finding]:
    service = scene.state.get("Service", piece.service)
    path: Path = ("metadata", "labels", SERVICE_NAME)
    if service is None:
        yield _orphan(scene, piece, path, piece.service)
    elif service.type == "ExternalName":
        text = f"Service {service.key.name} is of type ExternalName: these endpoints are ignored"
        yield warn(piece, path, "CD533", text, "remove them, or the type")
    # Who says that somebody manages it means it; what controllers made is the truth of a dump.
    elif not piece.managed_by and scene.selected.get(service.key):
        text = f"Service {service.key.name} has a selector that finds pods: these endpoints are added to those"
        yield warn(piece, path, "CD534", text, "remove them, or the selector")


def _orphan(scene: Scene, item: Endpoints | EndpointSlice, path: Path, key: Key) -> Finding:
    near = scene.nearest_service(key)
    guess = f"; there is a Service {near}" if near else ""
    text = f"no Service {key.name} in namespace {key.namespace}: nothing is published{guess}"
    return warn(item, path, "CD532", text, f"write {near}" if near else f"add the Service {key.name}")
