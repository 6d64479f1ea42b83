"""Answers of others, as long as they are good for something, in a bounded number of octets.

Pure: time comes in, in seconds of ``clock.ageing``.  Segmented LRU: what comes in new is on probation, what is asked
for again is protected, and who is driven out there is on probation once more.  A flood of names that are asked for once
thus displaces newcomers only.  Names are looked up in one dict; recency is noted now and then for each.
"""

from collections.abc import Callable

from cachetools import LRUCache
from msgspec import structs

from clusterdns.forward.answers import Foreign, Question
from clusterdns.forward.kept import (
    Bounds,
    Failure,
    Kept,
    Outcome,
    Tally,
    failure_octets,
    is_denial,
    lifetime,
    octets_of,
    present_octets,
    raised,
    warm_octets,
)
from clusterdns.forward.placing import bounded, sections
from clusterdns.zone.extended_errors import STALE_ANSWER, STALE_NXDOMAIN_ANSWER
from clusterdns.zone.prepared import NXDOMAIN

# Seconds that a name is left alone for (RFC 9520 §3.2: one to 300).  Failures say little of a name, whoever reports
# them: once its servers are back, names that were asked for all the time should not be the last to be so.
MIN_FAILURE, MAX_FAILURE = 1, 8
FAILURE_MEMORY = 300  # seconds after which a failure is the first one again
RECENT = 8  # seconds of the life of a popular answer, in which its use is noted once
STALE_TTL = 30  # seconds (RFC 8767 §4)

# Of the octets: at most 12 for what is protected, what that leaves of 15 for what is on probation, 1 for failures.
_SHARES = 16


