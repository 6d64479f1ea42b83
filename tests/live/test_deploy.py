"""deploy/ before a real API server, and the steps of the image in a virtual environment of their own."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from live.control_plane import ControlPlane, binary, control_plane, missing

ROOT = Path(__file__).parents[2]
NEEDED = ("etcd", "kube-apiserver", "kubectl")
# A start of an API server; and an installation that may have nothing in its caches.
pytestmark = pytest.mark.timeout(900)
needs_api = pytest.mark.skipif(bool(missing(*NEEDED)), reason=missing(*NEEDED))


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with control_plane(tmp_path_factory.mktemp("plane")) as plane:
        yield plane


@pytest.mark.parametrize("folder", ["base", "overlays/beside"])
@needs_api
def test_an_api_server_takes_it_as_it_is(plane: ControlPlane, folder: str) -> None:
    """``strict``: nothing is unknown to it or there twice."""
    admin = plane.kubeconfig.with_name("admin.kubeconfig")
    command: list[str | Path] = [binary("kubectl"), "--kubeconfig", admin, "apply", "--server-side"]
    command += ["--dry-run=server", "--validate=strict", "-o", "json", "-k", ROOT / "deploy/kubernetes" / folder]
    applied = subprocess.run(command, capture_output=True, text=True, check=False)
    assert applied.returncode == 0, applied.stderr
    assert applied.stderr == ""
    kinds = {item["kind"] for item in json.loads(applied.stdout)["items"]}
    assert {"ClusterRole", "ConfigMap", "Deployment", "PodDisruptionBudget"} <= kinds


def test_the_steps_of_the_image_end_in_a_program_that_runs(tmp_path: Path) -> None:
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    source, target = tmp_path / "src", tmp_path / "clusterdns"
    for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE):
        *names, destination = line.split()
        into = Path(destination.replace("/src", str(source)))
        for name in names:
            path = ROOT / name
            if path.is_dir():
                shutil.copytree(path, into, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                into.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, into)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))}
    for step in re.findall(r"^RUN (.+)$", dockerfile, re.MULTILINE):
        command = step.replace("/opt/clusterdns", str(target)).replace(" /src", f" {source}")
        done = subprocess.run(
            ["sh", "-ec", command], capture_output=True, text=True, check=False, env=environment, cwd=tmp_path
        )
        assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
    shutil.rmtree(source)  # the second stage does not have it
    version = subprocess.run(
        [target / "bin/clusterdns", "--version"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=tmp_path,
    )
    assert version.returncode == 0, version.stderr
    assert version.stdout.startswith("clusterdns ")
