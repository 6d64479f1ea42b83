"""The server as a process: edits, signals, faults, and other people's resolvers."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import dns.message
import dns.query
import dns.rrset
import pytest
from support import PATIENCE, Server, serving, write_manifests

DEMO = Path(__file__).parent.parent / "zones" / "demo"

PODS = """
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: sql, port: 3306}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db-0, namespace: shop, labels: {app: db}}
status: {podIP: 10.244.0.10}
---
apiVersion: v1
kind: Pod
metadata: {name: db-1, namespace: shop, labels: {app: db}}
status: {podIP: 10.244.0.11, phase: Running, conditions: [{type: Ready, status: "READY"}]}
"""
BOTH, ONE = ["10.244.0.10", "10.244.0.11"], ["10.244.0.10"]


def pods(*, ready: bool) -> str:
    return PODS.replace("READY", str(ready))


def addresses(server: Server, name: str = "db.shop.svc.cluster.local") -> list[str]:
    response = dns.query.udp(dns.message.make_query(name, "A"), server.address, port=server.port, timeout=PATIENCE)
    return sorted(rdata.address for rrset in response.answer for rdata in rrset)


def ask_until(server: Server, wanted: list[str], allowed: list[list[str]]) -> None:
    """Asks without a pause; every answer on the way must be one of *allowed*."""
    for _ in range(1_000_000):
        got = addresses(server)
        if got == wanted:
            return
        assert got in allowed
    pytest.fail(f"never {wanted}")


def until(condition: Callable[[], bool], server: Server) -> None:
    """Asks the server something between looks, so that a look costs a round trip and no pause is made up."""
    for _ in range(1_000_000):
        if condition():
            return
        addresses(server)
    pytest.fail(f"never so: {server.output}")


def start(*arguments: str, **variables: str) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLUSTERDNS_")}
    command = [sys.executable, "-m", "clusterdns", "serve", *arguments]
    return subprocess.Popen(
        command, env=environment | variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def ready(process: "subprocess.Popen[str]") -> list[str]:
    """The lines of the start, the ready line last."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if line.startswith("ready: "):
            return lines
    process.wait()
    assert process.stderr
    pytest.fail(f"it ended with {process.returncode}: {process.stderr.read()}")


def test_an_edit_shows_and_no_answer_on_the_way_is_half_of_one(tmp_path: Path) -> None:
    write_manifests(tmp_path, pods(ready=True))
    with serving(tmp_path) as server:
        assert addresses(server) == BOTH
        for flip in range(6):
            now_ready = bool(flip % 2)
            wanted = BOTH if now_ready else ONE
            write_manifests(tmp_path, pods(ready=now_ready))
            ask_until(server, wanted, [BOTH, ONE])


