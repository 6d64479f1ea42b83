"""Messages as octets: queries made by hand, so that each field can lie, and responses read without leniency."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from random import Random

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import psutil
import pytest

from clusterdns.zone.names import Name, parse_name

with_ipv6 = pytest.mark.skipif(
    not any(one.address == "::1" for each in psutil.net_if_addrs().values() for one in each),
    reason="this machine has no IPv6",
)
QR, AA, TC, RD, RA, Z, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0040, 0x0020, 0x0010
TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "DS": 43}
TYPES |= {"SVCB": 64, "ANY": 255}


def header(flags: int = RD, counts: tuple[int, int, int, int] = (1, 0, 0, 0), ident: int = 0x1234) -> bytes:
    return struct.pack("!6H", ident, flags, *counts)


def question(name: str | bytes, rtype: str | int = "A", rclass: int = 1) -> bytes:
    """*name* as text keeps its letter case; as octets it is taken as it is."""
    wire = name if isinstance(name, bytes) else spelled(name)
    return wire + struct.pack("!HH", TYPES[rtype] if isinstance(rtype, str) else rtype, rclass)


def spelled(name: str) -> bytes:
    """In wire form with the letter case of the text."""
    if name == ".":
        return b"\0"
    parts = [part.encode() for part in name.rstrip(".").split(".")]
    return b"".join(bytes((len(part),)) + part for part in parts) + b"\0"


def opt(octets: int = 1232, *, do: bool = False, version: int = 0, flags: int = 0, options: bytes = b"") -> bytes:
    ttl = version << 16 | (0x8000 if do else 0) | flags
    return b"\0" + struct.pack("!HHIH", 41, octets, ttl, len(options)) + options


def option(code: int, content: bytes) -> bytes:
    return struct.pack("!HH", code, len(content)) + content


def query(
    name: str | bytes,
    rtype: str | int = "A",
    *,
    rclass: int = 1,
    flags: int = RD,
    edns: bytes = b"",
    ident: int = 0x1234,
) -> bytes:
    """One question; *edns* is a record from ``opt``, or nothing."""
    return header(flags, (1, 0, 0, bool(edns)), ident) + question(name, rtype, rclass) + edns


def read(response: bytes | None) -> dns.message.Message:
    """Strict: counts true, pointers backwards only, nothing behind the last record, OPT at the root and once."""
    assert response is not None, "silence"
    message = dns.message.from_wire(response, one_rr_per_rrset=True, keyring=False)
    assert message.flags & QR
    assert not message.flags & Z, "Z must be zero"
    return message


def records(rrsets: Iterable[object]) -> list[str]:
    return [str(rrset) for rrset in rrsets]


def summary(response: bytes | None) -> str:
    """``"NOERROR aa | web.… 5 IN A 10.96.0.1 | cluster.local. SOA"``: rcode, flags, answers, authority owners."""
    message = read(response)
    flags = [name for name, bit in (("aa", AA), ("tc", TC), ("ra", RA)) if message.flags & bit]
    authority = [f"{rrset.name} {dns.rdatatype.to_text(rrset.rdtype)}" for rrset in message.authority]
    return " | ".join([" ".join([dns.rcode.to_text(message.rcode()), *flags]), *records(message.answer), *authority])


def name_octets(name: str) -> Name:
    """In lower case, as the table has it."""
    return parse_name(name)


def good_queries() -> list[bytes]:
    """Of every kind that is answered: what a mutation starts from."""
    web, db = "web.shop.svc.cluster.local", "db.shop.svc.cluster.local"
    return [
        query(web),
        query(web, "AAAA", edns=opt(do=True)),
        query(web, "ANY", edns=opt(512, options=option(10, b"8 octets") + option(3, b""))),
        query(web, "A", flags=RD | AD | CD, edns=opt(4096)),
        query("_http._tcp." + web, "SRV", edns=opt()),
        query(db, "SRV", edns=opt()),
        query("10-1-0-1." + web, edns=opt()),
        query("idle.shop.svc.cluster.local", edns=opt()),
        query("front.shop.svc.cluster.local", edns=opt()),
        query("gone.shop.svc.cluster.local", "TXT"),
        query("nothing.cluster.local", edns=opt()),
        query("example.org", edns=opt()),
        query("cluster.local", "SOA", edns=opt(options=option(12, bytes(64)))),
        query("10.0.96.10.in-addr.arpa", "PTR", edns=opt()),
        query("0.96.10.in-addr.arpa", "PTR"),
        query("version.bind", "TXT", rclass=3),
        query(".", "NS", edns=opt()),
    ]


def mutants(rng: Random, count: int, seeds: Sequence[bytes] = ()) -> Iterator[bytes]:
    """Good queries, or *seeds*, with a few faults each, the same ones for the same *rng*."""
    queries = seeds or good_queries()
    for _ in range(count):
        packet = bytearray(rng.choice(queries))
        for _ in range(rng.choice((1, 1, 2, 5))):
            rng.choice(_FAULTS)(rng, packet)
        yield bytes(packet)


def _flip(rng: Random, packet: bytearray) -> None:
    if packet:
        packet[rng.randrange(len(packet))] ^= 1 << rng.randrange(8)


def _letter(rng: Random, packet: bytearray) -> None:
    """A label stays a label: what is asked changes, not its form."""
    if len(packet) > 12:
        packet[rng.randrange(12, len(packet))] = rng.choice(b"abcdhopstw0123-_*ABW")


def _overwrite(rng: Random, packet: bytearray) -> None:
    """With octets that mean something: label types, pointers, the highest counts."""
    content = rng.choice(
        (
            b"\xff\xff",
            b"\x40",
            b"\x80",
            b"\xc0\x0c",
            b"\xc0\0",
            b"\0",
            b"\0\x29",
            b"\0\xfa",
            b"\0\x0a",
            b"\x3f",
            rng.randbytes(4),
        )
    )
    at = rng.randrange(len(packet) + 1)
    packet[at : at + len(content)] = content


def _insert(rng: Random, packet: bytearray) -> None:
    at = rng.randrange(len(packet) + 1)
    packet[at:at] = rng.randbytes(rng.randrange(1, 20))


def _remove(rng: Random, packet: bytearray) -> None:
    at = rng.randrange(len(packet) + 1)
    del packet[at : at + rng.randrange(1, 8)]


def _cut(rng: Random, packet: bytearray) -> None:
    del packet[rng.randrange(len(packet) + 1) :]


def _append(rng: Random, packet: bytearray) -> None:
    packet += rng.choice((opt(), opt(version=1), b"\0", rng.randbytes(9), b"\1x" + opt()))


def _count(rng: Random, packet: bytearray) -> None:
    at = rng.choice((4, 6, 8, 10))
    packet[at : at + 2] = rng.choice((0, 1, 2, 3, 65535)).to_bytes(2)


_FAULTS = (_flip, _flip, _letter, _letter, _letter, _overwrite, _insert, _remove, _cut, _append, _count)
