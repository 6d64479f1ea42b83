"""Fields that look like one we use but are not: a Service with ``selectors`` has no endpoints, and says nothing."""

from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from clusterdns.cluster.documents import Path
from clusterdns.cluster.faults import Faults

_SERVICE = frozenset(
    [
        "type",
        "clusterIP",
        "clusterIPs",
        "externalName",
        "externalIPs",
        "selector",
        "ports",
        "publishNotReadyAddresses",
        "ipFamilies",
        "ipFamilyPolicy",
        "allocateLoadBalancerNodePorts",
    ]
)
_SERVICE_PORT = frozenset(["name", "protocol", "port", "targetPort", "nodePort"])
_POD = frozenset(["hostname", "subdomain", "nodeName", "containers", "initContainers"])
_WORKLOAD = frozenset(["replicas", "selector", "template", "serviceName", "ordinals"])
_SLICE = frozenset(["addressType", "ports", "endpoints"])
_ENDPOINTS = frozenset(("subsets",))
_COMMON = frozenset(["apiVersion", "kind", "metadata", "status", "spec"])
# Real fields of the same places, which only look like ours.
_OTHERS = frozenset(
    [
        "appProtocol",
        "loadBalancerIP",
        "loadBalancerClass",
        "externalTrafficPolicy",
        "internalTrafficPolicy",
        "trafficDistribution",
        "hostNetwork",
        "hostnameOverride",
        "nodeSelector",
        "serviceAccount",
        "serviceAccountName",
        "ephemeralContainers",
        "setHostnameAsFQDN",
        "volumeClaimTemplates",
    ]
)


_MOST = 50  # unknown keys of one mapping that are looked at: comparing takes a tenth of a millisecond each
_LONGEST = 64  # characters; no field is half as long


def check_spelling(faults: Faults, kind: str, tree: Any) -> None:
    """*tree*: the object as composed."""
    for path, node, fields in _places(kind, tree):
        for key in sorted(node.keys() - fields - _OTHERS)[:_MOST]:
            if len(key) <= _LONGEST and (near := _nearest(key, fields)):
                faults.warning("CD232", (*path, key), "an unknown field, which has no effect", f"write {near}")


@lru_cache(1 << 12)  # the same few keys in every object
def _nearest(key: str, fields: frozenset[str]) -> str:
    lowered = {field.lower(): field for field in fields}
    found = get_close_matches(key.lower().replace("_", ""), lowered, n=1, cutoff=0.85)
    return lowered[found[0]] if found else ""


def _places(kind: str, tree: Any) -> Iterator[tuple[Path, dict[str, Any], frozenset[str]]]:
    """(path, mapping, its fields that we use)."""
    spec = _mapping(tree, "spec")
    if kind == "EndpointSlice":
        yield (), tree, _SLICE | _COMMON
    elif kind == "Endpoints":
        yield (), tree, _ENDPOINTS | _COMMON
    elif kind == "Service":
        yield ("spec",), spec, _SERVICE
        ports = spec.get("ports")
        for index, port in enumerate(ports if isinstance(ports, list) else []):
            if isinstance(port, dict):
                yield ("spec", "ports", index), port, _SERVICE_PORT
    elif kind == "Pod":
        yield ("spec",), spec, _POD
    elif kind != "Namespace":
        yield ("spec",), spec, _WORKLOAD
        yield ("spec", "template", "spec"), _mapping(_mapping(spec, "template"), "spec"), _POD


def _mapping(node: Any, key: str) -> dict[str, Any]:
    found = node.get(key)
    return found if isinstance(found, dict) else {}
