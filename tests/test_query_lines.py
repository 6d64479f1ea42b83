"""Lines of the query log.  The common ones were written by CoreDNS 1.15 (log, whoami) when asked the same."""

import json

import pytest
from packets import header, opt, query
from strategies import SHOP, responder

from clusterdns.query_lines import as_json, common
from clusterdns.query_log import Exchange

CLIENT = ("127.0.0.1", 56126)


def head(flags: str, ident: int = 1) -> bytes:
    """Of a response that whoever reads it finds NOERROR."""
    return ident.to_bytes(2) + bytes.fromhex(flags) + bytes(8)


COREDNS = {
    (query("www.Example.org", ident=1), 103, CLIENT): '127.0.0.1:56126 - 1 "A IN www.example.org. udp 33 false 512"',
    (query(b"\0", 65280, ident=5), 55, CLIENT): '127.0.0.1:56126 - 5 "TYPE65280 IN . udp 17 false 512"',
    (query("www.Example.org", "SRV", edns=opt(300, do=True), ident=8), 103, CLIENT): (
        '127.0.0.1:56126 - 8 "SRV IN www.example.org. udp 44 true 512"'
    ),
    (query(b'\x03a.b\x01 \x05\xff\x00\x1b\r\n\x04"(;\\\x00', 255, edns=opt(4096), ident=36), 106, CLIENT): (
        '127.0.0.1:56126 - 36 "ANY IN a\\.b.\\ .\\255\\000\\027\\013\\010.\\"\\(\\;\\\\. udp 45 false 4096"'
    ),
    (query(b"\x02@'\x03) x\x00", ident=38), 76, ("::1", 53, 0, 0)): (
        '[::1]:53 - 38 "A IN \\@\\\'.\\)\\ x. udp 24 false 512"'
    ),
}


@pytest.mark.parametrize(("asked", "line"), COREDNS.items(), ids=list(COREDNS.values()))
def test_the_common_format_is_that_of_coredns(asked: tuple[bytes, int, tuple[str, int]], line: str) -> None:
    packet, octets, client = asked
    response = head("8500", int.from_bytes(packet[:2])).ljust(octets, b"\0")
    exchange = Exchange(packet, response, "udp", client, 0.000733891, 0.0)
    assert common(exchange).decode() == f"[INFO] {line} NOERROR qr,aa,rd {octets} 0.000733891s\n"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.0, "0s"), (1.5, "1.5s"), (0.000000001, "0.000000001s"), (2.0, "2s"), (1e-12, "0s")]
)
def test_durations_are_written_without_exponents(seconds: float, shown: str) -> None:
    assert common(Exchange(query("a"), head("8100"), "udp", CLIENT, seconds, 0.0)).decode().endswith(f" {shown}\n")


def test_over_tcp_clients_take_everything() -> None:
    line = common(Exchange(query("a", edns=opt(1232)), head("8100"), "tcp", CLIENT, 0.0, 0.0)).decode()
    assert '"A IN a. tcp 30 false 65535" NOERROR qr,rd 12 0s' in line


def test_what_is_no_question_has_none() -> None:
    for packet in (header(0x2000, (1, 0, 0, 0)), query("a")[:-1], header(0x100, (0, 0, 0, 0))):
        line = common(Exchange(packet, head("8104"), "udp", CLIENT, 0.0, 0.0)).decode()
        assert f'"- - - udp {len(packet)} false 512" NOTIMP qr,rd 12 0s' in line


def test_codes_of_twelve_bits() -> None:
    asked = query("a", edns=opt(version=1))
    response = responder(*SHOP).answer(asked) or b""
    assert b" BADVERS qr,rd " in common(Exchange(asked, response, "udp", CLIENT, 0.0, 0.0))


@pytest.mark.parametrize("rest", [b"", b"\x04", b"\x04abcd", b"\0\0\1\0\1", b"\0\0\1\0\1\0\0\x29", b"\xc0\x0c\0\1\0\1"])
def test_a_response_that_ends_too_soon_has_a_line(rest: bytes) -> None:
    response = bytes.fromhex("000181030001000000000001") + rest
    line = common(Exchange(query("a"), response, "udp", CLIENT, 0.0, 0.0)).decode()
    assert f'" NXDOMAIN qr,rd {len(response)} 0s' in line


def test_json_says_the_same() -> None:
    packet = query(b"\x03\r\n\x1b\0", "AAAA", edns=opt(do=True), ident=7)
    line = as_json(Exchange(packet, head("8583", 7), "udp", CLIENT, 0.25, 1_700_000_000.5))
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.500000Z",
        "remote": "127.0.0.1",
        "port": 56126,
        "id": 7,
        "type": "AAAA",
        "class": "IN",
        "name": "\\013\\010\\027.",
        "proto": "udp",
        "size": len(packet),
        "do": True,
        "bufsize": 1232,
        "rcode": "NXDOMAIN",
        "rflags": ["qr", "aa", "rd", "ra"],
        "rsize": 12,
        "duration": 0.25,
    }


def test_every_line_is_printable_whatever_is_asked() -> None:
    for octet in range(256):
        exchange = Exchange(query(bytes((3, octet, 97, octet, 0))), head("8100"), "udp", CLIENT, 0.0, 0.0)
        for line in (common(exchange), as_json(exchange)):
            assert line.endswith(b"\n")
            assert line[:-1].decode("ascii").isprintable()
