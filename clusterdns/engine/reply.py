"""Reply -> bytes: sections in order, cut to what the client takes (RFC 2181 §9, RFC 6891 §7)."""

import struct

from msgspec import Struct

from clusterdns.engine.edns import SERVER_OCTETS, error_option, opt_record
from clusterdns.engine.gate import CD, QR, RD, Query
from clusterdns.zone.prepared import OWNER, Entry, section_counts

TC = 0x0200


class Reply(Struct):
    """What a query gets, before it is fitted into a message.

    *flags*: AA, RA and AD as they apply.  *answers*: whole records.  *authority*: *authorities* records, or b"".
    *additional*: whole RRsets as (records, octets).  *error*: an Extended DNS Error's INFO-CODE and text.
    *tsig*: a record or b"".
    """

    rcode: int
    flags: int = 0
    answers: list[bytes] = []
    authority: bytes = b""
    additional: list[tuple[int, bytes]] = []
    error: tuple[int, str] | None = None
    tsig: bytes = b""
    authorities: int = 1


def records_of(entry: Entry, limit: int, owner: bytes = OWNER, first: int = 0) -> list[bytes]:
    """The answer records of *entry*, one by one, behind *owner*: their RDATA holds no pointers.

    They begin with the one at *first* octets and go on behind the last with those before it.

    Ends behind the record that passes *limit* octets: more cannot be sent, and a Service may have 5,000.
    """
    wire, end, found, at = entry.wire, entry.cuts[0][1], [], 0
    if first:
        wire = wire[first:end] + wire[:first]
    while at < end and at <= limit:
        stop = at + 12 + int.from_bytes(wire[at + 10 : at + 12])
        found.append(owner + wire[at + 2 : stop])
        at = stop
    return found


def additional_of(entry: Entry, limit: int) -> list[tuple[int, bytes]]:
    """The additional RRsets of *entry* that end within *limit* octets; right behind its own question only."""
    found, start = [], entry.cuts[0][1]
    for count, end in entry.cuts[1:]:
        if end > limit:
            break
        found.append((count, entry.wire[start:end]))
        start = end
    return found


def render(query: Query, reply: Reply, limit: int, options: bytes = b"", udp_octets: int = SERVER_OCTETS) -> bytes:
    """A response of at most *limit* octets.

    *options*: of its OPT, beside the error; *udp_octets*: what the OPT says that we take.  Both only for an OPT.

    What does not fit goes in this order: the error's text, additional RRsets (whole, from the last, without TC: nobody
    relies on them), then answers from the last with TC, so that a client without TCP can use the rest.
    """
    answers, additional, tsig = list(reply.answers), list(reply.additional), reply.tsig
    authority = reply.authority
    opt = _opt(query, reply, options, udp_octets, reply.error)
    room = limit - 12 - len(query.question) - len(opt) - len(tsig)
    size = sum(map(len, answers)) + len(authority) + sum(len(octets) for _, octets in additional)
    if size > room and reply.error:
        room += len(opt)
        opt = _opt(query, reply, options, udp_octets, (reply.error[0], ""))
        room -= len(opt)
    while size > room and additional:
        size -= len(additional.pop()[1])
    flags = QR | reply.flags | query.flags & (RD | CD) | reply.rcode & 0xF
    if size > room:
        flags |= TC
        size -= len(authority)
        authority = b""
        while size > room and answers:
            size -= len(answers.pop())
        if size > room:
            tsig = b""  # it is as long as its names; whoever sends such long ones learns why over TCP
    extra = sum(count for count, _ in additional) + bool(opt) + bool(tsig)
    counts = section_counts(len(answers), reply.authorities if authority else 0, extra)
    if not query.question:
        counts = b"\0\0" + counts[2:]
    sections = b"".join((*answers, authority, *(octets for _, octets in additional), opt, tsig))
    return query.head + struct.pack("!H", flags) + counts + query.question + sections


def _opt(query: Query, reply: Reply, options: bytes, udp_octets: int, error: tuple[int, str] | None) -> bytes:
    if query.edns is None:
        return b""
    if error:
        options += error_option(*error)
    return opt_record(reply.rcode, dnssec_ok=query.edns.dnssec_ok, options=options, octets=udp_octets)
