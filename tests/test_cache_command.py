"""``clusterdns cache``: wrong use, exit status, tables and JSON."""

import json
from collections.abc import Iterator

import pytest
from cached import Filled, telling
from test_inspecting import request

from clusterdns.cli.main import run

WRONG = {
    "cache -o yaml": "-o yaml: no such format; write text or json",
    "cache web.example --all": "NAME, --suffix and --all exclude each other; write one of them",
    "cache --suffix example --all --flush": "NAME, --suffix and --all exclude each other; write one of them",
    "cache --flush": "--flush: nothing is named; write NAME, --suffix NAME or --all",
    "cache a..b": "a..b: not a domain name; labels have 1 to 63 octets, a name has at most 255",
    "cache --suffix a..b": "a..b: not a domain name; labels have 1 to 63 octets, a name has at most 255",
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.items(), ids=WRONG)
def test_wrong_use_is_one_line(arguments: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments.split()) == 2
    assert capsys.readouterr() == ("", f"{message}\n")


@pytest.fixture
def filled() -> Filled:
    return Filled()


@pytest.fixture
def url(filled: Filled) -> Iterator[str]:
    with telling(filled.inspection) as found:
        yield found


def test_the_counts(url: str, filled: Filled, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cache", "--server", url]) == 0
    success, denial = filled.cache.success.octets, filled.cache.denial.octets
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[:4]] == [
        ["KIND", "ENTRIES", "OCTETS", "HITS", "EVICTIONS"],
        ["success", "4", str(success), "2", "0"],
        ["denial", "2", str(denial), "0", "0"],
        ["failure", "1", str(int(filled.cache.failures.currsize)), "0", "0"],
    ]
    assert lines[4:] == [
        "",
        "Limit:         1048576 octets",
        "Misses:        1",
        "Served stale:  0",
        "Prefetches:    0",
        "Asked now:     0 (0 of them prefetches), clients waiting: 0",
    ]


def test_entries_of_a_name_are_a_table(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cache", "WEB.example", "--server", url]) == 0
    captured = capsys.readouterr()
    rows = [line.split() for line in captured.out.splitlines()]
    assert rows[0] == ["NAME", "TYPE", "FLAGS", "KIND", "RCODE", "TTL", "STALE", "HITS", "OCTETS"]
    assert [row[:-1] for row in rows[1:]] == [
        ["web.example.", "A", "<none>", "success", "NOERROR", "200", "no", "2"],
        ["web.example.", "A", "DO", "success", "NOERROR", "200", "no", "0"],
        ["web.example.", "AAAA", "<none>", "denial", "NOERROR", "-40", "yes", "0"],
    ]
    assert captured.err == ""


NAMES = {
    "--suffix example": ["bad.example.", *["web.example."] * 3, "nix.web.example."],
    "--all": ["bad.example.", *["web.example."] * 3, "nix.web.example.", "a.other.", "b.other."],
}


@pytest.mark.parametrize(("arguments", "names"), NAMES.items(), ids=NAMES)
def test_names_stand_below_those_they_are_below(
    url: str, arguments: str, names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["cache", *arguments.split(), "--server", url]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == names


def test_what_is_not_there(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cache", "nix.example", "--server", url]) == 1
    assert capsys.readouterr() == ("", "nix.example: not in the cache\n")
    assert run(["cache", "--suffix", "nix.example", "--server", url]) == 0
    assert capsys.readouterr() == ("", "No entries found.\n")


def test_more_than_can_be_shown(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("clusterdns.cli.cache._SHOWN", 2)
    assert run(["cache", "--all", "--server", url]) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 3
    assert captured.err == "there are more than these 2; write --suffix NAME to see those below it\n"


def test_flushing(url: str, filled: Filled, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cache", "nix.web.example", "--flush", "--server", url]) == 0
    assert run(["cache", "--suffix", "web.example", "--flush", "--server", url]) == 0
    assert run(["cache", "--flush", "--all", "-o", "json", "--server", url]) == 0
    assert run(["cache", "--flush", "web.example", "--server", url]) == 0
    assert capsys.readouterr().out == ('1 entry flushed\n3 entries flushed\n{\n  "flushed": 3\n}\n0 entries flushed\n')
    assert not filled.cache.entries


@pytest.mark.parametrize("arguments", ["", "web.example", "--suffix example", "nix.example"])
def test_json_is_what_the_server_tells(url: str, arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = arguments.split()
    assert run(["cache", *words, "-o", "json", "--server", url]) == (arguments == "nix.example")
    query = f"?{'suffix' if words[:-1] else 'name'}={words[-1]}" if words else "?limit=0"
    captured = capsys.readouterr()
    assert json.loads(captured.out) == request(f"{url}/api/v1/cache{query}")[1]
    assert captured.err == ""


def test_without_forwarding(capsys: pytest.CaptureFixture[str]) -> None:
    with telling(None) as url:
        assert run(["cache", "--server", url]) == 1
        assert run(["cache", "--all", "--flush", "--server", url]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (f"{url}: there is no cache: names of others are not forwarded; set `upstream`\n" * 2)


def test_without_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cache", "--server", "http://127.0.0.1:1"]) == 1
    assert "nothing listens there" in capsys.readouterr().err


def test_the_token_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with telling(Filled().inspection, "secret") as url:
        assert run(["cache", "--server", url]) == 1
        monkeypatch.setenv("CLUSTERDNS_HTTP_TOKEN", "secret")
        assert run(["cache", "--all", "--flush", "--server", url]) == 0
    captured = capsys.readouterr()
    assert captured.out == "7 entries flushed\n"
    assert "401" in captured.err


def test_another_server(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("clusterdns.cli.cache.ask", lambda *_, **__: ["something"])
    assert run(["cache"]) == 1
    assert run(["cache", "--all", "--flush"]) == 1
    assert capsys.readouterr().err == (
        "the server's answer tells of no cache; is it another version of clusterdns?\n" * 2
    )
