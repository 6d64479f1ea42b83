"""Whether controllers have come to rest: slices and Endpoints say of every Service what its pods are now.

They look after Services one by one and in any order, and come back a second later to one for which their caches are
behind.  So nothing follows for one Service from what is there of another, nor from a slice of its other family.
"""

import ipaddress
from collections import Counter
from collections.abc import Collection, Iterator

from live.api import Api, Manifest
from live.endpoints import SERVICE_NAME

MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MAKER, MIRROR = "endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io"

Name = tuple[str, str]  # namespace, name
# Service, family, pod, and its conditions: ready, serving, terminating.
_Shown = tuple[Name, str, str, bool, bool, bool]


def slices_follow_pods(api: Api, but: Collection[Name] = ()) -> bool:
    """*but*: Services whose slices cannot be made.  The others have slices of each family, if only empty ones."""
    pods, services = api.list("v1", "Pod")["items"], _selecting(api, but)
    slices = [one for one in _slices(api, MAKER) if _owner(one) not in but]
    families = {(_name(service), family) for service in services for family in service["spec"]["ipFamilies"]}
    if {(_owner(piece), piece["addressType"]) for piece in slices} != families:
        return False
    return {*_shown(slices)} == {one for service in services for one in _wanted(service, pods)}


def slices_follow_endpoints(api: Api) -> bool:
    """Those of Endpoints that somebody wrote: as many as there are addresses."""
    unselective = {_name(one) for one in api.list("v1", "Service")["items"] if not one["spec"].get("selector")}
    wanted = Counter[Name]()
    for item in api.list("v1", "Endpoints")["items"]:
        if _name(item) in unselective and _name(item) != ("default", "kubernetes"):  # the API server's own
            wanted[_name(item)] += sum(len(found) for subset in item.get("subsets") or () for found in _both(subset))
    mirrored = Counter[Name]()
    for piece in _slices(api, MIRROR):
        mirrored[_owner(piece)] += len(piece.get("endpoints") or ())
    return +mirrored == +wanted


def endpoints_follow_slices(api: Api, but: Collection[Name] = ()) -> bool:
    """Of pods that leave, Endpoints say nothing unless unready ones are published."""
    ready, unready = dict[Name, set[str]](), dict[Name, set[str]]()
    for name, _, pod, is_ready, _, terminating in _shown(_slices(api, MAKER)):
        if is_ready or not terminating:
            (ready if is_ready else unready).setdefault(name, set()).add(pod)
    made = {_name(item): item.get("subsets") or [] for item in api.list("v1", "Endpoints")["items"]}
    return all(
        name in made
        and _pods(made[name], "addresses") == ready.get(name, set())
        and _pods(made[name], "notReadyAddresses") == unready.get(name, set())
        for name in map(_name, _selecting(api, but))
    )


def _selecting(api: Api, but: Collection[Name]) -> list[Manifest]:
    """Services whose endpoints are pods."""
    services = api.list("v1", "Service")["items"]
    return [
        one
        for one in services
        if one["spec"].get("selector") and one["spec"]["type"] != "ExternalName" and _name(one) not in but
    ]


def _wanted(service: Manifest, pods: list[Manifest]) -> Iterator[_Shown]:
    """As the controller has it (``podToEndpoint`` of k8s.io/endpointslice)."""
    selector, spec = service["spec"]["selector"].items(), service["spec"]
    for pod in pods:
        meta, status = pod["metadata"], pod["status"]
        if meta["namespace"] != service["metadata"]["namespace"] or not selector <= meta.get("labels", {}).items():
            continue
        if status.get("phase") in ("Succeeded", "Failed"):
            continue
        serving = any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions", ()))
        terminating = "deletionTimestamp" in meta
        ready = spec.get("publishNotReadyAddresses", False) or (serving and not terminating)
        families = {f"IPv{ipaddress.ip_address(one['ip']).version}" for one in status.get("podIPs", ())}
        for family in families & {*spec["ipFamilies"]}:
            yield _name(service), family, meta["name"], ready, serving, terminating


def _shown(slices: list[Manifest]) -> Iterator[_Shown]:
    for piece in slices:
        for one in piece.get("endpoints") or ():
            conditions = (one["conditions"][key] for key in ("ready", "serving", "terminating"))
            yield (_owner(piece), piece["addressType"], one["targetRef"]["name"], *conditions)


def _slices(api: Api, manager: str) -> list[Manifest]:
    slices = api.list("discovery.k8s.io/v1", "EndpointSlice")["items"]
    return [one for one in slices if one["metadata"].get("labels", {}).get(MANAGED_BY) == manager]


def _name(item: Manifest) -> Name:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def _owner(piece: Manifest) -> Name:
    return piece["metadata"]["namespace"], piece["metadata"]["labels"][SERVICE_NAME]


def _both(subset: Manifest) -> tuple[list[Manifest], list[Manifest]]:
    return subset.get("addresses") or [], subset.get("notReadyAddresses") or []


def _pods(subsets: list[Manifest], key: str) -> set[str]:
    return {one["targetRef"]["name"] for subset in subsets for one in subset.get(key) or ()}
