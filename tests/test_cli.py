"""The command as a shell sees it: exit codes, plain lines, little cost."""

import subprocess
import sys
from pathlib import Path

import pytest

from clusterdns import __version__
from clusterdns.cli.main import app, run
from clusterdns.config import load_settings

COMMAND = [sys.executable, "-m", "clusterdns"]
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, annotations: {clusterdns.io/check-ignore: CD531}}
spec: {clusterIP: 10.96.0.10, ports: [{name: http, port: 80}]}
"""


def test_help_lists_the_commands_and_wraps_nothing() -> None:
    done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert all(f"\n  {name} " in done.stdout for name in ("serve", "check", "export", "query"))
    assert "…" not in done.stdout
    assert "..." not in done.stdout.partition("Commands:")[2]


@pytest.mark.parametrize("command", ["serve", "check", "export", "query"])
def test_each_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: clusterdns {command} ")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"clusterdns {__version__}\n"


def test_without_a_command_help_is_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Usage: clusterdns ")


USAGE = {
    "no such command": (["srve"], "clusterdns: No such command 'srve'"),
    "no such option": (["serve", "--lisen", "x"], "clusterdns serve: No such option: --lisen"),
    "no argument": (["check"], "clusterdns check: Missing argument 'PATH'; see clusterdns check --help"),
    "no value": (["query", "-x"], "clusterdns: Option '-x' requires an argument"),
    "a wrong value": (["query", "-p", "x", "web"], "clusterdns query: Invalid value for '-p'"),
    "nothing to serve": (["serve"], "PATH: nothing to serve; name manifest files or folders"),
    "nothing to export": (["export"], "--from: no manifests; name a file or a folder"),
    "a wrong setting": (["serve", "x", "--listen", "53"], "--listen: '53' is not ADDR:PORT; write it like"),
    "no such file of settings": (["check", "x", "--config", "no.yaml"], "no.yaml: cannot be read: No such file"),
    "no such path": (["check", "no/such/path"], "no/such/path: "),
    "no such path to export": (["export", "--from", "no/such/path"], "no/such/path: "),
}


@pytest.mark.parametrize(("arguments", "complaint"), USAGE.values(), ids=USAGE)
def test_wrong_use_is_one_plain_line(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(complaint)
    assert err.count("\n") == 1


def test_every_wrong_setting_has_a_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERDNS_TTL", "soon")
    assert run(["serve", "x", "--listen", "53", "--http", "http", "--domain", "a..b"]) == 2
    starts = [line.split(":")[0] for line in capsys.readouterr().err.splitlines()]
    assert starts == ["--domain", "--http", "--listen", "CLUSTERDNS_TTL"]


def test_a_reader_that_leaves_is_no_error() -> None:
    for arguments in ("--help", "query --help", "--version"):
        script = f"{sys.executable} -m clusterdns {arguments} 2>&3 | true"
        done = subprocess.run(["bash", "-c", f"({script}) 3>&1"], capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == ("", "")


def test_ctrl_c_is_quiet(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("clusterdns.cli.asking.ask", interrupt)
    assert run(["query", "web"]) == 130
    assert capsys.readouterr() == ("", "")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from clusterdns.cli.main import run; run(['--help']);"
        "print({'pydantic', 'aiohttp', 'asyncio', 'yaml', 'dnslib', 'rich'} & {*sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "set()\n"


def test_every_setting_has_its_flag() -> None:
    serve = next(
        command for command in app.registered_commands if command.callback and command.callback.__name__ == "serve"
    )
    assert serve.callback is not None
    parameters = serve.callback.__annotations__
    assert {"paths", "config", "return", *load_settings({}, {}).__struct_fields__} == {*parameters, "manifests"}


def test_check_of_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("ttl: 30s\n")
    bad.write_text("ttl: 5\nhtp: []\nlisten: [53]\n")
    assert run(["check", str(good)]) == 0
    assert capsys.readouterr() == ("", "1 configuration file: 0 errors\n")
    assert run(["check", str(good), str(bad)]) == 1
    out, err = capsys.readouterr()
    assert out == (
        f"{bad}:2: error CD900 column 1: unknown setting htp; did you mean http?\n"
        f"{bad}:3: error CD900 column 10: listen: '53' is not ADDR:PORT; write it like 127.0.0.1:1053 or [::1]:1053\n"
    )
    assert err == "2 configuration files: 2 errors\n"


def test_check_of_manifests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "web.yaml").write_text(SERVICE)
    assert run(["check", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("1 file, 1 object")
    (tmp_path / "bad.yaml").write_text(SERVICE.replace("port: 80", "port: 99999").replace("web", "bad"))
    assert run(["check", str(tmp_path)]) == 1
    assert f"{tmp_path}/bad.yaml:" in capsys.readouterr().out


PIPED = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selectors: {app: web}, ports: [{port: 80}]}
"""


@pytest.mark.parametrize(
    ("text", "code", "told"),
    {
        "objects": (PIPED, 0, "-:4: warning CD232 Service shop/web: spec.selectors: "),
        "the same twice": (f"{PIPED}---\n{PIPED}", 1, "-:6: error CD307 Service shop/web: "),
        "settings": ("ttl: x\n", 1, "-:1: error CD900 column 6: ttl: 'x' is no duration; "),
    }.values(),
)
def test_check_of_standard_input(text: str, code: int, told: str) -> None:
    done = subprocess.run([*COMMAND, "check", "-"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert any(line.startswith(told) for line in done.stdout.splitlines()), done.stdout
    assert all(line.startswith("-:") for line in done.stdout.splitlines())
    assert "/tmp" not in done.stdout


def test_strict_fails_on_warnings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "web.yaml").write_text(SERVICE.replace("10.96.0.10", "192.0.2.1"))  # outside service_cidr
    assert run(["check", str(tmp_path)]) == 0
    assert ": warning CD" in capsys.readouterr().out
    assert run(["check", str(tmp_path), "--strict"]) == 1


def test_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "web.yaml").write_text(SERVICE)
    assert run(["export", "--from", str(tmp_path), "--serial", "7"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "web.shop.svc.cluster.local." in out
    assert " 7 7200 " in out
    assert run(["export", "--from", str(tmp_path), "--zone", "other.test"]) == 2
    assert capsys.readouterr().err.startswith("--zone other.test: ")
