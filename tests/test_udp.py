"""UDP over loopback: datagrams in batches, answers from the address asked, nothing lost at the end."""

import asyncio
import socket
from collections.abc import Callable

import pytest
from packets import query, read, with_ipv6
from strategies import SHOP, responder

from clusterdns.engine.manners import Peer
from clusterdns.transports.sockets import bind_pairs
from clusterdns.transports.udp import UdpListener

PATIENCE = 30.0  # seconds; only a fault waits so long
WEB = "web.shop.svc.cluster.local"


def listener(
    answer: Callable[[bytes, str, Peer], bytes | None], host: str = "127.0.0.1"
) -> tuple[UdpListener, tuple[str, int]]:
    ((udp, tcp),) = bind_pairs((host, 0))
    tcp.close()
    return UdpListener(udp, answer), udp.getsockname()[:2]


def client(peer: tuple[str, int]) -> socket.socket:
    """Connected: it takes datagrams from the address it asked only."""
    sock = socket.socket(socket.AF_INET6 if ":" in peer[0] else socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.setblocking(False)
    sock.connect(peer)
    return sock


async def receive(sock: socket.socket, count: int) -> list[bytes]:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE):
        return [await loop.sock_recv(sock, 65_535) for _ in range(count)]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", pytest.param("::1", marks=with_ipv6)])
def test_answers_come_from_the_address_that_was_asked(host: str) -> None:
    async def scenario() -> None:
        server, address = listener(responder(*SHOP).answer, host)
        server.start()
        with client(address) as sock:
            sock.send(query(WEB, ident=7))
            (response,) = await receive(sock, 1)
            assert read(response).id == 7
        server.close()

    asyncio.run(scenario())


def test_many_datagrams_are_answered_each_with_its_own_id() -> None:
    async def scenario() -> None:
        server, address = listener(responder(*SHOP).answer)
        with client(address) as sock:
            for ident in range(300):  # before the server looks: more than one wake-up's batch
                sock.send(query(WEB, ident=ident))
            server.start()
            got = await receive(sock, 300)
        assert sorted(int.from_bytes(response[:2]) for response in got) == list(range(300))
        assert server.queries == 300
        server.close()

    asyncio.run(scenario())


def test_others_have_their_turn_between_batches() -> None:
    async def scenario() -> None:
        turns: list[int] = []
        served: list[bytes] = []
        done = asyncio.Event()

        def answer(packet: bytes, transport: str, peer: Peer) -> None:
            if not served:
                asyncio.get_running_loop().call_soon(lambda: turns.append(len(served)))
            served.append(packet)
            if len(served) == 300:
                done.set()

        server, address = listener(answer)
        with client(address) as sock:
            for ident in range(300):
                sock.send(query(WEB, ident=ident))
            server.start()
            async with asyncio.timeout(PATIENCE):
                await done.wait()
        server.close()
        assert 0 < turns[0] < 300

    asyncio.run(scenario())


def test_close_answers_what_has_arrived() -> None:
    async def scenario() -> None:
        server, address = listener(responder(*SHOP).answer)
        server.start()
        with client(address) as sock:
            for ident in range(300):
                sock.send(query(WEB, ident=ident))
            server.close()
            assert len(await receive(sock, 300)) == 300
        assert server.queries == 300

    asyncio.run(scenario())


def test_silence_and_junk_stop_nothing() -> None:
    async def scenario() -> None:
        server, address = listener(responder(*SHOP).answer)
        server.start()
        with client(address) as sock:
            for packet in (b"", b"x", query(WEB, flags=0x8000), bytes(60_000), b"\xff" * 5000):
                sock.send(packet)
            sock.send(query(WEB, ident=9))
            got = await receive(sock, 2)
            assert [response[:2] for response in got] == [b"\0\0", b"\0\x09"], "zeros are a query without a question"
        server.close()

    asyncio.run(scenario())


def test_a_client_that_has_gone_harms_nobody() -> None:
    async def scenario() -> None:
        server, address = listener(responder(*SHOP).answer)
        server.start()
        with client(address) as sock:  # before the others: it would else perhaps get the port of one, and its answer
            for ident in range(50):
                with client(address) as gone:
                    gone.send(query(WEB, ident=ident))
            sock.send(query(WEB, ident=77))
            (response,) = await receive(sock, 1)
            assert response[:2] == b"\0\x4d"
        server.close()

    asyncio.run(scenario())


def test_what_the_kernel_does_not_take_is_counted() -> None:
    async def scenario() -> None:
        server, address = listener(lambda packet, *_: bytes(70_000) if packet == b"big" else packet)
        server.start()
        with client(address) as sock:
            sock.send(b"big")
            sock.send(b"small")
            assert await receive(sock, 1) == [b"small"]
        assert (server.queries, server.unsent) == (2, 1)
        server.close()

    asyncio.run(scenario())
