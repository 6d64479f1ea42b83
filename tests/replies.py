"""Replies of upstreams, made with dnspython or by hand, and what a client reads of them."""

import io
import struct
from collections.abc import Iterable

import dns.message
import dns.rdatatype
import dns.rrset
from packets import QR, RA, RD, header, opt, option, query, question, read, spelled

from clusterdns.engine import gate
from clusterdns.engine.elsewhere import Resolve
from clusterdns.errors import PeerError
from clusterdns.forward.answers import Foreign, Question
from clusterdns.forward.placing import respond, sections
from clusterdns.forward.walk import walk
from clusterdns.zone.names import Name, parse_name
from clusterdns.zone.prepared import QUESTION_AT

SOA = "example.com. 300 SOA ns.example.com. admin.example.com. 1 7200 3600 86400 60"
_HASH = "AAAAAAAAAAAAAAAAAAAAAA=="


def number(rtype: str | int) -> int:
    return rtype if isinstance(rtype, int) else int(dns.rdatatype.from_text(rtype))


def asked(name: str, rtype: str | int = "A", *, do: bool = False, cd: bool = False) -> Question:
    return Question(parse_name(name), number(rtype), do, cd)


def reply(
    name: str,
    rtype: str | int = "A",
    answer: Iterable[str] = (),
    authority: Iterable[str] = (),
    additional: Iterable[str] = (),
    *,
    rcode: int = 0,
    flags: int = QR | RD | RA,
    edns: bytes = opt(),
    compress: bool = True,
) -> bytes:
    """Records as text, ``"www.example.com. 300 A 192.0.2.1"``, in this order.  *name* keeps its letter case."""
    parts = [list(map(record, part)) for part in (answer, authority, additional)]
    counts = len(parts[0]), len(parts[1]), len(parts[2]) + bool(edns)
    file = io.BytesIO()
    file.write(header(flags | rcode & 0xF, (1, *counts)))
    offsets: dict[dns.name.Name, int] | None = {} if compress else None
    dns.name.from_text(name).to_wire(file, offsets)
    file.write(struct.pack("!HH", number(rtype), 1))
    for part in parts:
        for one in part:
            one.to_wire(file, offsets)
    return file.getvalue() + edns


def record(text: str) -> dns.rrset.RRset:
    owner, ttl, rtype, *rdata = text.split(" ", 3)
    return dns.rrset.from_text(owner, int(ttl), "IN", rtype, *rdata)


def raw(owner: bytes, rtype: str | int, rdata: bytes, ttl: int = 300, rclass: int = 1) -> bytes:
    return owner + struct.pack("!HHIH", number(rtype), rclass, ttl, len(rdata)) + rdata


def by_hand(name: str, rtype: str | int, *records: bytes, counts: tuple[int, int, int] | None = None) -> bytes:
    """*records* as octets, all of them answers unless *counts* says otherwise."""
    return (
        header(QR | RD | RA, (1, *(counts or (len(records), 0, 0)))) + question(name, number(rtype)) + b"".join(records)
    )


def signature(owner: str, covered: str, ttl: int = 300) -> str:
    return f"{owner} {ttl} RRSIG {covered} 13 2 {ttl} 20300101000000 20200101000000 1 example.com. {_HASH}"


def resolve(
    name: str | bytes,
    rtype: str | int = "A",
    *,
    target: str | bytes = "",
    limit: int = 65535,
    edns: bytes = opt(),
    flags: int = RD,
) -> Resolve:
    """A client's question; with *target* it is for an alias of ours that leads there."""
    asks = gate.parse(query(name, number(rtype), edns=edns, flags=flags))
    assert isinstance(asks, gate.Query)
    if not target:
        return Resolve(asks, asks.qname, (), QUESTION_AT, RA, limit, "udp", "192.0.2.1", None)  # type: ignore[arg-type]
    end = Name(target) if isinstance(target, bytes) else parse_name(target)
    link = raw(b"\xc0\x0c", "CNAME", end, 5)
    at = QUESTION_AT + len(asks.question) + len(link) - len(end)
    return Resolve(asks, end, (link,), at, RA, limit, "udp", "192.0.2.1", None)  # type: ignore[arg-type]


def told(foreign: Foreign, name: str, rtype: str | int = "A", *, age: int = 0, do: bool = False) -> list[str]:
    """The records that a client reads who asked for exactly this: "owner TTL type RDATA", its own spelling."""
    response = respond(resolve(name, rtype, edns=opt(do=do)), foreign, sections(foreign, age))
    return texts(read(response))


def texts(message: dns.message.Message) -> list[str]:
    return [text(rrset) for part in (message.answer, message.authority) for rrset in part]


def text(rrset: dns.rrset.RRset) -> str:
    return f"{rrset.name} {rrset.ttl} {dns.rdatatype.to_text(rrset.rdtype)} {rrset[0].to_text()}"


def plainly(records: Iterable[str]) -> list[str]:
    """As ``told`` writes them."""
    return [text(record(one)) for one in records]


