"""``get`` and ``describe`` as commands: wrong use, exit codes, from a server as from manifests, following changes."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from folders import service
from support import PATIENCE, Server, serving

from clusterdns.cli.main import run

DEMO = Path(__file__).parent.parent / "zones" / "demo"
FROM = ("--from", str(DEMO))

WRONG = {
    "get foo": "foo: no such kind; write svc, ep, pod, ns, records",
    "get svc -o zone": "-o zone: services are no records; write `clusterdns get records -o zone`",
    "get svc -o table": "-o table: no such format; write wide, yaml, json, name, zone",
    "get svc web -A": "web -A: a name is of one namespace; write -n NS, or leave the name out",
    "get svc web -l a": "web -l a: a name and a selector; write one of them",
    "get svc/web web": "svc/web web: two names; write one",
    "get svc -l a=(b": "-l a=(b: 'a=(b' is no label selector from character 1 on; "
    "write it as for kubectl, like app=web,tier in (a,b),!old",
    "get svc --server http://127.0.0.1:1": f"--from {DEMO} --server http://127.0.0.1:1: two places; write one of them",
    "get records --show-labels": "--show-labels: records have no labels; leave it out",
    "describe ns shop": "ns: no such kind; write svc, ep, pod",
    "describe svc": "svc: no name; write `clusterdns describe svc NAME`",
}
ABSENT = {
    "get svc web": 'services "web" not found in namespace default; there is one in -n shop',
    "get svc nix -n shop": 'services "nix" not found in namespace shop',
    "get records nix -n shop": 'records "nix" not found in namespace shop',
    "get ns nix": 'namespaces "nix" not found',
    "describe pod nix -n shop": 'pods "nix" not found in namespace shop',
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.items(), ids=WRONG)
def test_wrong_use_is_one_line(arguments: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*arguments.split(), *FROM]) == 2
    assert capsys.readouterr().err == f"{message}\n"


@pytest.mark.parametrize(("arguments", "message"), ABSENT.items(), ids=ABSENT)
def test_what_is_not_there(arguments: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*arguments.split(), *FROM]) == 1
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"{message}\n")


def test_nothing_to_list_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["get", "svc", "-n", "nix", *FROM]) == 0
    assert capsys.readouterr() == ("", "No resources found in nix namespace.\n")
    assert run(["get", "pod", "-A", "-l", "app=nix", *FROM]) == 0
    assert capsys.readouterr() == ("", "No resources found.\n")


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Server, str]]:
    with serving(DEMO, http="127.0.0.1:0") as one:
        yield one, url_of(one)


def url_of(server: Server) -> str:
    found = re.search(r"http://[^/]*", "".join(server.output))
    assert found
    return found[0]


@pytest.mark.parametrize(
    "arguments",
    [
        *("get svc -A -o wide", "get ep -A", "get pod -A --show-labels", "get ns", "get svc web -n shop -o yaml"),
        *("describe svc web -n shop", "describe ep web -n shop", "describe pod database-0 -n data"),
        *("get records -n shop", "get records -A -o zone", "get records web -n shop -o json", "get svc nix"),
    ],
)
def test_a_server_tells_what_its_manifests_tell(
    server: tuple[Server, str], arguments: str, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = [run([*arguments.split(), "--server", server[1]])]
    theirs = capsys.readouterr()
    codes.append(run([*arguments.split(), *FROM]))
    assert (codes[0], theirs) == (codes[1], capsys.readouterr())


def test_a_server_and_its_folder_do_not_differ(server: tuple[Server, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", str(DEMO), server[1]]) == 0
    assert capsys.readouterr().out == ""


def test_each_pointer_is_of_the_service_it_leads_into(capsys: pytest.CaptureFixture[str]) -> None:
    """Of an address that two Services hold, too: a Pod may be behind both."""
    assert run(["get", "records", "-n", "shop", "-o", "json", *FROM]) == 0
    pointers = [one for one in json.loads(capsys.readouterr().out)["records"] if one["type"] == "PTR"]
    assert len({one["name"] for one in pointers}) < len(pointers), "none has two"
    for one in pointers:
        assert one["service"] == "/".join(reversed(one["data"].split(".svc.")[0].split(".")[-2:]))


def test_without_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["get", "svc", "--server", "http://127.0.0.1:1"]) == 1
    assert "nothing listens there" in capsys.readouterr().err


def test_the_token_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "web.yaml").write_text(service("web"))
    with serving(tmp_path, http="127.0.0.1:0", http_token="secret") as one:
        assert run(["get", "svc", "-n", "shop", "--server", url_of(one)]) == 1
        told = "401 Unauthorized; set CLUSTERDNS_HTTP_TOKEN to what that server has as http_token (--http-token)\n"
        assert capsys.readouterr().err.endswith(told)
        monkeypatch.setenv("CLUSTERDNS_HTTP_TOKEN", "secret")
        assert run(["get", "svc", "-n", "shop", "-o", "name", "--server", url_of(one)]) == 0
        assert capsys.readouterr().out == "service/web\n"


class Following:
    """A ``get -w`` process and what it has printed."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "clusterdns", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.lines.append(line.rstrip("\n"))

    def wait_for(self, count: int) -> list[str]:
        deadline = time.monotonic() + PATIENCE
        while len(self.lines) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.lines[:count]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        if self.process.stdout:
            self.process.stdout.close()


def change(folder: Path, *documents: str) -> None:
    draft = folder / ".draft"
    draft.write_text("---\n".join(documents))
    past = time.time() - 10
    os.utime(draft, (past, past))
    draft.replace(folder / "all.yaml")


@pytest.mark.parametrize("origin", ["manifests", "server"])
def test_following(tmp_path: Path, origin: str) -> None:
    change(tmp_path, service("web", "a.example"))
    with serving(tmp_path, http="127.0.0.1:0") as one:
        source = ("--from", str(tmp_path)) if origin == "manifests" else ("--server", url_of(one))
        objects = Following("get", "svc", "-n", "shop", "-w", *source)
        records = Following("get", "records", "-n", "shop", "-w", *source)
        try:
            assert [line.split()[0] for line in objects.wait_for(2)] == ["NAME", "web"]
            assert len(records.wait_for(2)) == 2
            change(tmp_path, service("web", "b.example"))
            assert "b.example" in objects.wait_for(3)[2]
            records.wait_for(4)
            change(tmp_path, service("api", "b.example"))
            assert sorted(line.split()[0] for line in objects.wait_for(5)[3:]) == ["api", "web"]
            assert [line.split()[0] for line in records.wait_for(6)] == [
                *("EVENT", "ADDED", "DELETED", "ADDED", "DELETED", "ADDED")
            ]
        finally:
            objects.end()
            records.end()
