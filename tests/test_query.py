"""``clusterdns query`` against a scripted server on loopback."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, repeat
from types import SimpleNamespace

import pytest
from dnslib import EDNS0, QTYPE, RCODE, RD, RR, TXT, DNSRecord, EDNSOption
from ports import free_port

from clusterdns.cli import asking
from clusterdns.cli.main import run
from clusterdns.cli.query import parse_labels
from clusterdns.errors import OperatorError

WEB = "web.shop.svc.cluster.local"
SOA = "cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 7 7200 1800 86400 5"
Script = Callable[[DNSRecord, str], list[bytes]]  # query, "UDP" or "TCP" -> the packets to send
PATIENCE = 60.0  # seconds; only a fault waits so long


@pytest.fixture(autouse=True)
def a_slow_machine_is_no_silent_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "SECONDS", PATIENCE)


class Scripted:
    """A server on loopback with one port for both transports."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._stopped = False
        self._tcp = socket.create_server(("127.0.0.1", free_port()))
        self.address = self._tcp.getsockname()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(self.address)

    def serve_udp(self) -> None:
        with self._udp:
            while True:
                data, client = self._udp.recvfrom(4096)
                if self._stopped:
                    return
                for packet in self._script(DNSRecord.parse(data), "UDP"):
                    self._udp.sendto(packet, client)

    def serve_tcp(self) -> None:
        with self._tcp:
            while True:
                connection, _ = self._tcp.accept()
                with connection:
                    if self._stopped:
                        return
                    for packet in self._script(DNSRecord.parse(connection.recv(4096)[2:]), "TCP"):
                        connection.sendall(len(packet).to_bytes(2) + packet)

    def stop(self) -> None:
        self._stopped = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self.address)
        with suppress(OSError):  # it has come to a connection of before, and ended there
            socket.create_connection(self.address).close()


@contextmanager
def scripted(script: Script) -> Iterator[str]:
    """Gives ``@127.0.0.1:PORT``."""
    server = Scripted(script)
    threads = [threading.Thread(target=target) for target in (server.serve_udp, server.serve_tcp)]
    for thread in threads:
        thread.start()
    try:
        yield f"@127.0.0.1:{server.address[1]}"
    finally:
        server.stop()
        for thread in threads:
            thread.join()


def answering(*records: str, authority: str = "", rcode: str = "NOERROR", **flags: int) -> Script:
    """Every query gets these records (master-file lines), after a look at the query."""

    def script(query: DNSRecord, _: str) -> list[bytes]:
        return [reply_to(query, *records, authority=authority, rcode=rcode, **flags)]

    return script


def reply_to(query: DNSRecord, *records: str, authority: str = "", rcode: str = "NOERROR", **flags: int) -> bytes:
    assert [(each.rtype, each.edns_len) for each in query.ar] == [(QTYPE.OPT, 1232)]
    reply = query.reply(ra=0)
    reply.header.rcode = getattr(RCODE, rcode)
    for name, value in flags.items():
        setattr(reply.header, name, value)
    reply.add_answer(*RR.fromZone("\n".join(records)))
    reply.add_auth(*RR.fromZone(authority))
    reply.add_ar(EDNS0(udp_len=1232))
    return bytes(reply.pack())


def ask(script: Script, *words: str) -> int:
    with scripted(script) as server:
        return run(["query", *words, server])


def test_an_answer_as_dig_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(answering(f"{WEB}. 5 IN A 10.96.0.10", authority=SOA), WEB) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: ")
    assert lines[1:11] == [
        ";; flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 1, ADDITIONAL: 1",
        ";; EDNS: version: 0, flags:; udp: 1232",
        "",
        ";; QUESTION SECTION:",
        f";{WEB}.\t\tIN\tA",
        "",
        ";; ANSWER SECTION:",
        f"{WEB}.\t5\tIN\tA\t10.96.0.10",
        "",
        ";; AUTHORITY SECTION:",
    ]
    assert lines[11] == SOA.replace(" ", "\t", 4)
    assert [line.split(":")[0] for line in lines[12:]] == ["", ";; Query time", ";; SERVER", ";; MSG SIZE  rcvd"]
    assert lines[14].endswith(" (UDP)")


