"""The steps of docs/replacing-coredns.md before a real API server: whatever kube-dns was like, its ports stay right."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from live.control_plane import ControlPlane, binary, control_plane, missing
from live.processes import PATIENCE

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/replacing-coredns.md").read_text()
NEEDED = ("etcd", "kube-apiserver", "kubectl")
pytestmark = [
    pytest.mark.skipif(bool(missing(*NEEDED)), reason=missing(*NEEDED)),
    pytest.mark.timeout(900),
]

# What cannot come true here: nothing runs pods, and nobody answers.
IMPOSSIBLE = re.compile(r"rollout status|port-forward|^dig |^clusterdns ")

BY_NAME = {"dns/UDP": "dns", "dns-tcp/TCP": "dns-tcp", "metrics/TCP": "metrics"}
BY_NUMBER: dict[str, object] = {"dns/UDP": 53, "dns-tcp/TCP": 53, "metrics/TCP": 9153}

# As kubeadm makes them.
KUBE_DNS = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {
        "name": "kube-dns",
        "namespace": "kube-system",
        "labels": {"k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"},
        "annotations": {"prometheus.io/port": "9153", "prometheus.io/scrape": "true"},
    },
    "spec": {
        "clusterIP": "10.96.0.10",
        "selector": {"k8s-app": "kube-dns"},
        "ports": [
            {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
            {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
            {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153},
        ],
    },
}
_POD = {
    "metadata": {"labels": {"k8s-app": "kube-dns"}},
    "spec": {"containers": [{"name": "coredns", "image": "coredns"}]},
}
COREDNS = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "coredns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}},
    "spec": {"replicas": 2, "selector": {"matchLabels": {"k8s-app": "kube-dns"}}, "template": _POD},
}


class Operator:
    """Types what the guide says, in a folder of its own where the checkout is at hand."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self._admin = plane.kubeconfig.with_name("admin.kubeconfig")
        self.folder = folder
        (folder / "deploy").symlink_to(ROOT / "deploy")

    def types(self, command: str) -> str:
        shell = (
            f'kubectl() {{ "{binary("kubectl")}" --kubeconfig "{self._admin}" "$@"; }}\nset -o pipefail\n{command}\n'
        )
        done = subprocess.run(
            ["bash", "-ec", shell], cwd=self.folder, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        assert done.returncode == 0, (command, done.stderr)
        return done.stdout

    def follows(self, section: str) -> None:
        for command in commands(section):
            self.types(command)

    def makes(self, *items: object) -> None:
        for item in items:
            (self.folder / "made.json").write_text(json.dumps(item))
            self.types("kubectl create -f made.json")

    def service(self) -> dict[str, dict[str, object]]:
        found: dict[str, dict[str, object]] = json.loads(
            self.types("kubectl -n kube-system get service kube-dns -o json")
        )
        return found

    def ports(self) -> dict[str, object]:
        ports = self.service()["spec"]["ports"]
        assert isinstance(ports, list)
        return {f"{port['name']}/{port['protocol']}": port["targetPort"] for port in ports}


def commands(section: str) -> list[str]:
    """The lines of the shell below a heading of the guide that can come true here."""
    (text,) = re.findall(rf"^## {re.escape(section)}$(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    blocks = re.findall(r"^```sh$(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", "").splitlines() if line]
    return [line for line in lines if not IMPOSSIBLE.search(line)]


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    (tmp_path / "plane").mkdir()
    (tmp_path / "operator").mkdir()
    with control_plane(tmp_path / "plane", controllers=False) as plane:
        yield Operator(plane, tmp_path / "operator")


def test_there_and_back_from_what_kubeadm_makes(operator: Operator) -> None:
    operator.makes(KUBE_DNS, COREDNS)
    before = operator.service()
    operator.follows("Before")
    operator.follows("1. Beside it")
    assert operator.ports() == BY_NUMBER, "nothing of it is ours yet"
    for _ in range(2):
        operator.follows("2. Together")
        assert operator.ports() == BY_NAME
    operator.follows("3. Alone")
    assert operator.ports() == BY_NAME
    operator.follows("The way back")
    after = operator.service()
    assert operator.ports() == BY_NUMBER
    assert after["spec"] == before["spec"]
    for name in ("uid", "labels", "annotations"):
        assert after["metadata"][name] == before["metadata"][name]
    left = operator.types("kubectl get all,cm,sa,pdb -n kube-system -o name")
    assert [line for line in left.split() if line.endswith("/clusterdns")] == []


def test_a_service_that_a_client_has_merged_is_mended(operator: Operator) -> None:
    """``kubectl apply`` without ``--server-side`` takes two ports of the same number for one."""
    operator.makes(KUBE_DNS, COREDNS)
    operator.types("kubectl apply -k deploy/kubernetes/base")
    assert operator.ports() != BY_NAME, "if this is right one day, the guide may say it more simply"
    operator.follows("2. Together")
    assert operator.ports() == BY_NAME
