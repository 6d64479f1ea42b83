"""Services and the pods that they select (CD503 to CD506)."""

from collections.abc import Collection, Iterator, Mapping

from clusterdns.cluster.model import Pod, Service, Workload
from clusterdns.controllers.endpoints import resolve_ports
from clusterdns.controllers.manager import selects
from clusterdns.controllers.workloads import runs_pods
from clusterdns.lints.scene import Finding, Scene, nearest, warn

Labels = Mapping[str, str]


def selecting(scene: Scene) -> Iterator[Finding]:
    labels = _Labels(scene)
    for service in scene.services:
        pods = scene.selected.get(service.key)
        if pods:
            yield from _ports(scene, service, pods)
        elif pods is not None and not _served_otherwise(scene, service):
            yield _nobody(service, service.selector or {}, labels)


def _served_otherwise(scene: Scene, service: Service) -> bool:
    """Somebody wrote endpoints down, or a dump holds them."""
    if any(piece.endpoints for piece in scene.state.slices(service.key)):
        return True
    endpoints = scene.state.get("Endpoints", service.key)
    return endpoints is not None and any(subset.endpoints for subset in endpoints.subsets)


class _Labels:
    """Which labels there are, for guesses at what was meant.  Made when the first Service needs it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._values: dict[tuple[str, str], dict[str, None]] | None = None  # (namespace, label) -> values
        self._namespaces: dict[tuple[str, str], list[str]] = {}  # (label, value) -> namespaces
        self._idle: dict[str, list[Workload]] = {}  # namespace -> workloads with 0 replicas

    @property
    def any(self) -> bool:
        return bool(self._scene.pods or self._scene.workloads)

    def values(self, namespace: str, label: str) -> Collection[str]:
        if self._values is None:
            self._values = {}
            self._collect(self._values)
        return self._values.get((namespace, label), {}).keys()

    def elsewhere(self, namespace: str, selector: Labels) -> str:
        """Another namespace that has every pair of *selector*; "" if none."""
        self.values("", "")
        found = [set(self._namespaces.get(pair, ())) for pair in selector.items()]
        return min(set.intersection(*found) - {namespace}, default="")

    def idle(self, namespace: str, selector: Labels) -> Workload | None:
        self.values("", "")
        return next((one for one in self._idle.get(namespace, ()) if selects(selector, one.pod_labels)), None)

    def _collect(self, values: dict[tuple[str, str], dict[str, None]]) -> None:
        for pod in self._scene.pods:
            self._note(pod.key.namespace, pod.labels, values)
        for workload in self._scene.workloads:
            self._note(workload.key.namespace, workload.pod_labels, values)
            if workload.replicas == 0 and runs_pods(workload):
                self._idle.setdefault(workload.key.namespace, []).append(workload)

    def _note(self, namespace: str, labels: Labels, values: dict[tuple[str, str], dict[str, None]]) -> None:
        for pair in labels.items():
            if pair[1] not in values.setdefault((namespace, pair[0]), {}):
                values[namespace, pair[0]][pair[1]] = None
                self._namespaces.setdefault(pair, []).append(namespace)


def _nobody(service: Service, selector: Labels, labels: _Labels) -> Finding:
    namespace, shown = service.key.namespace, ",".join(f"{label}={value}" for label, value in selector.items())
    if idle := labels.idle(namespace, selector):
        text = f"{shown} selects only pods of {idle.kind} {idle.key.name}, which has 0 replicas"
        return warn(service, ("spec", "selector"), "CD504", text, f"scale {idle.key.name} up, or remove the Service")
    text = f"{shown} matches no pod in namespace {namespace}"
    if not labels.any:
        remedy = "give check the manifests of its pods or workload, too"
        return warn(service, ("spec", "selector"), "CD503", f"{text}: there are no pods at all", remedy)
    for label, value in selector.items():
        values = labels.values(namespace, label)
        if value in values:
            continue
        remedy = f"give the pods the label {label}={value}, or select others"
        near = nearest(value, values)
        if near or 0 < len(values) <= 3:
            text += f": no pod has {label}={value}; there is {label}={near or ', '.join(sorted(values))}"
            return warn(service, ("spec", "selector", label), "CD503", text, remedy)
        if other := labels.elsewhere(namespace, selector):
            text += f", but namespace {other} has such pods"
            remedy = f"put the Service into namespace {other}: it selects pods of its own namespace only"
            return warn(service, ("metadata", "namespace"), "CD503", text, remedy)
        return warn(service, ("spec", "selector", label), "CD503", f"{text}: no pod has {label}={value}", remedy)
    remedy = "select by labels that one pod has together"
    return warn(service, ("spec", "selector"), "CD503", f"{text}: no pod has all of these labels", remedy)


def _ports(scene: Scene, service: Service, pods: list[Pod]) -> Iterator[Finding]:
    if not any(isinstance(port.target, str) for port in service.ports):
        return
    resolved = [(pod, resolve_ports(service.ports, pod)) for pod in pods]
    there = {(port.name, port.protocol) for _, ports in resolved for port in ports}
    for index, port in enumerate(service.ports):
        if isinstance(port.target, str) and (port.name, port.protocol) not in there:
            names = sorted({own.name for pod in pods for own in pod.ports if own.name})
            has = f"; their ports are {', '.join(names[:5])}" if names else "; their ports have no names"
            text = f"no selected pod has a {port.protocol.upper()} port named {port.target}{has}"
            remedy = f"name a container port {port.target}, or write the port's number"
            yield warn(service, ("spec", "ports", index, "targetPort"), "CD505", text, remedy)
    authors = {id(author): (author, pod) for pod, ports in resolved if not ports for author in (scene.author(pod),)}
    for author, pod in authors.values() if there else ():
        targets = ", ".join(str(port.target) for port in service.ports)
        text = f"has none of the ports that Service {service.key.name} names: {targets}"
        remedy = f"name its container ports so, or take it out of the selector of {service.key.name}"
        yield warn(author, scene.in_spec(pod, "containers"), "CD506", text, remedy)
