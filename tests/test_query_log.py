"""The query log: what is written, what is left out, and that nobody waits for it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from packets import query
from strategies import SHOP, responder
from support import serving, write_manifests
from test_metrics import MANIFESTS, WEB, over_tcp, over_udp

from clusterdns.engine.elsewhere import Send
from clusterdns.query_log import WAITING, Exchange, QueryLog, Wanted, class_of

PEER = ("192.0.2.1", 5353)
NIX = "nix.shop.svc.cluster.local"
ALL = Wanted(classes=("all",))


class Paper:
    """What was written.  While *locked*, who writes waits."""

    def __init__(self) -> None:
        self.octets = b""
        self.locked = threading.Lock()

    def write(self, lines: bytes) -> None:
        with self.locked:
            self.octets += lines

    @property
    def lines(self) -> list[str]:
        return self.octets.decode().splitlines()


@contextmanager
def log(wanted: Wanted, paper: Paper, clock: Callable[[], float] = lambda: 0.0) -> Iterator[QueryLog]:
    made = QueryLog(wanted, paper.write, monotonic=clock, wall=lambda: 0.0, random=lambda: 0.49)
    made.start()
    try:
        yield made
    finally:
        made.end()
        while made._thread.is_alive():
            made.wait()


SERVER = responder(*SHOP).answer
ASKED = [query("web.shop.svc.cluster.local"), query("web.shop.svc.cluster.local", "MX"), query(NIX), query("a.org")]


@pytest.mark.parametrize(
    ("classes", "logged"),
    [
        (["all"], [0, 1, 2, 3]),
        (["success"], [0]),
        (["denial"], [1, 2]),
        (["error"], [3]),
        (["error", "success"], [0, 3]),
    ],
)
def test_classes_are_those_of_coredns(classes: list[str], logged: list[int]) -> None:
    paper = Paper()
    with log(Wanted(classes=classes), paper) as noting:
        answer = noting.around(SERVER)
        for ident, packet in enumerate(ASKED):
            assert answer(ident.to_bytes(2) + packet[2:], "udp", PEER)
    assert [int(line.split()[3]) for line in paper.lines] == logged
    assert noting.lines == {"written": len(logged), "over_rate": 0, "unread": 0, "failed": 0}


def test_silence_is_not_logged_and_a_late_answer_is_when_it_comes() -> None:
    paper, waiting, sent = Paper(), list[Send](), list[bytes]()
    times = iter([1.0, 3.5])

    with log(ALL, paper, lambda: next(times)) as noting:
        later = noting.around(lambda packet, transport, peer: waiting.append)(ASKED[0], "tcp", PEER)
        assert callable(later)
        later(sent.append)
        waiting[0](SERVER(ASKED[0]) or b"")
        assert len(sent) == 1
    (line,) = paper.lines
    assert line.endswith(" 2.5s")
    with log(ALL, paper) as noting:
        assert noting.around(lambda packet, transport, peer: None)(b"", "udp", PEER) is None
    assert len(paper.lines) == 1


def test_one_of_so_many_is_logged_by_chance() -> None:
    for sample, lines in ((2, 1), (3, 0)):
        paper = Paper()
        with log(Wanted(classes=("all",), sample=sample), paper) as noting:
            noting.around(SERVER)(ASKED[0], "udp", PEER)
        assert len(paper.lines) == lines


def test_lines_over_the_rate_are_counted() -> None:
    paper, now = Paper(), [0.0]
    with log(Wanted(classes=("all",), rate=10), paper, lambda: now[0]) as noting:
        answer = noting.around(SERVER)
        for second in (5.0, 6.0):
            now[0] = second
            for _ in range(25):
                answer(ASKED[0], "udp", PEER)
    assert len(paper.lines) == 20
    assert noting.lines["over_rate"] == 30


def test_nobody_waits_for_a_pipe_that_nobody_reads(caplog: pytest.LogCaptureFixture) -> None:
    paper = Paper()
    with log(Wanted(classes=("all",), rate=10**6), paper) as noting:
        answer = noting.around(SERVER)
        with paper.locked:
            for _ in range(WAITING + 1000):
                assert answer(ASKED[0], "udp", PEER)
        left_out = noting.lines["unread"]
        assert 0 < left_out <= 1000
    assert noting.lines["written"] == len(paper.lines) == WAITING + 1000 - left_out
    assert "were left out so far" in caplog.text


def test_a_line_that_cannot_be_made_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def form(exchange: Exchange) -> bytes:
        if exchange.client == PEER:
            raise IndexError("a mistake of ours")
        return b"a line\n"

    monkeypatch.setattr("clusterdns.query_lines.common", form)
    paper = Paper()
    with log(ALL, paper) as noting:
        answer = noting.around(SERVER)
        for client in (PEER, PEER, ("192.0.2.2", 5353)):
            answer(ASKED[0], "udp", client)
    assert paper.lines == ["a line"]
    assert noting.lines == {"written": 1, "over_rate": 0, "unread": 0, "failed": 2}
    assert sum("a mistake of ours" in str(record.exc_info) for record in caplog.records) == 1, "told once"


def test_a_broken_pipe_ends_nothing() -> None:
    class Broken(Paper):
        def write(self, lines: bytes) -> None:
            raise BrokenPipeError

    with log(ALL, Broken()) as noting:
        assert noting.around(SERVER)(ASKED[0], "udp", PEER)
    assert noting.lines["unread"] == 1


def test_a_class_for_every_response() -> None:
    assert class_of(bytes.fromhex("000081000001000000000000")) == "success", "a delegation or a bare answer"
    assert class_of(bytes.fromhex("000083000001000000010000")) == "success", "cut"
    assert class_of(bytes.fromhex("000081020000000000000000")) == "error"


def test_of_a_running_server(tmp_path: Path) -> None:
    write_manifests(tmp_path, MANIFESTS)
    config = tmp_path / "config"
    config.mkdir()

    def logged() -> list[str]:
        return [line for line in server.output if line.startswith("[INFO] ") and "- 471" in line]

    with serving(tmp_path, query_log=["all"]) as server:
        peer = (server.address, server.port)
        over_udp(peer, query(WEB, ident=4711))
        over_tcp(peer, query(b"\x04\r\nx\x1b\0", ident=4712))
        while len(logged()) < 2:  # a server that ends waits for no longer than a second until they are written
            over_udp(peer, query(WEB, ident=1))  # a look costs a round trip
    lines = logged()
    assert len(lines) == 2
    assert '- 4711 "A IN web.shop.svc.cluster.local. udp 44 false 512" NOERROR qr,aa,rd ' in lines[0]
    assert '- 4712 "A IN \\013\\010x\\027. tcp 22 false 65535" REFUSED qr,rd 22 ' in lines[1]
