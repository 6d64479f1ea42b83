"""UDP: a datagram in, at most one out."""

import asyncio
import socket
from contextlib import suppress
from functools import partial

from clusterdns.engine.elsewhere import Later
from clusterdns.engine.manners import Peer
from clusterdns.engine.tally import Tally
from clusterdns.transports.answers import Answer

# One wake-up of the loop serves that many datagrams before others get their turn.
_BATCH = 64
_DRAIN_BATCHES = 256  # what a full receive buffer holds; a flood must not keep us from ending
_QUERY_OCTETS = 4096  # a longer one is cut by the kernel, and the gate finds it malformed

TRANSPORT = "udp"


class UdpListener:
    """Serves one bound, non-blocking datagram socket until ``close``."""

    def __init__(
        self, sock: socket.socket, answer: Answer, tally: Tally | None = None, *, shared: bool = False
    ) -> None:
        """*tally* is told how long batches take.  *shared*: the parent has the socket, too, and stays."""
        self._sock = sock
        self.tally = tally or Tally()
        self.answer = answer  # may be replaced while it serves
        self.queries = 0
        self.unsent = 0  # answers that the kernel did not take
        self.under_way = 0  # queries whose answers are waited for
        self.pressed = False  # datagrams come faster than they are answered
        self._left, self._shared = False, shared
        self.emptied = asyncio.Event()  # it was left, and nobody waits any more

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._sock.getsockname()[:2]
        return host, port

    def discard(self) -> None:
        """Closes a socket that was never served."""
        self._sock.close()

    def start(self) -> None:
        asyncio.get_running_loop().add_reader(self._sock, self._readable)

    def leave(self) -> None:
        """Answers what has arrived, and takes no more; answers that are waited for go out until ``close``.

        From now on the kernel tells clients that nobody is here: so it does with a socket that has another peer, and
        this one is its own.  It may send to all others as before.  Not a *shared* one: it would be so for the parent.
        """
        self._left = True
        if not self._shared:
            with suppress(OSError):  # another system than Linux may refuse
                self._sock.connect(self._sock.getsockname())
        asyncio.get_running_loop().remove_reader(self._sock)
        for _ in range(_DRAIN_BATCHES):
            if not self._readable():
                break
        self.pressed = False
        if not self.under_way:
            self.emptied.set()

    @property
    def closed(self) -> bool:
        return self._sock.fileno() < 0

    def close(self) -> None:
        """Any number of times.  Answers that come later are dropped.

        Datagrams queued in a closing socket die silently: they are answered before.
        """
        if self.closed:
            return
        self.leave()
        self._sock.close()
        self.emptied.set()

    def _readable(self) -> bool:
        """True when there may be more.

        What has arrived is taken before anything is answered: a client that asks again as soon as it is answered would
        else have the loop to itself for as long as a batch takes.
        """
        receive, send, answer, clock = self._sock.recvfrom, self._sock.sendto, self.answer, self.tally.clock
        started, arrived = clock(), list[tuple[bytes, Peer]]()
        try:
            for _ in range(_BATCH):
                arrived.append(receive(_QUERY_OCTETS))
            self.pressed = True
        except OSError:  # nothing left, or an ICMP error of an earlier answer
            self.pressed = False
        for packet, peer in arrived:
            response = answer(packet, TRANSPORT, peer)
            if isinstance(response, bytes):
                try:
                    send(response, peer)
                except OSError:  # a full buffer, an unroutable or forged source: the client asks again
                    self._lost()
            elif response is not None:
                self._wait(response, peer)
        self.queries += len(arrived)
        self.tally.batch(len(arrived), clock() - started)
        if self.pressed:
            self.pressed = self._holds_more()
        return self.pressed

    def _holds_more(self) -> bool:
        """A batch may have been full and yet the last for long."""
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except OSError:
            return False
        return True

    def _wait(self, later: Later, peer: Peer) -> None:
        self.under_way += 1
        later(partial(self._send_late, peer))

    def _send_late(self, peer: Peer, response: bytes) -> None:
        self.under_way -= 1
        if self.closed:
            return
        if self._left and not self.under_way:
            self.emptied.set()
        try:
            self._sock.sendto(response, peer)
        except OSError:
            self._lost()

    def _lost(self) -> None:
        self.unsent += 1
        self.tally.silent["unsent"] += 1
