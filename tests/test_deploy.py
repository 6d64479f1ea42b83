"""What is in deploy/: it says what the program and its documents say."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from clusterdns import __version__
from clusterdns.config import SETTINGS, check_config, load_settings

ROOT = Path(__file__).parent.parent
BASE = ROOT / "deploy/kubernetes/base"

needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")


def _objects(folder: str, root: Path = ROOT / "deploy/kubernetes") -> dict[str, dict[str, object]]:
    """By kind: there is one of each."""
    built = subprocess.run(["kubectl", "kustomize", root / folder], capture_output=True, text=True, check=True)
    return {item["kind"]: item for item in yaml.safe_load_all(built.stdout)}


def _container() -> dict[str, object]:
    deployment = yaml.safe_load((BASE / "deployment.yaml").read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert isinstance(container, dict)
    return container


def _ports() -> dict[str, int]:
    ports = _container()["ports"]
    assert isinstance(ports, list)
    return {port["name"]: port["containerPort"] for port in ports}


def test_the_settings_of_the_cluster_are_right() -> None:
    assert check_config(str(BASE / "clusterdns.yaml")) == []


def test_answers_stay_as_with_the_corefile_of_kubeadm() -> None:
    """``pods insecure``, ``ttl 30``, ``fallthrough in-addr.arpa ip6.arpa``, ``cache 30``."""
    settings = load_settings({}, {}, str(BASE / "clusterdns.yaml"))
    assert (settings.pods, settings.ttl) == ("insecure", 30)
    assert (settings.cache_max_ttl, settings.cache_max_negative_ttl) == (30, 30)
    assert {*settings.fallthrough} == {"in-addr.arpa.", "ip6.arpa."}
    assert settings.upstream == ("/etc/resolv.conf",)


def test_the_ports_are_those_that_the_settings_name() -> None:
    settings = load_settings({}, {}, str(BASE / "clusterdns.yaml"))
    ports = _ports()
    assert {port for _, port in settings.listen} == {ports["dns"]} == {ports["dns-tcp"]}
    assert [port for _, port in settings.http] == [
        ports["metrics"],
        ports["liveness-probe"],
        ports["readiness-probe"],
    ]


def test_the_image_tells_all_ports() -> None:
    (line,) = re.findall(r"^EXPOSE (.*)$", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE)
    assert {int(port.partition("/")[0]) for port in line.split()} == {*_ports().values()}


def test_the_service_finds_the_ports_of_coredns_too() -> None:
    """kubeadm's Deployment of CoreDNS names them so."""
    service = yaml.safe_load((BASE / "service.yaml").read_text())
    targets = [port["targetPort"] for port in service["spec"]["ports"]]
    assert targets == ["dns", "dns-tcp", "metrics"]
    assert set(targets) <= set(_ports())


def test_the_image_has_the_version_of_the_program() -> None:
    assert f"newTag: {__version__}" in (BASE / "kustomization.yaml").read_text()
    assert f"clusterdns:{__version__}" in (ROOT / "deploy/Dockerfile").read_text()


@needs_kubectl
def test_beside_the_clusters_dns_nobody_is_sent_to_it() -> None:
    objects = _objects("overlays/beside")
    assert "Service" not in objects
    assert "k8s-app" not in str(objects["Deployment"]["spec"]["template"]["metadata"])  # type: ignore[index]
    assert objects.keys() == _objects("base").keys() - {"Service"}


@needs_systemd
def test_the_service_is_hardened() -> None:
    unit = ROOT / "deploy/systemd/clusterdns.service"
    checked = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=15", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


@needs_systemd
def test_the_units_are_well_formed(tmp_path: Path) -> None:
    program = tmp_path / "clusterdns"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for unit in (ROOT / "deploy/systemd").iterdir():
        text = unit.read_text().replace("/opt/clusterdns/bin/clusterdns", str(program))
        (tmp_path / unit.name).write_text(text)
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(tmp_path.glob("*.s*t*"))],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in checked.stderr.splitlines() if "clusterdns" in line]
    assert ours == []


def test_the_service_is_never_given_up_and_may_read_what_metrics_need() -> None:
    unit = (ROOT / "deploy/systemd/clusterdns.service").read_text().splitlines()
    assert {"Restart=always", "StartLimitIntervalSec=0"} <= {*unit}
    assert "ProcSubset=pid" not in unit, "without /proc/stat there are no metrics process_*"


def test_the_guide_names_settings_that_there_are() -> None:
    guide = (ROOT / "docs/replacing-coredns.md").read_text()
    rows = [line for line in guide.splitlines() if line.startswith("  | `")]
    named = {name for row in rows for name in re.findall(r"`(\w+):", row.split("|")[2])}
    assert named
    assert named <= SETTINGS.keys()


def test_manifests_are_always_applied_by_the_server() -> None:
    """A client takes the two ports 53 of kube-dns for one (tests/live/test_replacing.py)."""
    files = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").rglob("*.yaml")]
    told = [
        line for file in files for line in file.read_text().splitlines() if re.search(r"kubectl apply .*-[kf] ", line)
    ]
    assert len(told) >= 5
    assert [line for line in told if "--server-side --force-conflicts" not in line] == []


@needs_kubectl
def test_the_right_to_read_pods_is_one_line_of_the_base(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "deploy/kubernetes", tmp_path / "kubernetes")
    with (tmp_path / "kubernetes/base/kustomization.yaml").open("a") as file:
        file.write("components: [../components/pods-verified]\n")
    for folder in ("base", "overlays/beside"):
        rules = _objects(folder, tmp_path / "kubernetes")["ClusterRole"]["rules"]
        assert isinstance(rules, list)
        assert {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]} in rules
