"""Sockets that come and go while answers are waited for."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from packets import query
from ports import free_port

from clusterdns.engine.elsewhere import Later, Send
from clusterdns.engine.framing import frame
from clusterdns.engine.manners import Peer
from clusterdns.engine.tally import Tally
from clusterdns.transports.answers import Answer
from clusterdns.transports.listeners import Listeners
from clusterdns.transports.sockets import Address, bind_pairs

PATIENCE = 30.0  # seconds; only a fault waits so long
HOSTS = ["127.0.0.1", "::1"]
QUERY, AT_ONCE = query("www.example.com", ident=1), query("at-once.example", ident=2)


class Slow:
    """Answers with the query's own octets: most of them when the test lets it."""

    def __init__(self) -> None:
        self.waiting: list[tuple[bytes, Send]] = []

    def at(self, _: Tally) -> Answer:
        return self._answer

    def release(self) -> None:
        waiting, self.waiting = self.waiting, []
        for packet, send in waiting:
            send(packet)

    def _answer(self, packet: bytes, transport: str, peer: Peer) -> bytes | Later | None:
        return packet if packet == AT_ONCE else lambda send: self.waiting.append((packet, send))


class Scene:
    def __init__(self, host: str) -> None:
        self.slow, self.listeners, self.address = Slow(), Listeners(), (host, free_port())
        self._sockets: list[socket.socket] = []

    async def serve(self, *wanted: Address, patience: float = PATIENCE) -> None:
        await self.listeners.serve(wanted, self.listeners.bind(wanted, self.slow.at), patience)

    async def leave(self, patience: float = PATIENCE) -> None:
        await self.serve(patience=patience)

    def client(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        self._sockets.append(sock)
        sock.setblocking(False)
        sock.connect(self.address)
        return sock

    async def asking(self) -> socket.socket:
        """Over UDP; the query has arrived."""
        sock, before = self.client(), len(self.slow.waiting)
        sock.send(QUERY)
        await until(lambda: len(self.slow.waiting) > before)
        return sock

    async def close(self) -> None:
        await self.listeners.close()
        for sock in self._sockets:
            sock.close()


async def until(condition: Callable[[], bool]) -> None:
    for _ in iter(condition, True):
        await asyncio.sleep(0.001)


async def receive(sock: socket.socket) -> bytes:
    return await asyncio.get_running_loop().sock_recv(sock, 4096)


@asynccontextmanager
async def serving(host: str) -> AsyncIterator[Scene]:
    scene = Scene(host)
    try:
        await scene.serve(scene.address)
        yield scene
    finally:
        await scene.close()


@pytest.fixture(params=HOSTS)
def story(request: pytest.FixtureRequest) -> Callable[[Callable[[Scene], Awaitable[None]]], None]:
    def run(told: Callable[[Scene], Awaitable[None]]) -> None:
        async def main() -> None:
            async with asyncio.timeout(PATIENCE), serving(request.param) as scene:
                await told(scene)

        asyncio.run(main())

    return run


Story = Callable[[Callable[[Scene], Awaitable[None]]], None]


def test_an_address_that_goes_owes_answers_and_takes_no_more_queries(story: Story) -> None:
    async def told(scene: Scene) -> None:
        client, other = await scene.asking(), scene.client()
        await scene.leave()
        assert (scene.listeners.bound, scene.listeners.under_way, scene.listeners.queries) == ([], 1, 1)
        other.send(QUERY)
        with pytest.raises(ConnectionRefusedError):
            await receive(other)
        scene.slow.release()
        assert await receive(client) == QUERY
        await until(lambda: not scene.listeners._leaving)
        assert (scene.listeners.under_way, scene.listeners.queries) == (0, 1)

    story(told)


def test_what_has_arrived_before_is_answered(story: Story) -> None:
    async def told(scene: Scene) -> None:
        client = scene.client()
        for packet in (AT_ONCE, QUERY):
            client.send(packet)
        await scene.leave()
        assert await receive(client) == AT_ONCE
        scene.slow.release()
        assert await receive(client) == QUERY

    story(told)


def test_who_owes_nothing_goes_at_once(story: Story) -> None:
    async def told(scene: Scene) -> None:
        reader, writer = await asyncio.open_connection(*scene.address)
        writer.write(frame(AT_ONCE))
        assert await reader.readexactly(2 + len(AT_ONCE)) == frame(AT_ONCE)
        await scene.leave()
        assert not scene.listeners._leaving
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()

    story(told)


def test_a_connection_stays_until_its_answers_are_written(story: Story) -> None:
    async def told(scene: Scene) -> None:
        reader, writer = await asyncio.open_connection(*scene.address)
        writer.write(frame(QUERY))
        await until(lambda: bool(scene.slow.waiting))
        await scene.leave()
        writer.write(frame(AT_ONCE))  # too late
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*scene.address)
        scene.slow.release()
        assert await reader.readexactly(2 + len(QUERY)) == frame(QUERY)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await reader.readexactly(1)
        writer.close()
        await until(lambda: not scene.listeners._leaving)
        assert scene.listeners.queries == 1

    story(told)


def test_patience_ends(story: Story) -> None:
    async def told(scene: Scene) -> None:
        await scene.asking()
        reader, writer = await asyncio.open_connection(*scene.address)
        writer.write(frame(QUERY))
        await until(lambda: len(scene.slow.waiting) == 2)
        await scene.leave(patience=0.001)
        await until(lambda: not scene.listeners._leaving)
        assert await reader.read() == b""
        scene.slow.release()
        assert (scene.listeners.under_way, scene.listeners.queries) == (0, 2)
        writer.close()
        await writer.wait_closed()

    story(told)


def test_who_comes_back_finds_room(story: Story) -> None:
    async def told(scene: Scene) -> None:
        await scene.asking()
        await scene.leave()
        await scene.serve(scene.address)
        client = scene.client()
        client.send(AT_ONCE)
        assert await receive(client) == AT_ONCE
        scene.slow.release()
        await until(lambda: not scene.listeners._leaving)
        assert scene.listeners.queries == 2

    story(told)


@pytest.mark.parametrize("leave", [False, True], ids=["an end", "a change of settings"])
def test_a_socket_of_the_parent_is_left_as_it_was(leave: bool) -> None:
    """The next server takes queries from it."""

    async def main() -> None:
        ((udp, tcp),) = bind_pairs(("127.0.0.1", 0))
        address, slow = udp.getsockname(), Slow()
        with udp.dup() as kept, tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            listeners = Listeners({address: (udp, tcp)})
            await listeners.serve([address], listeners.bind([address], slow.at))
            client.setblocking(False)
            client.connect(address)
            client.send(QUERY)
            await until(lambda: bool(slow.waiting))
            if leave:
                await listeners.serve([], {}, PATIENCE)
            await listeners.close()
            client.send(AT_ONCE)
            assert await receive(kept) == AT_ONCE

    asyncio.run(main())


def test_an_end_waits_for_nobody(story: Story) -> None:
    async def told(scene: Scene) -> None:
        await scene.asking()
        await scene.leave()
        await scene.listeners.close()
        assert not scene.listeners._leaving
        scene.slow.release()

    story(told)
