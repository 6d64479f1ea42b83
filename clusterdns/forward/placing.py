"""Foreign -> octets of a response: TTLs counted down, pointers moved, cut to what the client takes."""

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from clusterdns.engine.edns import SERVER_OCTETS, error_option, opt_record
from clusterdns.engine.elsewhere import Resolve
from clusterdns.engine.gate import CD, HEADER_OCTETS, QR, RD, Query
from clusterdns.engine.plain import AD
from clusterdns.engine.reply import TC
from clusterdns.errors import PeerError
from clusterdns.forward.answers import Foreign
from clusterdns.forward.compressed import MAX_TARGET, Names
from clusterdns.forward.rewriting import Writer
from clusterdns.forward.sections import A_STEP
from clusterdns.steps import Steps, at_once
from clusterdns.zone.names import Name
from clusterdns.zone.prepared import OWNER, QUESTION_AT, SERVFAIL, pointer, section_counts

_TTL = struct.Struct("!I")
_MAX_OCTETS = 0xFFFF
_WRITTEN_OUT = 500
_EVERYWHERE = range(HEADER_OCTETS, MAX_TARGET + 1)  # where pointers of a Foreign may lead: they have been checked


def bounded(foreign: Foreign, most: int) -> Foreign:
    """With no TTL above *most* seconds, its own included: once, before it is kept."""
    wire, octets = foreign.wire, most.to_bytes(4)
    above = [at for at in foreign.ttls if wire[at : at + 4] > octets]
    if above:
        patched = bytearray(wire)
        for at in above:
            patched[at : at + 4] = octets
        wire = bytes(patched)
    elif foreign.ttl <= most:
        return foreign
    return msgspec.structs.replace(foreign, wire=wire, ttl=min(most, foreign.ttl))


def sections(foreign: Foreign, age: int, ttl: int | None = None) -> bytes:
    """Its wire *age* seconds later, TTLs not below 0; with a *ttl* (stale answers, RFC 8767 §5.2) that one for each.

    Of the same length: the offsets of *foreign* hold for it.
    """
    if ttl is None and age <= 0:
        return foreign.wire
    if ttl is None and len(foreign.ttls) == 1:  # as most have
        octets, at = foreign.wire, foreign.ttls[0]
        left = max(0, int.from_bytes(octets[at : at + 4]) - age)
        return b"".join((octets[:at], left.to_bytes(4), octets[at + 4 :]))
    wire = bytearray(foreign.wire)
    if ttl is not None:
        octets = ttl.to_bytes(4)
        for at in foreign.ttls:
            wire[at : at + 4] = octets
    else:
        for at in foreign.ttls:
            left = _TTL.unpack_from(wire, at)[0] - age
            _TTL.pack_into(wire, at, max(0, left))
    return bytes(wire)


def behind(
    foreign: Foreign, wire: bytes, target: Name, target_at: int, start: int, most: int = _MAX_OCTETS
) -> tuple[bytes, tuple[int, ...]]:
    """*wire* (its ``sections``) as it stands at *start* of a message that has *target*, the name it answers for, in
    full octets at *target_at*, 0: nowhere; and the end of each record in it.

    Whole records for which *most* octets have room; the rest is left out, and so costs nothing.

    Names are written out where a pointer cannot reach what it leads to.  That takes ten times as long as to move
    pointers, and no more than a few milliseconds of it are done: _WRITTEN_OUT records.
    """
    base = QUESTION_AT + len(target) + 4
    if target_at == QUESTION_AT and start == base:
        return wire, foreign.cuts
    fit = bisect_right(foreign.cuts, most)
    moved = _moved(foreign, wire, target, target_at, start, fit)
    return moved or _rewritten(foreign, wire, target, target_at, start, min(fit, _WRITTEN_OUT))


def _moved(
    foreign: Foreign, wire: bytes, target: Name, target_at: int, start: int, records: int
) -> tuple[bytes, tuple[int, ...]] | None:
    """So many of its first records; None where a pointer would have to reach too far.

    Where *target* stands nowhere, the first owner is where it is from then on.
    """
    base, cuts = QUESTION_AT + len(target) + 4, foreign.cuts[:records]
    end = cuts[-1] if cuts else 0
    pointers: Sequence[int] = foreign.pointers[: bisect_left(foreign.pointers, end)]
    octets, longer = bytearray(wire[:end]), 0
    if not target_at and end:
        if wire[:2] != OWNER:
            return None
        target_at, longer, pointers = start, len(target) - 2, pointers[1:]
        octets[:2] = target
        cuts = tuple(cut + longer for cut in cuts)
    in_question, in_records = target_at - QUESTION_AT, start + longer - base
    for at in pointers:
        here = at + longer
        leads_to = (octets[here] & 0x3F) << 8 | octets[here + 1]
        if leads_to == base:  # the first owner
            leads_to = start
        else:
            leads_to += in_question if leads_to < base else in_records
        if leads_to > MAX_TARGET:
            return None
        octets[here : here + 2] = pointer(leads_to)
    return bytes(octets), cuts


