"""Which objects are shown: what was written, what an API server would add, and whose word counts."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from clusterdns.cli.shown import Origin, Scope

SERVICE = """
kind: Service
apiVersion: v1
metadata: {name: web, namespace: shop, labels: {tier: front}}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
"""
POD = """
kind: Pod
apiVersion: v1
metadata: {name: web-0, namespace: shop, labels: {app: web}}
status: {podIP: 10.244.0.7}
---
"""
ENDPOINTS = """
kind: Endpoints
apiVersion: v1
metadata: {name: web, namespace: shop, creationTimestamp: 2026-01-15T10:00:00Z}
subsets: [{addresses: [{ip: 192.0.2.1}], ports: [{port: 80}]}]
---
"""
SLICE = """
kind: EndpointSlice
apiVersion: discovery.k8s.io/v1
metadata:
  name: web-x
  namespace: shop
  labels: {kubernetes.io/service-name: web, endpointslice.kubernetes.io/managed-by: MANAGER}
addressType: IPv4
endpoints: [{addresses: [192.0.2.2]}]
ports: [{port: 80}]
---
"""
DUMPED = SLICE.replace("MANAGER", "endpointslice-controller.k8s.io")
BY_HAND = SLICE.replace("MANAGER", "staff")


def shown(kind: str, manifests: str, scope: Scope | None = None) -> list[dict[str, Any]]:
    with TemporaryDirectory() as folder:
        Path(folder, "all.yaml").write_text(manifests)
        return Origin([folder], None, None).objects(kind, scope or Scope(None))


def addresses(manifests: str) -> list[str]:
    subsets = [subset for item in shown("endpoints", manifests) for subset in item.get("subsets", ())]
    return [address["ip"] for subset in subsets for address in subset.get("addresses", ())]


WHOSE = {
    "made of pods": (SERVICE + POD, ["10.244.0.7"]),
    "made of no pods": (SERVICE, []),
    "written, where no pod is selected": (SERVICE + ENDPOINTS, ["192.0.2.1"]),
    "of pods, where both are there": (SERVICE + POD + ENDPOINTS, ["10.244.0.7"]),
    "a dump's own": (SERVICE + POD + ENDPOINTS + DUMPED, ["192.0.2.1"]),
    "made of a dump's slices": (SERVICE + POD + DUMPED, ["192.0.2.2"]),
    "made of slices by hand": (SERVICE.replace("selector: {app: web}, ", "") + BY_HAND, ["192.0.2.2"]),
    "written without Service": (ENDPOINTS, ["192.0.2.1"]),
    "none of an ExternalName": (
        SERVICE.replace("selector", "type: ExternalName, externalName: a.b, selector") + POD,
        [],
    ),
}


@pytest.mark.parametrize(("manifests", "expected"), WHOSE.values(), ids=WHOSE)
def test_whose_endpoints_are_shown(manifests: str, expected: list[str]) -> None:
    assert addresses(manifests) == expected


def test_what_is_written_stays() -> None:
    (found,) = shown("endpoints", ENDPOINTS)
    assert found["metadata"]["creationTimestamp"] == "2026-01-15T10:00:00Z"
    assert found["subsets"][0]["ports"] == [{"port": 80, "protocol": "TCP"}]


def test_selectors_go_by_the_labels_that_are_shown() -> None:
    manifests = SERVICE + POD
    for kind, selector, count in (
        ("services", "tier=front", 1),
        ("services", "tier!=front", 0),
        ("endpoints", "endpoints.kubernetes.io/managed-by", 1),
        ("endpointslices", "kubernetes.io/service-name=web", 1),
        ("pods", "app in (web)", 1),
        ("namespaces", "kubernetes.io/metadata.name=shop", 1),
    ):
        assert len(shown(kind, manifests, Scope(None, "", selector))) == count, (kind, selector)


def test_objects_come_in_the_order_of_an_api_server() -> None:
    manifests = "".join(SERVICE.replace("shop", namespace) for namespace in ("shop", "shop-2", "a"))
    found = shown("services", manifests)
    assert [item["metadata"]["namespace"] for item in found] == ["a", "shop-2", "shop"]  # "-" is before "/"


def test_a_pod_gets_what_its_address_implies() -> None:
    (pod,) = shown("pods", POD)
    assert pod["status"] == {
        "phase": "Running",
        "podIP": "10.244.0.7",
        "podIPs": [{"ip": "10.244.0.7"}],
        "conditions": [{"type": "Ready", "status": "True"}],
    }


def test_a_service_gets_what_an_api_server_adds() -> None:
    (found,) = shown("services", SERVICE.replace("spec: {", "spec: {type: LoadBalancer, loadBalancerIP: 203.0.113.1, "))
    spec = found["spec"]
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert 30086 <= spec["ports"][0].pop("nodePort") <= 32767
    assert {name: value for name, value in spec.items() if not name.startswith("clusterIP")} == {
        "type": "LoadBalancer",
        "loadBalancerIP": "203.0.113.1",
        "selector": {"app": "web"},
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "sessionAffinity": "None",
        "externalTrafficPolicy": "Cluster",
        "internalTrafficPolicy": "Cluster",
        "allocateLoadBalancerNodePorts": True,
    }
    assert found["status"] == {"loadBalancer": {}}
