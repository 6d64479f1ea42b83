"""One upstream: how it is asked, and what is known of it."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from msgspec import Struct, structs

from clusterdns.engine.edns import option
from clusterdns.errors import PeerError
from clusterdns.forward.answers import Foreign, Question
from clusterdns.forward.figures import Figures
from clusterdns.forward.health import MOST_WAIT, Health, RoundTrips, State, hedge_wait, retry_wait
from clusterdns.forward.message import is_bare_error, query, refuses_edns, refuses_options, spell, truncated
from clusterdns.forward.randomness import Randomness
from clusterdns.forward.sections import NS
from clusterdns.forward.servers import Server
from clusterdns.forward.slices import LARGE_OCTETS, in_slices
from clusterdns.forward.stream_exchange import PADDING, StreamExchange, StreamLimits, padding, tls_context
from clusterdns.forward.tries import Transport, Tries, TryError
from clusterdns.forward.udp_exchange import NearMiss, UdpExchange
from clusterdns.forward.walk import steps, walk
from clusterdns.zone.names import ROOT

PROBE = Question(ROOT, NS)  # whoever is alive says something to this
PLAIN_SECONDS = 600.0  # without EDNS, or without options in it, to a server that has refused them


class Patience(Struct, frozen=True):
    """*reply*: seconds after which a try without a reply is a failure of its upstream."""

    reply: float = 2.0
    streams: StreamLimits = StreamLimits()


class Upstream:
    """Use from one loop; ``close`` ends what is under way."""

    def __init__(
        self,
        server: Server,
        *,
        tls: ssl.SSLContext | None = None,
        patience: Patience | None = None,
        figures: Figures | None = None,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """*tls*: what certificates are verified by; the system's authorities otherwise.  *clock*: the loop's.

        *figures*: of a ``ledger``, which counts it as one of their users.
        """
        self.server = server
        self.health, self.times, self.figures = Health(), RoundTrips(), figures or Figures()
        self._patience = patience or Patience()
        self._clock = clock or asyncio.get_running_loop().time
        self._sleep, self._random = sleep, Randomness()
        self._plain_until = self._optionless_until = float("-inf")
        self._probing: asyncio.Task[None] | None = None
        self._retired = False
        address = server.address, server.port
        context = (tls or tls_context()) if server.transport == "tls" else None
        self.datagrams = UdpExchange(address, self.figures)
        self.streams = StreamExchange(
            address, self.figures, tls=context, name=server.name, limits=self._patience.streams
        )

    def __str__(self) -> str:
        return str(self.server)

    @property
    def state(self) -> State:
        return self.health.state

    @property
    def hedge_wait(self) -> float:
        """Seconds after which another upstream may be asked beside it."""
        return hedge_wait(self.times, self.state)

    def retry_wait(self, tries: int) -> float:
        """Seconds after which the last of *tries* queries of one question is taken for lost."""
        return retry_wait(self.times, tries)

    def again_wait(self, tries: int) -> float:
        """Seconds after which the same question may be sent here once more."""
        # A stream loses nothing; this is for one that has stalled.
        return max(self.retry_wait(tries), 0.0 if self.server.transport == "udp" else MOST_WAIT)

    async def exchange(
        self,
        question: Question,
        options: bytes = b"",
        tries: Tries | None = None,
        *,
        stream: bool = False,
        patient: bool = False,
    ) -> Foreign:
        """What it says, whatever the rcode.  *options*: of the OPT.  *stream*: not over UDP.  *patient*: it is waited
        for until it is cancelled, unless nobody is there: a reply may take longer than a failure does to be one.

        Raises TryError.  Cancelling it when it has waited for longer than usual counts as silence.
        """
        waiting, seconds = _Waiting(self._clock(), self.hedge_wait), self._patience.reply
        transport = "tcp" if stream and self.server.transport == "udp" else self.server.transport
        patient = patient and not self.health.gone
        timer = asyncio.get_running_loop().call_later(seconds, self._overdue, waiting) if patient else None
        try:
            async with asyncio.timeout(None if patient else seconds):
                foreign = await self._reply(question, options, tries or Tries(), transport)
        except asyncio.CancelledError:
            self._given_up(waiting)
            raise
        except TimeoutError:
            self._overdue(waiting)
            raise TryError("silence", "no reply") from None
        except TryError as fault:
            self._fault(fault, waiting)
            raise
        finally:
            if timer:
                timer.cancel()
        self._replied()
        seconds = self._clock() - waiting.began
        self.times.observe(seconds)
        self.figures.replied(foreign.rcode, seconds)
        return foreign

    def retire(self) -> None:
        """Nobody asks it any more; what is under way may still fail."""
        self.figures.users -= not self._retired
        self._retired = True
        if self._probing:
            self._probing.cancel()

    async def close(self) -> None:
        """What is under way over streams fails."""
        self.retire()
        if self._probing:
            await asyncio.gather(self._probing, return_exceptions=True)
        await self.streams.close()

    async def _reply(self, question: Question, options: bytes, tries: Tries, transport: Transport) -> Foreign:
        packet, once = await self._whole(question, options, tries, transport)
        foreign = await self._walked(packet, question)
        return structs.replace(foreign, cacheable=False) if once else foreign

    async def _whole(
        self, question: Question, options: bytes, tries: Tries, transport: Transport
    ) -> tuple[bytes, bool]:
        """A reply, and whether it is for this once: it may lack signatures for want of EDNS, which proves little."""
        once, edns = False, self._clock() >= self._plain_until
        if self._clock() < self._optionless_until:
            options = b""
        packet, sent = await self._packet(question, options, tries, transport, edns=edns)
        if edns and options and refuses_options(packet):
            options = b""
            packet, sent = await self._packet(question, options, tries, transport, edns=edns)
            if not refuses_options(packet):
                self._optionless_until = self._clock() + PLAIN_SECONDS
        if edns and refuses_edns(packet):
            bare = is_bare_error(packet, sent)
            packet, sent = await self._packet(question, options, tries, transport, edns=False)
            once = bare and question.dnssec_ok
            # A bare error proves too little to do without DNSSEC for longer than this once.
            if not bare and not refuses_edns(packet):
                self._plain_until = self._clock() + PLAIN_SECONDS
        if is_bare_error(packet, sent):
            raise TryError("silence", "an error without the question")
        return packet, once

    async def _walked(self, packet: bytes, question: Question) -> Foreign:
        """Raises TryError."""
        try:
            if len(packet) > LARGE_OCTETS:
                self._replied()  # it may be a while until it is read
                return await in_slices(steps(packet, question))
            return walk(packet, question)
        except PeerError as fault:
            raise TryError("bad", str(fault)) from None

    async def _packet(
        self, question: Question, options: bytes, tries: Tries, transport: Transport, *, edns: bool
    ) -> tuple[bytes, bytes]:
        """A reply that is whole, and the query as it was sent."""
        if transport == "udp":
            try:
                packet, sent = await self._once(question, options, tries, "udp", edns=edns)
                if not truncated(packet):
                    return packet, sent
            except NearMiss:
                self.figures.near_misses += 1
            transport = "tcp"
        return await self._once(question, options, tries, transport, edns=edns)

    async def _once(
        self, question: Question, options: bytes, tries: Tries, transport: Transport, *, edns: bool
    ) -> tuple[bytes, bytes]:
        tries.take(self, transport)
        if transport == "tls" and edns:
            options += _padding(question, options)
        # Nobody can put a packet into a stream blindly; and a server that does not keep the case is asked over TCP.
        name = spell(question.name, self._random(len(question.name))) if transport == "udp" else question.name
        sent = query(question, self._random(2), name, options, edns=edns)
        if transport == "udp":
            return await self.datagrams.ask(sent), sent
        packet = await self.streams.ask(sent, lambda: tries.take(self, transport), tries.connections[self])
        return packet, packet[:2] + sent[2:]

    def _replied(self) -> None:
        self.health.replied(self._clock())
        if self._probing and self._probing is not asyncio.current_task():
            self._probing.cancel()
            self._probing = None

    def _overdue(self, waiting: "_Waiting") -> None:
        waiting.failed = True
        self.figures.failures["silence"] += 1
        self._failed(waiting.began)

    def _given_up(self, waiting: "_Waiting") -> None:
        if not waiting.failed and self._clock() - waiting.began >= waiting.usual:
            self._failed(waiting.began)

    def _fault(self, fault: TryError, waiting: "_Waiting") -> None:
        if fault.why == "bad":
            self._replied()
        elif fault.why in ("silence", "network") and not waiting.failed:
            self._failed(waiting.began)
        if not waiting.failed:
            self.figures.failures[fault.why] += 1

    def _failed(self, began: float) -> None:
        self.health.failed(began)
        if self.state == "down" and not self._retired and (self._probing is None or self._probing.done()):
            self._probing = asyncio.get_running_loop().create_task(self._probe())

    async def _probe(self) -> None:
        """While it is down, so that questions need not find out whether it is up again."""
        while self.state == "down":
            await self._sleep(self.health.pause)
            if self.state != "down":
                return
            self.figures.probes += 1
            try:
                await self.exchange(PROBE)
            except TryError:
                self.figures.probe_failures += 1
                self.health.probe_failed()


class _Waiting(Struct, eq=False):
    """For one reply."""

    began: float
    usual: float  # seconds
    failed: bool = False  # it has been counted as a failure


def _padding(question: Question, options: bytes) -> bytes:
    """An option that brings the query to a multiple of 128 octets (RFC 8467 §4.1)."""
    octets = len(query(question, b"\0\0", question.name, options)) + 4
    return option(PADDING, bytes(padding(octets)))
