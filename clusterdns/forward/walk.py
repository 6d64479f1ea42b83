"""The one strict walk: a reply's octets -> Foreign."""

import struct
from collections.abc import Sequence

from clusterdns.engine.edns import EXTENDED_ERROR
from clusterdns.engine.gate import AA, HEADER, HEADER_OCTETS, OPCODE, QR, RA
from clusterdns.engine.plain import AD
from clusterdns.engine.reply import TC
from clusterdns.errors import PeerError, printable, shortened
from clusterdns.forward.answers import ANSWERS, Foreign, Question
from clusterdns.forward.compressed import Names
from clusterdns.forward.following import Chain, follow
from clusterdns.forward.rewriting import Writer
from clusterdns.forward.sections import (
    A_STEP,
    CNAME,
    NS,
    NSEC,
    NSEC3,
    RRSIG,
    SOA,
    Record,
    ancestors,
    read_opt,
    read_records,
)
from clusterdns.steps import Steps, at_once
from clusterdns.zone.names import ROOT, Name, is_below
from clusterdns.zone.prepared import ANY, IN, NOERROR, NXDOMAIN, QUESTION_AT

MAX_TTL = 0x7FFFFFFF
ERROR_CHARACTERS = 200  # of the text of an Extended DNS Error
_NO_TYPES = frozenset({0, 41, *range(249, 256)}) - {ANY}  # OPT and meta types: no records, or not of one answer
_PROOFS = (NSEC, NSEC3)


class LameError(PeerError):
    """A referral, or an empty answer of one who has neither authority nor recursion: ask somebody else."""


def walk(packet: bytes, question: Question) -> Foreign:
    """What the reply *packet* says about *question*.

    Raises PeerError: malformed, truncated (see ``message.truncated``), aliases in a circle, NXDOMAIN with data;
    LameError.  Rcodes other than NOERROR, NXDOMAIN and YXDOMAIN come without records, with ttl 0, and are for the
    caller to judge.

    TTLs with the top bit set count as 0 (RFC 2181 §8), those of one RRset become the least of them (§5.2), and that of
    the SOA of a negative answer at most its MINIMUM (RFC 2308 §5).
    """
    return at_once(steps(packet, question))


def steps(packet: bytes, question: Question) -> Steps[Foreign]:
    """The same, with pauses in it: 64 kB of records take 15 ms or more."""
    try:
        return (yield from _walk(packet, question))
    except (IndexError, struct.error):
        raise PeerError("it ends too early") from None


def _walk(packet: bytes, question: Question) -> Steps[Foreign]:
    _, flags, questions, answers, authority, additional = HEADER.unpack_from(packet)
    rcode = flags & 0xF
    if flags & (QR | OPCODE | TC) != QR or question.rtype in _NO_TYPES:
        raise PeerError("not a whole reply")
    if not questions and len(packet) == HEADER_OCTETS and rcode not in ANSWERS:  # see message.is_bare_error
        return _refusal(rcode, question)
    name = question.name
    base = QUESTION_AT + len(name) + 4
    asked = struct.pack("!HH", question.rtype, IN)
    if questions != 1 or packet[QUESTION_AT : base - 4].lower() != name or packet[base - 4 : base] != asked:
        raise PeerError("another question")
    names = Names(packet, name)
    answer, at = yield from read_records(packet, names, name, base, answers)
    proofs, at = yield from read_records(packet, names, name, at, authority)
    opt = read_opt(packet, at, additional)
    error = None
    if opt:
        rcode |= opt[0] >> 24 << 4
        error = None if opt[0] >> 16 & 0xFF else _error(opt[1])  # nobody knows what another version looks like
    if rcode not in ANSWERS:
        return _refusal(rcode, question, error)
    if len(answer) >= A_STEP:
        yield
    chain = follow(answer, question, rcode)
    if len(answer) >= A_STEP:
        yield
    return (yield from _foreign(packet, question, names, rcode, flags, chain, proofs, error))


def _refusal(rcode: int, question: Question, error: tuple[int, str] | None = None) -> Foreign:
    return Foreign(rcode, False, b"", 0, 0, (), (), (), 0, question.name, error)


def _foreign(
    packet: bytes,
    question: Question,
    names: Names,
    rcode: int,
    flags: int,
    chain: Chain,
    authority: Sequence[Record],
    error: tuple[int, str] | None,
) -> Steps[Foreign]:
    links, found = chain.links, chain.found
    if found and rcode == NXDOMAIN and question.rtype == CNAME:
        rcode = NOERROR  # it was meant for where the alias leads, which is not asked for
    if found and rcode != NOERROR:
        raise PeerError("no such name, and records of it")
    soa = None if found else _soa(authority, chain.end)
    silent = not found and soa is None and rcode == NOERROR
    if silent and not links and not flags & AA:
        if any(record.rtype == NS for record in authority):
            raise LameError("a referral")
        if not flags & RA:
            raise LameError("neither authority nor recursion")
    proofs = _authority(authority, soa, question, chain.records) if authority else []
    records = chain.records + proofs
    minimum = int.from_bytes(packet[soa.stop - 4 : soa.stop]) if soa else MAX_TTL
    ttls = _ttls(records, soa, minimum)
    cacheable = bool(found or soa or (silent and links))  # RFC 2308 §5
    least = min(ttls) if ttls and cacheable else 0
    if len(records) >= A_STEP:
        yield
    patched = _patched(packet, question, names, records, ttls)
    wire, cuts, at, pointers = yield from _taken(patched, question, names, records)
    counts = len(chain.records), len(proofs)
    partial = silent and links > 0
    authentic = flags & AD > 0
    return Foreign(rcode, authentic, wire, *counts, cuts, at, pointers, least, chain.end, error, partial, cacheable)


