"""``explain`` of a live API: nothing of pods that nobody follows, and why those that are followed are no endpoints."""

import pytest
from support import objects_of, variables

from clusterdns.config import load_settings
from clusterdns.explaining import explanation
from clusterdns.options import controller_options, zone_options
from clusterdns.views.explain_text import as_text
from clusterdns.views.explanation import Explanation
from clusterdns.world import build

SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.10, selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: web-x
  namespace: shop
  labels:
    kubernetes.io/service-name: web
    endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io
addressType: IPv4
endpoints: []
"""

STRANGERS = "".join(
    f"""---
apiVersion: v1
kind: Pod
metadata: {{name: api-{number}, namespace: shop, labels: {{app: api}}}}
spec: {{containers: [{{name: main, image: web}}]}}
status: {{podIP: 10.244.0.{number + 1}, phase: Running, conditions: [{{type: Ready, status: "True"}}]}}
"""
    for number in range(5)
)


def web_pods(*statuses: str) -> str:
    return "".join(
        f"""---
apiVersion: v1
kind: Pod
metadata: {{name: web-{number}, namespace: shop, labels: {{app: web}}}}
spec: {{containers: [{{name: main, image: web}}]}}
status: {status}
"""
        for number, status in enumerate(statuses)
    )


PENDING = "{phase: Pending}"
RUNNING = "{podIP: 10.244.1.9, phase: Running}"


def explained(name: str, pods: str = "", mode: str = "verified", *, live: bool = True) -> Explanation:
    settings = load_settings({}, variables({"pods": mode}))
    objects = objects_of(SERVICES + pods)
    world = build(objects, zone_options(settings, ("127.0.0.1",)), controller_options(settings, live=live))
    steps = explanation(world, {"name": f"{name}.shop.svc.cluster.local.", "type": "A"}, [])
    return next(step for step in steps if step)


@pytest.mark.parametrize("name", ["web", "db"])
@pytest.mark.parametrize("mode", ["disabled", "insecure"])
def test_of_pods_that_are_not_followed_nothing_is_said(name: str, mode: str) -> None:
    found = explained(name, mode=mode)
    assert found.cause
    assert found.cause.code == "no-endpoints"
    assert "the API has no endpoints for it" in found.cause.text
    assert found.cause.advice == "pods are not followed here: look with kubectl get pods -n shop -l app=web"
    text = as_text(found, search=False, colour=False)
    assert "matches no pod" not in text
    assert "0 pods" not in text
    assert "0 of 0" not in text


def test_a_dump_without_pods_says_nothing_of_them() -> None:
    text = as_text(explained("web", live=False), search=False, colour=False)
    assert "matches no pod" not in text
    assert "0 pods" not in text


@pytest.mark.parametrize("name", ["web", "db"])
def test_pods_without_an_address_are_told_with_their_phase(name: str) -> None:
    found = explained(name, web_pods(PENDING, PENDING) + STRANGERS)
    assert found.cause
    assert found.cause.code == "no-endpoint-addresses"
    assert "its selector app=web matches 2 pods" in found.cause.text
    assert "Pod shop/web-0" in found.cause.text
    assert "no IP yet (phase Pending)" in found.cause.text
    assert "kubectl describe pods -n shop -l app=web" in found.cause.advice
    assert found.service
    assert found.service.endpoints
    assert (found.service.endpoints.inside, found.service.endpoints.outside) == (0, 2)
    assert "api-" not in as_text(found, search=False, colour=False)


def test_a_pod_that_is_in_no_slice_yet_is_told() -> None:
    found = explained("web", web_pods(RUNNING) + STRANGERS)
    assert found.cause
    assert "matches 1 pod, and none can be an endpoint" in found.cause.text
    assert "in no EndpointSlice yet" in found.cause.text


@pytest.mark.parametrize("name", ["web", "db"])
@pytest.mark.parametrize("live", [True, False])
def test_pods_that_do_not_match_are_shown_and_not_counted(name: str, live: bool) -> None:
    found = explained(name, STRANGERS, live=live)
    assert found.cause
    assert found.cause.code == "no-pod-selected"
    assert "nearest is Pod shop/api-0" in found.cause.text
    assert found.service
    assert found.service.endpoints
    assert (found.service.endpoints.inside, found.service.endpoints.outside) == (0, 0)
    text = as_text(found, search=False, colour=False)
    assert "of 5" not in text
    assert "0 in, 0 out" in text
    assert "  near  10.244.0.1  Pod shop/api-0" in text
    assert "more" not in text.splitlines()[-1], "all five of them are shown"


def test_many_pods_without_an_address_are_counted_right() -> None:
    found = explained("web", web_pods(*[PENDING] * 30))
    assert found.cause
    assert "matches 30 pods" in found.cause.text
    assert "and 29 more" in found.cause.text or "+ 29 more" in found.cause.text
    assert as_text(found, search=False, colour=False).splitlines()[-1] == "  + 10 more"
