"""Services and the pods that they select (CD503 to CD506)."""

from collections.abc import Collection, Iterator, Mapping

from clusterdns.cluster.model import Key, Pod, Service, Workload, identity
from clusterdns.controllers.endpoints import resolve_ports
from clusterdns.controllers.index import LabelIndex
from clusterdns.controllers.manager import selects
from clusterdns.controllers.workloads import runs_pods
from clusterdns.lints.scene import Finding, Scene, nearest, warn

Labels = Mapping[str, str]


def selecting(scene: Scene) -> Iterator[Finding]:
    alone: list[Service] = []
    for service in scene.services:
        if pods := scene.selected.get(service.key):
            yield from _ports(scene, service, pods)
        elif pods is not None and not _served_otherwise(scene, service):
            alone.append(service)
    if alone:
        labels = _Labels(scene)
        for service in alone:
            yield from _nobody(service, service.selector or {}, labels)


def _served_otherwise(scene: Scene, service: Service) -> bool:
    """Somebody wrote endpoints down, or a dump holds them."""
    if any(piece.endpoints for piece in scene.state.slices(service.key)):
        return True
    endpoints = scene.state.get("Endpoints", service.key)
    return endpoints is not None and any(subset.endpoints for subset in endpoints.subsets)


class _Labels:
    """Which labels there are, for guesses at what was meant."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.any = bool(scene.pods or scene.workloads)
        self._values: dict[tuple[str, str], dict[str, None]] = {}  # (namespace, label) -> values
        self._namespaces: dict[tuple[str, str], list[str]] = {}  # (label, value) -> namespaces
        self._workloads: LabelIndex[tuple[str, Key]] = LabelIndex()  # by the labels of their templates
        for pod in scene.pods:
            self._note(pod.key.namespace, pod.labels)
        for workload in scene.workloads:
            self._note(workload.key.namespace, workload.pod_labels)
            if runs_pods(workload):
                self._workloads.add(workload.key.namespace, workload.pod_labels.items(), identity(workload))

    def values(self, namespace: str, label: str) -> Collection[str]:
        return self._values.get((namespace, label), {}).keys()

    def elsewhere(self, namespace: str, selector: Labels) -> str:
        """Another namespace that has every pair of *selector*; "" if none."""
        found = [set(self._namespaces.get(pair, ())) for pair in selector.items()]
        return min(set.intersection(*found) - {namespace}, default="")

    def workloads(self, namespace: str, selector: Labels) -> list[Workload]:
        """Those whose pods *selector* matches."""
        near = self._workloads.under(namespace, self._workloads.fewest(namespace, selector.items()))
        found = (self._scene.state.get(*name) for name in sorted(near))
        return [one for one in found if isinstance(one, Workload) and selects(selector, one.pod_labels)]

    def _note(self, namespace: str, labels: Labels) -> None:
        for label, value in labels.items():
            values = self._values.setdefault((namespace, label), {})
            if value not in values:
                values[value] = None
                self._namespaces.setdefault((label, value), []).append(namespace)


def _nobody(service: Service, selector: Labels, labels: _Labels) -> Iterator[Finding]:
    workloads = labels.workloads(service.key.namespace, selector)
    if not workloads:
        yield _no_match(service, selector, labels)
    elif not any(workload.replicas for workload in workloads):  # else its pods are just not here: stand_ins is off
        idle = workloads[0]
        text = f"{_shown(selector)} selects only pods of {idle.kind} {idle.key.name}, which has 0 replicas"
        yield warn(service, ("spec", "selector"), "CD504", text, f"scale {idle.key.name} up, or remove the Service")


def _shown(selector: Labels) -> str:
    return ",".join(f"{label}={value}" for label, value in selector.items())


def _no_match(service: Service, selector: Labels, labels: _Labels) -> Finding:
    namespace = service.key.namespace
    text = f"{_shown(selector)} matches no pod in namespace {namespace}"
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
