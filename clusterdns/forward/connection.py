"""One connection to an upstream: queries out, replies in any order (RFC 7766 §7)."""

import asyncio
import secrets
from collections.abc import Callable
from typing import cast

from clusterdns.engine.framing import MessageStream, frame
from clusterdns.errors import PeerError
from clusterdns.forward.figures import Figures
from clusterdns.forward.message import is_bare_error, is_reply
from clusterdns.forward.tries import TryError, Why
from clusterdns.forward.udp_exchange import failure

_REPLY_OCTETS = 65535


class Connection(asyncio.Protocol):
    """Takes queries from the beginning; they are sent when it is made.

    *number*: connections count up.  *used*: a reply has come.  *cut_short*: the upstream closed it while replies were
    due, after it had sent some.
    """

    def __init__(self, number: int, idle: float, lost: Callable[["Connection"], None], figures: Figures) -> None:
        """*idle*: seconds without a query after which it ends.  *lost* is called when it has gone, perhaps twice.

        *figures*: where messages are counted that belong to no query.
        """
        self.number, self._idle, self._lost, self._figures = number, idle, lost, figures
        self._loop = asyncio.get_running_loop()
        self._stream = MessageStream(_REPLY_OCTETS)
        self._waiting: dict[bytes, tuple[bytes, asyncio.Future[bytes]]] = {}  # ID -> the query as sent
        self._given_up: set[bytes] = set()  # IDs of queries whose late replies are no strays
        self._unsent: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self.ended = False
        self._silent_since: float | None = None  # replies are due, and no message has come
        self._last_query = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self.answered = 0
        self.cut_short = False

    @property
    def used(self) -> bool:
        return self.answered > 0

    @property
    def under_way(self) -> int:
        return len(self._waiting)

    def silence(self, now: float) -> float:
        """Seconds for which no whole message has come though replies are due, given up ones too."""
        return 0.0 if self._silent_since is None else now - self._silent_since

    async def ask(self, sent: bytes) -> bytes:
        """The reply to *sent*, under an ID of its own.  Raises TryError."""
        if self.ended:
            raise TryError("network", "the connection is closed")
        head = secrets.token_bytes(2)
        while head in self._waiting:
            head = secrets.token_bytes(2)
        sent = head + sent[2:]
        reply: asyncio.Future[bytes] = self._loop.create_future()
        self._given_up.discard(head)
        self._waiting[head] = sent, reply
        self._send(frame(sent))
        try:
            return await reply
        finally:
            if self._waiting.get(head) == (sent, reply):  # another may have the ID since the reply came
                del self._waiting[head]
                self._given_up.add(head)

    def fail(self, why: Why, text: str) -> None:
        """It could not be made, or is of no more use: who waits is told."""
        if not self.ended:
            self._end(why, text)
            if self._transport:
                self._transport.abort()
            else:
                self._lost(self)

    def abort(self) -> None:
        self.fail("network", "closed")
        if self._transport:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # a stream's always is
        if self.ended:
            self._transport.abort()
            return
        self._transport.writelines(self._unsent)
        self._unsent.clear()
        self._timer = self._loop.call_later(self._idle, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self.ended:
            self.cut_short = self.used and bool(self._waiting)
            self._end("network", failure(exc).text if isinstance(exc, OSError) else "it closed the connection")
        self._lost(self)

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._stream.feed(data)
        except PeerError as fault:
            self.fail("network", str(fault))
            return
        for message in messages:
            sent, reply = self._waiting.get(message[:2], (b"", None))
            if reply is not None and (is_reply(message, sent, any_case=True) or is_bare_error(message, sent)):
                del self._waiting[message[:2]]
                self.answered += 1
                if not reply.done():
                    reply.set_result(message)
            elif message[:2] in self._given_up:
                self._given_up.discard(message[:2])
            else:
                self._figures.stray += 1
        # Octets alone prove nothing: a message that never ends holds up all behind it.
        if any(messages):
            self._silent_since = self._loop.time() if self._waiting else None

    def _send(self, framed: bytes) -> None:
        self._last_query = self._loop.time()
        if self._silent_since is None:
            self._silent_since = self._last_query
        if self._transport:
            self._transport.write(framed)
        else:
            self._unsent.append(framed)

    def _end(self, why: Why, text: str) -> None:
        self.ended = True
        if self._timer:
            self._timer.cancel()
        waiting, self._waiting = self._waiting, {}
        for _, reply in waiting.values():
            if not reply.done():
                reply.set_exception(TryError(why, text))

    def _look(self) -> None:
        """Whether it has been idle for long enough."""
        left = self._last_query + self._idle - self._loop.time()
        if self._waiting or left > 0:
            self._timer = self._loop.call_later(max(left, self._idle / 4), self._look)
        else:
            self._end("network", "idle")
            if self._transport:
                self._transport.close()
