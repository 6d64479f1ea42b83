"""The stand-in for a kubelet: what it writes to the API of pods that somebody else has made."""

from live.api import Api, ApiError, Manifest
from live.clusters import NODE, manifest
from live.processes import wait_until


class Kubelet:
    def __init__(self, api: Api) -> None:
        self._api, self._last = api, 0
        api.create(manifest("v1", "Node", "", NODE))

    def run(self, namespace: str, name: str, *, ready: bool = True) -> tuple[str, str]:
        """A pod of that name, as soon as there is one, gets addresses: one of each family."""
        pod = manifest("v1", "Pod", namespace, name)
        wait_until(lambda: self._api.exists("v1", "Pod", namespace, name), f"the pod {namespace}/{name}")
        self._last += 1
        four, six = f"10.244.{self._last >> 8}.{self._last & 255}", f"fd00:10:244::{self._last:x}"
        addresses = {"podIP": four, "podIPs": [{"ip": four}, {"ip": six}]}
        self._api.set_status(pod | {"status": {"phase": "Running"} | addresses | _conditions(ready=ready)})
        return four, six

    def set_ready(self, namespace: str, name: str, *, ready: bool) -> None:
        self._api.set_status(manifest("v1", "Pod", namespace, name) | {"status": _conditions(ready=ready)})

    def finish(self, namespace: str, name: str) -> None:
        """Of a pod that is terminating: its containers have ended, and so it goes; or whoever was the pod is gone."""
        try:
            self._api.delete(manifest("v1", "Pod", namespace, name), at_once=True)
        except ApiError as error:
            if error.status != 404:
                raise


def _conditions(*, ready: bool) -> Manifest:
    return {"conditions": [{"type": one, "status": str(ready)} for one in ("Ready", "ContainersReady")]}


def pod(namespace: str, name: str, labels: dict[str, str], **spec: object) -> Manifest:
    """Bound to the node already: nobody here schedules."""
    container = {"name": "c", "image": "none", "ports": [{"name": "http", "containerPort": 8080}]}
    return manifest("v1", "Pod", namespace, name, labels) | {
        "spec": {"nodeName": NODE, "containers": [container]} | spec
    }