def check(foreign: Foreign, asks: Question) -> None:
    """Its offsets are what they are said to be."""
    assert len(foreign.cuts) == len(foreign.ttls) == foreign.answers + foreign.authority
    assert foreign.cuts[-1:] == ((len(foreign.wire),) if foreign.cuts else ())
    base = 12 + len(asks.name) + 4
    for at in foreign.pointers:
        target = int.from_bytes(foreign.wire[at : at + 2]) & 0x3FFF
        assert foreign.wire[at] >= 0xC0
        assert 12 <= target < base - 4 or base <= target < base + at
    begin = 0
    for end, ttl in zip(foreign.cuts, foreign.ttls, strict=True):
        assert begin + 5 <= ttl
        assert ttl + 6 + int.from_bytes(foreign.wire[ttl + 4 : ttl + 6]) == end
        begin = end


def survives(packet: bytes, asks: Question) -> Foreign | None:
    """Walks it: None for a PeerError, else what every client can read, at any time and behind an alias."""
    try:
        foreign = walk(packet, asks)
    except PeerError:
        return None
    check(foreign, asks)
    edns = opt(do=asks.dnssec_ok)
    asking = resolve(asks.name, asks.rtype, edns=edns)
    aliased = resolve("a.test.", asks.rtype, target=asks.name, edns=edns)
    fresh = shape(respond(asking, foreign, foreign.wire))
    assert fresh == shape(respond(asking, foreign, sections(foreign, 7)))
    assert fresh == shape(respond(aliased, foreign, sections(foreign, 7)))[1:]
    return foreign


def shape(response: bytes) -> list[object]:
    """The records without their TTLs, and how many there are that dnspython cannot read."""
    message = dns.message.from_wire(response, continue_on_error=True, one_rr_per_rrset=True)
    records = [(one.name, one.rdtype, [each.to_wire() for each in one]) for one in message.answer + message.authority]
    return [*records, len(message.errors)]


def seeds() -> list[tuple[Question, bytes]]:
    """Of every kind that is taken: what a mutation starts from."""
    www, alias = "www.example.com.", "www.example.com. 300 CNAME web.example.net."
    nsec = "www.example.com. 60 NSEC zzz.example.com. A RRSIG NSEC"
    nsec3 = "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example.com. 60 NSEC3 1 1 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr A RRSIG"
    two = [f"{www} 300 A 192.0.2.1", f"{www} 300 A 192.0.2.2"]
    error = opt(options=option(15, b"\0\x12blocked"))
    return [
        (asked(www), reply(www, "A", two)),
        (asked(www), reply("wWw.ExAmple.cOM.", "A", two, additional=["ns.example.com. 1 A 192.0.2.9"])),
        (asked(www), reply(www, "A", two, edns=b"", compress=False)),
        (asked(www), reply(www, "A", [alias, "web.example.net. 60 A 192.0.2.1"], edns=error)),
        (
            asked(www, "AAAA"),
            reply(www, "AAAA", [alias], ["example.net. 9 SOA a.example.net. b.example.net. 1 2 3 4 5"]),
        ),
        (asked(www, "AAAA"), reply(www, "AAAA", [], [SOA])),
        (asked(www), reply(www, "A", [], [SOA], rcode=3)),
        (asked(www), reply(www, "A", [], ["example.com. 300 NS ns.example.com."], ["ns.example.com. 1 A 192.0.2.9"])),
        (asked(www, do=True), reply(www, "A", [*two, signature(www, "A")], edns=opt(do=True))),
        (
            asked(www, "TXT", do=True),
            reply(www, "TXT", [], [SOA, signature("example.com.", "SOA"), nsec, signature(www, "NSEC"), nsec3]),
        ),
        (
            asked("a.b.example.com.", do=True),
            reply(
                "a.b.example.com.",
                "A",
                [
                    "b.example.com. 300 DNAME c.example.net.",
                    "a.b.example.com. 300 CNAME a.c.example.net.",
                    "a.c.example.net. 60 A 192.0.2.1",
                ],
            ),
        ),
        (
            asked("example.com.", "MX"),
            reply("example.com.", "MX", [f"example.com. 60 MX {n} mx{n}.example.com." for n in (1, 2)]),
        ),
        (asked("example.com.", "SOA"), reply("example.com.", "SOA", [SOA])),
        (
            asked("_a._tcp.example.com.", "SRV"),
            reply("_a._tcp.example.com.", "SRV", ["_a._tcp.example.com. 60 SRV 1 2 3 x.example.com."]),
        ),
        (
            asked("example.com.", "NAPTR"),
            reply("example.com.", "NAPTR", ['example.com. 60 NAPTR 1 2 "s" "SIP+D2U" "" _sip._udp.example.com.']),
        ),
        (asked("example.com.", "HTTPS"), reply("example.com.", "HTTPS", ["example.com. 60 HTTPS 1 . alpn=h2"])),
        (asked("example.com.", 65280), reply("example.com.", 65280, [r"example.com. 60 TYPE65280 \# 4 c00c0001"])),
        (
            asked("example.com.", "ANY"),
            reply("example.com.", "ANY", [SOA, "example.com. 5 A 192.0.2.1", 'example.com. 5 TXT "x"']),
        ),
        (asked(".", "NS"), reply(".", "NS", [". 518400 NS a.root-servers.net.", ". 518400 NS b.root-servers.net."])),
        (asked(www), reply(www, "A", [], [], rcode=2, edns=error)),
        # Something else stands between what is kept, and names point to it.
        (
            asked(www),
            by_hand(
                www,
                "A",
                raw(spelled("x.net."), "A", b"1234"),
                raw(b"\xc0\x0c", "CNAME", b"\xc0\x21"),
                raw(b"\xc0\x21", "A", b"5678"),
            ),
        ),
    ]
