"""TCP over loopback: however clients cut, half-close, stall or go, each gets its answers and nobody harms another."""

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from unittest.mock import Mock

import pytest
from packets import opt, query, read
from strategies import SHOP, headless, many, responder

from clusterdns.engine.elsewhere import Later
from clusterdns.engine.framing import frame
from clusterdns.engine.manners import Peer
from clusterdns.transports import stream
from clusterdns.transports.crowd import Crowd, Limits
from clusterdns.transports.sockets import bind_pairs
from clusterdns.transports.stream import StreamListener

PATIENCE = 30.0  # seconds; only a fault waits so long
WEB = "web.shop.svc.cluster.local"
CROWD = "crowd.shop.svc.cluster.local"
SERVER = responder(*SHOP, headless("shop/crowd", *many(4000)))

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Scenario = Callable[[StreamListener, tuple[str, int]], Awaitable[None]]


def run(scenario: Scenario, limits: Limits = Limits()) -> None:  # noqa: B008 - it is frozen
    """*scenario* with a listener on a free port."""

    async def main() -> None:
        ((udp, tcp),) = bind_pairs(("127.0.0.1", 0))
        udp.close()
        listener = StreamListener(tcp, SERVER.answer, Crowd(limits))
        await listener.start()
        try:
            async with asyncio.timeout(PATIENCE):
                await scenario(listener, tcp.getsockname()[:2])
                await listener.close()
                # What is unsent goes when the kernel tells that its reader has gone, which may be after the loop's end.
                await until(lambda: not listener._connections)
        finally:
            await listener.close()

    asyncio.run(main())


@asynccontextmanager
async def connected(address: tuple[str, int], source: str = "127.0.0.1") -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection(*address, local_addr=(source, 0))
    try:
        yield reader, writer
    finally:
        writer.close()


async def receive(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(2)))


async def ask(streams: Streams, name: str = WEB, ident: int = 1) -> bytes:
    reader, writer = streams
    writer.write(frame(query(name, ident=ident)))
    return await receive(reader)


async def until(condition: Callable[[], bool]) -> None:
    """For what nobody tells: that the kernel's buffers are full, that a transport has gone."""
    for _ in iter(condition, True):
        await asyncio.sleep(0)


def writing_waits(listener: StreamListener) -> bool:
    return any(isinstance(one, stream.Connection) and not one._may_write for one in listener.crowd)


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What comes until the server ends the connection, in whatever way."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


def test_a_thousand_queries_in_one_write() -> None:
    async def scenario(listener: StreamListener, address: tuple[str, int]) -> None:
        async with connected(address) as (reader, writer):
            writer.write(b"".join(frame(query(WEB, ident=ident)) for ident in range(1000)))
            assert [int.from_bytes((await receive(reader))[:2]) for _ in range(1000)] == list(range(1000))
        assert listener.queries == 1000

    run(scenario)


def test_many_who_come_at_once_are_let_in() -> None:
    """The kernel keeps those whom the loop has not got to yet: more than asyncio's own 100."""
    with ExitStack() as stack:

        async def scenario(listener: StreamListener, address: tuple[str, int]) -> None:
            clients = [stack.enter_context(socket.socket()) for _ in range(300)]
            for client in clients:  # the loop does not turn meanwhile
                client.settimeout(PATIENCE)
                client.connect(address)
            await until(lambda: listener.crowd.ever == len(clients))

        run(scenario, Limits(per_client=1000))


def test_one_octet_at_a_time() -> None:
    async def scenario(listener: StreamListener, address: tuple[str, int]) -> None:
        async with connected(address) as (reader, writer):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for octet in frame(query(WEB, ident=5)) + frame(query(CROWD, ident=6)):
                writer.write(bytes((octet,)))
                await writer.drain()
                await asyncio.sleep(0)
            assert read(await receive(reader)).id == 5
            assert len(read(await receive(reader)).answer) == 4000

    run(scenario)


def test_a_client_may_close_its_side_and_still_read() -> None:
    async def scenario(listener: StreamListener, address: tuple[str, int]) -> None:
        async with connected(address) as (reader, writer):
            writer.write(b"".join(frame(query(CROWD, ident=ident, edns=opt())) for ident in range(100)))
            writer.write_eof()
            got = await ended(reader)
        assert len(got) > 100 * 4000 * 16
        at = 0
        for ident in range(100):
            assert got[at + 2 : at + 4] == ident.to_bytes(2)
            at += 2 + int.from_bytes(got[at : at + 2])
        assert at == len(got)

    run(scenario)


