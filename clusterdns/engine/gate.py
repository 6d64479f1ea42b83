"""The packet gate: every message of every transport passes here before anything is looked up.

Work is bounded by what a query can be: one question, no answers, at most one authority record (IXFR) and two
additional ones (OPT, TSIG).  The first fault decides; nothing behind it is read.
"""

import struct

from msgspec import Struct

from clusterdns.engine.edns import OPT, Edns, parse_opt
from clusterdns.errors import PeerError
from clusterdns.zone.names import MAX_OCTETS, Name

FORMERR, NOTIMP = 1, 4
QR, RD, CD = 0x8000, 0x0100, 0x0010
OPCODE = 0x7800
HEADER = struct.Struct("!HHHHHH")
HEADER_OCTETS = 12
MAX_AUTHORITY, MAX_ADDITIONAL = 1, 2


class Query(Struct, frozen=True, gc=False):
    """A well-formed query for one question."""

    head: bytes  # the ID
    flags: int  # as they arrived
    question: bytes  # as it arrived, letter case and all
    qname: Name  # lower case
    qtype: int
    qclass: int
    edns: Edns | None


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
    if questions != 1:
        return _reject(head, flags, FORMERR, "not one question")  # RFC 9619
    if answers or authority > MAX_AUTHORITY or additional > MAX_ADDITIONAL:
        return _reject(head, flags, FORMERR, "records in a query")
    try:
        end = _question_end(packet)
        edns = _records(packet, end, authority, additional)
    except PeerError as fault:
        return _reject(head, flags, FORMERR, str(fault))
    qtype, qclass = struct.unpack_from("!HH", packet, end - 4)
    # bytes.lower() changes ASCII only, which is what RFC 4343 §3 asks for; lengths are below "A".
    qname = Name(packet[HEADER_OCTETS : end - 4].lower())
    return Query(packet[:2], flags, packet[HEADER_OCTETS:end], qname, qtype, qclass, edns)


def _reject(head: int, flags: int, rcode: int, why: str) -> Rejected:
    """A header and nothing else; RD and CD are copied for a QUERY only (RFC 8906 §8.1.4)."""
    kept = 0 if flags & OPCODE else flags & (RD | CD)
    return Rejected(HEADER.pack(head, QR | flags & OPCODE | kept | rcode, 0, 0, 0, 0), why)


def _question_end(packet: bytes) -> int:
    end = _name_end(packet, HEADER_OCTETS) + 4
    if end > len(packet):
        raise PeerError("the question is cut")
    return end


def _name_end(packet: bytes, at: int) -> int:
    """The offset behind an uncompressed name.  A pointer in a question is legal, but nobody sends one."""
    start = at
    while True:
        if at >= len(packet):
            raise PeerError("a name is cut")
        length = packet[at]
        if length > 63:
            raise PeerError("a label of another kind")
        at += 1 + length
        if at - start > MAX_OCTETS:
            raise PeerError("a name over 255 octets")
        if not length:
            return at


def _records(packet: bytes, at: int, authority: int, additional: int) -> Edns | None:
    """The OPT record among what follows the question; everything is read to its end."""
    edns = None
    for number in range(authority + additional):
        owner = at
        at = _owner_end(packet, at)
        if at + 10 > len(packet):
            raise PeerError("a record is cut")
        rtype, rclass, ttl, rdlength = struct.unpack_from("!HHIH", packet, at)
        at += 10 + rdlength
        if at > len(packet):
            raise PeerError("RDATA is cut")
        if rtype == OPT:
            if edns or number < authority or packet[owner]:
                raise PeerError("OPT: twice, misplaced, or not at the root")
            edns = parse_opt(rclass, ttl, packet[at - rdlength : at])
    if at != len(packet):
        raise PeerError("octets behind the last record")
    return edns


def _owner_end(packet: bytes, at: int) -> int:
    """As ``_name_end``, but a name may end in a pointer to something before it."""
    start = at
    while at < len(packet) and 0 < packet[at] <= 63 and at - start < MAX_OCTETS:
        at += 1 + packet[at]
    if at - start >= MAX_OCTETS:
        raise PeerError("a name over 255 octets")
    if at + 1 < len(packet) and packet[at] >= 0xC0:
        if int.from_bytes(packet[at : at + 2]) & 0x3FFF >= start:
            raise PeerError("a pointer that does not point back")
        return at + 2
    return _name_end(packet, at)