class Cache:
    """*entries* is for reading; so are the numbers."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.entries: dict[Question, Kept] = {}
        self.success, self.denial = Tally(), Tally()
        self.misses = self.served_stale = self.prefetches = self.failure_hits = 0
        share = bounds.octets // _SHARES
        self._room, self._largest = 15 * share, 3 * share
        self._protected = _Segment(self._room - self._largest, warm_octets, self._demote)
        self._probation = _Segment(self._room, _octets, self._evict)
        self.failures = _failures(bounds)

    def put(self, question: Question, foreign: Foreign, now: float, *, keep: bool = True) -> Outcome:
        """Keeps an answer in place of what there was, unless it is for this one time: TTL 0, or not *keep*.

        The outcome of the moment, with TTLs within the bounds: nothing says that it is good for longer than it is.
        """
        before = self.entries.get(question)
        if keep:
            self.forget(question)
        denial = is_denial(question, foreign)
        ttl = lifetime(foreign, self.bounds, denial=denial)
        if ttl > foreign.ttl:
            foreign = raised(foreign, ttl)
        # The SOA of a negative answer may have a TTL above its MINIMUM: it is as good as the answer (RFC 2308 §5).
        foreign = bounded(foreign, ttl if denial else self.bounds.max_ttl)
        if ttl and keep:
            tally = self.denial if denial else self.success
            octets = octets_of(question, foreign)
            self._keep(Kept(question, foreign, now, ttl, tally, octets), popular=before is not None)
        return Outcome(foreign.rcode, foreign, foreign.wire, error=foreign.error)

    def adopt(self, kept: Kept, before: "Cache") -> None:
        """Keeps what stands in *before*, for no longer than our bounds say, unless something newer is here.

        Not what *before* was told to keep for longer than it was meant for, and we are not.
        """
        bounds, denial = self.bounds, kept.tally is before.denial
        stretched = bounds.min_ttl < before.bounds.min_ttl >= kept.ttl
        if kept.question in self.entries or stretched:
            return
        most = bounds.max_negative_ttl if denial else bounds.max_ttl
        foreign = bounded(kept.foreign, most) if kept.ttl > most else kept.foreign
        ttl, tally = min(kept.ttl, most), self.denial if denial else self.success
        copy = Kept(kept.question, foreign, kept.stored, ttl, tally, kept.octets, hits=kept.hits, recheck=kept.recheck)
        self._keep(copy, popular=kept.popular)

    def forgive(self) -> None:
        """Whatever failed may be tried again."""
        self.failures = _failures(self.bounds)

    def use(self, kept: Kept, age: int) -> Outcome:
        """The outcome of a fresh one in this second, *age* whole seconds after it was stored; it counts as used."""
        if not kept.popular or age // RECENT != kept.age // RECENT:
            self._touch(kept)
        foreign = kept.foreign
        kept.age = age
        kept.outcome = outcome = Outcome(foreign.rcode, foreign, sections(foreign, age), False, foreign.error)
        return outcome

    def use_stale(self, kept: Kept, now: float) -> Outcome:
        """That of an expired one, which does not change any more.  AD is gone: signatures may have expired, too."""
        self._touch(kept)
        if kept.outcome is None or not kept.outcome.stale:
            age = int(now - kept.stored)
            foreign = structs.replace(kept.foreign, authentic=False) if kept.foreign.authentic else kept.foreign
            error = STALE_NXDOMAIN_ANSWER if foreign.rcode == NXDOMAIN else STALE_ANSWER, ""
            kept.outcome = Outcome(foreign.rcode, foreign, sections(foreign, age, STALE_TTL), stale=True, error=error)
        return kept.outcome

    def stale(self, question: Question, now: float) -> Kept | None:
        """An expired answer that may still be served."""
        kept = self.entries.get(question)
        return kept if kept and -self.bounds.serve_stale < kept.left(now) <= 0 else None

    def fail(self, question: Question, outcome: Outcome, now: float) -> None:
        """It failed.  It is not to be tried again for a second, and twice as long each further time, up to a bound."""
        before = self.failures.get(question)
        delay = MIN_FAILURE
        if before and now < before.until + FAILURE_MEMORY:
            delay = min(2 * before.delay, MAX_FAILURE)
        failure = Failure(outcome, now + delay, delay)
        if failure_octets(failure) <= self.failures.maxsize:
            self.failures[question] = failure

    def failed(self, question: Question, now: float) -> Outcome | None:
        """How it failed, while it is not to be tried again."""
        failure = self.failures.get(question)
        return failure.outcome if failure and now < failure.until else None

    def forget(self, question: Question) -> bool:
        """Whether there was anything: an answer, or a failure."""
        failure = self.failures.pop(question, None)
        kept = self.entries.pop(question, None)
        if kept:
            kept.tally.entries -= 1
            self._leave(kept)
        return bool(kept or failure)

    def _keep(self, kept: Kept, *, popular: bool) -> None:
        """Not what is too large for the room that probation has at least: all end there."""
        if kept.octets > self._largest:
            return
        self.entries[kept.question] = kept
        kept.tally.entries += 1
        self._enter(kept, popular=popular)

    def _touch(self, kept: Kept) -> None:
        if kept.popular:
            self._protected.get(kept.question)  # notes it as the last used
        else:
            self._leave(kept)
            self._enter(kept, popular=True)

    def _enter(self, kept: Kept, *, popular: bool) -> None:
        kept.popular = popular
        segment = self._protected if popular else self._probation
        kept.tally.octets += present_octets(kept)
        segment[kept.question] = kept
        while self._probation.currsize + self._protected.currsize > self._room:
            self._probation.popitem()

    def _leave(self, kept: Kept) -> None:
        segment = self._protected if kept.popular else self._probation
        kept.tally.octets -= present_octets(kept)
        del segment[kept.question]

    def _demote(self, kept: Kept) -> None:
        kept.tally.octets -= present_octets(kept)
        kept.age, kept.outcome = -1, None
        self._enter(kept, popular=False)

    def _evict(self, kept: Kept) -> None:
        kept.tally.octets -= present_octets(kept)
        kept.tally.entries -= 1
        kept.tally.evictions += 1
        del self.entries[kept.question]


class _Segment(LRUCache[Question, Kept]):
    """*out* gets who is driven out, which is already not in it any more."""

    def __init__(self, octets: int, size: Callable[[Kept], int], out: Callable[[Kept], None]) -> None:
        super().__init__(octets, size)
        self._out = out

    def popitem(self) -> tuple[Question, Kept]:
        found = super().popitem()
        self._out(found[1])
        return found


def _failures(bounds: Bounds) -> LRUCache[Question, Failure]:
    return LRUCache(bounds.octets // _SHARES, failure_octets)


def _octets(kept: Kept) -> int:
    return kept.octets