def test_a_client_that_never_reads_is_not_answered_without_end() -> None:
    async def scenario(listener: StreamListener, address: tuple[str, int]) -> None:
        async with connected(address) as silent, connected(address) as other:
            flood = frame(query(CROWD)) * 100
            silent[1].write(flood * 20)  # 130 MB of answers
            for ident in range(50):
                assert read(await ask(other, ident=ident)).id == ident, "others are served"
            (connection,) = (one for one in listener.crowd if isinstance(one, stream.Connection) and not one._may_write)
            assert connection._transport.get_write_buffer_size() < stream._UNSENT_OCTETS + 70_000
            assert sum(map(len, connection._waiting)) <= 256 * 1024, "not more than one read of the loop"
            assert listener.queries < 2000

    run(scenario)


def test_a_client_that_reads_late_gets_everything() -> None:
    async def scenario(listener: StreamListener, address: tuple[str, int]) -> None:
        async with connected(address) as (reader, writer):
            writer.write(b"".join(frame(query(CROWD, ident=ident)) for ident in range(300)))
            writer.write(frame(query(WEB, ident=999)))
            await until(lambda: writing_waits(listener))
            for ident in range(300):
                assert (await receive(reader))[:2] == ident.to_bytes(2)
            assert read(await receive(reader)).id == 999

    run(scenario)


def test_one_client_with_many_queries_does_not_keep_the_loop() -> None:
    async def scenario(listener: StreamListener, address: tuple[str, int]) -> None:
        turns: list[int] = []
        original = listener.answer

        def counting(packet: bytes, transport: str, peer: Peer) -> bytes | Later | None:
            if not turns:
                turns.append(-1)
                asyncio.get_running_loop().call_soon(lambda: turns.append(listener.queries))
            return original(packet, transport, peer)

        listener.answer = counting
        async with connected(address) as (reader, writer):
            writer.write(frame(query(WEB)) * 3000)
            for _ in range(3000):
                await receive(reader)
        assert 0 < turns[1] <= 100, "others have their turn in between"

    run(scenario)


@pytest.mark.parametrize("sent", [b"", b"\0", b"\0\x30abc", frame(query(WEB))[:-1]])
def test_silence_for_too_long_ends_a_connection(sent: bytes) -> None:
    async def scenario(listener: StreamListener, address: tuple[str, int]) -> None:
        async with connected(address) as (reader, writer):
            writer.write(sent)
            assert await ended(reader) == b""
        assert not len(listener.crowd)

    run(scenario, Limits(idle=0.05))


