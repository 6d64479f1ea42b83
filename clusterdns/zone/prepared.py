"""RRsets -> the prepared sections that the table serves (docs/architecture.md states the form exactly).

An owner name fixes every offset in a response to a question for it.  So owners are compressed against the
question, once, when the zone changes; RDATA holds no pointers, so that an alias can put an Entry's records
behind another question by replacing their owners alone.
"""

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

from msgspec import Struct

from clusterdns.cluster.model import Published
from clusterdns.zone.names import Name
from clusterdns.zone.pods import PodNames
from clusterdns.zone.rdata import AAAA, SOA, SRV, A, RRset
from clusterdns.zone.reasons import Reason

QUESTION_AT = 12  # where the question's name begins in every message (RFC 1035 §4.1.1)
OWNER = b"\xc0\x0c"  # a pointer to it
MAX_POINTER = 0x3FFF  # the last offset that a pointer can name
IN = 1
ANY = 255  # the type (RFC 8482)

_ADDRESSES = (A.rtype, AAAA.rtype)

NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5
DEFER = -1  # no rcode: engine.answer decides


class Entry(Struct, frozen=True, gc=False):
    """The records of one type at one owner.

    *wire* is the answer section and behind it the additional one.  *cuts* are (records, end in wire) of the answer
    RRset and then of each additional RRset.  *stride* is the octets per answer record where there are several, all
    are equal (A, AAAA) and nothing follows them, else 0.  *counts* and *counts_opt* are the four section counts of a
    whole response, without and with an OPT.
    """

    wire: bytes
    cuts: tuple[tuple[int, int], ...]
    stride: int
    counts: bytes
    counts_opt: bytes

    @property
    def answers(self) -> bytes:
        return self.wire[: self.cuts[0][1]]

    @property
    def count(self) -> int:
        return self.cuts[0][0]


class Node(Struct, frozen=True, gc=False):
    """One owner name.  *absent* says what a type without Entry gets: NOERROR (that is NODATA), NXDOMAIN for a
    headless Service without ready endpoint, DEFER where engine.answer decides (aliases).  *deferred* are types whose
    records are derived when asked.  *below* holds the names one label below that are derived when asked.
    """

    zone: int  # index of its Zone
    entries: dict[int, Entry]
    absent: int = NOERROR
    below: Published | PodNames | None = None
    reason: Reason | None = None
    deferred: int = 0  # a type number, 0 for none

    def same_answers(self, other: "Node | None") -> bool:
        return (
            other is not None
            and (self.zone, self.absent, self.reason) == (other.zone, other.absent, other.reason)
            and self.entries == other.entries
        )


class Zone:
    """An apex and what its negative answers end in.  The table holds one for each zone, for the process's life.

    *miss* says what an absent name gets: SERVFAIL until something is published, then *absent*: NXDOMAIN, or DEFER where
    engine.answer decides (forwarding, wildcards).  *falls*: names without records of ours are asked for elsewhere.
    """

    __slots__ = (
        "_absent",
        "_tails",
        "apex",
        "falls",
        "index",
        "minimum",
        "miss",
        "primary",
        "reverse",
        "serial",
        "ttl",
    )

    def __init__(
        self, apex: Name, primary: Name, ttl: int, *, reverse: bool, absent: int = NXDOMAIN, falls: bool = False
    ) -> None:
        self.apex = apex
        self.index = -1  # among the table's zones; -1: in none
        self.falls = falls
        self.primary = primary  # the zone that the name server's and the mailbox's names are in
        self.reverse = reverse
        self.minimum = ttl
        self.ttl = min(ttl, 300)  # CoreDNS's bound, and so of what a negative answer may be kept (RFC 2308 §5)
        self.serial = 0
        self.miss = SERVFAIL
        self._absent = absent
        self._tails: dict[int, bytes] = {}

    def publish(self, serial: int) -> None:
        self.serial, self.miss = serial, self._absent
        self._tails.clear()

    def soa(self) -> SOA:
        return SOA(
            Name(b"\x02ns\x03dns" + self.primary), Name(b"\x0ahostmaster" + self.primary), self.serial, self.minimum
        )

    def tail(self, offset: int) -> bytes:
        """The SOA record, its owner written as a pointer to *offset*, where the apex stands in the question.

        0: the apex does not stand there; the owner is written in full.
        """
        tail = self._tails.get(offset)
        if tail is None:
            tail = self._tails[offset] = self._encode_tail(offset)
        return tail

    def _encode_tail(self, offset: int) -> bytes:
        soa = self.soa()
        owner = pointer(offset) if offset else self.apex
        if offset and self.primary == self.apex:
            rdata = b"\x02ns\x03dns" + owner + b"\x0ahostmaster" + owner + soa.timers()
        else:
            rdata = soa.to_wire()
        return owner + struct.pack("!HHIH", SOA.rtype, IN, self.ttl, len(rdata)) + rdata


