"""A made-up cluster becomes a real one, and what is real then becomes manifests: the way of a dump."""

import json
from pathlib import Path

from live.api import Api, Manifest
from live.clusters import NODE, Cluster, manifest
from live.control_plane import ControlPlane
from live.endpoints import SERVICE_NAME
from live.processes import wait_until
from live.settling import MAKER, MANAGED_BY, slices_follow_endpoints, slices_follow_pods

_LISTED = (
    ("v1", "Namespace"),
    ("v1", "Service"),
    ("v1", "Pod"),
    ("v1", "Endpoints"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
)

Shown = set[tuple[str, str, str, bool]]  # namespace, Service, pod, whether it is ready


def create(plane: ControlPlane, cluster: Cluster) -> None:
    """Returns when every slice that controllers make says what it is going to say."""
    api = plane.api
    api.create(manifest("v1", "Node", "", NODE))
    for item in cluster.namespaces:
        api.create(item)
    for item in cluster.pods:
        api.create(item)
        api.set_status(item)
    for item in cluster.leaving:
        api.delete(item)  # nobody kills its containers, so it stays as terminating
    for item in cluster.services:
        api.create(item)
    for item in cluster.slices:
        api.create(item)
    if plane.controllers:
        for item in cluster.endpoints:
            api.create(item)
        wait_until(lambda: _settled(api, cluster), "the controllers' slices")
    else:
        for item in _made_slices(cluster):
            api.create(item)


def list_all(api: Api) -> dict[str, Manifest]:
    """The server's Lists by kind."""
    api.close()  # a connection that was idle for long is closed by the server; the next request opens another
    return {kind: api.list(version, kind) for version, kind in _LISTED}


def write(lists: dict[str, Manifest], folder: Path) -> None:
    """One file for each kind, as ``kubectl get --raw`` writes it."""
    for kind, items in lists.items():
        (folder / f"{kind}.json").write_text(json.dumps(items))


def revisions(lists: dict[str, Manifest]) -> dict[tuple[str, str, str], str]:
    """What has changed where two of these differ.  Without Endpoints: nobody answers by those that controllers make."""
    return {
        (kind, item["metadata"].get("namespace", ""), item["metadata"]["name"]): item["metadata"]["resourceVersion"]
        for kind, items in lists.items()
        if kind != "Endpoints"
        for item in items["items"]
    }


def _settled(api: Api, cluster: Cluster) -> bool:
    if not (slices_follow_pods(api) and slices_follow_endpoints(api)):
        return False
    found: Shown = {
        (item["metadata"]["namespace"], labels[SERVICE_NAME], one["targetRef"]["name"], one["conditions"]["ready"])
        for item in api.list("discovery.k8s.io/v1", "EndpointSlice")["items"]
        if (labels := item["metadata"]["labels"]).get(MANAGED_BY) == MAKER
        for one in item.get("endpoints") or []
    }
    return found == expected_endpoints(cluster)


def expected_endpoints(cluster: Cluster) -> Shown:
    """What the endpoint slice controller makes of selectors and pods."""
    leaving = [pod["metadata"] for pod in cluster.leaving]
    found: Shown = set()
    for service, pod in _selected(cluster):
        meta = pod["metadata"]
        running = pod["status"]["conditions"][0]["status"] == "True" and meta not in leaving
        ready = running or service["spec"].get("publishNotReadyAddresses", False)
        found.add((meta["namespace"], service["metadata"]["name"], meta["name"], ready))
    return found


def _selected(cluster: Cluster) -> list[tuple[Manifest, Manifest]]:
    """Each Service with each of its pods that has not ended."""
    return [
        (service, pod)
        for service in cluster.services
        for pod in cluster.pods
        if pod["metadata"]["namespace"] == service["metadata"]["namespace"]
        and pod["metadata"]["labels"]["app"] == service["spec"].get("selector", {}).get("app")
        and pod["status"]["phase"] not in ("Succeeded", "Failed")
    ]


def _made_slices(cluster: Cluster) -> list[Manifest]:
    """Where no controller is at hand: its slices for IPv4, one for each pod."""
    shown = expected_endpoints(cluster)
    found = []
    for service, pod in _selected(cluster):
        namespace, name = (service["metadata"][key] for key in ("namespace", "name"))
        ready = (namespace, name, pod["metadata"]["name"], True) in shown
        labels = service["metadata"]["labels"] | {SERVICE_NAME: name, MANAGED_BY: MAKER}
        piece = manifest(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            namespace,
            f"{name[:40].rstrip('-')}.{pod['metadata']['name']}",
            labels,
        )
        endpoint = {"addresses": [pod["status"]["podIP"]], "conditions": {"ready": ready}}
        if pod["spec"].get("subdomain") == name:
            endpoint["hostname"] = pod["spec"]["hostname"]
        ports = [
            {"name": port.get("name", ""), "port": 8080, "protocol": port["protocol"]}
            for port in service["spec"].get("ports", [])
        ]
        found.append(piece | {"addressType": "IPv4", "ports": ports, "endpoints": [endpoint]})
    return found