@pytest.fixture
def restarts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One for each time that the silence of a connection ends."""
    seen: list[int] = []
    original = stream.Connection._restart_idle

    def counting(self: stream.Connection) -> None:
        seen.append(1)
        original(self)

    monkeypatch.setattr(stream.Connection, "_restart_idle", counting)
    return seen


def test_what_is_no_query_is_silence(restarts: list[int]) -> None:
    """Two octets now and then must not hold a connection."""

    async def scenario(listener: StreamListener, address: tuple[str, int]) -> None:
        async with connected(address) as streams:
            streams[1].write(frame(b"") * 3 + frame(b"\0") + frame(query(WEB, flags=0x8000)))
            await until(lambda: listener.queries == 5)
            assert len(restarts) == 1, "when it came"
            await ask(streams)
            assert len(restarts) == 2

    run(scenario)


def test_a_client_that_never_reads_is_left_in_the_end() -> None:
    async def scenario(listener: StreamListener, address: tuple[str, int]) -> None:
        sock = socket.create_connection(address)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_sendall(sock, frame(query(CROWD)) * 1000)
        await until(lambda: bool(len(listener.crowd)))
        await until(lambda: not len(listener.crowd))
        sock.close()

    run(scenario, Limits(idle=0.2))


def test_who_reads_slowly_but_reads_is_not_silent(restarts: list[int]) -> None:
    """Its queries wait for it, not for new ones: no message arrives for longer than the limit."""

    async def scenario(listener: StreamListener, address: tuple[str, int]) -> None:
        async with connected(address) as (reader, writer):
            writer.write(frame(query(CROWD)) * 300)
            await writer.drain()
            await until(lambda: writing_waits(listener))
            before = len(restarts)
            for _ in range(300):
                await receive(reader)
            assert len(restarts) > before, "each time that it took what was held for it"

    run(scenario)


def test_over_its_limit_a_client_loses_its_most_silent_connection() -> None:
    async def scenario(listener: StreamListener, address: tuple[str, int]) -> None:
        async with connected(address) as first, connected(address) as second, connected(address) as third:
            for ident, streams in enumerate((first, second, third, first)):
                await ask(streams, ident=ident)
            async with connected(address, "127.0.0.2") as stranger:
                await ask(stranger)
                async with connected(address) as fourth:
                    await ask(fourth)
                    assert await ended(second[0]) == b"", "it was silent for longest"
                    for streams in (first, third, fourth, stranger):
                        await ask(streams)
        assert len(list(listener.crowd)) == len(listener.crowd)

    run(scenario, Limits(per_client=3))


def test_a_network_that_one_has_as_a_whole_is_one_client() -> None:
    async def scenario(listener: StreamListener, _: tuple[str, int]) -> None:
        connections = list[stream.Connection]()
        for host in ("2001:db8:0:1::7", "2001:db8:0:1::8", "2001:db8:0:2::7", "fd00::7", "fd00::8"):
            transport = Mock(asyncio.Transport)
            transport.get_extra_info.return_value = (host, 5300, 0, 0)
            connections.append(stream.Connection(listener))
            connections[-1].connection_made(transport)
        assert sorted(one.client for one in listener.crowd) == [
            *("2001:db8:0:1::/64", "2001:db8:0:2::/64", "fd00::7", "fd00::8"),
        ]
        assert listener.crowd.ended == {"evicted": 1}
        for connection in connections:
            connection.connection_lost(None)

    run(scenario, Limits(per_client=1))


def test_over_the_total_the_client_with_most_connections_loses_one() -> None:
    async def scenario(listener: StreamListener, address: tuple[str, int]) -> None:
        async with (
            connected(address, "127.0.0.2") as lone,
            connected(address) as first,
            connected(address) as second,
            connected(address) as third,
        ):
            for streams in (lone, first, second, third):
                await ask(streams)
            async with connected(address, "127.0.0.3") as newcomer:
                await ask(newcomer)
                assert await ended(first[0]) == b""
                for streams in (lone, second, third, newcomer):
                    await ask(streams)
                assert len(listener.crowd) == 4

    run(scenario, Limits(total=4))


@pytest.mark.parametrize("announced", [4097, 65535])
def test_a_message_that_is_announced_too_long_ends_the_connection(announced: int) -> None:
    async def scenario(listener: StreamListener, address: tuple[str, int]) -> None:
        async with connected(address) as (reader, writer), connected(address) as other:
            writer.write(announced.to_bytes(2))
            assert await ended(reader) == b""
            await ask(other)

    run(scenario)


def test_a_reset_harms_nobody_and_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def scenario(listener: StreamListener, address: tuple[str, int]) -> None:
        async with connected(address) as other:
            for sent in (b"", frame(query(WEB)), frame(query(CROWD)) * 1000):
                sock = socket.create_connection(address)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.setblocking(False)
                await asyncio.get_running_loop().sock_sendall(sock, sent)
                sock.close()  # with a RST
                assert read(await ask(other, ident=3)).id == 3
            await until(lambda: len(listener.crowd) == 1)

    run(scenario)
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_connection_that_fails_while_it_is_answered_ends_quietly(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(listener: StreamListener, address: tuple[str, int]) -> None:
        answered: list[bytes] = []
        original = listener.answer

        def failing(packet: bytes, transport: str, peer: Peer) -> bytes | Later | None:
            answered.append(packet)
            for connection in listener.crowd:
                connection.abort()
            return original(packet, transport, peer)

        listener.answer = failing
        async with connected(address) as (reader, writer):
            writer.write(frame(query(WEB)) * 50)
            assert await ended(reader) == b""
        assert len(answered) == 1, "nobody is there for the others"

    run(scenario)
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_close_sends_what_is_held_and_takes_no_more() -> None:
    async def scenario(listener: StreamListener, address: tuple[str, int]) -> None:
        async with connected(address) as idle, connected(address) as reading:
            await ask(idle)
            await ask(reading)
            reading[1].write(frame(query(CROWD)))
            await until(lambda: listener.queries == 3)
            await listener.close()
            assert await ended(idle[0]) == b""
            assert len(await ended(reading[0])) > 60_000
            with pytest.raises(ConnectionError):
                await asyncio.open_connection(*address)

    run(scenario)


def test_a_query_that_gets_silence_keeps_its_connection() -> None:
    async def scenario(listener: StreamListener, address: tuple[str, int]) -> None:
        async with connected(address) as streams:
            streams[1].write(frame(b"") + frame(b"short") + frame(query(WEB, flags=0x8000)))
            assert read(await ask(streams, ident=4)).id == 4

    run(scenario)
