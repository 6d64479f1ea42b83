"""TCP: messages behind their length, many per connection (RFC 7766)."""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from typing import cast

from clusterdns.cluster.addresses import client_of
from clusterdns.engine.framing import MessageStream, frame
from clusterdns.engine.manners import Peer
from clusterdns.engine.tally import Tally
from clusterdns.errors import PeerError
from clusterdns.transports.answers import Answer
from clusterdns.transports.crowd import Crowd
from clusterdns.transports.sockets import BACKLOG

TRANSPORT = "tcp"
_UNSENT_OCTETS = 128 * 1024  # answers kept for a client that does not read; beyond, its next queries wait
_LATE_OCTETS = 1024 * 1024  # the same for answers that were waited for: they come whether it reads or not
_UNDER_WAY = 1000  # queries of one connection whose answers are waited for; beyond, its next queries wait
_BATCH = 64  # One turn of the loop answers that many queries of one client before others get theirs.


class StreamListener:
    """Serves one listening socket."""

    def __init__(self, sock: socket.socket, answer: Answer, crowd: Crowd, tally: Tally | None = None) -> None:
        """*tally* is told how long batches take."""
        self._sock = sock
        self.tally = tally or Tally()
        self.answer = answer
        self.crowd = crowd
        self._server: asyncio.Server | None = None
        self.queries = 0
        self.under_way = 0  # queries whose answers are waited for
        self.left = False
        self._connections = 0
        self.emptied = asyncio.Event()  # it was left, and no connection is there any more

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), sock=self._sock)
        self._sock.listen(BACKLOG)  # asyncio has made it 100, which is as many as it lets in at a time

    def discard(self) -> None:
        """Closes a socket that was never served."""
        self._sock.close()

    async def leave(self) -> None:
        """No new connections; those that exist take no more queries, and end when the ones they have are answered."""
        await self._end(Connection.leave)
        if not self._connections:
            self.emptied.set()

    async def close(self) -> None:
        """No new connections; those that exist send what they hold and end."""
        await self._end(Connection.finish)
        self.emptied.set()

    def count(self, change: int) -> None:
        """Of its connections."""
        self._connections += change
        if self.left and not self._connections:
            self.emptied.set()

    async def _end(self, each: "Callable[[Connection], None]") -> None:
        self.left = True
        if self._server:
            self._server.close()
        for connection in [one for one in self.crowd if isinstance(one, Connection) and one.listener is self]:
            each(connection)
        await asyncio.sleep(0)  # transports close on the loop's next turn


class Connection(asyncio.Protocol):
    """One client.  Queries are taken in order, a batch at a time; while some wait, nothing more is read from it.

    They wait for others' turn, or for a client that does not read its answers.  Answers that must be waited for go out
    when they come, behind those of later queries (RFC 7766 §6.2.1.1).
    """

    def __init__(self, listener: StreamListener) -> None:
        self.listener = listener
        self._crowd = listener.crowd
        self._stream = MessageStream()
        self._waiting: deque[bytes] = deque()
        self._under_way = 0
        self._may_write = True
        self._ended = False
        self._queued = False  # a turn of the loop is ours
        self._idle: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport
        self._peer: Peer = ("", 0)
        self.client = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # a stream's always is
        self._transport.set_write_buffer_limits(high=_UNSENT_OCTETS)
        self._peer = self._transport.get_extra_info("peername") or self._peer
        self.client = client_of(self._peer[0])
        self._crowd.opened(self)
        self.listener.count(1)
        self._restart_idle()
        if self.listener.left:  # it was about to come when that happened
            self.finish()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # whose fault it was changes nothing
        self.listener.count(-1)
        if self._idle:
            self._idle.cancel()
        self._waiting.clear()
        self._crowd.closed(self)

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._stream.feed(data)
        except PeerError:
            self._crowd.end(self, "malformed")
            return
        self._waiting.extend(messages)
        self._answer_waiting()

    def eof_received(self) -> bool:
        """A client may close its side and still read: the connection stays until its answers are written."""
        self._ended = True
        return bool(self._waiting or self._under_way)

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        self._restart_idle()  # it reads: so long it is not silent
        self._answer_waiting()

    def leave(self) -> None:
        """As if the client had closed its side."""
        self._ended = True
        self._transport.pause_reading()
        self._choose_reading()

    def finish(self) -> None:
        """Ends after what is written has been sent."""
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def _answer_waiting(self) -> None:
        clock, before = self.listener.tally.clock, self.listener.queries
        started, heard = clock(), False
        for _ in range(min(_BATCH, len(self._waiting))):
            if not self._may_go_on():
                break
            response = self.listener.answer(self._waiting.popleft(), TRANSPORT, self._peer)
            self.listener.queries += 1
            if response is None:
                continue  # it was no query: whoever sends such things is as silent as before
            heard = True
            self._crowd.touched(self)
            if isinstance(response, bytes):
                self._transport.write(frame(response))
            else:
                self._under_way += 1
                self.listener.under_way += 1
                response(self._send_late)
        self.listener.tally.batch(self.listener.queries - before, clock() - started)
        if heard:
            self._restart_idle()
        if self._transport.is_closing():
            self._waiting.clear()
        elif self._waiting and self._may_go_on() and not self._queued:
            self._queued = True
            asyncio.get_running_loop().call_soon(self._next_turn)
        self._choose_reading()

    def _may_go_on(self) -> bool:
        return self._may_write and self._under_way < _UNDER_WAY and not self._transport.is_closing()

    def _next_turn(self) -> None:
        self._queued = False
        self._answer_waiting()

    def _send_late(self, response: bytes) -> None:
        """Perhaps long after the connection has gone."""
        self._under_way -= 1
        self.listener.under_way -= 1
        if self._transport.is_closing():
            return
        self._transport.write(frame(response))
        if self._transport.get_write_buffer_size() > _LATE_OCTETS:
            self._crowd.end(self, "unread")
            return
        self._restart_idle()  # it may have been silent only because it waited
        if self._waiting and not self._queued:
            self._queued = True
            asyncio.get_running_loop().call_soon(self._next_turn)
        elif self._ended and not self._waiting:
            self._choose_reading()

    def _choose_reading(self) -> None:
        if self._waiting or not self._may_write:
            self._transport.pause_reading()
        elif not self._ended:
            self._transport.resume_reading()
        elif not self._under_way:
            self.finish()

    def _restart_idle(self) -> None:
        if self._idle:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(self._crowd.limits.idle, self._silent)

    def _silent(self) -> None:
        """It waits for us, or we have waited for it long enough."""
        if self._under_way and self._may_write:
            self._restart_idle()
        else:
            self._crowd.end(self, "idle")
