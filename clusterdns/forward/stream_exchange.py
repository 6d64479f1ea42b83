"""Queries over TCP and TLS: connections that are kept, with many queries under way on each (RFC 7766, RFC 7858)."""

import asyncio
import ssl
from collections.abc import Callable
from functools import cache

from msgspec import Struct

from clusterdns.forward.connection import Connection
from clusterdns.forward.figures import Figures
from clusterdns.forward.tries import TryError
from clusterdns.forward.udp_exchange import Address, failure

PADDING = 12  # the EDNS option (RFC 7830)
PADDED_OCTETS = 128  # queries become multiples of that (RFC 8467 §4.1)


class StreamLimits(Struct, frozen=True):
    together: int = 100  # queries under way on one connection
    connect: float = 3.0  # seconds until a connection, and the handshake of TLS on it, must be made
    idle: float = 10.0  # seconds without a query
    # Seconds without a whole message while replies are due, after which new queries take another connection: something
    # between may have forgotten this one, or a message on it does not end.
    stalled: float = 1.0


class StreamExchange:
    """The connections to one upstream.  Counts in *figures* how many queries found a connection, or made one."""

    def __init__(
        self,
        address: Address,
        figures: Figures,
        *,
        tls: ssl.SSLContext | None = None,
        name: str | None = None,
        limits: StreamLimits | None = None,
    ) -> None:
        """*name*: in the certificate; without one it is the address.  Use from one loop."""
        self._address, self._tls, self._name = address, tls, (name or address[0]) if tls else None
        self._limits, self._figures = limits or StreamLimits(), figures
        self._together = self._limits.together
        self._connections: list[Connection] = []
        self._opened = 0  # connections so far
        self._connecting: set[asyncio.Task[None]] = set()
        self._gone = asyncio.Event()  # one of them

    async def ask(self, sent: bytes, again: Callable[[], None], tried: set[int] | None = None) -> bytes:
        """The reply to the query *sent*, whose ID is chosen here, however long it takes: cancel it.

        Upstreams close connections when they like.  A query that is lost with one is sent once more, over a newer one;
        *again* is called before, and may raise TryError.  *tried*: numbers of connections that this question has gone
        over already, and does not again; those of now are added.  Raises TryError for what the network reports.
        """
        tried = set() if tried is None else tried
        connection = self._take(tried)
        try:
            return await connection.ask(sent)
        except TryError:
            if not connection.used:
                raise
        again()
        return await self._take(tried, connection.number).ask(sent)

    async def close(self) -> None:
        """What is under way fails."""
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        for connection in [*self._connections]:
            connection.abort()
        while self._connections:  # transports close on the loop's next turns
            self._gone.clear()
            await self._gone.wait()

    def __len__(self) -> int:
        return len(self._connections)

    def _take(self, tried: set[int], after: int = 0) -> Connection:
        """One with room, or a new one.  *after*: the number of one that broke; those before it are as old or older."""
        connection = self._free(tried, after) or self._open()
        tried.add(connection.number)
        return connection

    def _free(self, tried: set[int], after: int) -> Connection | None:
        now = asyncio.get_running_loop().time()
        for connection in self._connections:
            if (
                not connection.ended
                and connection.number > after
                and connection.number not in tried
                and connection.under_way < self._together
                and connection.silence(now) < self._limits.stalled
            ):
                self._figures.reused += 1
                return connection
        return None

    def _open(self) -> Connection:
        self._figures.opened += 1
        self._opened += 1
        connection = Connection(self._opened, self._limits.idle, self._lost, self._figures)
        self._connections.append(connection)
        task = asyncio.get_running_loop().create_task(self._connect(connection))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return connection

    async def _connect(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._limits.connect):
                await loop.create_connection(
                    lambda: connection,
                    *self._address,
                    ssl=self._tls,
                    server_hostname=self._name,
                    ssl_shutdown_timeout=self._limits.connect if self._tls else None,
                )
        except TimeoutError:
            connection.fail("silence", "no connection in time")
        except ssl.SSLError as fault:
            connection.fail("network", _tls_text(fault))
        except OSError as fault:
            told = failure(fault)
            connection.fail(told.why, told.text)
        except asyncio.CancelledError:
            connection.fail("network", "closed")
            raise

    def _lost(self, connection: Connection) -> None:
        if connection not in self._connections:
            return
        self._connections.remove(connection)
        self._gone.set()
        if connection.cut_short:
            # It answers so many on one connection and then closes it: sending more at once is in vain.
            self._together = min(self._together, connection.answered)
        else:
            self._together = min(self._together * 2, self._limits.together)


def padding(octets: int) -> int:
    """How many octets of padding a query of *octets*, its option's four included, needs."""
    return -octets % PADDED_OCTETS


@cache
def tls_context() -> ssl.SSLContext:
    """Verifies by the system's authorities.  Reading them takes some 20 ms: call it before the loop has work."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["dot"])  # RFC 7858 §3.1 and IANA's registry
    return context


def _tls_text(fault: ssl.SSLError) -> str:
    if isinstance(fault, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {fault.verify_message}"
    return f"TLS: {(fault.reason or str(fault)).replace('_', ' ').lower()}"