@pytest.mark.parametrize(
    "words",
    [
        (WEB, "aaaa"),
        ("AAAA", WEB),
        ("TYPE28", WEB.upper()),
        (WEB + ".", "Aaaa", "+tcp"),
    ],
)
def test_words_in_any_order_and_case(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    def script(query: DNSRecord, transport: str) -> list[bytes]:
        assert transport == ("TCP" if "+tcp" in words else "UDP")
        assert str(query.q.qname).lower() == WEB + "."
        assert query.q.qtype == QTYPE.AAAA
        return [reply_to(query, f"{WEB}. 5 IN AAAA fd00::a")]

    with scripted(script) as server:
        assert run(["query", server, *words, "--short"]) == 0
    assert capsys.readouterr().out == "fd00::a\n"


def test_a_single_word_is_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(answering("a. 5 IN A 10.0.0.1"), "a", "--short") == 0
    assert capsys.readouterr().out == "10.0.0.1\n"


def test_reverse(capsys: pytest.CaptureFixture[str]) -> None:
    script = answering(f"10.0.96.10.in-addr.arpa. 5 IN PTR {WEB}.")
    assert ask(script, "-x", "10.96.0.10", "+short") == 0
    assert capsys.readouterr().out == f"{WEB}.\n"


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    script = answering("_http._tcp.web.test. 5 IN SRV 0 100 80 web.test.")
    assert ask(script, "_http._tcp.web.test", "srv", "--tcp", "-o", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert {key: found[key] for key in ("transport", "status", "flags", "authority", "additional", "ede")} == {
        "transport": "TCP",
        "status": "NOERROR",
        "flags": ["qr", "aa", "rd"],
        "authority": [],
        "additional": [],
        "ede": [],
    }
    assert found["question"] == [{"name": "_http._tcp.web.test.", "class": "IN", "type": "SRV"}]
    assert found["answer"] == [
        {"name": "_http._tcp.web.test.", "ttl": 5, "class": "IN", "type": "SRV", "data": "0 100 80 web.test."}
    ]
    assert found["edns"] == {"version": 0, "do": False, "udp": 1232}


def test_texts_cannot_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    def script(query: DNSRecord, _: str) -> list[bytes]:
        reply = query.reply()
        reply.add_answer(RR("t.test", QTYPE.TXT, rdata=TXT([b'say "hi"\\', b"\x1b[31m\xff"])))
        reply.add_answer(RR("t.test", 65280, rdata=RD(b"\x01\x02")))
        return [bytes(reply.pack())]

    assert ask(script, "t.test", "txt", "--short") == 0
    assert capsys.readouterr().out == '"say \\"hi\\"\\\\" "\\027[31m\\255"\n\\# 2 0102\n'


EXIT_CODES = {
    "an answer": (answering(f"{WEB}. 5 IN A 10.96.0.10"), 0, ""),
    "NXDOMAIN": (answering(authority=SOA, rcode="NXDOMAIN"), 3, ""),
    "NODATA": (answering(authority=SOA), 4, ""),
    "NODATA behind an alias": (answering(f"{WEB}. 5 IN CNAME db.cluster.local.", authority=SOA), 4, ""),
    "an alias that leads away": (answering(f"{WEB}. 5 IN CNAME example.com."), 0, ""),
    "REFUSED": (answering(rcode="REFUSED"), 1, " answered REFUSED\n"),
    "SERVFAIL": (answering(rcode="SERVFAIL"), 1, " answered SERVFAIL\n"),
}


@pytest.mark.parametrize(("script", "code", "complaint"), EXIT_CODES.values(), ids=EXIT_CODES)
def test_exit_codes(script: Script, code: int, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(script, WEB) == code
    out, err = capsys.readouterr()
    assert "ANSWER: " in out
    assert err.partition(" ")[2] == complaint.lstrip()


def test_extended_errors_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    def script(query: DNSRecord, _: str) -> list[bytes]:
        reply = query.reply()
        reply.header.rcode = RCODE.SERVFAIL
        options = [EDNSOption(15, b"\x00\x0enot synced\x07"), EDNSOption(15, b"\x00\x00"), EDNSOption(3, b"id")]
        reply.add_ar(EDNS0(udp_len=1232, opts=options))
        return [bytes(reply.pack())]

    assert ask(script, WEB) == 1
    out, err = capsys.readouterr()
    assert ";; EDE: 14 (Not Ready): not synced\\007\n;; EDE: 0 (Other)\n" in out
    assert err.endswith(" answered SERVFAIL: not synced\\007\n")


def test_an_extended_rcode_has_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    def script(query: DNSRecord, _: str) -> list[bytes]:
        reply = query.reply()
        reply.add_ar(EDNS0(udp_len=1232, ext_rcode=1))
        return [bytes(reply.pack())]

    assert ask(script, WEB) == 1
    assert "status: BADVERS," in capsys.readouterr().out


def test_a_refusal_to_read_needs_no_question(capsys: pytest.CaptureFixture[str]) -> None:
    def script(query: DNSRecord, _: str) -> list[bytes]:
        return [query.header.id.to_bytes(2) + b"\x80\x01" + bytes(8)]

    assert ask(script, WEB) == 1
    assert "status: FORMERR," in capsys.readouterr().out


def test_wrong_packets_are_ignored(capsys: pytest.CaptureFixture[str]) -> None:
    def script(query: DNSRecord, _: str) -> list[bytes]:
        good = reply_to(query, f"{WEB}. 5 IN A 10.96.0.10")
        other_id = bytes([good[0] ^ 1]) + good[1:]
        other_name = reply_to(DNSRecord.parse(bytes(query.pack()).replace(b"web", b"bad")), f"{WEB}. 5 IN A 10.0.0.1")
        return [b"", b"junk", bytes(query.pack()), other_id, other_name, good[:20], good]

    assert ask(script, WEB, "--short") == 0
    assert capsys.readouterr().out == "10.96.0.10\n"


def test_a_truncated_reply_is_asked_for_again_over_tcp(capsys: pytest.CaptureFixture[str]) -> None:
    def script(query: DNSRecord, transport: str) -> list[bytes]:
        if transport == "UDP":
            return [reply_to(query, tc=1)]
        return [reply_to(query, *(f"{WEB}. 5 IN A 10.0.{number}.1" for number in range(200)))]

    assert ask(script, WEB) == 0
    out = capsys.readouterr().out
    assert "ANSWER: 200," in out
    assert " (TCP)\n" in out


def test_a_lost_packet_is_sent_again(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # Sent, and nearly out of patience; from then on no time passes.
    times = chain([0.0, PATIENCE / asking.TRIES - 0.01], repeat(PATIENCE))
    monkeypatch.setattr(asking, "time", SimpleNamespace(monotonic=lambda: next(times)))
    seen: list[int] = []

    def script(query: DNSRecord, _: str) -> list[bytes]:
        seen.append(query.header.id)
        return [reply_to(query, f"{WEB}. 5 IN A 10.96.0.10")] if len(seen) == 2 else []

    assert ask(script, WEB, "--short") == 0
    assert capsys.readouterr().out == "10.96.0.10\n"
    assert len(seen) == 2


def test_wrong_packets_to_the_end_are_no_answer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    share = PATIENCE / asking.TRIES  # of the time, over when the packet of each try has been looked at
    times = iter([0.0, 0.0, share, share, share, 2 * share])
    monkeypatch.setattr(asking, "time", SimpleNamespace(monotonic=lambda: next(times)))
    assert ask(lambda query, _: [b"junk"], WEB) == 1
    assert capsys.readouterr().err.endswith(f" over UDP: no answer within {PATIENCE:g} s\n")


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_silence_is_one_line(
    transport: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "SECONDS", 0.2)
    over = threading.Event()

    def script(query: DNSRecord, transport: str) -> list[bytes]:
        if transport == "TCP":  # what comes back ends the connection
            over.wait(PATIENCE)
        return []

    with scripted(script) as server:
        try:
            assert run(["query", WEB, *(["--tcp"] if transport == "TCP" else []), server]) == 1
        finally:
            over.set()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith(f" over {transport}: no answer within 0.2 s\n")


def test_a_connection_that_ends_early(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(lambda query, _: [], WEB, "--tcp") == 1
    assert "the connection was closed before the answer was whole" in capsys.readouterr().err


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    for words in ([f"@127.0.0.1:{port}"], ["-p", str(port), "--tcp"], ["@127.0.0.1", "-p", str(port)]):
        assert run(["query", WEB, *words]) == 1
        assert "nothing listens there; start `clusterdns serve PATH`" in capsys.readouterr().err


WRONG_USE = {
    "no name": ((), "NAME: nothing to ask for; write NAME [TYPE] [@ADDR[:PORT]]\n"),
    "no type": ((WEB, "AAAAA"), "AAAAA: no record type; write one like AAAA, SRV or TYPE65\n"),
    "a type out of range": ((WEB, "TYPE65536"), "TYPE65536: no record type"),
    "three words": ((WEB, "A", "B"), "B: one word too many"),
    "two servers": ((WEB, "@::1", "@::2"), "@::2: a second server; ask one at a time\n"),
    "a bad port": ((WEB, "@127.0.0.1:65536"), "@127.0.0.1:65536: not a server; write @127.0.0.1:1053 or @[::1]:1053\n"),
    "no server": ((WEB, "@"), "@: not a server"),
    "an unknown server": ((WEB, "@a..b"), "@a..b: no address of a server"),
    "an empty label": (("a..b",), "a..b: not a domain name; labels have 1 to 63 octets\n"),
    "a long name": (("a." * 128,), "not a domain name; it has more than 255 octets\n"),
    "-x with a name": (("-x", "web"), "-x: 'web' is not an IP address; write one like 10.96.0.10\n"),
    "another output": ((WEB, "-o", "yaml"), "-o: prints json and nothing else"),
    "two outputs": ((WEB, "-o", "json", "--short"), "-o: prints json and nothing else"),
}


@pytest.mark.parametrize(("words", "complaint"), WRONG_USE.values(), ids=WRONG_USE)
def test_wrong_use(words: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["query", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert complaint in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        (".", ()),
        ("web.shop", (b"web", b"shop")),
        (r"a\.b.c.", (b"a.b", b"c")),
        (r"\000\255.x", (b"\x00\xff", b"x")),
        ("bücher.example", (b"xn--bcher-kva", b"example")),
        ("_http._tcp." + "a" * 63, (b"_http", b"_tcp", b"a" * 63)),
    ],
)
def test_names(text: str, labels: tuple[bytes, ...]) -> None:
    assert parse_labels(text) == labels


@pytest.mark.parametrize("text", ["", "..", ".a", "a..", r"\256", "\\", "a" * 64, "ü" * 64])
def test_names_that_are_none(text: str) -> None:
    with pytest.raises(OperatorError):
        parse_labels(text)
