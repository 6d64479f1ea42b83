"""A real API server over its own etcd, and the controllers where there are any; nothing outlives its block.

Binaries are found as Kubernetes' own envtest finds them: in the folder that KUBEBUILDER_ASSETS names.
"""

import json
import os
import re
import secrets
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ports import free_port

from live.api import Api
from live.processes import Program, running, wait_until

VARIABLE = "KUBEBUILDER_ASSETS"
SERVICE_CIDR = "10.96.0.0/12,fd00:10:96::/112"  # the default of our service_cidr
READER = "clusterdns-reader"
CONTROLLERS = "endpoints-controller,endpointslice-controller,endpointslice-mirroring-controller,statefulset-controller"
OLD_ETCD = Path("/usr/bin/etcd")  # Debian's is 3.4: with it an API server has no streaming lists
_NAMESPACES = ("kube-system", "kube-public", "default", "kube-node-lease")
_READABLE = ["services", "pods", "namespaces", "endpoints", "nodes"]


class ControlPlane(NamedTuple):
    api: Api  # with every right
    controllers: bool  # whether slices are made from selectors and Endpoints
    kubeconfig: Path  # of somebody who may read what a DNS server needs, and no more
    etcd: Program
    etcd_url: str
    api_server: Program


def missing(*binaries: str) -> str:
    """Why a test that needs *binaries* cannot run here, or ""."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        return f"{VARIABLE} is not set"
    absent = [name for name in binaries if not os.access(Path(folder, name), os.X_OK)]
    return f"{VARIABLE} has no {', '.join(absent)}" if absent else ""


def binary(name: str) -> Path:
    return Path(os.environ[VARIABLE], name)


def etcd_version(program: Path) -> str:
    """As "3.4"; "" where *program* is not there."""
    try:
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
    found = re.search(r"etcd Version: (\d+\.\d+)", told)
    return found[1] if found else ""


@contextmanager
def control_plane(
    folder: Path, *, controllers: bool = True, etcd_program: Path | None = None
) -> Iterator[ControlPlane]:
    """Data, keys and logs go to *folder*, which is empty.  *controllers*: where there are any, they run.

    *etcd_program*: another one than that beside the API server.
    """
    with ExitStack() as stack:
        etcd, etcd_url = _etcd(etcd_program or binary("etcd"), folder, stack)
        tokens = {name: secrets.token_hex(16) for name in ("admin", READER)}
        api_server, port = _api_server(folder, etcd_url, tokens, stack)
        certificate = folder / "certificates" / "apiserver.crt"
        api = Api(port, tokens["admin"], certificate)
        stack.callback(api.close)
        # All of it is the server's own work, and a moment later than its readiness.
        wait_until(
            lambda: all(api.exists("v1", "Namespace", "", one) for one in _NAMESPACES),
            "the namespaces of every API server",
        )
        wait_until(lambda: api.exists("v1", "Endpoints", "default", "kubernetes"), "the Service kubernetes")
        _allow_reading(api)
        with closing(Api(port, tokens[READER], certificate)) as reader:
            wait_until(lambda: reader.exists("v1", "Service", "default", "kubernetes"), "the right to read")
        for name, token in tokens.items():
            _write_kubeconfig(folder / f"{name}.kubeconfig", port, certificate, name, token)
        controllers = controllers and not missing("kube-controller-manager")
        if controllers:
            _controllers(folder, stack)
        yield ControlPlane(api, controllers, folder / f"{READER}.kubeconfig", etcd, etcd_url, api_server)


def reachable(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def compact(plane: ControlPlane) -> None:
    """Whoever goes on watching from before is told that this is too long ago (410)."""
    for _ in range(10):  # revisions that are nobody's objects
        revision = _etcd_call(plane, "put", {"key": "YnVtcA==", "value": "eA=="})["header"]["revision"]
    _etcd_call(plane, "compaction", {"revision": revision, "physical": True})


def _etcd_call(plane: ControlPlane, what: str, body: dict[str, object]) -> dict[str, Any]:
    request = urllib.request.Request(f"{plane.etcd_url}/v3/kv/{what}", json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=30) as response:
        found: dict[str, Any] = json.load(response)
    return found


def _etcd(program: Path, folder: Path, stack: ExitStack) -> tuple[Program, str]:
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    command: list[str | Path] = [program, "--name", "test", "--data-dir", folder / "etcd"]
    if etcd_version(program) != "3.4":
        command.append("--unsafe-no-fsync")
    command += ["--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer]
    command += ["--initial-advertise-peer-urls", peer, "--initial-cluster", f"test={peer}"]
    return _started(Program(command, folder / "etcd.log", lambda: reachable(f"{client}/health")), stack), client


def _started(program: Program, stack: ExitStack) -> Program:
    stack.callback(program.end)
    program.start()
    return program


def _api_server(folder: Path, etcd: str, tokens: dict[str, str], stack: ExitStack) -> tuple[Program, int]:
    """Its certificate is made by itself, its tokens are ours.  And its port."""
    port = free_port()
    key = folder / "service-accounts.key"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    groups = {"admin": "system:masters", READER: READER}
    rows = [f'{token},{name},{name},"{groups[name]}"\n' for name, token in tokens.items()]
    (folder / "tokens.csv").write_text("".join(rows))
    command: list[str | Path] = [binary("kube-apiserver"), "--etcd-servers", etcd, "--bind-address", "127.0.0.1"]
    # The address only ends up in the endpoints of default/kubernetes, where one of loopback is refused.
    command += ["--secure-port", str(port), "--advertise-address", "192.0.2.1"]
    command += ["--cert-dir", folder / "certificates", "--token-auth-file", folder / "tokens.csv"]
    command += ["--service-cluster-ip-range", SERVICE_CIDR, "--authorization-mode", "RBAC"]
    command += ["--service-account-issuer", "https://kubernetes.default.svc.cluster.local"]
    command += ["--service-account-key-file", key, "--service-account-signing-key-file", key]
    command += ["--disable-admission-plugins", "ServiceAccount"]  # so that pods need none

    def ready() -> bool:
        certificate = folder / "certificates" / "apiserver.crt"
        return certificate.exists() and _is_ready(port, tokens["admin"], certificate)

    return _started(Program(command, folder / "kube-apiserver.log", ready), stack), port


def _is_ready(port: int, token: str, certificate: Path) -> bool:
    try:
        api = Api(port, token, certificate)
    except OSError:  # the certificate is half written
        return False
    try:
        return api.ready()
    finally:
        api.close()


def _controllers(folder: Path, stack: ExitStack) -> None:
    command: list[str | Path] = [binary("kube-controller-manager"), "--kubeconfig", folder / "admin.kubeconfig"]
    command += ["--controllers", CONTROLLERS, "--leader-elect=false", "--secure-port", "0"]
    command += ["--kube-api-qps", "500", "--kube-api-burst", "1000"]
    # It serves nothing; that it works is seen by its slices.
    stack.enter_context(running(command, folder / "kube-controller-manager.log", lambda: True))


def _allow_reading(api: Api) -> None:
    verbs = ["get", "list", "watch"]
    rules = [
        {"apiGroups": [""], "resources": _READABLE, "verbs": verbs},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": verbs},
    ]
    group = "rbac.authorization.k8s.io"
    common = {"apiVersion": f"{group}/v1", "metadata": {"name": READER}}
    api.create(common | {"kind": "ClusterRole", "rules": rules})
    role = {"apiGroup": group, "kind": "ClusterRole", "name": READER}
    subjects = [{"apiGroup": group, "kind": "Group", "name": READER}]
    api.create(common | {"kind": "ClusterRoleBinding", "roleRef": role, "subjects": subjects})


def _write_kubeconfig(path: Path, port: int, certificate: Path, name: str, token: str) -> None:
    """As JSON, which is YAML."""
    server = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(certificate)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": server}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": name}}],
        "current-context": "test",
    }
    path.write_text(json.dumps(config))
