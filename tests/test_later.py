"""Answers that come later: they go to who asked, keep nobody waiting, and find closed doors without harm."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from packets import query, read
from strategies import SHOP, responder

from clusterdns.engine.elsewhere import Later, Send
from clusterdns.engine.framing import frame
from clusterdns.engine.manners import Peer
from clusterdns.transports import stream
from clusterdns.transports.crowd import Crowd, Limits
from clusterdns.transports.sockets import bind_pairs
from clusterdns.transports.stream import Connection, StreamListener
from clusterdns.transports.udp import UdpListener

PATIENCE = 30.0  # seconds; only a fault waits so long
WEB, OUT = "web.shop.svc.cluster.local", "www.example.com"
LOCAL = responder(*SHOP)


class Slow:
    """Answers names of ours at once, and any other when the test lets it, with the query's own octets."""

    def __init__(self) -> None:
        self.waiting: list[tuple[bytes, Send]] = []

    def __call__(self, packet: bytes, transport: str, peer: Peer) -> bytes | Later | None:
        if b"example" not in packet:
            return LOCAL.answer(packet, transport, peer)
        if b"at-once" in packet:
            return lambda send: send(packet)
        return lambda send: self.waiting.append((packet, send))

    def release(self) -> None:
        waiting, self.waiting = self.waiting, []
        for packet, send in waiting:
            send(packet)


async def until(condition: Callable[[], bool]) -> None:
    """For what nobody tells: that a packet has been read, that a transport has gone."""
    async with asyncio.timeout(PATIENCE):
        for _ in iter(condition, True):
            await asyncio.sleep(0)


# UDP.


def udp(story: Callable[[UdpListener, Slow, socket.socket], Awaitable[None]]) -> None:
    async def main() -> None:
        ((sock, tcp),) = bind_pairs(("127.0.0.1", 0))
        tcp.close()
        slow = Slow()
        listener = UdpListener(sock, slow)
        listener.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect(sock.getsockname())
            try:
                async with asyncio.timeout(PATIENCE):
                    await story(listener, slow, client)
            finally:
                listener.close()

    asyncio.run(main())


def test_a_datagram_that_waits_keeps_no_other_waiting() -> None:
    async def story(listener: UdpListener, slow: Slow, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        client.send(query(OUT, ident=1))
        client.send(query("at-once.example", ident=2))
        client.send(query(WEB, ident=3))
        assert [(await loop.sock_recv(client, 4096))[:2] for _ in range(2)] == [b"\0\2", b"\0\3"]
        assert listener.under_way == 1
        slow.release()
        assert await loop.sock_recv(client, 4096) == query(OUT, ident=1)
        assert (listener.under_way, listener.queries, listener.unsent) == (0, 3, 0)

    udp(story)


def test_an_answer_for_a_socket_that_is_closed_is_dropped() -> None:
    async def story(listener: UdpListener, slow: Slow, client: socket.socket) -> None:
        client.send(query(OUT))
        await until(lambda: bool(slow.waiting))
        listener.close()
        slow.release()
        assert (listener.under_way, listener.unsent) == (0, 0)
        # Closed twice: by the test as well.
        listener.close = lambda: None  # type: ignore[method-assign]

    udp(story)


def test_a_late_answer_that_the_kernel_does_not_take_is_counted() -> None:
    async def story(listener: UdpListener, slow: Slow, client: socket.socket) -> None:
        client.send(query(OUT))
        await until(lambda: bool(slow.waiting))
        slow.waiting[0][1](bytes(70_000))
        assert listener.unsent == 1

    udp(story)


def test_a_client_that_asks_again_at_once_has_not_the_loop_to_itself() -> None:
    async def story(listener: UdpListener, slow: Slow, client: socket.socket) -> None:
        turns, answered = 0, list[int]()

        def turn() -> None:
            nonlocal turns
            turns += 1
            if len(answered) < 20:
                asyncio.get_running_loop().call_soon(turn)

        def answer(*_: object) -> None:
            answered.append(turns)
            client.send(query(WEB))

        listener.answer = answer
        turn()
        client.send(query(WEB))
        await until(lambda: len(answered) >= 20)
        assert len({*answered[:20]}) == 20

    udp(story)


def test_full_batches_show_that_packets_pile_up() -> None:
    async def story(listener: UdpListener, slow: Slow, client: socket.socket) -> None:
        seen: list[bool] = []
        listener.answer = lambda *_: seen.append(listener.pressed)
        for _ in range(100):
            client.send(query(WEB))
        await until(lambda: len(seen) == 100)
        assert seen == [True] * 64 + [False] * 36
        client.send(query(WEB))
        await until(lambda: len(seen) == 101)
        assert not seen[-1]

    udp(story)


def test_a_full_batch_with_nothing_behind_it_is_no_pile() -> None:
    """Nothing may come for long after it, and who asks over TCP meanwhile is not to be refused."""

    async def story(listener: UdpListener, slow: Slow, client: socket.socket) -> None:
        listener.answer = lambda *_: None
        for _ in range(64):
            client.send(query(WEB))
        await until(lambda: listener.queries == 64)
        assert not listener.pressed

    udp(story)


# TCP.

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def tcp(
    story: Callable[[StreamListener, Slow, tuple[str, int]], Awaitable[None]],
    limits: Limits = Limits(),  # noqa: B008 - it is frozen
) -> None:
    async def main() -> None:
        ((sock, listening),) = bind_pairs(("127.0.0.1", 0))
        sock.close()
        slow = Slow()
        listener = StreamListener(listening, slow, Crowd(limits))
        await listener.start()
        try:
            async with asyncio.timeout(PATIENCE):
                await story(listener, slow, listening.getsockname()[:2])
        finally:
            await listener.close()

    asyncio.run(main())


@asynccontextmanager
async def connected(address: tuple[str, int]) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield reader, writer
    finally:
        writer.close()


async def receive(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(2)))


