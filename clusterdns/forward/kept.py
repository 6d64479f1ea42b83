"""What is kept of an answer, for how long, and what that costs in memory."""

import sys
from bisect import bisect_right

from msgspec import Struct, structs

from clusterdns.forward.answers import Foreign, Question
from clusterdns.zone.names import ROOT
from clusterdns.zone.prepared import ANY, NOERROR, NXDOMAIN, SERVFAIL

_LARGE = 256  # above it CPython allocates a number


class Bounds(Struct, frozen=True):
    """Of memory and of time, in octets and seconds."""

    octets: int = 32 << 20  # for everything; see ``octets_of``
    max_ttl: int = 86_400
    max_negative_ttl: int = 3600  # RFC 2308 §5 wants one to three hours at most
    min_ttl: int = 0
    serve_stale: int = 86_400  # after expiry; 0: nothing is served then (RFC 8767 §5: one to three days)


class Outcome(Struct, frozen=True, gc=False):
    """What came of a question, as of this second."""

    rcode: int  # all twelve bits
    # None: a failure, of which rcode and error tell all.  One behind aliases has these, with SERVFAIL.
    foreign: Foreign | None
    wire: bytes = b""  # its sections, with the TTLs of this second
    stale: bool = False
    error: tuple[int, str] | None = None  # an Extended DNS Error

    @property
    def failed(self) -> bool:
        return self.foreign is None or self.foreign.rcode == SERVFAIL


class Tally(Struct):
    """Of answers of one kind: "success" or "denial", as CoreDNS names them."""

    entries: int = 0
    octets: int = 0
    hits: int = 0  # stale ones that nobody waited for among them
    evictions: int = 0


class Kept(Struct, gc=False):
    """An answer in the cache.  All that depends on time is decided once in a second: see *age* and *outcome*."""

    question: Question
    foreign: Foreign
    stored: float  # seconds, as all times here: see ``clock.ageing``
    ttl: int  # seconds that it is fresh for
    tally: Tally
    octets: int  # as a newcomer; see ``warm_octets``
    popular: bool = False  # in the protected segment
    hits: int = 0  # since it was stored
    age: int = -1  # whole seconds, at which *outcome* is true and fresh; -1: never
    outcome: Outcome | None = None
    recheck: float = 0.0  # until then a refresh is known to fail (RFC 8767 §5, failure recheck timer)

    def left(self, now: float) -> int:
        """Seconds until it expires; 0 or less: since when it is stale."""
        return self.ttl - int(now - self.stored)


class Failure(Struct, gc=False):
    """RFC 9520: who fails is not asked again at once."""

    outcome: Outcome
    until: float
    delay: int  # seconds, of this time


def is_denial(question: Question, foreign: Foreign) -> bool:
    """NXDOMAIN, or no record of the type in the answer: NODATA, behind aliases or not (RFC 2308 §2).

    A *partial* answer is an alias that others have to go on with, and denies nothing.
    """
    if foreign.rcode != NOERROR:
        return True
    if question.rtype == ANY or foreign.partial:
        return not foreign.answers
    wanted, wire = question.rtype.to_bytes(2), foreign.wire
    return not any(wire[at - 4 : at - 2] == wanted for at in foreign.ttls[: foreign.answers])


def lifetime(foreign: Foreign, bounds: Bounds, *, denial: bool) -> int:
    """0: it is for this one time; *bounds* stretch only what may be kept."""
    if not foreign.cacheable:
        return 0
    most = bounds.max_negative_ttl if denial else bounds.max_ttl
    return min(max(foreign.ttl, bounds.min_ttl), most)


def raised(foreign: Foreign, least: int) -> Foreign:
    """With no TTL below *least* seconds."""
    wire = bytearray(foreign.wire)
    for at in foreign.ttls:
        if int.from_bytes(wire[at : at + 4]) < least:
            wire[at : at + 4] = least.to_bytes(4)
    return structs.replace(foreign, wire=bytes(wire), ttl=max(foreign.ttl, least))


# An entry stands in four hash tables (the index of the cache; values, sizes and order of a segment) at 24 to 60 octets
# each, depending on how long ago they have grown, and in the list of that order.
_TABLES = 160
_NUMBER = 32  # octets of one that does not exist already


def octets_of(question: Question, foreign: Foreign) -> int:
    """What an entry takes as a newcomer, with key, tables and CPython's own overhead; true to about a fifth."""
    offsets = (foreign.cuts, foreign.ttls, foreign.pointers)  # each ascending
    large = sum(len(each) - bisect_right(each, _LARGE) for each in offsets)
    texts: list[bytes | str] = [question.name, foreign.wire]
    if foreign.end is not question.name:
        texts.append(foreign.end)
    if foreign.error:
        texts.append(foreign.error[1])
    return _FIXED + large * _NUMBER + sum(map(_rounded, texts)) + sum(_rounded(each) + _HEAD for each in offsets)


def warm_octets(kept: Kept) -> int:
    """The same for one that has been asked for: it holds the octets of this second, too."""
    return kept.octets + _OUTCOME + len(kept.foreign.wire)


def present_octets(kept: Kept) -> int:
    return warm_octets(kept) if kept.popular else kept.octets


def failure_octets(failure: Failure) -> int:
    error, chain = failure.outcome.error, failure.outcome.foreign
    aliases = octets_of(_NO_QUESTION, chain) if chain else 0
    return _FAILURE + aliases + (4 * len(error[1]) if error else 0)


def _rounded(value: object) -> int:
    """As the allocator does it."""
    return (sys.getsizeof(value) + 15) & ~15


_HEAD = 16  # of the garbage collector, before a tuple
_NO_FOREIGN = Foreign(0, False, b"", 0, 0, (), (), (), 0, ROOT)
_NO_QUESTION = Question(ROOT, 0)
_NO_OUTCOME = Outcome(NXDOMAIN, None)
_OUTCOME = _rounded(_NO_OUTCOME) + _rounded(b"")
_FIXED = (
    _rounded(Kept(_NO_QUESTION, _NO_FOREIGN, 0.0, 0, Tally(), 0))
    + _rounded(_NO_FOREIGN)
    + _rounded(_NO_QUESTION)
    + _HEAD
    + _TABLES
    + 3 * _NUMBER  # when it was stored, its TTL, its size
)
# With a name of ordinary length, an error and its text.
_FAILURE = _OUTCOME + _rounded(Failure(_NO_OUTCOME, 0.0, 0)) + _rounded(_NO_QUESTION) + _TABLES + 4 * _NUMBER
