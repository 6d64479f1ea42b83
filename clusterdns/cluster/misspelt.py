"""Fields and kinds that look like one we use but are not.

A Service with ``selectors`` has no endpoints, a ``Servce`` is none, and neither says a word.
"""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from clusterdns.cluster import schema
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


# An API server's own groups of the kinds we use: nobody else can add kinds there.
_OWN_GROUPS = re.compile(r"(?:(?:apps|extensions|core|discovery\.k8s\.io)/)?v[0-9][a-z0-9]*", re.IGNORECASE)
_VERSIONS = {kind: version for version, kind in reversed(schema.KINDS)} | {"List": "v1"}
_KINDS = {kind.lower(): kind for kind in _VERSIONS}
_NEAR_KIND = 0.8
# The others of these groups, which only look like ours.
_OTHER_KINDS = frozenset(
    [
        *("Binding", "ComponentStatus", "ConfigMap", "Event", "LimitRange", "Node", "PersistentVolume"),
        *("PersistentVolumeClaim", "PodTemplate", "ReplicationController", "ResourceQuota", "Secret"),
        *("ServiceAccount", "ControllerRevision", "Ingress", "NetworkPolicy", "PodSecurityPolicy"),
        *("Scale", "Status", "Eviction", "PodStatusResult", "RangeAllocation", "DeploymentRollback"),
    ]
)


@lru_cache(1 << 10)  # the same few kinds in every document
def nearest_kind(version: str, kind: str) -> str:
    """What was probably meant, as ``kind: Service``; "" if nothing.

    In an API server's own groups every kind is known.  Other groups may have any: there the group must look wrong, too.
    """
    if len(version) > _LONGEST or len(kind) > _LONGEST or kind in _OTHER_KINDS:
        return ""
    if _OWN_GROUPS.fullmatch(version):
        found = _KINDS.get(kind.lower()) or _KINDS.get(kind.lower().removesuffix("s")) or _near_kind(kind)
    else:
        found = kind if kind in _VERSIONS and get_close_matches(version, _GROUPS, n=1, cutoff=_NEAR_KIND) else ""
    if not found:
        return ""
    if (version, found) in schema.KINDS or _VERSIONS[found] == version:
        return f"kind: {found}"
    return f"apiVersion: {_VERSIONS[found]}" + (f" and kind: {found}" if kind != found else "")


def _near_kind(kind: str) -> str:
    near = get_close_matches(kind.lower(), _KINDS, n=1, cutoff=_NEAR_KIND) if not kind.endswith("List") else []
    return _KINDS[near[0]] if near else ""


_GROUPS = [version for version, _ in schema.KINDS if "/" in version]