def test_a_thousand_local_answers_overtake_one_that_waits() -> None:
    async def story(listener: StreamListener, slow: Slow, address: tuple[str, int]) -> None:
        async with connected(address) as (reader, writer):
            writer.write(frame(query(OUT, ident=1)))
            writer.write(b"".join(frame(query(WEB, ident=ident)) for ident in range(2, 1002)))
            assert [int.from_bytes((await receive(reader))[:2]) for _ in range(1000)] == list(range(2, 1002))
            slow.release()
            assert (await receive(reader))[:2] == b"\0\1"
        assert (listener.under_way, listener.queries) == (0, 1001)

    tcp(story)


def test_late_answers_go_out_in_the_order_they_come() -> None:
    async def story(listener: StreamListener, slow: Slow, address: tuple[str, int]) -> None:
        async with connected(address) as (reader, writer):
            writer.write(b"".join(frame(query(OUT, ident=ident)) for ident in range(5)))
            await until(lambda: len(slow.waiting) == 5)
            slow.waiting.reverse()
            slow.release()
            assert [(await receive(reader))[1] for _ in range(5)] == [4, 3, 2, 1, 0]

    tcp(story)


def test_a_half_closed_connection_stays_until_its_answers_are_written() -> None:
    async def story(listener: StreamListener, slow: Slow, address: tuple[str, int]) -> None:
        async with connected(address) as (reader, writer):
            writer.write(b"".join(frame(query(OUT, ident=ident)) for ident in range(3)) + frame(query(WEB, ident=9)))
            writer.write_eof()
            assert (await receive(reader))[:2] == b"\0\x09"
            await until(lambda: len(slow.waiting) == 3)
            for ident in range(3):
                packet, send = slow.waiting.pop(0)
                send(packet)
                assert (await receive(reader))[:2] == ident.to_bytes(2)
            assert await reader.read() == b"", "and then it ends"
        await until(lambda: not len(listener.crowd))

    tcp(story)


def test_silence_while_we_are_slow_is_ours() -> None:
    async def story(listener: StreamListener, slow: Slow, address: tuple[str, int]) -> None:
        async with connected(address) as (reader, writer):
            writer.write(frame(query(OUT)))
            await until(lambda: bool(slow.waiting))
            (connection,) = listener.crowd
            assert isinstance(connection, Connection)
            for _ in range(5):
                connection._silent()  # its time is over
            slow.release()
            assert await receive(reader) == query(OUT)
            connection._silent()
            assert await reader.read() == b"", "nothing is owed any more"

    tcp(story)


def test_beyond_so_many_under_way_further_queries_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_UNDER_WAY", 3)

    async def story(listener: StreamListener, slow: Slow, address: tuple[str, int]) -> None:
        async with connected(address) as (reader, writer):
            writer.write(b"".join(frame(query(OUT, ident=ident)) for ident in range(10)))
            got: list[bytes] = []
            while len(got) < 10:
                await until(lambda: len(slow.waiting) == min(3, 10 - len(got)))
                packet, send = slow.waiting.pop(0)
                send(packet)
                got.append(await receive(reader))
            assert [response[1] for response in got] == list(range(10))
            writer.write(frame(query(WEB, ident=11)))
            assert read(await receive(reader)).answer, "and it is read from again"

    tcp(story)


def test_an_answer_for_a_client_that_has_gone_is_dropped() -> None:
    async def story(listener: StreamListener, slow: Slow, address: tuple[str, int]) -> None:
        async with connected(address) as (_, writer):
            writer.write(frame(query(OUT)))
            await until(lambda: bool(slow.waiting))
            linger = struct.pack("ii", 1, 0)  # closing sends a reset
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        await until(lambda: not len(listener.crowd))
        slow.release()
        assert listener.under_way == 0
        async with connected(address) as (reader, writer):
            writer.write(frame(query(WEB)))
            assert read(await receive(reader)).answer, "others are served"

    tcp(story)


def test_a_listener_that_closes_does_not_wait() -> None:
    async def story(listener: StreamListener, slow: Slow, address: tuple[str, int]) -> None:
        async with connected(address) as (reader, writer):
            writer.write(frame(query(OUT)))
            await until(lambda: bool(slow.waiting))
            await listener.close()
            slow.release()
            assert await reader.read() == b""

    tcp(story)


def test_late_answers_for_a_client_that_never_reads_are_not_kept_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_LATE_OCTETS", 200_000)

    async def story(listener: StreamListener, slow: Slow, address: tuple[str, int]) -> None:
        client = socket.create_connection(address)
        client.setblocking(False)
        await asyncio.get_running_loop().sock_sendall(client, frame(query(OUT)) * 900)
        await until(lambda: len(slow.waiting) == 900)
        for _, send in slow.waiting:
            send(bytes(60_000))
        await until(lambda: not len(listener.crowd))
        assert listener.under_way == 0
        client.close()

    tcp(story)
