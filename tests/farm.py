"""Upstreams on 127.0.0.1: each does what a test says (``behaviours``), and tells what it has seen.

The key in tests/tls is for tests only; its certificate names dns.test and 127.0.0.1.
"""

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Literal, cast

import dns.message
import dns.rdatatype
from msgspec import Struct
from packets import opt
from ports import free_port
from replies import reply

from clusterdns.engine.framing import MessageStream, frame
from clusterdns.errors import PeerError
from clusterdns.forward.servers import Server
from clusterdns.transports.sockets import bind_pairs

PATIENCE = 120.0  # seconds; only a fault waits so long
HOST = "127.0.0.1"
CERTIFICATE = Path(__file__).with_name("tls") / "certificate.pem"

Transport = Literal["udp", "tcp", "tls"]


class Asked(Struct, frozen=True, eq=False):
    """A query as it came."""

    server: "Fake"
    transport: Transport
    wire: bytes
    port: int  # it came from
    write: Callable[[bytes], None]  # to its sender, unframed
    close: Callable[[], None]  # its connection
    connection: int  # counted by the server; 0: none

    @property
    def message(self) -> dns.message.Message:
        return dns.message.from_wire(self.wire)

    @property
    def name(self) -> str:
        """As it was spelled."""
        return self.message.question[0].name.to_text()

    @property
    def edns(self) -> bool:
        return self.message.edns >= 0

    @property
    def has_options(self) -> bool:
        return bool(self.message.options)

    def reply(self, **changed: Any) -> bytes:
        """What a good server says: for an A its own address; *changed* as for ``replies.reply``."""
        rtype = self.message.question[0].rdtype
        fields: dict[str, Any] = {"name": self.name, "rtype": rtype, "edns": opt() if self.edns else b""}
        if rtype == dns.rdatatype.A and not changed.get("rcode"):
            fields["answer"] = [f"{self.name} 300 A {self.server.answer}"]
        return self.wire[:2] + reply(**fields | changed)[2:]

    def send(self, message: bytes) -> None:
        self.write(message if self.transport == "udp" else frame(message))


# What is done with one query.
Behaviour = Callable[[Asked], None]


class Fake:
    """One upstream, over UDP, TCP and TLS.  *does* may be replaced at any time."""

    def __init__(self, does: Behaviour, number: int = 1, host: str = HOST) -> None:
        self.does, self._host = does, host
        self.answer = f"192.0.2.{number}"  # by which its answers are told from others'
        self.asked: list[Asked] = []
        self.held: list[Asked] = []
        self.connections = 0  # so far
        self.closes_at_accept = False
        self._open: set[_Stream] = set()
        self._servers: list[asyncio.Server] = []
        self._udp: asyncio.DatagramTransport
        self._changed = asyncio.Condition()
        self._telling: set[asyncio.Task[None]] = set()
        self.port = self.tls_port = 0

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        ((udp, tcp),) = bind_pairs((self._host, 0))
        self.port = udp.getsockname()[1]
        self._udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=udp)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE, CERTIFICATE.with_name("key.pem"))
        self._servers = [
            await loop.create_server(lambda: _Stream(self, "tcp"), sock=tcp),
            await loop.create_server(lambda: _Stream(self, "tls"), self._host, 0, ssl=context),
        ]
        self.tls_port = self._servers[1].sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._udp.close()
        for server in self._servers:
            server.close()
        self.hang_up()
        await self.until(lambda: not self._open)
        await asyncio.gather(*self._telling)

    def hang_up(self) -> None:
        """Closes all connections."""
        for stream in [*self._open]:
            stream.transport.abort()

    def server(self, transport: Transport = "udp", name: str | None = None) -> Server:
        return Server(self._host, self.tls_port if transport == "tls" else self.port, transport, name)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Of what this upstream has seen."""
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(condition)

    async def seen(self, queries: int) -> None:
        await self.until(lambda: len(self.asked) >= queries)

    @property
    def open(self) -> int:
        return len(self._open)

    def release(self) -> None:
        """Answers what is held."""
        held, self.held = self.held, []
        for asked in held:
            asked.send(asked.reply())

    def take(self, asked: Asked) -> None:
        self.asked.append(asked)
        self.does(asked)
        self.tell()

    def opened(self, stream: "_Stream") -> int:
        self.connections += 1
        self._open.add(stream)
        self.tell()
        return self.connections

    def closed(self, stream: "_Stream") -> None:
        self._open.discard(stream)
        self.tell()

    def tell(self) -> None:
        task = asyncio.get_running_loop().create_task(self._tell())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class Farm(AbstractAsyncContextManager["Farm"]):
    """The upstreams of one test, each told from the others by the address in its answers."""

    def __init__(self) -> None:
        self.all: list[Fake] = []

    async def add(self, does: Behaviour, host: str = HOST) -> Fake:
        fake = Fake(does, len(self.all) + 1, host)
        await fake.start()
        self.all.append(fake)
        return fake

    async def __aexit__(self, *_: object) -> None:
        for fake in self.all:
            await fake.stop()

    @property
    def queries(self) -> int:
        return sum(len(fake.asked) for fake in self.all)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: Fake) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._server.take(
            Asked(self._server, "udp", data, addr[1], lambda octets: self._transport.sendto(octets, addr), _nothing, 0)
        )


class _Stream(asyncio.Protocol):
    def __init__(self, server: Fake, transport: Transport) -> None:
        self._server, self._kind, self._messages = server, transport, MessageStream()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._number = self._server.opened(self)
        if self._server.closes_at_accept:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.closed(self)

    def data_received(self, data: bytes) -> None:
        port = self.transport.get_extra_info("peername")[1]
        try:
            messages = self._messages.feed(data)
        except PeerError:  # no DNS
            self.transport.abort()
            return
        for message in messages:
            if self.transport.is_closing():
                return
            self._server.take(
                Asked(self._server, self._kind, message, port, self.transport.write, self.transport.close, self._number)
            )


def _nothing() -> None: ...


def dead_port() -> int:
    """That nobody listens on, for now."""
    return free_port()


def running(scenario: Callable[[Farm], Awaitable[None]]) -> None:
    """*scenario* with a farm; afterwards no file is open that was not open before."""

    async def main() -> None:
        before = _open_files()
        async with asyncio.timeout(PATIENCE):
            async with Farm() as farm:
                await scenario(farm)
            for _ in iter(lambda: _open_files() > before, False):
                await asyncio.sleep(0)  # transports close on the loop's next turns

    asyncio.run(main())


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))