def test_a_broken_edit_keeps_what_was_good(tmp_path: Path) -> None:
    write_manifests(tmp_path, pods(ready=True))
    with serving(tmp_path) as server:
        (tmp_path / "new.yaml").write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: [\n")
        write_manifests(tmp_path, pods(ready=True).replace("10.244.0.11", "10.244.0.999"))
        until(lambda: any("10.244.0.999" in line for line in server.output), server)
        assert addresses(server) == BOTH
        write_manifests(tmp_path, pods(ready=False))
        ask_until(server, ONE, [BOTH])


def test_hangup_reads_every_file_again(tmp_path: Path) -> None:
    write_manifests(tmp_path, pods(ready=True))
    with serving(tmp_path) as server:
        path = tmp_path / "manifests.yaml"
        before = path.stat()
        write_manifests(tmp_path, pods(ready=False))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        os.kill(server.pid, signal.SIGHUP)
        ask_until(server, ONE, [BOTH])
        until(lambda: any(line.endswith("all objects are looked at again\n") for line in server.output), server)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_with_status_0(how: signal.Signals, tmp_path: Path) -> None:
    write_manifests(tmp_path, pods(ready=True))
    process = start(str(tmp_path), "--listen", "127.0.0.1:0", "--http", "", "--lameduck", "0")
    ready(process)
    process.send_signal(how)
    _, logged = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, logged
    assert "Traceback" not in logged
    assert f"{how.name}: " in logged


def test_after_sigterm_it_answers_on_and_says_that_it_is_not_ready(tmp_path: Path) -> None:
    """For as long as somebody waits: the upstream answers when all has been looked at, however long that takes."""
    write_manifests(tmp_path, pods(ready=True))
    with contextlib.ExitStack() as stack:
        upstream, client = (stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(2))
        for one in (upstream, client):
            one.bind(("127.0.0.1", 0))
            one.settimeout(PATIENCE)
        others = {
            "CLUSTERDNS_UPSTREAM": f"127.0.0.1:{upstream.getsockname()[1]}",
            "CLUSTERDNS_FORWARD_TIMEOUT": "60",
        }
        process = start(
            str(tmp_path), "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--lameduck", "600", **others
        )
        lines = ready(process)
        host, port = lines[-1].split()[3].rsplit(":", 1)
        server = Server(host, int(port), process.pid, lines)
        page = next(line for line in lines if line.startswith("http ")).split()[1].replace("/health", "/ready")
        assert urllib.request.urlopen(page).read() == b"OK"
        client.sendto(dns.message.make_query("www.example.com", "A").to_wire(), (host, int(port)))
        asked, asker = upstream.recvfrom(4096)
        process.terminate()

        def refused() -> bool:
            try:
                urllib.request.urlopen(page)
            except urllib.error.HTTPError as error:
                with error:
                    return error.code == 503 and b"shutting down" in error.read()
            return False

        until(refused, server)
        assert addresses(server) == BOTH
        reply = dns.message.make_response(dns.message.from_wire(asked), recursion_available=True)
        reply.answer = [dns.rrset.from_text(reply.question[0].name, 300, "IN", "A", "192.0.2.1")]
        upstream.sendto(reply.to_wire(), asker)
        assert [str(each[0]) for each in dns.message.from_wire(client.recv(4096)).answer] == ["192.0.2.1"]
    _, logged = process.communicate(timeout=PATIENCE)  # quiet for a second: long before the 600
    assert process.returncode == 0
    assert "SIGTERM: answering until nobody has asked for 1 s, for 600 s at most (lameduck)" in logged
    assert re.search(r"ending after \d+\.\d s, \d+ quer(y|ies) since SIGTERM: nobody asks any more", logged), logged


def test_a_taken_port_is_one_line_and_status_2(tmp_path: Path) -> None:
    write_manifests(tmp_path, pods(ready=True))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        process = start(str(tmp_path), "--listen", f"127.0.0.1:{port}", "--http", "")
        said, logged = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "ready" not in said
    assert f"listen 127.0.0.1:{port}: Address already in use; another process has it" in logged.splitlines()[-1]


def test_a_missing_folder_is_one_line_and_status_2() -> None:
    process = start("/nonexistent/folder", "--listen", "127.0.0.1:0", "--http", "")
    _, logged = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "/nonexistent/folder" in logged
    assert "Traceback" not in logged


def test_the_start_says_what_is_served_and_what_to_try() -> None:
    process = start(str(DEMO), "--listen", "127.0.0.1:0", "--http", "", "--lameduck", "0")
    lines = ready(process)
    process.terminate()
    process.communicate(timeout=PATIENCE)
    assert any("stand-in pods" in line for line in lines)
    tried = next(line for line in lines if line.startswith("try ")).split()
    assert tried[1] == "dig"
    assert lines[-1].startswith("ready: cluster.local. on 127.0.0.1:")


SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: NAME, namespace: shop}
spec: {ports: [{port: 80}]}
"""


def services(*names: str) -> str:
    return "---".join(SERVICE.replace("NAME", name) for name in names)


def test_allocated_addresses_stay_over_a_restart(tmp_path: Path) -> None:
    """Whatever came or went in between: the range holds six, so that without memory they would move."""
    manifests, settings = tmp_path / "manifests", {"state_dir": tmp_path / "state", "service_cidr": "10.96.0.0/29"}
    manifests.mkdir()
    write_manifests(manifests, services("a", "b", "c", "d"))
    with serving(manifests, **settings) as server:
        before = [addresses(server, f"{name}.shop.svc.cluster.local") for name in "abcd"]
    assert len({address for found in before for address in found}) == 4
    write_manifests(manifests, services("x", "c", "d", "y"))
    with serving(manifests, **settings) as server:
        assert [addresses(server, f"{name}.shop.svc.cluster.local") for name in "cd"] == before[2:]


def test_problems_between_objects_are_logged(tmp_path: Path) -> None:
    write_manifests(tmp_path, services("a", "b").replace("{ports", "{clusterIP: 10.96.0.9, ports"))
    with serving(tmp_path) as server:
        until(lambda: any("10.96.0.9 is already that of shop/a" in line for line in server.output), server)


def test_namespaces_that_do_not_exist_are_logged(tmp_path: Path) -> None:
    write_manifests(tmp_path, services("a"))
    with serving(tmp_path, namespaces=["shop", "shpo"]) as server:
        until(lambda: any("namespaces: there is no shpo yet" in line for line in server.output), server)


def can_make_namespaces() -> bool:
    if not shutil.which("unshare") or not shutil.which("ip"):
        return False
    return subprocess.run(["unshare", "--net", "--mount", "true"], check=False, capture_output=True).returncode == 0


LOOK_UP = """
import socket
for name in ("web.shop", "web.shop.svc", "web.shop.svc.cluster.local", "database-0.database.data"):
    print(name, sorted({entry[4][0] for entry in socket.getaddrinfo(name, 80, socket.AF_INET)}))
