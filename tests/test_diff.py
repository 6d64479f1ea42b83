"""Which answers change between two states."""

import json
from pathlib import Path

import pytest

from clusterdns.cli.main import run
from clusterdns.views.diff import answers, as_text, differences
from clusterdns.views.records import Record

WEB = Record("web.shop.svc.z.", 5, "A", "10.0.0.1")
ZONE = Record("z.", 5, "NS", "ns.z.")


def change(before: list[Record], after: list[Record], was: tuple[str, ...] = (), now: tuple[str, ...] = ()) -> str:
    return as_text(differences(answers(before, was), answers(after, now)))


CASES = {
    "nothing": ([ZONE, WEB], [WEB, ZONE], ""),
    "an address": (
        [ZONE, WEB],
        [ZONE, Record(WEB.name, 5, "A", "10.0.0.2")],
        "- web.shop.svc.z. 5 IN A 10.0.0.1\n+ web.shop.svc.z. 5 IN A 10.0.0.2\n",
    ),
    "a TTL": (
        [ZONE, WEB],
        [ZONE, Record(WEB.name, 30, "A", "10.0.0.1")],
        "- web.shop.svc.z. 5 IN A 10.0.0.1\n+ web.shop.svc.z. 30 IN A 10.0.0.1\n",
    ),
    "a name that comes, and those above it with it": ([ZONE], [ZONE, WEB], "+ web.shop.svc.z. 5 IN A 10.0.0.1\n"),
    "a name that goes": (
        [ZONE, WEB],
        [ZONE],
        "- web.shop.svc.z. 5 IN A 10.0.0.1\n~ web.shop.svc.z.: NOERROR -> NXDOMAIN\n",
    ),
    "a type that goes": (
        [ZONE, WEB, Record(WEB.name, 5, "AAAA", "::1")],
        [ZONE, WEB],
        "- web.shop.svc.z. 5 IN AAAA ::1\n~ web.shop.svc.z. AAAA: NOERROR -> NODATA\n",
    ),
    "reverse names come last": (
        [],
        [Record("1.in-addr.arpa.", 5, "PTR", "z."), WEB],
        "+ web.shop.svc.z. 5 IN A 10.0.0.1\n+ 1.in-addr.arpa. 5 IN PTR z.\n",
    ),
}


@pytest.mark.parametrize(("before", "after", "expected"), CASES.values(), ids=CASES)
def test_changes(before: list[Record], after: list[Record], expected: str) -> None:
    assert change(before, after) == expected


def test_names_without_records() -> None:
    assert change([ZONE], [ZONE], now=("new.svc.z.",)) == "~ new.svc.z.: NXDOMAIN -> NODATA\n"
    assert change([ZONE], [ZONE], was=("old.svc.z.",)) == "~ old.svc.z.: NODATA -> NXDOMAIN\n"
    # Its namespace stays when a Service goes: only the Service's name is news.
    assert (
        change([ZONE, WEB], [ZONE], now=("shop.svc.z.", "svc.z."))
        == "- web.shop.svc.z. 5 IN A 10.0.0.1\n~ web.shop.svc.z.: NOERROR -> NXDOMAIN\n"
    )


SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.7, ports: [{port: 80}]}
"""


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str]:
    for name, text in (("a", SERVICE), ("b", SERVICE.replace("10.96.0.7", "10.96.0.8"))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "web.yaml").write_text(text)
    return str(tmp_path / "a"), str(tmp_path / "b")


def test_the_command(folders: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    a, b = folders
    assert run(["diff", a, a]) == 0
    assert capsys.readouterr().out == ""
    assert run(["diff", a, b]) == 1
    assert capsys.readouterr().out == (
        "- web.shop.svc.cluster.local. 5 IN A 10.96.0.7\n"
        "+ web.shop.svc.cluster.local. 5 IN A 10.96.0.8\n"
        "- 7.0.96.10.in-addr.arpa. 5 IN PTR web.shop.svc.cluster.local.\n"
        "~ 7.0.96.10.in-addr.arpa.: NOERROR -> NXDOMAIN\n"
        "+ 8.0.96.10.in-addr.arpa. 5 IN PTR web.shop.svc.cluster.local.\n"
    )
    assert run(["diff", a, b, "-o", "json"]) == 1
    found = json.loads(capsys.readouterr().out)["differences"]
    assert found[0] == {
        "name": "web.shop.svc.cluster.local.",
        "type": "A",
        "was": "NOERROR",
        "now": "NOERROR",
        "removed": ["5 IN A 10.96.0.7"],
        "added": ["5 IN A 10.96.0.8"],
    }


def test_wrong_use(folders: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", folders[0]]) == 2
    assert run(["diff", folders[0], "/nowhere"]) == 2
    assert run(["diff", *folders, "-o", "yaml"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_a_server_that_is_not_there_differs_from_nothing(
    folders: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = "http://127.0.0.1:1"  # tcpmux
    assert run(["diff", nobody, folders[0]]) == 2
    assert capsys.readouterr() == (
        "",
        f"{nobody}: nothing listens there; start `clusterdns serve PATH`, or name manifests\n",
    )
    for command in ("status", "cache"):
        assert run([command, "--server", nobody]) == 1
        assert capsys.readouterr().err.endswith(", or name another one with --server URL\n")
    assert run(["diff", "--help"]) == 0
    told = capsys.readouterr().out
    assert "Usage: clusterdns diff [OPTIONS] {A} {B}\n" in told
    assert "--from" not in told
