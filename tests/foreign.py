"""Answers of others, made by hand: every record's owner is the question's name, which is 4 + 12 octets before."""

import struct
from collections.abc import Sequence

from clusterdns.forward.answers import Foreign, Question
from clusterdns.zone.names import parse_name

A, CNAME, SOA, AAAA, NXDOMAIN = 1, 5, 6, 28, 3
RDATA = {A: b"\x0a\0\0\1", AAAA: bytes(16), CNAME: b"\3end\7example\0", SOA: bytes(22)}

Record = tuple[int, int]  # type, TTL


def asked(name: str, rtype: int = A, *, dnssec_ok: bool = False, checking_disabled: bool = False) -> Question:
    return Question(parse_name(name), rtype, dnssec_ok, checking_disabled)


def foreign(
    question: Question, answers: Sequence[Record] = ((A, 300),), authority: Sequence[Record] = (), rcode: int = 0
) -> Foreign:
    """Its ttl is the least one of all records."""
    wire, cuts, ttls = b"", [], []
    for rtype, ttl in (*answers, *authority):
        ttls.append(len(wire) + 6)
        wire += struct.pack("!HHHIH", 0xC00C, rtype, 1, ttl, len(RDATA[rtype])) + RDATA[rtype]
        cuts.append(len(wire))
    pointers = tuple(at - 6 for at in ttls)
    ttl = min((ttl for _, ttl in (*answers, *authority)), default=0)
    counts = len(answers), len(authority)
    return Foreign(rcode, False, wire, *counts, tuple(cuts), tuple(ttls), pointers, ttl, question.name)


def nodata(question: Question, ttl: int) -> Foreign:
    return foreign(question, (), ((SOA, ttl),))


def nxdomain(question: Question, ttl: int) -> Foreign:
    return foreign(question, (), ((SOA, ttl),), NXDOMAIN)


def refused(question: Question) -> Foreign:
    return foreign(question, (), (), 5)


def servfail(question: Question) -> Foreign:
    return foreign(question, (), (), 2)


def ttls(wire: bytes, answer: Foreign) -> list[int]:
    return [int.from_bytes(wire[at : at + 4]) for at in answer.ttls]
