"""``env``, ``exec`` and ``resolvconf`` as a shell sees them; what they print is tested with ``clusterdns.workload``."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import serving

from clusterdns.cli.main import run

ROOT = Path(__file__).parent.parent
DEMO = str(ROOT / "zones" / "demo")
COMMAND = [sys.executable, "-m", "clusterdns"]
EXEC = [*COMMAND, "exec", "-n", "shop", "--from", DEMO]
UNUSED = "http://127.0.0.1:1"  # tcpmux: nobody has it


def out_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_formats(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("env", "-n", "shop", "--from", DEMO)
    dotenv = out_of(capsys, *arguments)
    assert "\nWEB_SERVICE_HOST=10.96.1.10\n" in dotenv
    assert "\nKUBERNETES_SERVICE_HOST=10.96.0.1\n" in dotenv
    assert out_of(capsys, *arguments, "-o", "dotenv") == dotenv
    variables = dict(line.split("=", 1) for line in dotenv.splitlines())
    assert json.loads(out_of(capsys, *arguments, "-o", "json")) == variables
    assert len(re.findall(r"^export \w+=", out_of(capsys, *arguments, "-o", "shell"), re.MULTILINE)) == len(variables)


def test_without_links_only_the_api_server(capsys: pytest.CaptureFixture[str]) -> None:
    found = out_of(capsys, "env", "-n", "shop", "--no-service-links", "--from", DEMO)
    assert {line.split("_")[0] for line in found.splitlines()} == {"KUBERNETES"}


def test_a_namespace_without_variables_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert run(["env", "--from", str(tmp_path), "-o", "json"]) == 0
    assert capsys.readouterr() == ("{}\n", "namespace default: no Service with a ClusterIP, so no variables\n")


@pytest.mark.parametrize("written", ["namespaces: [data]", "labels: app=nothing", "noendpoints: true"])
def test_kubelet_knows_no_filters(written: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"manifests: [{DEMO}]\n{written}\n")
    whole = out_of(capsys, "env", "-n", "shop", "--from", DEMO)
    assert out_of(capsys, "env", "-n", "shop", "--from", DEMO, "--config", str(settings)) == whole


ABSENT = "warning: -n nope: there is no such namespace; `clusterdns get ns` lists them\n"


def test_a_namespace_that_does_not_exist_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["env", "-n", "nope", "--from", DEMO]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("KUBERNETES_SERVICE_HOST=")
    assert err == ABSENT
    assert run(["explain", "-n", "nope", "web.shop", "--from", DEMO]) == 0
    assert capsys.readouterr().err == ABSENT
    done = subprocess.run([*COMMAND, "exec", "-n", "nope", "--from", DEMO, "true"], capture_output=True, check=True)
    assert done.stderr.decode() == ABSENT


def test_a_rejected_document_is_told_and_costs_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "zones/demo/platform/kubernetes.yaml").read_text()
    (tmp_path / "services.yaml").write_text(text + "---\napiVersion: v1\nkind: Service\nmetadata: {name: bad}\n")
    assert run(["env", "--from", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("KUBERNETES_SERVICE_HOST=")
    assert re.fullmatch(rf"{tmp_path}/services\.yaml:\d+: error CD205 Service default/bad: .*\n", err)


WRONG = {
    "format": (["env", "--from", DEMO, "-o", "yaml"], 2, "-o yaml: no such format; write dotenv, shell, json"),
    "path": (["env", "--from", "no/such"], 2, "no/such: "),
    "URL": (["env", "--server", "127.0.0.1:9153"], 2, "--server 127.0.0.1:9153: not the URL of a server; write one"),
    "port": (["env", "--server", "http://h:x"], 2, "--server http://h:x: not the URL of a server"),
    "no server": (["env", "--server", UNUSED], 1, f"{UNUSED}: nothing listens there; start `clusterdns serve PATH`"),
    "exec, no server": (["exec", "--server", UNUSED, "true"], 1, f"{UNUSED}: nothing listens there"),
    "env, no label": (["env", "-n", "Foo", "--from", DEMO], 2, "-n Foo: no name of a namespace; use a to z"),
    "exec, no label": (["exec", "-n", "a b", "--from", DEMO, "true"], 2, "-n a b: no name of a namespace; "),
    "explain, no label": (["explain", "-n", "Foo", "web", "--from", DEMO], 2, "-n Foo: no name of a namespace; "),
    "exec, option": (["exec", "--nosuch", "true"], 2, "clusterdns exec: No such option: --nosuch"),
    "exec, no command": (["exec", "--from", DEMO], 2, "clusterdns exec: Missing argument 'COMMAND'"),
    "exec, nothing to run": (["exec", "--from", DEMO, "--", ""], 127, ": command not found\n"),
    "exec, not found": (["exec", "--from", DEMO, "no-such-command"], 127, "no-such-command: command not found\n"),
    "exec, no file": (["exec", "--from", DEMO, "./no/such"], 127, "./no/such: command not found\n"),
    "exec, not executable": (["exec", "--from", DEMO, "/etc/passwd"], 126, "/etc/passwd: permission denied\n"),
    "exec, a folder": (["exec", "--from", DEMO, "/tmp"], 126, "/tmp: permission denied\n"),
    "namespace": (["resolvconf", "-n", "a b"], 2, "-n a b: no name of a namespace; use a to z"),
    "policy": (["resolvconf", "--policy", "none"], 2, "--policy none: no such policy; write ClusterFirst, "),
    "None": (["resolvconf", "--policy", "None"], 2, "--policy None: needs a nameserver in dnsConfig; "),
    "no pod": (["resolvconf", "--pod", "no.yaml"], 2, "no.yaml: no such file or directory; name a readable file"),
    "host": (["resolvconf", "--host-resolv-conf", "no"], 2, "no: no such file or directory; name a readable file"),
    "address": (["resolvconf", "--cluster-dns", "dns"], 2, "--cluster-dns: 'dns' is not an IP address; write one like"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "complaint"), WRONG.values(), ids=WRONG)
def test_wrong_use_is_one_plain_line(
    arguments: list[str], code: int, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(complaint)
    assert err.count("\n") == 1


@pytest.fixture
def stranger() -> Iterator[str]:
    """The URL of something that takes one request and answers nonsense."""

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(9999)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def test_another_server_is_told_as_such(stranger: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["env", "--server", stranger]) == 1
    assert capsys.readouterr().err == f"{stranger}: what it answers is no JSON; name the HTTP address of clusterdns\n"


def test_a_running_server_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(DEMO, http=["127.0.0.1:0"], namespaces=["data"]) as server:
        (url,) = (found[1] for line in server.output if (found := re.match(r"http +(http://[^/]+)/", line)))
        for more in ([], ["--no-service-links"], ["-o", "shell"]):
            asked = out_of(capsys, "env", "-n", "shop", "--server", url, *more)
            assert asked == out_of(capsys, "env", "-n", "shop", "--from", DEMO, *more)
        for command, code in ((["env"], 0), (["explain", "web.shop"], 3)):
            assert run([*command, "-n", "nope", "--server", url]) == code
            assert capsys.readouterr().err == ABSENT
        done = subprocess.run(
            [*COMMAND, "exec", "-n", "shop", "--server", f"{url}/", "printenv", "WEB_SERVICE_HOST"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout == "10.96.1.10\n"


def test_exec_adds_below_what_is_there() -> None:
    environment = os.environ | {"WEB_SERVICE_HOST": "mine", "OTHER": "kept"}
    done = subprocess.run([*EXEC, "--", "env"], env=environment, capture_output=True, text=True, check=True)
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert found["WEB_SERVICE_HOST"] == "mine"
    assert found["WEB_SERVICE_PORT"] == "80"
    assert {name for name in environment if name not in found} <= {"_"}


@pytest.mark.parametrize("dashes", [[], ["--"]])
def test_options_behind_the_command_are_its_own(dashes: list[str]) -> None:
    show = [sys.executable, "-c", "import sys; print(sys.argv[1:])", "-n", "other", "--", "--help", "x y"]
    done = subprocess.run([*EXEC, *dashes, *show], capture_output=True, text=True, check=True)
    assert done.stdout == "['-n', 'other', '--', '--help', 'x y']\n"


def test_exit_status_passes() -> None:
    for script, status in (("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", -signal.SIGTERM)):
        assert subprocess.run([*EXEC, "sh", "-c", script], check=False).returncode == status


WAITER = """\
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # one that comes before it is waited for is not lost
print(os.getpid(), flush=True)
signal.sigwait([signal.SIGTERM])
sys.exit(5)
"""


def test_signals_reach_the_command_because_it_is_this_process() -> None:
    with subprocess.Popen([*EXEC, "--", sys.executable, "-c", WAITER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert int(process.stdout.readline()) == process.pid
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 5


def test_the_command_does_not_inherit_what_python_ignores() -> None:
    done = subprocess.run(
        [*EXEC, "cat", "/proc/self/status"], capture_output=True, text=True, check=True, restore_signals=True
    )
    ignored = int(next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("SigIgn")), 16)
    assert not ignored & 1 << (signal.SIGPIPE - 1)
    assert not ignored & 1 << (signal.SIGXFSZ - 1)


def test_a_command_that_is_not_there_leaves_signals_as_python_has_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["exec", "--from", DEMO, "no-such-command"]) == 127
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN, "else a connection that ends would end this process"


def test_env_imports_nothing_heavy() -> None:
    code = (
        f"import sys; from clusterdns.cli.main import run; run(['env', '--from', {DEMO!r}]);"
        "print({'pydantic', 'aiohttp', 'asyncio', 'rich', 'watchfiles', 'psutil', 'dnslib'} & {*sys.modules},"
        " file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "set()\n"


def test_resolvconf(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host, pod, settings = tmp_path / "host", tmp_path / "pod.yaml", tmp_path / "settings.yaml"
    host.write_text("search corp.example\nnameserver 192.0.2.1\n")
    given = ("resolvconf", "--host-resolv-conf", str(host))
    search = "svc.cluster.local svc.cluster.local cluster.local corp.example"
    assert out_of(capsys, *given, "-n", "shop") == f"search shop.{search}\nnameserver 10.96.0.10\noptions ndots:5\n"
    assert out_of(capsys, *given, "--policy", "Default") == "search corp.example\nnameserver 192.0.2.1\n"
    assert out_of(capsys, "resolvconf", "--host-resolv-conf", "", "--policy", "Default") == (
        "search .\nnameserver 127.0.0.1\n"
    )
    pod.write_text("apiVersion: v1\nkind: Pod\nmetadata: {namespace: data}\nspec: {hostNetwork: true}\n")
    assert out_of(capsys, *given, "--pod", str(pod)) == "search corp.example\nnameserver 192.0.2.1\n"
    there = out_of(capsys, *given, "--pod", str(pod), "--policy", "ClusterFirstWithHostNet")
    assert there.startswith(f"search data.{search}\n")
    settings.write_text("domain: k8s.test\ncluster_dns: [10.1.0.10, fd00::a]\n")
    assert out_of(capsys, *given, "--config", str(settings)) == (
        "search default.svc.k8s.test svc.k8s.test k8s.test corp.example\n"
        "nameserver 10.1.0.10\nnameserver fd00::a\noptions ndots:5\n"
    )


def test_resolvconf_warns_on_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host = tmp_path / "host"
    host.write_text("".join(f"nameserver 192.0.2.{at}\n" for at in range(4)))
    assert run(["resolvconf", "--policy", "Default", "--host-resolv-conf", str(host)]) == 0
    out, err = capsys.readouterr()
    assert out.count("nameserver") == 3
    assert err == "warning: DNSConfigForming: more than 3 nameservers; left out: 192.0.2.3\n"
    host.write_text("\nnameserver\n")
    assert run(["resolvconf", "--host-resolv-conf", str(host)]) == 2
    assert capsys.readouterr().err == f"{host}:2: nameserver without an address; write one, or remove the line\n"
