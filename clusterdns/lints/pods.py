"""Pods: their own names and their addresses (CD521 to CD527)."""

from collections.abc import Iterable, Iterator

from clusterdns.cluster.addresses import address_text, in_network
from clusterdns.cluster.documents import Path
from clusterdns.cluster.model import Key, Object, Pod, Service
from clusterdns.controllers.manager import selects
from clusterdns.lints.ports import CONTROLLERS
from clusterdns.lints.scene import Finding, Scene, alive, warn

_HOST_NETWORK: Path = ("spec", "hostNetwork")  # such pods have their node's address


def pods(scene: Scene) -> Iterator[Finding]:
    governed = {(one.key.namespace, one.service_name) for one in scene.workloads if one.service_name}
    headless = _behind_headless(scene)
    everyone = [*alive(scene.pods), *(pod for pod in scene.stand_ins if scene.author(pod).kind != "StatefulSet")]
    for pod in everyone:
        # Pods of a StatefulSet have what that says: one mistake is told once, there.
        if pod.subdomain and (pod.key.namespace, pod.subdomain) not in governed:
            yield from _subdomain(scene, pod)
        elif pod.hostname and not pod.subdomain and (service := headless.get(pod.key)):
            text = f"{pod.hostname}, but without subdomain no name {pod.hostname}.{service.key.name} exists"
            remedy = f"write subdomain: {service.key.name}, or remove the hostname"
            yield warn(scene.author(pod), scene.in_spec(pod, "hostname"), "CD525", text, remedy)
    yield from _twice(scene)
    yield from _out_of_range(scene)


def _behind_headless(scene: Scene) -> dict[Key, Service]:
    found: dict[Key, Service] = {}
    for service in scene.services:
        if service.headless:
            for pod in scene.selected.get(service.key, ()):
                found.setdefault(pod.key, service)
    return found


def _subdomain(scene: Scene, pod: Pod) -> Iterator[Finding]:
    service = scene.service(pod.key.namespace, pod.subdomain)
    author, path, name = scene.author(pod), scene.in_spec(pod, "subdomain"), pod.subdomain
    if service is None:
        text = f"no Service {name} in namespace {pod.key.namespace}: the pod has no name of its own"
        remedy = f"add a headless Service {name} that selects the pod, or correct the subdomain"
        yield warn(author, path, "CD521", text, remedy)
    elif not serves(scene, service, pod):
        text = f"Service {name} does not select the pod{_unlike(service, pod)}: the pod has no name below it"
        yield warn(author, path, "CD522", text, f"give the pod the labels that Service {name} selects")
    elif not service.headless:
        text = f"Service {name} is not headless: Kubernetes gives its pods no names"
        yield warn(author, path, "CD523", text, f"write clusterIP: None in Service {name}")
    elif not pod.hostname:
        text = f"{name}, but the pod has no hostname: its name is made of its address"
        yield warn(author, path, "CD524", text, "write a hostname beside it, or remove the subdomain")


def serves(scene: Scene, service: Service, pod: Pod) -> bool:
    """Whether *pod* is one of its endpoints, by the selector or because its author says so."""
    if service.type == "ExternalName":
        return False
    if service.selector:
        return selects(service.selector, pod.labels)
    published = scene.published(service.key)
    written = (endpoint for piece in (published.slices if published else ()) for endpoint in piece.endpoints)
    return any(endpoint.target == pod.key.name or endpoint.address in pod.addresses for endpoint in written)


def _unlike(service: Service, pod: Pod) -> str:
    for label, value in (service.selector or {}).items():
        if pod.labels.get(label) != value:
            has = f"{label}={pod.labels[label]}" if label in pod.labels else f"no label {label}"
            return f", which has {has} and not {label}={value}"
    return ""


def _twice(scene: Scene) -> Iterator[Finding]:
    """Stand-ins are no matter: their addresses are allocated, or said to be where several processes run."""
    owners: dict[bytes, Pod] = {}
    for pod in scene.pods:
        if not pod.ready or pod.terminating or pod.phase != "Running":
            continue
        for index, address in enumerate(pod.addresses):
            first = owners.setdefault(address, pod)
            if first is not pod:
                text = f"{address_text(address)} is the address of pod {first.key}, too: PTR and endpoints mix them up"
                remedy = "write the address that this pod has, or hostNetwork: true if they share their node's"
                yield warn(pod, ("status", "podIPs", index), "CD526", text, remedy, unless=_HOST_NETWORK)


def _out_of_range(scene: Scene) -> Iterator[Finding]:
    for item, path, addresses in _written(scene):
        for address in addresses:
            if network := next((one for one in scene.service_cidr if in_network(address, one)), None):
                text = f"{address_text(address)} lies in service_cidr {network}, where only ClusterIPs are"
                remedy = "write the address of the pod or machine, or set service_cidr to the cluster's range"
                yield warn(item, path, "CD527", text, remedy)
                break


def _written(scene: Scene) -> Iterator[tuple[Object, Path, Iterable[bytes]]]:
    """Addresses that somebody wrote down as those of pods and machines."""
    for pod in scene.pods:
        yield pod, ("status", "podIPs"), pod.addresses
    for piece in scene.state.all("EndpointSlice"):
        if piece.managed_by not in CONTROLLERS:
            yield piece, ("endpoints",), (endpoint.address for endpoint in piece.endpoints)
    for endpoints in scene.state.all("Endpoints"):
        if endpoints.mirrored:
            yield endpoints, ("subsets",), (one.address for subset in endpoints.subsets for one in subset.endpoints)
