"""Questions -> answers: from the cache, or by asking others, once for all who want to know the same.

A flight is one question under way.  Who asks meanwhile waits with it; that costs an entry in a list and no task.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct, structs

from clusterdns.forward.answers import ANSWERS, Foreign, Question, Unresolved
from clusterdns.forward.cache import Cache
from clusterdns.forward.kept import Kept, Outcome
from clusterdns.forward.resolving import no_answer
from clusterdns.zone.extended_errors import NOT_READY
from clusterdns.zone.prepared import SERVFAIL

logger = logging.getLogger("clusterdns.forward")

CLIENT_SECONDS = 1.8  # RFC 8767 §5, client response timer
RECHECK_SECONDS = 30.0  # RFC 8767 §5, failure recheck timer

ENDING = Outcome(SERVFAIL, None, error=(NOT_READY, "the server is ending"))
_TOGETHER = 32  # waiters told at a time, after which packets have their turn

Done = Callable[[Outcome], None]


class Resolving(Protocol):
    async def __call__(self, question: Question, /) -> Foreign:
        """What others say, within a bounded time.  Raises Unresolved."""


class Handle(Protocol):
    def cancel(self) -> None: ...


class Timers(Protocol):
    """Of an event loop."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Handle: ...

    def call_soon(self, callback: Callable[[], None], /) -> Handle: ...


class Prefetch(Struct, frozen=True):
    """A name that was asked for *hits* times since it was stored is refreshed in the last tenth of its TTL.

    Looked at with the first question of a second.  *together*: how many at a time; 0: none.
    """

    hits: int = 3
    together: int = 64


class _Flight(Struct, eq=False):
    question: Question
    ahead: bool  # it began without anybody who waits
    let_go: bool = False  # what comes of it is told, and not kept
    waiting: list[Done] = []
    task: "asyncio.Task[None] | None" = None
    timer: Handle | None = None


