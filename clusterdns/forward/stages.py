"""A question for others, stage by stage: kept home? known? allowed? Only then somebody is asked."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

import msgspec

from clusterdns.cluster.addresses import client_of
from clusterdns.engine.edns import error_option, with_errors
from clusterdns.engine.elsewhere import Later, Resolve, Send
from clusterdns.engine.gate import CD, NOTIMP, QR, RA, RD
from clusterdns.engine.manners import UDP
from clusterdns.engine.plain import AD, OPT_OCTETS
from clusterdns.engine.reply import TC, Reply
from clusterdns.forward.admission import Admission, Limits
from clusterdns.forward.answers import Foreign, Question
from clusterdns.forward.asking import ENDING, Asker, Prefetch, Timers
from clusterdns.forward.cache import Cache
from clusterdns.forward.fairness import FairQueue
from clusterdns.forward.home import kept_reply
from clusterdns.forward.kept import Outcome
from clusterdns.forward.placing import behind, respond
from clusterdns.forward.resolving import Group, Resolver
from clusterdns.forward.routing import Routes
from clusterdns.forward.sections import CNAME, DNAME, RRSIG
from clusterdns.forward.trail import why_not
from clusterdns.zone.extended_errors import CACHED_ERROR, NO_REACHABLE_AUTHORITY, OTHER
from clusterdns.zone.names import Name, to_text
from clusterdns.zone.prepared import ANY, NOERROR, NXDOMAIN, QUESTION_AT, REFUSED, SERVFAIL, section_counts

logger = logging.getLogger("clusterdns.forward")

MAX_CROSSINGS = 3  # of a chain from others back into our zones
# Flights that one turn of the loop begins: each takes half a millisecond, and packets wait meanwhile.
AT_ONCE = 4
# While packets come faster than they are answered, one flight is begun in so many seconds: a burst is over before that
# matters, and a flood leaves the loop four fifths of its time.
PRESSED_SECONDS = 0.005
LOG_SECONDS = 60.0  # between two lines about loops

_ANSWERED = QR | RA
_ENDS_KEPT = 4096
_AT_A_TIME = 64  # answers that are forgotten, or told
_NOBODY = NO_REACHABLE_AUTHORITY, "no upstream answers"
_IN_VAIN = Outcome(SERVFAIL, None, error=_NOBODY)
_TOO_LATE = Outcome(SERVFAIL, None, error=(OTHER, "too many questions wait for their turn"))
_PASSED_ON = (NOTIMP, REFUSED)


class _Waiting(NamedTuple):
    client: str  # as it is admitted
    resolve: Resolve
    question: Question
    trail: bytes
    send: Send
    until: float  # the client waits no longer


class Terms(NamedTuple):
    mark: bytes  # of this process, for the trail of its queries
    limits: Limits = Limits()
    timeout: float = 5.0  # seconds for one question
    prefetch: Prefetch | None = None


class Forwarder:
    """An ``engine.elsewhere.Elsewhere``."""

    def __init__(
        self,
        routes: Routes,
        groups: Sequence[Group],
        cache: Cache,
        terms: Terms,
        clock: Callable[[], float],
        timers: Timers,
        pressed: Callable[[], bool] = lambda: False,
    ) -> None:
        """*groups*: of the stub domains as *routes* number them, and of the upstream as the last.  *clock*: seconds,
        see ``clock.ageing``.  *timers*: the running event loop.  *pressed*: packets come faster than they are answered.
        """
        self.routes, self.groups, self.cache, self.pressed = routes, groups, cache, pressed
        # Of its own, so that nothing here forms a circle: what is frozen no collector finds.
        self._resolver = Resolver(routes, groups, terms.mark, terms.timeout)
        self.asker = Asker(self._resolver, cache, clock, timers, terms.prefetch)
        self.admission = Admission(terms.limits)
        self.loops = 0  # seen so far
        self._entries = cache.entries
        self._mark, self._timeout, self._clock = terms.mark, terms.timeout, clock
        self._abroad: set[Name] = set()  # ends of aliases that are no names of ours, and not kept home
        self._peeked: tuple[Question, Outcome | None] | None = None
        self._logged = -LOG_SECONDS
        self._left = asyncio.Event()
        self._timers = timers
        self._queue = FairQueue[_Waiting]()  # admitted, and not begun yet
        self._begun = 0  # in this turn
        self._turning = False  # the next turn is due

    def takes(self, name: Name) -> bool:
        return self.routes.takes(name)

    def tells(self, name: Name) -> bool:
        return self.routes.tells(name)

    def known(
        self, packet: bytes, end: int, name: bytes, rtype: int, limit: int, opt: bytes, address: str
    ) -> bytes | None:
        if rtype == ANY:
            return None
        dnssec_ok, low = len(opt) > 7 and opt[7] >= 0x80, packet[3]
        # A bare tuple finds what a Question would, for half the time.
        question: Question = (name, rtype, dnssec_ok, low & CD != 0)  # type: ignore[assignment]
        kept = self._entries.get(question)
        if kept is None:
            return self._refusal(packet, end, question, opt, address)
        outcome = self.asker.look(kept)
        if outcome is None or outcome.foreign is None or outcome.error:
            self._peeked = question, outcome
            return None
        foreign, wire = outcome.foreign, outcome.wire
        if end + 4 + len(wire) + len(opt) > limit or (foreign.end != name and not self._is_abroad(foreign.end)):
            self._peeked = question, outcome
            return None
        flags = _ANSWERED | (packet[2] & 1) << 8 | low & CD | outcome.rcode
        if foreign.authentic and (dnssec_ok or low & AD):
            flags |= AD
        counts = section_counts(foreign.answers, foreign.authority, 1 if opt else 0)
        return b"".join((packet[:2], flags.to_bytes(2), counts, packet[QUESTION_AT : end + 4], wire, opt))

    def ask(self, resolve: Resolve) -> bytes | Later:
        query, inside = resolve.query, resolve.inside
        route = self.routes.of(resolve.target, query.qtype)
        if route.home is not None:
            return inside.finish(resolve, kept_reply(resolve, route.home, exists=self.routes.is_above(resolve.target)))
        if route.group is None:
            return self._end(resolve, REFUSED)
        if query.qtype == ANY and resolve.transport == UDP:
            # Anybody may have put that address into the packet, and all that a name has may be much (RFC 8482 §4.4).
            return inside.finish(resolve, Reply(NOERROR, resolve.flags | TC, [*resolve.chain]))
        dnssec_ok = query.edns is not None and query.edns.dnssec_ok
        question = Question(resolve.target, query.qtype, dnssec_ok, bool(query.flags & CD))
        peeked, self._peeked = self._peeked, None
        outcome = peeked[1] if peeked and peeked[0] == question else self.asker.get(question)
        if outcome is not None:
            if outcome.failed:
                resolve = msgspec.structs.replace(resolve, errors=(*resolve.errors, (CACHED_ERROR, "")))
            return self._answer(resolve, outcome)
        if not query.flags & RD:
            return self._end(resolve, REFUSED)
        trail = query.edns.trail if query.edns else b""
        if trail and (loop := why_not(trail, self._mark)):
            self._tell_loop(question)
            return self._end(resolve, SERVFAIL, (OTHER, loop))
        if refusal := self._why_full(question, resolve.address):
            self.admission.refused += 1
            if stale := self.asker.stale(question):
                return self._answer(resolve, stale)
            return self._end(resolve, SERVFAIL, refusal)
        return partial(self._wait, resolve, question, trail)

    def servers(self, group: int) -> list[str]:
        """Of a group as the routes number them, for people."""
        return self.groups[group].shown()

    async def drain(self) -> None:
        """Until nobody waits, who asks no more; each question ends within the time it has."""
        while self.admission.inside:
            self._left.clear()
            await self._left.wait()

    async def close(self) -> None:
        """Whoever still waits is told that the server ends."""
        while self._queue:
            self._done(self._queue.take(), ENDING)
        await self.asker.close()
        for group in self.groups:
            await group.close()

    async def forget(self) -> None:
        """All that is kept, a little at a time: it is freed at once only where nobody else waits."""
        for number, question in enumerate([*self._entries]):
            self.cache.forget(question)
            if not number % _AT_A_TIME:
                await asyncio.sleep(0)

    def _wait(self, resolve: Resolve, question: Question, trail: bytes, send: Send) -> None:
        client = client_of(resolve.address)
        self.admission.enter(client)
        waiting = _Waiting(client, resolve, question, trail, send, self._clock() + self._timeout)
        # Who asks for what is under way keeps nobody waiting.
        if self.asker.is_asked(question) or not (self._queue or self._begun >= self._at_once()):
            self._begin(waiting)
        else:
            self._queue.put(client, waiting)

    def _at_once(self) -> int:
        return 1 if self.pressed() else AT_ONCE

    def _begin(self, waiting: _Waiting) -> None:
        if waiting.trail:
            self._resolver.trails.setdefault(waiting.question, waiting.trail)
        flights = self.asker.flights
        self.asker.ask(waiting.question, partial(self._done, waiting))
        if self.asker.flights > flights:
            self._begun += 1
            self._turn_later()

    def _turn_later(self) -> None:
        if self._turning:
            return
        self._turning = True
        if self.pressed():
            self._timers.call_later(PRESSED_SECONDS, self._next_turn)
        else:
            self._timers.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        """The packets that have come meanwhile had theirs."""
        self._turning, self._begun = False, 0
        most, now, taken = self._at_once(), self._clock(), 0
        while self._queue and self._begun < most and taken < _AT_A_TIME:
            waiting = self._queue.take()
            taken += 1
            if outcome := self._settled(waiting, now):
                self._done(waiting, outcome)
            else:
                self._begin(waiting)
        if self._queue:
            self._turn_later()

    def _settled(self, waiting: _Waiting, now: float) -> Outcome | None:
        """What need not be asked any more: somebody else has asked for it meanwhile, or nobody can be asked in time."""
        question = waiting.question
        kept = self._entries.get(question)
        if kept and kept.left(now) > 0:
            return self.asker.look(kept)
        if failed := self.cache.failed(question, now):
            return failed
        in_vain = self._is_in_vain(Name(question[0]))
        if (now < waiting.until and not in_vain) or self.asker.is_asked(question):
            return None
        self.admission.refused += 1
        return self.asker.stale(question) or (_IN_VAIN if in_vain else _TOO_LATE)

    def _done(self, waiting: _Waiting, outcome: Outcome) -> None:
        self.admission.leave(waiting.client)
        self._left.set()
        self._resolver.trails.pop(waiting.question, None)
        try:
            response = self._answer(waiting.resolve, outcome)
        except Exception:
            logger.exception("an answer of others could not be passed on")
            response = self._end(waiting.resolve, SERVFAIL)
        if isinstance(response, bytes):
            waiting.send(response)
        else:
            response(waiting.send)

    def _answer(self, resolve: Resolve, outcome: Outcome) -> bytes | Later:
        foreign = outcome.foreign
        if foreign is None:
            rcode = outcome.rcode if outcome.rcode in _PASSED_ON and not resolve.chain else SERVFAIL
            return self._end(resolve, rcode, outcome.error)
        inside, end = resolve.inside, foreign.end
        if foreign.rcode == NXDOMAIN and inside.exists(end):  # a zone that falls through has names below it (RFC 8020)
            foreign = msgspec.structs.replace(foreign, rcode=NOERROR, authentic=False)
        if end != resolve.target and not self._is_abroad(end) and (foreign.partial or inside.holds(end)):
            if outcome.error:
                resolve = msgspec.structs.replace(resolve, errors=(*resolve.errors, outcome.error))
            return self._come_back(resolve, foreign, outcome.wire)
        options, octets = inside.options(resolve)
        error, options = with_errors(outcome.error, resolve.errors, options)
        return respond(resolve, foreign, outcome.wire, options, octets, error)

    def _come_back(self, resolve: Resolve, foreign: Foreign, wire: bytes) -> bytes | Later:
        """Our zones have the last word on where the chain of others leads; what they say of it is dropped.

        Of what our zones lack, where they fall through, others are asked in turn.
        """
        chain = (*resolve.chain, *_links(resolve, foreign, wire))
        if resolve.crossings == MAX_CROSSINGS:
            return resolve.inside.finish(resolve, Reply(NOERROR, resolve.flags, [*chain]))
        further = msgspec.structs.replace(
            resolve, target=foreign.end, target_at=0, chain=chain, crossings=resolve.crossings + 1
        )
        return resolve.inside.resume(further)

    def _end(self, resolve: Resolve, rcode: int, error: tuple[int, str] | None = None) -> bytes:
        """Without an answer of others: our aliases, and why there is no more."""
        return resolve.inside.finish(resolve, Reply(rcode, resolve.flags, [*resolve.chain], error=error))

    def _why_full(self, question: Question, address: str) -> tuple[int, str] | None:
        """An Extended DNS Error; None: it may be asked."""
        # Waiting with others takes no task and no socket.
        if self.admission.inside and self._is_in_vain(Name(question[0])) and not self.asker.is_asked(question):
            return _NOBODY
        why = self.admission.refusal(client_of(address))
        return (OTHER, why) if why else None

    def _is_in_vain(self, name: Name) -> bool:
        index = self.routes.of(name).group
        return index is not None and self.groups[index].in_vain

    def _refusal(self, packet: bytes, end: int, question: Question, opt: bytes, address: str) -> bytes | None:
        """In a flood of names that nobody knows, each refused one costs as little as an absent name of ours."""
        why = self._why_full(question, address)
        if why is None or not packet[2] & RD >> 8 or not self.routes.takes(Name(question[0])):
            return None
        self.admission.refused += 1
        if opt:
            error = _refusal_option(*why)
            octets = int.from_bytes(opt[OPT_OCTETS - 2 : OPT_OCTETS]) + len(error)
            opt = b"".join((opt[: OPT_OCTETS - 2], octets.to_bytes(2), opt[OPT_OCTETS:], error))
        flags = QR | RD | RA | packet[3] & CD | SERVFAIL
        counts = section_counts(0, 0, 1 if opt else 0)
        return b"".join((packet[:2], flags.to_bytes(2), counts, packet[QUESTION_AT : end + 4], opt))

    def _is_abroad(self, name: Name) -> bool:
        if name in self._abroad:
            return True
        if self.routes.is_ours(name) or self.routes.of(name).home is not None:
            return False
        if len(self._abroad) >= _ENDS_KEPT:
            self._abroad.clear()
        self._abroad.add(name)
        return True

    def _tell_loop(self, question: Question) -> None:
        self.loops += 1
        now = self._clock()
        if now - self._logged >= LOG_SECONDS:
            self._logged = now
            logger.warning(
                "forwarding loop: a question of ours came back (%s; %d so far); name no upstream that asks this server",
                to_text(question.name),
                self.loops,
            )


@lru_cache(8)
def _refusal_option(code: int, why: str) -> bytes:
    return error_option(code, why)


def _links(resolve: Resolve, foreign: Foreign, wire: bytes) -> list[bytes]:
    """The aliases in an answer of others, and what signs them, as records behind those of *resolve*."""
    start = QUESTION_AT + len(resolve.query.question) + sum(map(len, resolve.chain))
    octets, cuts = behind(foreign, wire, resolve.target, resolve.target_at, start)
    found, begin = [], 0
    for end, ttl_at in zip(cuts[: foreign.answers], foreign.ttls, strict=False):
        if _alias_type(foreign.wire, ttl_at) in (CNAME, DNAME):
            found.append(octets[begin:end])
        begin = end
    return found


def _alias_type(wire: bytes, ttl_at: int) -> int:
    """The type of the record whose TTL stands at *ttl_at*, or what it signs."""
    rtype = int.from_bytes(wire[ttl_at - 4 : ttl_at - 2])
    return int.from_bytes(wire[ttl_at + 6 : ttl_at + 8]) if rtype == RRSIG else rtype
