"""The HTTP address: health, readiness, and addresses that cannot be had."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence

import aiohttp
import pytest
from ports import free_port

from clusterdns.admin.http import Address, HttpServer
from clusterdns.cluster.model import Key, Service, ServicePort
from clusterdns.errors import OperatorError
from clusterdns.metrics import Sample
from clusterdns.transports.sockets import local_addresses


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback address")


class Reasons:
    def __init__(self, *reasons: str, services: Sequence[Service] | None = None) -> None:
        self.reasons = reasons
        self.published = services

    def ready_reasons(self) -> Sequence[str]:
        return self.reasons

    def stale(self) -> str:
        return ""

    def ready_notes(self) -> Sequence[str]:
        return ()

    def status(self) -> object:
        return {"ready": not self.reasons}

    def samples(self) -> Callable[[], Iterable[Sample]]:
        return tuple

    def services(self, _: Callable[[Key], bool]) -> Sequence[Service] | None:
        return self.published


def serving(addresses: Sequence[Address], state: Reasons, ask: Callable[[list[Address]], Awaitable[None]]) -> None:
    async def life() -> None:
        server = HttpServer(state)
        try:
            await ask(await server.start(addresses))
        finally:
            await server.stop()
            await server.stop()  # twice does no harm

    asyncio.run(life())


async def get(address: Address, path: str) -> tuple[int, str]:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{host}:{address[1]}{path}") as response,
    ):
        assert "Server" not in response.headers
        return response.status, await response.text()


def test_health_and_ready() -> None:
    state = Reasons("manifests: not scanned yet", "forward: no upstream answers")

    async def ask(bound: list[Address]) -> None:
        (address,) = bound
        assert await get(address, "/health") == (200, "OK")
        assert await get(address, "/ready") == (503, "manifests: not scanned yet\nforward: no upstream answers")
        state.reasons = ()
        assert await get(address, "/ready") == (200, "OK")
        assert (await get(address, "/api/v1/records"))[0] == 404

    serving([("127.0.0.1", 0)], state, ask)


@needs_ipv6
def test_every_address_is_bound() -> None:
    async def ask(bound: list[Address]) -> None:
        assert [host for host, _ in bound] == ["127.0.0.1", "::1", "0.0.0.0"]
        assert all(port for _, port in bound)  # the kernel may give two families the same one
        for address in bound:
            assert await get(address, "/health") == (200, "OK")

    serving([("127.0.0.1", 0), ("::1", 0), ("0.0.0.0", 0)], Reasons(), ask)


def test_serving_before_anybody_asks_and_moving_meanwhile() -> None:
    async def life() -> None:
        server, any_port = HttpServer(Reasons()), ("127.0.0.1", 0)
        one, other = ("127.0.0.1", free_port()), ("127.0.0.2", free_port())  # nobody else has them once they are left
        first = await server.start([any_port, one])
        serving = asyncio.create_task(server.serve())
        await asyncio.sleep(0)
        assert await server.move([any_port, one, other]) == [*first, other]
        await serving
        assert await server.move([other]) == [other]
        assert await get(other, "/health") == (200, "OK")
        socket.create_server(one).close()
        await server.stop()
        socket.create_server(other).close()

    asyncio.run(life())


def test_an_address_that_goes_before_anybody_asks() -> None:
    async def life() -> None:
        server = HttpServer(Reasons())
        (gone,) = await server.start([("127.0.0.1", free_port())])
        await server.move([])
        await server.serve()
        socket.create_server(gone).close()
        await server.stop()

    asyncio.run(life())


@needs_ipv6
def test_ipv6_and_ipv4_wildcards_share_a_port() -> None:
    async def ask(bound: list[Address]) -> None:
        port = bound[0][1]
        server = HttpServer(Reasons())
        assert await server.start([("0.0.0.0", port)]) == [("0.0.0.0", port)]
        await server.stop()

    serving([("::", free_port())], Reasons(), ask)


def test_no_address_at_all() -> None:
    async def ask(bound: list[Address]) -> None:
        assert bound == []

    serving([], Reasons(), ask)


async def nothing(_: list[Address]) -> None:
    pytest.fail("must not start")


def test_a_taken_port_is_one_line_and_leaves_nothing_open() -> None:
    port, other = free_port(), free_port()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(OperatorError) as caught:
        serving([("127.0.0.1", other), ("127.0.0.1", port)], Reasons(), nothing)
    assert str(caught.value) == (
        f"http 127.0.0.1:{port}: Address already in use;"
        " end the process that has it, or choose another with --http (port 0: any free one)"
    )
    socket.create_server(("127.0.0.1", other)).close()


def test_an_address_of_another_machine() -> None:
    with pytest.raises(OperatorError, match=r"^http \[2001:db8::1\]:9153: .*; choose an address of this machine"):
        serving([("2001:db8::1", 9153)], Reasons(), nothing)


WEB = Service(Key("shop", "web"), cluster_ips=(b"\x0a\x60\x00\x01",), ports=(ServicePort("", "tcp", 80, 80),))
API = Service(
    Key("default", "kubernetes"), cluster_ips=(b"\x0a\x60\x00\x02",), ports=(ServicePort("", "tcp", 443, 443),)
)


def test_variables_of_a_namespace() -> None:
    async def ask(bound: list[Address]) -> None:
        path = "/api/v1/env?namespace="
        hosts = {
            query: [name for name in json.loads((await get(bound[0], path + query))[1]) if name.endswith("_HOST")]
            for query in ("shop", "shop&links=false", "other")
        }
        kubernetes = "KUBERNETES_SERVICE_HOST"
        assert hosts == {
            "shop": [kubernetes, "WEB_SERVICE_HOST"],
            "shop&links=false": [kubernetes],
            "other": [kubernetes],
        }

    serving([("127.0.0.1", 0)], Reasons(services=[WEB, API]), ask)


def test_no_variables_before_the_first_round() -> None:
    async def ask(bound: list[Address]) -> None:
        assert (await get(bound[0], "/api/v1/env"))[0] == 503

    serving([("127.0.0.1", 0)], Reasons(), ask)


def test_other_machines_are_told_of_no_service() -> None:
    others = [host for host in local_addresses("0.0.0.0") if not host.startswith("127.")]
    if not others:
        pytest.skip("this machine has loopback addresses only")

    async def ask(bound: list[Address]) -> None:
        port = bound[0][1]
        assert (await get((others[0], port), "/health"))[0] == 200
        assert (await get((others[0], port), "/api/v1/env"))[0] == 404
        assert (await get(("127.0.0.1", port), "/api/v1/env"))[0] == 200

    serving([("0.0.0.0", 0)], Reasons(services=[WEB, API]), ask)