class Asker:
    """*flights*, *prefetching* and *waiting* are how many there are now."""

    def __init__(
        self,
        resolve: Resolving,
        cache: Cache,
        clock: Callable[[], float],
        timers: Timers,
        prefetch: Prefetch | None = None,
    ) -> None:
        """*clock*: seconds, see ``clock.ageing``.  *timers*: the running event loop."""
        self._resolve, self._cache, self._clock, self._timers = resolve, cache, clock, timers
        self._prefetch = prefetch or Prefetch()
        self._entries = cache.entries
        self._flights: dict[Question, _Flight] = {}
        self._let_go: dict[int, _Flight] = {}  # by what identifies them
        self.prefetching = self.waiting = 0

    @property
    def flights(self) -> int:
        return len(self._flights) + len(self._let_go)

    def get(self, question: Question) -> Outcome | None:
        """What is known without asking: an answer, a stale one while refreshing it fails, or that it cannot be had.

        None: ``ask``.
        """
        kept = self._entries.get(question)
        return self._failed(question) if kept is None else self.look(kept)

    def look(self, kept: Kept) -> Outcome | None:
        """The same for who has found it in the cache."""
        now = self._clock()
        age = int(now - kept.stored)
        if age != kept.age:
            return self._turn(kept, age, now)
        kept.hits += 1
        kept.tally.hits += 1
        return kept.outcome

    def ask(self, question: Question, done: Done) -> None:
        """For what ``get`` does not know.  *done* gets the outcome, once, later, and must not take long."""
        flight = self._flights.get(question) or self._start(question, ahead=False)
        flight.waiting.append(done)
        self.waiting += 1

    def is_asked(self, question: Question) -> bool:
        """Whether it is under way, so that ``ask`` costs others nothing."""
        return question in self._flights

    def stale(self, question: Question) -> Outcome | None:
        """For who cannot be let ``ask``: an expired answer, if it may still be served."""
        now = self._clock()
        kept = self._cache.stale(question, now)
        if kept is None:
            return None
        self._cache.served_stale += 1
        return self._cache.use_stale(kept, now)

    def under_way(self) -> list[Question]:
        """Whose answers will be kept."""
        return [*self._flights]

    def let_go(self, question: Question) -> None:
        """What is under way of it is for those who wait already: whoever asks from now on asks anew."""
        flight = self._flights.pop(question, None)
        if flight:
            flight.let_go = True
            self._let_go[id(flight)] = flight

    async def close(self) -> None:
        """Ends what is under way; who waits is told."""
        flights = *self._flights.values(), *self._let_go.values()
        tasks = [flight.task for flight in flights if flight.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _turn(self, kept: Kept, age: int, now: float) -> Outcome | None:
        """The first look at it in this second, or every one at a stale one."""
        left = kept.ttl - age
        if left <= 0:
            return self._expired(kept, now)
        kept.hits += 1
        kept.tally.hits += 1
        if (left == 1 or 10 * left <= kept.ttl) and kept.hits >= self._prefetch.hits and now >= kept.recheck:
            self._refresh(kept.question)
        return self._cache.use(kept, age)

    def _expired(self, kept: Kept, now: float) -> Outcome | None:
        if self._cache.stale(kept.question, now) is None:
            self._cache.forget(kept.question)
        elif now < kept.recheck:
            kept.hits += 1
            kept.tally.hits += 1
            self._cache.served_stale += 1
            return self._cache.use_stale(kept, now)
        self._cache.misses += 1
        return None

    def _failed(self, question: Question) -> Outcome | None:
        failed = self._cache.failed(question, self._clock())
        if failed:
            self._cache.failure_hits += 1
        else:
            self._cache.misses += 1
        return failed

    def _refresh(self, question: Question) -> None:
        if self.prefetching < self._prefetch.together and question not in self._flights:
            self._cache.prefetches += 1
            self._start(question, ahead=True)

    def _start(self, question: Question, *, ahead: bool) -> _Flight:
        flight = self._flights[question] = _Flight(question, ahead)
        self.prefetching += ahead
        if question in self._entries and self._cache.bounds.serve_stale:
            flight.timer = self._timers.call_later(CLIENT_SECONDS, lambda: self._overdue(flight))
        flight.task = asyncio.create_task(self._fly(flight))
        # One that is cancelled before its first step never runs.
        flight.task.add_done_callback(lambda task: self._land(flight, ENDING) if task.cancelled() else None)
        return flight

    def _overdue(self, flight: _Flight) -> None:
        """Clients should not wait any longer: from now on they get a stale answer at once, while the flight goes on."""
        flight.timer, now = None, self._clock()
        kept = self._entries.get(flight.question)
        if kept and kept.left(now) > 0:  # a prefetch; this is for who asks when the answer expires before it ends
            flight.timer = self._timers.call_later(kept.left(now), lambda: self._overdue(flight))
        elif kept := self._cache.stale(flight.question, now):
            kept.recheck = now + RECHECK_SECONDS
            waiting, flight.waiting = flight.waiting, []
            self._tell(waiting, self._cache.use_stale(kept, now))

    async def _fly(self, flight: _Flight) -> None:
        try:
            outcome = await self._outcome(flight)
        except Unresolved as fault:
            outcome = self._give_up(flight, _failure(fault))
        except Exception:
            logger.exception("asking others failed")
            outcome = self._give_up(flight, Outcome(SERVFAIL, None))
        self._land(flight, outcome)

    async def _outcome(self, flight: _Flight) -> Outcome:
        """Of asking others; the cache knows it then.  Raises Unresolved."""
        foreign = await self._resolve(flight.question)
        if foreign.rcode in ANSWERS:
            return self._cache.put(flight.question, foreign, self._clock(), keep=not flight.let_go)
        return self._give_up(flight, Outcome(foreign.rcode, None, error=foreign.error or no_answer(foreign.rcode)))

    def _give_up(self, flight: _Flight, failure: Outcome) -> Outcome:
        """A stale answer is better than none, and others are left alone for a while (RFC 8767 §5, RFC 9520)."""
        if flight.let_go:
            return failure
        question, now = flight.question, self._clock()
        kept = self._entries.get(question)
        if kept is None or kept.left(now) <= -self._cache.bounds.serve_stale:
            self._cache.fail(question, failure, now)
            return failure
        kept.recheck = now + RECHECK_SECONDS
        return self._cache.use_stale(kept, now) if kept.left(now) <= 0 else failure

    def _land(self, flight: _Flight, outcome: Outcome) -> None:
        if flight.let_go:
            del self._let_go[id(flight)]
        else:
            del self._flights[flight.question]
        self.prefetching -= flight.ahead
        if flight.timer:
            flight.timer.cancel()
        self._tell(flight.waiting, outcome)

    def _tell(self, waiting: Sequence[Done], outcome: Outcome, at: int = 0) -> None:
        end = min(at + _TOGETHER, len(waiting))
        self.waiting -= end - at
        self._cache.served_stale += outcome.stale * (end - at)
        for done in waiting[at:end]:
            try:
                done(outcome)
            except Exception:
                logger.exception("an answer could not be handed on")
        if end < len(waiting):
            self._timers.call_soon(lambda: self._tell(waiting, outcome, end))


def _failure(fault: Unresolved) -> Outcome:
    """With the aliases that lead to the name nobody could say anything of (RFC 6604 §3)."""
    error, chain = (fault.code, fault.text), fault.chain
    if chain is None:
        return Outcome(SERVFAIL, None, error=error)
    chain = structs.replace(chain, rcode=SERVFAIL, authentic=False, partial=False, error=None)
    return Outcome(SERVFAIL, chain, chain.wire, error=error)
