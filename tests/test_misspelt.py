"""Kinds that look like ours; fields that do are in ``tests/mistakes``."""

import pytest

from clusterdns.cluster.misspelt import nearest_kind

KINDS = {
    "v1 Servce": "kind: Service",
    "v1 serivce": "kind: Service",
    "v1 Endpoint": "kind: Endpoints",
    "v1 Endpoinst": "kind: Endpoints",
    "v1 Podd": "kind: Pod",
    "v1 NameSpaces": "kind: Namespace",
    "apps/v1 StatefullSet": "kind: StatefulSet",
    "apps/v1 Deployement": "kind: Deployment",
    "apps/v1beta1 Deploiment": "kind: Deployment",
    "discovery.k8s.io/v1 EndpointsSlice": "kind: EndpointSlice",
    "v1 EndpointSlce": "apiVersion: discovery.k8s.io/v1 and kind: EndpointSlice",
    "app/v1 Deployment": "apiVersion: apps/v1",
    "discovery.k8s/v1 EndpointSlice": "apiVersion: discovery.k8s.io/v1",
    # Kinds that are there, and other people's.
    "v1 ServiceAccount": "",
    "v1 Secret": "",
    "v1 PodTemplate": "",
    "v1 Node": "",
    "v1 NamespaceList": "",
    "apps/v1 ControllerRevision": "",
    "batch/v1 Job": "",
    "networking.istio.io/v1 ServiceEntry": "",
    "serving.knative.dev/v1 Service": "",
    "apps.kruise.io/v1alpha1 StatefulSet": "",
    "apps.openshift.io/v1 DeploymentConfig": "",
    "multicluster.x-k8s.io/v1alpha1 ServiceImport": "",
    "example.org/v1 Servce": "",
    f"v1 {'Service' * 100_000}": "",
}


@pytest.mark.parametrize(("written", "meant"), KINDS.items(), ids=lambda text: text[:60])
def test_nearest_kind(written: str, meant: str) -> None:
    assert nearest_kind(*written.split(" ")) == meant
