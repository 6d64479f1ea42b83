"""The packet gate: every message of every transport passes here before anything is looked up.

Work is bounded by what a query can be: one question, no answers, at most one authority record (IXFR) and two
additional ones (OPT, TSIG).  The first fault decides; nothing behind it is read.
"""

import struct

from msgspec import Struct

from clusterdns.engine.edns import OPT, Edns, parse_opt
from clusterdns.engine.tsig import TSIG, Tsig, parse_tsig
from clusterdns.engine.wire import name_end, owner_end
from clusterdns.errors import PeerError
from clusterdns.zone.names import Name

FORMERR, NOTIMP = 1, 4
QR, AA, RD, RA, CD = 0x8000, 0x0400, 0x0100, 0x0080, 0x0010
OPCODE = 0x7800
HEADER = struct.Struct("!HHHHHH")
HEADER_OCTETS = 12
MAX_AUTHORITY, MAX_ADDITIONAL = 1, 2


class Query(Struct, frozen=True, gc=False):
    """A well-formed query for one question, or with a cookie and no question at all (RFC 7873 §5.4)."""

    head: bytes  # the ID
    flags: int  # as they arrived
    question: bytes  # as it arrived, letter case and all; b"": there is none, and what follows says nothing
    qname: Name  # lower case
    qtype: int
    qclass: int
    edns: Edns | None
    tsig: Tsig | None = None


class Rejected(Struct, frozen=True, gc=False):
    """A whole response, or None where silence is the answer."""

    response: bytes | None
    why: str


def parse(packet: bytes) -> Query | Rejected:
    """What *packet* asks, or what it gets instead."""
    if len(packet) < HEADER_OCTETS:
        return Rejected(None, "shorter than a header")
    head, flags, questions, answers, authority, additional = HEADER.unpack_from(packet)
    if flags & QR:
        return Rejected(None, "a response")  # answering it could start a loop between two servers
    if flags & OPCODE:
        return _reject(head, flags, NOTIMP, "opcode")
    if questions > 1:
        return _reject(head, flags, FORMERR, "several questions")  # RFC 9619
    if answers or authority > MAX_AUTHORITY or additional > MAX_ADDITIONAL:
        return _reject(head, flags, FORMERR, "records in a query")
    try:
        end = _question_end(packet) if questions else HEADER_OCTETS
        edns, tsig = _records(packet, end, authority, additional)
    except PeerError as fault:
        return _reject(head, flags, FORMERR, str(fault))
    if not questions:
        if edns is None or not edns.cookie:
            return _reject(head, flags, FORMERR, "no question")
        return Query(packet[:2], flags, b"", Name(b""), 0, 0, edns, tsig)
    qtype, qclass = struct.unpack_from("!HH", packet, end - 4)
    # bytes.lower() changes ASCII only, which is what RFC 4343 §3 asks for; lengths are below "A".
    qname = Name(packet[HEADER_OCTETS : end - 4].lower())
    return Query(packet[:2], flags, packet[HEADER_OCTETS:end], qname, qtype, qclass, edns, tsig)


def _reject(head: int, flags: int, rcode: int, why: str) -> Rejected:
    """A header and nothing else; RD and CD are copied for a QUERY only (RFC 8906 §8.1.4)."""
    kept = 0 if flags & OPCODE else flags & (RD | CD)
    return Rejected(HEADER.pack(head, QR | flags & OPCODE | kept | rcode, 0, 0, 0, 0), why)


def _question_end(packet: bytes) -> int:
    """A pointer in a question's name is legal, but nobody sends one: it is refused."""
    end = name_end(packet, HEADER_OCTETS) + 4
    if end > len(packet):
        raise PeerError("the question is cut")
    return end


def _records(packet: bytes, at: int, authority: int, additional: int) -> tuple[Edns | None, Tsig | None]:
    """The OPT and the TSIG record among what follows the question; everything is read to its end."""
    edns = tsig = None
    for number in range(authority + additional):
        if tsig:
            raise PeerError("TSIG: not the last record")
        owner, end = at, owner_end(packet, at)
        if end + 10 > len(packet):
            raise PeerError("a record is cut")
        rtype, rclass, ttl, rdlength = struct.unpack_from("!HHIH", packet, end)
        at = end + 10 + rdlength
        if at > len(packet):
            raise PeerError("RDATA is cut")
        rdata = packet[at - rdlength : at]
        if rtype in (OPT, TSIG) and number < authority:
            raise PeerError("OPT or TSIG as authority")
        if rtype == OPT:
            if edns or packet[owner]:
                raise PeerError("OPT: twice, or not at the root")
            edns = parse_opt(rclass, ttl, rdata)
        elif rtype == TSIG:
            tsig = parse_tsig(packet[owner:end], rclass, rdata)
    if at != len(packet):
        raise PeerError("octets behind the last record")
    return edns, tsig
