"""StatefulSets and the Services that govern them (CD541 to CD543)."""

from collections.abc import Iterator

from clusterdns.cluster.documents import Path
from clusterdns.cluster.model import Workload
from clusterdns.controllers.manager import selects
from clusterdns.lints.scene import Finding, Scene, warn

_PATH: Path = ("spec", "serviceName")


def workloads(scene: Scene) -> Iterator[Finding]:
    for workload in scene.workloads:
        if workload.kind == "StatefulSet" and workload.service_name:
            yield from _governed(scene, workload)


def _governed(scene: Scene, workload: Workload) -> Iterator[Finding]:
    name = workload.service_name
    service = scene.service(workload.key.namespace, name)
    if service is None:
        text = f"no Service {name} in namespace {workload.key.namespace}: its pods have no names of their own"
        remedy = f"add a headless Service {name} that selects its pods"
        yield warn(workload, _PATH, "CD541", text, remedy)
    elif not service.headless:
        text = f"Service {name} is not headless: Kubernetes gives its pods no names"
        remedy = f"write clusterIP: None in Service {name}, or a headless Service of another name here"
        yield warn(workload, _PATH, "CD542", text, remedy)
    elif service.selector and not selects(service.selector, _labels(workload)):
        wrong = next(pair for pair in service.selector.items() if pair not in _labels(workload).items())
        text = f"Service {name} selects {'='.join(wrong)}, which its pods have not: none of them has a name"
        remedy = f"give the template the labels that Service {name} selects"
        yield warn(workload, _PATH, "CD543", text, remedy)


def _labels(workload: Workload) -> dict[str, str]:
    """Of its first pod: a Service for one pod alone may govern, too."""
    ordinal = str(workload.first_ordinal)
    return workload.pod_labels | {
        "statefulset.kubernetes.io/pod-name": f"{workload.key.name}-{ordinal}",
        "apps.kubernetes.io/pod-index": ordinal,
    }
