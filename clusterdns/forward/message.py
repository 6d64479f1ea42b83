"""Queries to upstreams, and whether a packet is the reply to one (RFC 5452 §9.1)."""

import struct

from clusterdns.engine.edns import OPT, opt_record
from clusterdns.engine.gate import CD, FORMERR, HEADER, HEADER_OCTETS, NOTIMP, OPCODE, QR, RD
from clusterdns.engine.plain import AD
from clusterdns.engine.reply import TC
from clusterdns.forward.answers import Question
from clusterdns.zone.names import ROOT, Name
from clusterdns.zone.prepared import IN, REFUSED, SERVFAIL

_RCODE = 0xF
_BARE = frozenset((FORMERR, SERVFAIL, NOTIMP, REFUSED))
_ONE_ADDITIONAL = bytes(7) + b"\1"
_OPT_HEAD, _OPT_NAME = 11, ROOT + OPT.to_bytes(2)
# Lower-case letters -> the bit that makes capitals of them.  Lengths of labels are below them all.
_CASE = bytes(0x20 if ord("a") <= octet <= ord("z") else 0 for octet in range(256))


def query(
    question: Question,
    head: bytes,
    spelled: bytes,
    options: bytes = b"",
    *,
    edns: bool = True,
    recursion: bool = True,
) -> bytes:
    """What is sent.  *head*: the ID.  *spelled*: the question's name, see ``spell``.  *options*: of the OPT.

    AD is always set, so that we learn whether the answer is authentic (RFC 6840 §5.7): one answer serves those who
    want to know and those who do not.  Without *edns* there is no OPT, and so neither DO nor *options*.
    """
    flags = AD | (RD if recursion else 0) | (CD if question.checking_disabled else 0)
    opt = opt_record(0, dnssec_ok=question.dnssec_ok, options=options) if edns else b""
    header = head + struct.pack("!HHHHH", flags, 1, 0, 0, bool(opt))
    return b"".join((header, spelled, struct.pack("!HH", question.rtype, IN), opt))


def spell(name: Name, bits: bytes) -> bytes:
    """*name* in a letter case that nobody can guess (0x20): *bits* are as many random octets as it has."""
    flips = int.from_bytes(name.translate(_CASE)) & int.from_bytes(bits[: len(name)])
    return (int.from_bytes(name) ^ flips).to_bytes(len(name))


def is_reply(packet: bytes, sent: bytes, *, any_case: bool = False) -> bool:
    """Whether *packet* answers the query *sent*: QR, opcode, ID, one question, its octets with their case.

    Anything else is somebody else's, or a forgery: it is to be ignored, and the wait goes on.  *any_case*: for where
    nobody else can send a reply, so that the case proves nothing (RFC 4343).
    """
    if not _is_response(packet, sent) or packet[4:6] != b"\0\1":
        return False
    end = _question_end(sent)
    asked, told = sent[HEADER_OCTETS:end], packet[HEADER_OCTETS:end]
    return told == asked or (any_case and told[-4:] == asked[-4:] and told[:-4].lower() == asked[:-4].lower())


def is_bare_error(packet: bytes, sent: bytes) -> bool:
    """A header, alone or with an OPT, that reports an error, as some servers send it for what they do not understand.

    It repeats no question, so it proves less than a reply: port and ID, not the case.  Nothing of it may be kept.  It
    counts as no more than a time-out that comes early, for this one try: another try, or one without EDNS, follows.
    """
    if not _is_response(packet, sent) or packet[3] & _RCODE not in _BARE:
        return False
    counts, rest = packet[4:HEADER_OCTETS], packet[HEADER_OCTETS:]
    return (counts == bytes(8) and not rest) or (counts == _ONE_ADDITIONAL and _is_opt(rest))


def truncated(packet: bytes) -> bool:
    """A reply that is to be asked for again over TCP: what it holds is not looked at."""
    return bool(packet[2] & TC >> 8)


def refuses_edns(packet: bytes) -> bool:
    """A reply of a server that does not know EDNS: FORMERR or NOTIMP, without an OPT (RFC 6891 §7).

    Or a bare one: an OPT in it may be that of the query, sent back.
    """
    _, flags, questions, _, _, additional = HEADER.unpack_from(packet)
    return flags & _RCODE in (FORMERR, NOTIMP) and not (questions and additional)


def refuses_options(packet: bytes) -> bool:
    """A reply of a server that knows EDNS and does not ignore options that it does not know, as it should (§6.1.2)."""
    _, flags, questions, _, _, additional = HEADER.unpack_from(packet)
    return bool(flags & _RCODE == FORMERR and questions and additional)


def _is_response(packet: bytes, sent: bytes) -> bool:
    """By its header alone: QR, opcode and ID."""
    return len(packet) >= HEADER_OCTETS and packet[:2] == sent[:2] and packet[2] & (QR | OPCODE) >> 8 == QR >> 8


def _is_opt(record: bytes) -> bool:
    """Whether it is one whole OPT without a part of an rcode (RFC 6891 §6.1)."""
    head, octets = record[:_OPT_HEAD], record[_OPT_HEAD:]
    return len(head) == _OPT_HEAD and head[:3] == _OPT_NAME and not head[5] and int.from_bytes(head[9:]) == len(octets)


def _question_end(sent: bytes) -> int:
    """Of a query of ours: its name has no pointer."""
    at = HEADER_OCTETS
    while sent[at]:
        at += 1 + sent[at]
    return at + 5
