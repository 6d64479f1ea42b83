"""``serve --source kubernetes`` as an operator sees it: before the API is there, while it is away, and after."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from live.api import Manifest
from live.control_plane import ControlPlane, control_plane, missing
from live.processes import wait_until
from live.serving import serving

pytestmark = [
    pytest.mark.skipif(bool(why := missing("etcd", "kube-apiserver")), reason=why),
    pytest.mark.timeout(600),
]
WEB, DB, ABSENT = (f"{name}.shop.svc.cluster.local" for name in ("web", "db", "absent"))


def service(name: str, address: str, **spec: Any) -> Manifest:
    metadata = {"namespace": "shop", "name": name, "annotations": {"team": "checkout"}}
    ports = [{"name": "http", "port": 80}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"clusterIP": address, "ports": ports} | spec,
    }


def endpoint_slice(service_name: str, *addresses: str) -> Manifest:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "namespace": "shop",
            "name": f"{service_name}-1",
            "labels": {"kubernetes.io/service-name": service_name},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [one], "conditions": {"ready": True}} for one in addresses],
        "ports": [{"name": "http", "port": 8080}],
    }


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with control_plane(tmp_path_factory.mktemp("serving"), controllers=False) as made:
        made.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        made.api.create(service("web", "10.96.7.7", sessionAffinity="ClientIP"))
        made.api.create(service("db", "None"))
        made.api.create(endpoint_slice("db", "10.244.0.1", "10.244.0.2"))
        yield made


def test_from_nothing_to_a_snapshot_and_back(plane: ControlPlane, tmp_path: Path) -> None:
    plane.api_server.end()
    with serving(tmp_path, plane.kubeconfig) as server:
        assert server.ask(WEB) == ("SERVFAIL", [], [14])
        assert server.ask(ABSENT) == ("SERVFAIL", [], [14])
        told = server.command("status")
        assert told.returncode == 1
        assert "Ready:      no" in told.stdout
        assert "not listed yet: " in told.stdout
        assert not server.ready()
        plane.api_server.start()
        wait_until(server.ready, "the ready line")
        assert server.ask(WEB) == ("NOERROR", ["10.96.7.7"], [])
        assert server.ask(DB) == ("NOERROR", ["10.244.0.1", "10.244.0.2"], [])
        assert server.ask(ABSENT) == ("NXDOMAIN", [], [])
        told = server.command("status", "-o", "json")
        assert told.returncode == 0
        status = json.loads(told.stdout)
        assert {one["kind"]: one["synced"] for one in status["source"]["kinds"]} == dict.fromkeys(
            ("Namespace", "Service", "EndpointSlice"), True
        )
        described = server.command("describe", "svc", "web", "-n", "shop").stdout
        assert "team: checkout" in described
        assert "ClientIP" in described
        assert "10.96.7.7" in server.command("get", "svc", "-A").stdout
        assert "10.244.0.1" in server.command("get", "ep", "db", "-n", "shop").stdout
        assert "WEB_SERVICE_HOST=10.96.7.7" in server.command("env", "-n", "shop").stdout
        assert server.command("explain", f"{WEB}.", "A").returncode == 0
        pods = server.command("get", "pods", "-A")
        assert pods.returncode == 1
        assert "pods are not followed" in pods.stderr
    plane.api_server.end()
    with serving(tmp_path, plane.kubeconfig) as server:
        wait_until(server.ready, "the ready line")
        assert server.ask(WEB) == ("NOERROR", ["10.96.7.7"], [3])
        assert server.ask(DB) == ("NOERROR", ["10.244.0.1", "10.244.0.2"], [3])
        assert server.ask(ABSENT) == ("NXDOMAIN", [], [19])
        told = server.command("status")
        assert told.returncode == 0
        assert "Snapshot:" in told.stdout
        plane.api_server.start()
        wait_until(lambda: server.ask(WEB) == ("NOERROR", ["10.96.7.7"], []), "an answer of now")
        assert "Snapshot:" not in server.command("status").stdout