def _rewritten(
    foreign: Foreign, wire: bytes, target: Name, target_at: int, start: int, records: int
) -> tuple[bytes, tuple[int, ...]]:
    writer = Writer(target, target_at, start)
    with suppress(PeerError):  # too long for any message: the rest of it is cut
        at_once(_write(writer, foreign, wire, target, 0, records, same_question=True))
    return bytes(writer.octets), tuple(writer.cuts)


def continued(first: Foreign, name: Name, second: Foreign) -> Steps[Foreign]:
    """*first*, the partial answer for *name*, and *second*, the one for the end of its chain: one answer.

    Both must be of the same moment (see ``sections``).  Raises PeerError where it is longer than any message.
    """
    writer = Writer(name, QUESTION_AT, QUESTION_AT + len(name) + 4)
    yield from _write(writer, first, first.wire, name, 0, first.answers, same_question=True)
    yield from _write(writer, second, second.wire, first.end, 0, second.answers, same_question=False)
    yield from _write(writer, first, first.wire, name, first.answers, len(first.cuts), same_question=True)
    yield from _write(writer, second, second.wire, first.end, second.answers, len(second.cuts), same_question=False)
    return Foreign(
        second.rcode,
        first.authentic and second.authentic,
        bytes(writer.octets),
        first.answers + second.answers,
        first.authority + second.authority,
        tuple(writer.cuts),
        tuple(writer.ttls),
        tuple(writer.pointers),
        min(first.ttl, second.ttl),
        second.end,
        second.error or first.error,
        second.partial,
        first.cacheable and second.cacheable,
    )


def _write(
    writer: Writer, foreign: Foreign, wire: bytes, name: Name, first: int, last: int, *, same_question: bool
) -> Steps[None]:
    """The records from number *first* to before *last* of *foreign*, which answers a question for *name*."""
    if first >= last:
        return
    base, stop = HEADER_OCTETS + len(name) + 4, foreign.cuts[last - 1]
    packet = bytes(HEADER_OCTETS) + name + bytes(4) + wire[:stop]
    writer.read_from(packet, Names(packet, name), _EVERYWHERE, same_question=same_question)
    pointers = [base + at for at in foreign.pointers[: bisect_left(foreign.pointers, stop)]]
    begin = foreign.cuts[first - 1] if first else 0
    number = 0
    for done, (end, ttl) in enumerate(zip(foreign.cuts[first:last], foreign.ttls[first:last], strict=True), 1):
        if not done % A_STEP:
            yield
        while number < len(pointers) and pointers[number] < base + begin:
            number += 1
        inside = number
        while inside < len(pointers) and pointers[inside] < base + end:
            inside += 1
        writer.add(base + begin, base + ttl - 4, base + end, pointers[number:inside])
        begin, number = end, inside


def respond(
    resolve: Resolve,
    foreign: Foreign,
    wire: bytes,
    options: bytes = b"",
    udp_octets: int = SERVER_OCTETS,
    error: tuple[int, str] | None = None,
) -> bytes:
    """The whole response, of at most ``resolve.limit`` octets; *wire*: the ``sections`` of *foreign*, for its target.

    *options*, *udp_octets*: of its OPT, as for ``engine.reply.render``.  *error*: an Extended DNS Error of ours; else
    the one that came with *foreign* is passed on.

    What does not fit goes in this order: the error's text, then, with TC, the authority section and records of the
    answer from the last.  AD is passed on to those who asked (RFC 6840 §5.8), and not behind aliases of ours.
    """
    query, chain = resolve.query, resolve.chain
    start = HEADER_OCTETS + len(query.question)
    cuts = foreign.cuts
    if chain:
        start += sum(map(len, chain))
        wire, cuts = behind(foreign, wire, resolve.target, resolve.target_at, start, resolve.limit - start)
    rcode, error = foreign.rcode, error or foreign.error
    opt = b""
    if query.edns:
        opt = _opt(query, rcode, options, udp_octets, error)
    elif rcode > 0xF:
        rcode = SERVFAIL  # without an OPT there is no room for the upper bits
    flags = QR | resolve.flags | query.flags & (RD | CD) | rcode & 0xF
    if foreign.authentic and not chain and (query.flags & AD or (query.edns and query.edns.dnssec_ok)):
        flags |= AD
    answers, authority = foreign.answers, foreign.authority
    if start + len(wire) + len(opt) > resolve.limit or len(cuts) < answers + authority:
        if error and query.edns:
            opt = _opt(query, rcode, options, udp_octets, (error[0], ""))
        room = resolve.limit - start - len(opt)
        if len(wire) > room or len(cuts) < answers + authority:
            flags |= TC
            authority, answers = 0, min(answers, bisect_right(cuts, room))
            wire = wire[: cuts[answers - 1]] if answers else b""
            while room < 0 and chain:
                room += len(chain[-1])
                chain = chain[:-1]
    counts = section_counts(len(chain) + answers, authority, bool(opt))
    return b"".join((query.head, flags.to_bytes(2), counts, query.question, *chain, wire, opt))


def _opt(query: Query, rcode: int, options: bytes, udp_octets: int, error: tuple[int, str] | None) -> bytes:
    if error:
        options += error_option(*error)
    dnssec_ok = query.edns is not None and query.edns.dnssec_ok
    return opt_record(rcode, dnssec_ok=dnssec_ok, options=options, octets=udp_octets)