print(socket.gethostbyaddr("10.96.1.10")[0])
"""


@pytest.mark.skipif(not can_make_namespaces(), reason="unshare or ip is not installed, or may make no namespace")
def test_glibc_resolves_through_a_resolv_conf(tmp_path: Path) -> None:
    """As in a pod: port 53, a search list, ndots:5; in a network namespace, so nothing of this machine is touched."""
    (tmp_path / "resolv.conf").write_text(
        "nameserver 127.0.0.1\nsearch default.svc.cluster.local svc.cluster.local cluster.local\n"
        "options ndots:5 timeout:30\n"  # seconds: a slow server is no dead one
    )
    (tmp_path / "nsswitch.conf").write_text("hosts: dns\n")
    (tmp_path / "look.py").write_text(LOOK_UP)
    script = f"""
set -e
ip link set lo up
mount --bind {tmp_path}/resolv.conf /etc/resolv.conf
mount --bind {tmp_path}/nsswitch.conf /etc/nsswitch.conf
{sys.executable} -m clusterdns serve {DEMO} --listen 127.0.0.1:53 --http '' --lameduck 0 >{tmp_path}/out 2>&1 &
trap 'kill %1; wait %1' EXIT
until grep -q ^ready: {tmp_path}/out; do kill -0 %1; read -rt 0.05 <> <(:) || :; done
{sys.executable} {tmp_path}/look.py
"""
    if not Path("/etc/nsswitch.conf").exists():
        pytest.skip("this system has no /etc/nsswitch.conf")
    command = ["unshare", "--net", "--mount", "bash", "-c", script]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr + (tmp_path / "out").read_text()
    assert done.stdout.splitlines() == [
        "web.shop ['10.96.1.10']",
        "web.shop.svc ['10.96.1.10']",
        "web.shop.svc.cluster.local ['10.96.1.10']",
        "database-0.database.data ['10.244.2.10']",
        "web.shop.svc.cluster.local",
    ]