class Change(Struct):
    """What one round does to the table: bytes and integers (and, for derived names, the published Services)."""

    upserts: dict[Name, Node]
    deletes: list[Name]
    records_changed: bool = False  # a serial is due
    FULL_ABOVE: ClassVar[int] = 2000  # from so many operations on, a new table is built aside and swapped in

    @property
    def size(self) -> int:
        return len(self.upserts) + len(self.deletes)


def pointer(offset: int) -> bytes:
    return (0xC000 | offset).to_bytes(2)


@lru_cache(maxsize=4096)
def section_counts(answers: int, authority: int, additional: int) -> bytes:
    """QDCOUNT 1 and the others.  Shared: most Entries have one of a few.

    Capped at what a count can say: so many records never fit into a message, and then they are counted anew.
    """
    return struct.pack("!HHHH", 1, *(min(count, 0xFFFF) for count in (answers, authority, additional)))


def encode_rrset(rrset: RRset, owner: bytes) -> bytes:
    """The records with *owner* (a pointer or a whole name) before each."""
    rdatas = rrset.rdatas
    first = rdatas[0].to_wire()
    head = owner + _fixed(rdatas[0].rtype, rrset.ttl)
    if len(rdatas) == 1:  # as most have
        return head + len(first).to_bytes(2) + first
    wires = [rdata.to_wire() for rdata in rdatas]
    if rdatas[0].rtype in _ADDRESSES:  # all of one length
        head += len(first).to_bytes(2)
        return head + head.join(wires)
    return b"".join([head + len(wire).to_bytes(2) + wire for wire in wires])


@lru_cache(64)
def _fixed(rtype: int, ttl: int) -> bytes:
    """TYPE, CLASS and TTL: the same few everywhere."""
    return struct.pack("!HHI", rtype, IN, ttl)


def entry(rrset: RRset, additional: Sequence[RRset] = ()) -> Entry:
    """Prepared for a question that is exactly ``rrset.owner``."""
    wire, count = encode_rrset(rrset, OWNER), len(rrset.rdatas)
    if not additional:
        stride = len(wire) // count if count > 1 and rrset.rtype in _ADDRESSES else 0
        return Entry(wire, ((count, len(wire)),), stride, *_counts(count, 0))
    parts, end = [wire], len(wire)
    cuts, extra = [(count, end)], 0
    ends: dict[Name, bytes] = {}  # of owners, behind their first label: those of a Service's endpoints have one
    for more in additional:
        parts.append(encode_rrset(more, _compressed(more.owner, rrset.owner, ends)))
        end += len(parts[-1])
        cuts.append((len(more.rdatas), end))
        extra += len(more.rdatas)
    return Entry(b"".join(parts), tuple(cuts), 0, *_counts(count, extra))


@lru_cache(4096)
def _counts(answers: int, additional: int) -> tuple[bytes, bytes]:
    """Without and with an OPT."""
    return section_counts(answers, 0, additional), section_counts(answers, 0, additional + 1)


def _compressed(name: Name, question: Name, ends: dict[Name, bytes]) -> bytes:
    """As ``compress``, which is asked once for each name above those of *ends*."""
    if question.endswith(name):  # as that of a ClusterIP Service
        return compress(name, question)
    first = 1 + name[0]
    above = Name(name[first:])
    if (end := ends.get(above)) is None:
        end = ends[above] = compress(above, question)
    return name[:first] + end


def compress(name: Name, question: Name) -> bytes:
    """*name* with its longest suffix that the question has, too, replaced by a pointer to it."""
    at = 0
    while name[at]:
        start = len(question) - len(name) + at
        if start >= 0 and question.endswith(name[at:]) and _begins_label(question, start):
            return name[:at] + pointer(QUESTION_AT + start)
        at += 1 + name[at]
    return name


def _begins_label(name: Name, at: int) -> bool:
    """A label's content can look like labels."""
    here = 0
    while here < at:
        here += 1 + name[here]
    return here == at


def with_addresses(rrsets: Sequence[RRset], among: Sequence[RRset] = ()) -> list[tuple[RRset, list[RRset]]]:
    """Each RRset and, for SRV, the address RRsets of its targets (RFC 2782, additional data).

    They are looked for in *among*, or in *rrsets* where there is none.
    """
    addresses: dict[Name, list[RRset]] = {}
    for rrset in among or rrsets:
        if rrset.rdatas[0].rtype in _ADDRESSES:
            addresses.setdefault(rrset.owner, []).append(rrset)
    return [(rrset, _of_targets(rrset, addresses)) for rrset in rrsets]


def _of_targets(rrset: RRset, addresses: Mapping[Name, list[RRset]]) -> list[RRset]:
    first = rrset.rdatas[0]
    if not isinstance(first, SRV):
        return []
    if len(rrset.rdatas) == 1:
        return addresses.get(first.target, [])
    targets = dict.fromkeys([rdata.target for rdata in rrset.rdatas if isinstance(rdata, SRV)])
    return [more for target in targets for more in addresses.get(target, ())]