def _soa(authority: Sequence[Record], end: Name) -> Record | None:
    """That of a zone which *end* is in."""
    above: set[Name] = set()
    for record in authority:
        if record.rtype == SOA:
            above = above or ancestors(end)
            if record.owner in above:
                return record
    return None


def _authority(
    authority: Sequence[Record], soa: Record | None, question: Question, answer: Sequence[Record]
) -> list[Record]:
    """The SOA of a negative answer, and with DO what proves it, or that an answer comes from a wildcard.

    Proofs are those of the zones that the SOA and the signatures of the answer name.
    """
    if not question.dnssec_ok:
        return [soa] if soa else []
    zones = {record.target for record in answer if record.rtype == RRSIG} | ({soa.owner} if soa else set())
    return [
        record
        for record in authority
        if record is soa
        or (
            (record.rtype in _PROOFS or record.covered in _PROOFS)
            and any(is_below(record.owner, zone) for zone in zones)
        )
        or (soa and record.rtype == RRSIG and record.covered == SOA and record.owner == soa.owner)
    ]


def _ttls(records: Sequence[Record], soa: Record | None, minimum: int) -> list[int]:
    """Of each record, as it is to be told."""
    keys = []
    least: dict[tuple[Name, int, int], int] = {}
    for record in records:
        key, ttl = (record.owner, record.rtype, record.covered), record.ttl
        keys.append(key)
        if ttl > MAX_TTL:
            ttl = 0
        if ttl < least.setdefault(key, ttl):
            least[key] = ttl
    if soa:
        key = soa.owner, SOA, 0
        least[key] = min(least[key], minimum if minimum <= MAX_TTL else 0)
    return [least[key] for key in keys]


def _patched(packet: bytes, question: Question, names: Names, records: Sequence[Record], ttls: Sequence[int]) -> bytes:
    """*packet* with these TTLs and without the spelling of our question in other names.

    A server that makes a CNAME from a DNAME takes labels of the question for it, letter case and all.
    """
    patches = []
    for record, ttl in zip(records, ttls, strict=True):
        if ttl != record.ttl:
            patches.append((record.fixed + 4, ttl.to_bytes(4)))
    spelled = packet[QUESTION_AT : QUESTION_AT + len(question.name)]
    if names.cased and spelled != question.name:
        patches += _spellings(packet, names, spelled)
    if not patches:
        return packet
    octets = bytearray(packet)
    for at, content in patches:
        octets[at : at + len(content)] = content
    return bytes(octets)


def _spellings(packet: bytes, names: Names, spelled: bytes) -> list[tuple[int, bytes]]:
    ours, at = set(), 0
    while spelled[at]:
        ours.add(spelled[at : at + 1 + spelled[at]])
        at += 1 + spelled[at]
    found = []
    for begin, end in names.cased:
        at = begin
        while at < end:
            label = packet[at : at + 1 + packet[at]]
            if label in ours:
                found.append((at, label.lower()))
            at += len(label)
    return found


def _taken(
    packet: bytes, question: Question, names: Names, records: Sequence[Record]
) -> Steps[tuple[bytes, tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """The octets of *records*, and in them: the ends of records, TTLs, pointers.

    Where they stand together in the packet, that is a slice.
    """
    name = question.name
    base = at = QUESTION_AT + len(name) + 4
    writes = names.loose
    cuts, ttls, pointers = [], [], []
    for number, record in enumerate(records, 1):
        if not number % A_STEP:
            yield
        # An owner in full shows the spelling of the question.
        if record.begin != at or (packet[at] < 0xC0 and record.owner == name != ROOT):
            writes = True
            break
        at = record.stop
        cuts.append(at - base)
        ttls.append(record.fixed + 4 - base)
        for pointer in record.pointers:
            pointers.append(pointer - base)  # noqa: PERF401 - one or two
    if not writes:
        return packet[base:at], tuple(cuts), tuple(ttls), tuple(pointers)
    writer = Writer(name, QUESTION_AT, base)
    writer.read_from(packet, names, names.known(), same_question=True)
    for number, record in enumerate(records, 1):
        if not number % A_STEP:
            yield
        owns_question = record.owner == name != ROOT
        writer.add(record.begin, record.fixed, record.stop, record.pointers, owns_question=owns_question)
    return bytes(writer.octets), tuple(writer.cuts), tuple(writer.ttls), tuple(writer.pointers)


def _error(rdata: bytes) -> tuple[int, str] | None:
    """The first Extended DNS Error among the options (RFC 8914 §2); its text is for people, and bounded."""
    found, at = None, 0
    while at < len(rdata):
        code, length = struct.unpack_from("!HH", rdata, at)
        content = rdata[at + 4 : at + 4 + length]
        at += 4 + length
        if code == EXTENDED_ERROR and found is None and length >= 2:
            text = content[2:].decode(errors="replace").rstrip("\0")
            found = int.from_bytes(content[:2]), printable(shortened(text, ERROR_CHARACTERS))
    if at != len(rdata):
        raise PeerError("OPT: an option longer than the record")
    return found
