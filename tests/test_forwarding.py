"""A server in front of upstreams that do what a test says, asked with dig."""

import asyncio
import gc
import logging
import re
import shutil
import socket
import weakref
from functools import partial
from pathlib import Path
from typing import Any

import dns.edns
import dns.message
import dns.rcode
import pytest
from behaviours import answer, drop, hold
from farm import Asked, Farm, dead_port
from fronting import DOCS, SOA, WEB, Client, Running, at, serving, story, until, wait_long
from msgspec.structs import replace
from packets import opt, query, read
from ports import free_port

from clusterdns import forwarding as forwarding_module
from clusterdns import server as server_module
from clusterdns.cluster.addresses import parse_network
from clusterdns.config import Settings, load_settings
from clusterdns.engine.framing import frame
from clusterdns.errors import OperatorError
from clusterdns.forward.membership import Upstreams
from clusterdns.server import Server

OUT = "www.example.com"
NODE_LOCAL = Path(__file__).parent.parent / "configs" / "node-local.yaml"

with_dig = pytest.mark.skipif(not shutil.which("dig"), reason="dig is not installed")


@pytest.fixture(autouse=True)
def a_slow_machine_is_no_dead_upstream(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_long(monkeypatch)


def errors(message: dns.message.Message) -> list[int]:
    return [int(one.code) for one in message.options if isinstance(one, dns.edns.EDEOption)]


def explained(running: Running) -> str:
    """Whom ``explain`` names as the upstreams of a name of others."""
    found = next(step for step in running.server._window.explanation({"name": "www.example.com."}) if step)
    text = found.cause.text if found.cause else ""
    return text.removeprefix("www.example.com. would be forwarded to ").removesuffix(" (upstream)")


def zone(asked: Asked) -> None:
    """Of example.com: www has an address, docs leads to it, nothing else exists."""
    name = asked.name.lower().rstrip(".")
    records = {
        "www.example.com": [f"{asked.name} 300 A 192.0.2.1"],
        "docs.example.com": [f"{asked.name} 60 CNAME www.example.com.", "www.example.com. 300 A 192.0.2.1"],
    }
    if name in records:
        asked.send(asked.reply(answer=records[name]))
    else:
        asked.send(asked.reply(answer=[], authority=[SOA], rcode=3))


@with_dig
def test_names_of_others_are_asked_for_and_kept(tmp_path: Path) -> None:
    async def told(farm: Farm) -> None:
        upstream = await farm.add(zone)
        async with serving(tmp_path, upstream=[at(upstream)]) as server:
            expected = "NOERROR qr rd ra | www.example.com. 300 IN A 192.0.2.1"
            assert await server.said(OUT) == expected
            assert re.sub(r" \d+ IN", " 300 IN", await server.said(OUT, "+tcp")) == expected
            assert re.sub(r" \d+ IN", " 300 IN", await server.said(OUT, "+norec")) == expected.replace(" rd", "")
            assert await server.said("no.example.com") == "NXDOMAIN qr rd ra | example.com. SOA"
            assert await server.said("other.example.com", "+norec") == "REFUSED qr ra"
            assert await server.said(WEB) == f"NOERROR qr aa rd ra | {WEB}. 5 IN A 10.96.0.9"
            assert len(upstream.asked) == 2

    story(told)


@with_dig
def test_aliases_that_lead_out(tmp_path: Path) -> None:
    async def told(farm: Farm) -> None:
        upstream = await farm.add(zone)
        async with serving(tmp_path, upstream=[at(upstream)]) as server:
            link = f"{DOCS}. 5 IN CNAME docs.example.com."
            assert await server.said(DOCS) == (
                f"NOERROR qr aa rd ra | {link} | docs.example.com. 60 IN CNAME www.example.com."
                " | www.example.com. 300 IN A 192.0.2.1"
            )
            assert await server.said(DOCS, "CNAME") == f"NOERROR qr aa rd ra | {link}"
            upstream.does = lambda asked: asked.send(asked.reply(answer=[], authority=[SOA], rcode=3))
            assert await server.said(DOCS, "AAAA") == f"NXDOMAIN qr aa rd ra | {link} | example.com. SOA"
            upstream.does = lambda asked: asked.send(asked.reply(rcode=2))
            assert await server.said(DOCS, "TXT") == f"SERVFAIL qr aa rd ra | {link}"

    story(told)


@with_dig
def test_stub_domains_special_names_and_what_falls_through(tmp_path: Path) -> None:
    async def told(farm: Farm) -> None:
        upstream, stub = await farm.add(answer), await farm.add(answer)
        settings: dict[str, Any] = {
            "upstream": [at(upstream)],
            "stub_domains": {"corp.example": [at(stub)]},
        }
        async with serving(tmp_path, **settings) as server:
            assert await server.said("db.corp.example") == "NOERROR qr rd ra | db.corp.example. 300 IN A 192.0.2.2"
            assert await server.said("corp.example.org") == "NOERROR qr rd ra | corp.example.org. 300 IN A 192.0.2.1"
            assert await server.said("x.localhost") == "NOERROR qr aa rd ra | x.localhost. 300 IN A 127.0.0.1"
            assert await server.said("printer.home.arpa") == "NXDOMAIN qr aa rd ra | home.arpa. SOA"
            seen = farm.queries
            assert await server.said("-x", "10.96.9.9") == "NXDOMAIN qr aa rd ra | in-addr.arpa. SOA"
            assert (await server.said("-x", "10.96.0.9")).endswith(f"IN PTR {WEB}.")
            assert await server.said("nothing.cluster.local") == "NXDOMAIN qr aa rd ra | cluster.local. SOA"
            assert farm.queries == seen == 2
            assert (await server.said("-x", "192.0.2.9")).startswith("NOERROR qr rd ra")
            assert farm.queries == 3

    story(told)


@with_dig
def test_dnssec_bits_go_both_ways(tmp_path: Path) -> None:
    async def told(farm: Farm) -> None:
        upstream = await farm.add(lambda asked: asked.send(asked.reply(flags=0x81A0)))
        async with serving(tmp_path, upstream=[at(upstream)]) as server:
            assert (await server.said("+noadflag", OUT)).startswith("NOERROR qr rd ra |")
            assert (await server.said("+adflag", OUT)).startswith("NOERROR qr rd ra ad |")
            assert (await server.said("+noadflag", "+dnssec", OUT)).startswith("NOERROR qr rd ra ad |")
            assert (await server.said("+cdflag", "+noadflag", OUT)).startswith("NOERROR qr rd ra cd |")
            sent = [asked.message for asked in upstream.asked]
            assert [(bool(one.ednsflags), bool(one.flags & 0x10)) for one in sent] == [
                (False, False),
                (True, False),
                (False, True),
            ]

    story(told)


def test_a_burst_is_answered_whole_and_others_beside_it(tmp_path: Path) -> None:
    """Many times what is read at once, before anything of it is answered."""

    async def told(farm: Farm) -> None:
        upstream = await farm.add(answer)
        async with serving(tmp_path, upstream=[at(upstream)]) as server:
            loop = asyncio.get_running_loop()
            with bursting("127.0.0.1", server.port) as greedy, bursting("127.0.0.2", server.port) as modest:
                for ident in range(400):
                    greedy.send(query(f"n{ident}.example.com", ident=ident))
                modest.send(query(OUT, ident=1))
                found = [read(await loop.sock_recv(greedy, 4096)) for _ in range(400)]
                found.append(read(await loop.sock_recv(modest, 4096)))
            assert {message.rcode() for message in found} == {dns.rcode.NOERROR}
            assert {message.id for message in found} == {*range(400)}

    story(told)


def bursting(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.setblocking(False)
    sock.bind((host, 0))
    sock.connect(("127.0.0.1", port))
    return sock


def test_over_tcp_a_slow_upstream_holds_nobody_up(tmp_path: Path) -> None:
    async def told(farm: Farm) -> None:
        upstream = await farm.add(hold)
        async with serving(tmp_path, upstream=[at(upstream)]) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(frame(query(OUT, ident=1)))
            writer.write(b"".join(frame(query(WEB, ident=ident)) for ident in range(2, 102)))
            for ident in range(2, 102):
                message = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
                assert int.from_bytes(message[:2]) == ident
            await upstream.until(lambda: bool(upstream.held))
            upstream.release()
            message = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
            assert (message[:2], len(read(message).answer)) == (b"\0\1", 1)
            writer.close()
            await writer.wait_closed()

    story(told)


def test_with_dead_upstreams_local_names_are_answered_at_once(tmp_path: Path) -> None:
    async def told(farm: Farm) -> None:
        silent = await farm.add(drop)
        async with serving(tmp_path, upstream=[at(silent), f"127.0.0.1:{dead_port()}"]) as server:
            waiting = [asyncio.create_task(server.ask(f"n{number}.example.com")) for number in range(50)]
            await silent.seen(10)
            for _ in range(100):
                assert (await server.ask(WEB)).answer
            assert not all(task.done() for task in waiting)
        await asyncio.gather(*waiting)

    story(told)


def test_with_dead_upstreams_others_get_an_error(tmp_path: Path) -> None:
    async def told(farm: Farm) -> None:
        silent = await farm.add(drop)
        settings: dict[str, Any] = {"upstream": [at(silent), f"127.0.0.1:{dead_port()}"], "forward_timeout": "1s"}
        async with serving(tmp_path, **settings) as server:
            waiting = [asyncio.create_task(server.ask(f"n{number}.example.com")) for number in range(50)]
            for task in waiting:
                message = await task
                assert message.rcode() == dns.rcode.SERVFAIL
                assert errors(message)[0] in (22, 23)
            one, other = settings["upstream"]
            assert server.server.ready_notes() == [f"forwarding: no upstream answers: {one}, {other}"]
            assert explained(server) == f"{one} (down), {other} (down)"
            assert server.server.ready_reasons() == []

    story(told)


def test_a_server_that_asks_itself_says_so_and_lives(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """By way of somebody who hands packets on as they are, as a translation of addresses does."""

    async def told(farm: Farm) -> None:
        port = dead_port()

        def hand_on(asked: Asked) -> None:
            if asked.transport != "udp":
                asked.close()
                return
            loop = asyncio.get_running_loop()
            got: asyncio.Future[bytes] = loop.create_future()
            got.add_done_callback(lambda _: asked.send(got.result()))
            way = partial(loop.create_datagram_endpoint, lambda: Client(got), remote_addr=("127.0.0.1", port))
            handing.append(asyncio.create_task(hand(way, asked.wire, got)))

        async def hand(way: Any, packet: bytes, got: "asyncio.Future[bytes]") -> None:
            transport, _ = await way()
            transport.sendto(packet)
            await got
            transport.close()

        handing: list[asyncio.Task[None]] = []
        relay = await farm.add(hand_on)
        settings: dict[str, Any] = {"listen": [f"127.0.0.1:{port}"], "upstream": [at(relay)]}
        async with serving(tmp_path, **settings) as server:
            for number in range(3):
                message = await server.ask(f"n{number}.example.com")
                assert message.rcode() == dns.rcode.SERVFAIL
                assert errors(message)
            assert (await server.ask(WEB)).answer
            await asyncio.gather(*handing)
        assert len([one for one in caplog.records if "forwarding loop" in one.getMessage()]) == 1

    with caplog.at_level(logging.WARNING):
        story(told)


def test_a_server_that_is_told_to_ask_itself_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The machine has 10.0.0.5, which the file of settings cannot know."""
    local = {"0.0.0.0": ["127.0.0.1", "10.0.0.5"]}
    monkeypatch.setattr(forwarding_module, "local_addresses", lambda host: local.get(host, [host]))
    port = free_port()
    expected = f"upstream: 10.0.0.5:{port} is where this server listens, and it would ask itself; name another server"
    with pytest.raises(OperatorError, match=re.escape(expected)):
        Running(tmp_path, listen=[f"0.0.0.0:{port}"], upstream=[f"10.0.0.5:{port}"])

    async def told(farm: Farm) -> None:
        upstream = await farm.add(answer)
        settings: dict[str, Any] = {"listen": [f"127.0.0.1:{port}"], "upstream": [at(upstream)]}
        async with serving(tmp_path, **settings) as server:
            server.write(**settings | {"listen": [f"127.0.0.1:{port}", at(upstream)]})
            await server.server.reload()
            assert server.server.reloads_failed == 1
            assert (await server.ask(OUT)).answer

    story(told)
    assert "is where this server listens" in caplog.text


def test_a_node_that_names_its_own_cache_in_resolv_conf(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def told(farm: Farm) -> None:
        conf = tmp_path / "resolv.conf"
        conf.write_text("nameserver 127.0.0.1\nnameserver 127.0.0.2\n")
        async with serving(tmp_path, upstream=[str(conf)]) as server:
            forwarder = server.server._forwarding.forwarder
            assert forwarder is not None
            (group,) = forwarder.groups
            assert isinstance(group, Upstreams)
            assert [str(one) for one in group.upstreams] == ["127.0.0.1:53", "127.0.0.2:53"]
            # As if it listened on port 53, which takes a privilege.
            listen = (("127.0.0.2", 53),)
            server.server._forwarding.turn_to(replace(server.load(), listen=listen), forwarder)
            await until(lambda: [str(one) for one in group.upstreams] == ["127.0.0.1:53"])
            assert server.server.ready_notes() == []
            assert explained(server) == "127.0.0.1:53"
            conf.write_text("nameserver 127.0.0.2\n")
            await until(lambda: not group.upstreams)
            assert server.server.ready_notes() == [f"forwarding: no upstream is named by {conf}"]
            assert explained(server) == str(conf)
            assert (await server.ask(OUT)).rcode() == dns.rcode.SERVFAIL
        assert f"{conf}: 127.0.0.2:53 is this server, and left out" in caplog.messages

    story(told)


def test_two_servers_that_ask_each_other_do_not_do_so_for_ever(tmp_path: Path) -> None:
    async def told(farm: Farm) -> None:
        ports = dead_port(), dead_port()
        one = {"listen": [f"127.0.0.1:{ports[0]}"], "upstream": [f"127.0.0.1:{ports[1]}"]}
        other = {"listen": [f"127.0.0.1:{ports[1]}"], "upstream": [f"127.0.0.1:{ports[0]}"]}
        async with serving(tmp_path, **one) as first, serving(tmp_path, **other) as second:
            # In one process they have one mark; each of two processes has its own.
            first.server._forwarding.forwarder._mark = b"another1"  # type: ignore[union-attr]
            message = await second.ask(OUT)
            assert message.rcode() == dns.rcode.SERVFAIL
            assert errors(message)
            # Each asked the other a few times at most (RFC 9520 §3.1), and the answer is kept.
            asked = first.server._listeners.queries + second.server._listeners.queries
            assert asked < 30
            assert (await second.ask(OUT)).rcode() == dns.rcode.SERVFAIL
            assert first.server._listeners.queries + second.server._listeners.queries == asked + 1

    story(told)


def test_a_flood_of_one_client_is_refused_while_others_are_served(tmp_path: Path) -> None:
    async def told(farm: Farm) -> None:
        upstream = await farm.add(hold)
        settings: dict[str, Any] = {"upstream": [at(upstream)], "forward_per_client": 5, "forward_total": 6}
        async with serving(tmp_path, **settings) as server:
            waiting = [asyncio.create_task(server.ask(f"n{number}.example.com")) for number in range(5)]
            await upstream.seen(5)
            for number in range(20):
                message = await server.ask(f"more{number}.example.com")
                assert (message.rcode(), errors(message)) == (dns.rcode.SERVFAIL, [0])
            assert (await server.ask(WEB)).answer
            while any(not task.done() for task in waiting):
                upstream.release()
                await asyncio.sleep(0)
            assert all(task.result().answer for task in waiting)

    story(told)


@pytest.mark.parametrize("prompt", [True, False], ids=["prompt", "slow"])
def test_ten_thousand_clients_of_one_expired_name_make_one_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prompt: bool
) -> None:
    """Of an upstream that is slow as many wait as may, and the others get at once what has expired."""
    now = 1000.0
    monkeypatch.setattr(forwarding_module, "ageing", lambda: lambda: now)
    hosts, each = 50, 200
    got: list[bytes] = []

    class Many(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            got.append(data)

    async def told(farm: Farm) -> None:
        nonlocal now
        upstream = await farm.add(answer)
        async with serving(tmp_path, upstream=[at(upstream)]) as server:
            assert (await server.ask(OUT)).answer
            now += 301
            upstream.does = answer if prompt else hold
            loop, to = asyncio.get_running_loop(), ("127.0.0.1", server.port)
            ends = [(f"127.0.1.{number + 1}", 0) for number in range(hosts)]
            clients = [(await loop.create_datagram_endpoint(Many, local_addr=end, remote_addr=to))[0] for end in ends]
            for ident in range(each):
                for client in clients:
                    client.sendto(query(OUT, ident=ident, edns=opt()))
                await until(lambda: server.server._listeners.queries > (ident + 1) * hosts)  # noqa: B023
            await upstream.seen(1)
            forwarder = server.server._forwarding.forwarder
            assert forwarder is not None
            waiting = forwarder.admission.inside
            at_once = hosts * each - waiting
            await until(lambda: len(got) >= at_once)
            upstream.release()
            await until(lambda: len(got) == hosts * each)
            assert len(upstream.asked) == 2
            if not prompt:
                assert waiting <= 4096
                assert all(errors(read(data)) == [3] for data in got[:at_once:100])
            assert all(read(data).answer for data in got[::100])
            for client in clients:
                client.close()

    story(told)


def test_what_is_kept_outlives_a_reload_that_does_not_concern_it(tmp_path: Path) -> None:
    async def told(farm: Farm) -> None:
        upstream, other = await farm.add(answer), await farm.add(answer)
        own: dict[str, Any] = {"upstream": [at(upstream)]}
        async with serving(tmp_path, **own) as server:
            assert (await server.ask(OUT)).answer
            server.write(ttl=77, **own)
            await server.server.reload()
            assert [rrset.ttl for rrset in (await server.ask(WEB)).answer] == [77]
            assert (await server.ask(OUT)).answer
            assert len(upstream.asked) == 1
            server.write(upstream=[at(other)])
            await server.server.reload()
            assert "192.0.2.2" in str((await server.ask(OUT)).answer[0])
            server.write(upstream=[])
            await server.server.reload()
            assert (await server.ask(OUT)).rcode() == dns.rcode.REFUSED

    story(told)


# Settings that forwarding depends on: another value, and what becomes of the cache.  The others change nothing.
SAME, BOUNDED, PARTED = "goes on", "is moved within other bounds", "is moved as far as it is good"
CHANGES: dict[str, tuple[Any, str]] = {
    "upstream": (("10.0.0.1:53",), PARTED),
    "stub_domains": ((("corp.example.", ("10.0.0.1:53",)),), PARTED),
    "kept_home": (("localhost.",), PARTED),
    "local_reverse": (True, PARTED),
    "source": ("none", PARTED),
    "domain": ("cluster.test.", PARTED),
    "zones": (("cluster.test.",), PARTED),
    "fallthrough": ((".",), PARTED),
    "service_cidr": ((parse_network("10.0.0.0/16"),), PARTED),
    "pod_cidr": ((parse_network("10.0.0.0/16"),), PARTED),
    "cache_octets": (1 << 20, BOUNDED),
    "cache_max_ttl": (60, BOUNDED),
    "cache_max_negative_ttl": (60, BOUNDED),
    "cache_min_ttl": (60, BOUNDED),
    "serve_stale": (60, BOUNDED),
    "forward_policy": ("fastest", SAME),
    "forward_tcp": (True, SAME),
    "forward_timeout": (2.0, SAME),
    "forward_per_client": (10, SAME),
    "forward_total": (10, SAME),
    "prefetch": (False, SAME),
}


def other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int | float) else value + ("x" if isinstance(value, str) else (value,))


@pytest.mark.parametrize("name", Settings.__struct_fields__)
def test_what_becomes_of_the_cache_when_a_setting_changes(name: str) -> None:
    """Nobody adds a setting to what forwarding is made of without saying here what that does to the cache."""
    before = Settings(upstream=("127.0.0.1:53",))
    value, expected = CHANGES.get(name, (None, None))
    if value is None:
        value = other(getattr(before, name))
    plans = [forwarding_module._planned(one) for one in (before, replace(before, **{name: value}))]
    assert all(plans)
    first, second = plans
    assert (first != second) == (expected is not None)
    if first and second:
        assert second.same_answers(first) == (expected in (None, SAME))
        assert (second.sources != first.sources) == (expected == PARTED)


def test_no_answer_at_all_is_kept_for_longer_than_the_maximum() -> None:
    """``cache 30`` of CoreDNS is both, and who replaces it writes one."""
    plan = forwarding_module._planned(Settings(upstream=("127.0.0.1:53",), cache_max_ttl=30))
    assert plan
    assert plan.bounds.max_negative_ttl == 30


def test_what_is_kept_outlives_other_ways_of_asking(tmp_path: Path) -> None:
    """And those who wait meanwhile are answered."""

    async def told(farm: Farm) -> None:
        upstream = await farm.add(answer)
        own: dict[str, Any] = {"upstream": [at(upstream)]}
        async with serving(tmp_path, **own) as server:
            assert (await server.ask(OUT)).answer
            for changed in (
                {"forward_policy": "fastest"},
                {"forward_timeout": "2s", "forward_per_client": 7},
                {"cache_octets": "1MiB", "cache_max_ttl": "1m"},
                {"stub_domains": {"corp.example": ["127.0.0.2"]}},
                {"kept_home": ["localhost"]},
            ):
                server.write(**own | changed)
                await server.server.reload()
                forwarder = server.server._forwarding.forwarder
                assert forwarder is not None
                await until(lambda: len(forwarder.cache.entries) == 1)  # noqa: B023
                assert (await server.ask(OUT)).answer
                assert len(upstream.asked) == 1, changed
            assert (await server.ask(OUT)).answer[0].ttl <= 60
            server.write(**own, kept_home=["example.com"])
            await server.server.reload()
            assert (await server.ask(OUT)).rcode() == dns.rcode.NXDOMAIN
            assert not server.server._forwarding.forwarder.cache.entries  # type: ignore[union-attr]

    story(told)


def test_a_zone_that_falls_through_no_more_has_the_last_word_again(tmp_path: Path) -> None:
    absent = "absent.shop.svc.cluster.local."

    def into_ours(asked: Asked) -> None:
        chain = [f"{asked.name} 60 CNAME {absent}", f"{absent} 60 CNAME evil.example.", "evil.example. 60 A 192.0.2.66"]
        asked.send(asked.reply(answer=chain))

    async def told(farm: Farm) -> None:
        upstream = await farm.add(into_ours)
        own: dict[str, Any] = {"upstream": [at(upstream)]}
        async with serving(tmp_path, fallthrough="[cluster.local]", **own) as server:
            assert "192.0.2.66" in str((await server.ask("one.example.com")).answer)
            server.write(fallthrough="[]", **own)
            await server.server.reload()
            message = await server.ask("two.example.com")
            assert (message.rcode(), len(message.answer)) == (dns.rcode.NXDOMAIN, 1)

    story(told)


def test_who_waits_while_settings_change_is_answered(tmp_path: Path) -> None:
    async def told(farm: Farm) -> None:
        upstream, other = await farm.add(hold), await farm.add(answer)
        async with serving(tmp_path, upstream=[at(upstream)]) as server:
            waiting = asyncio.create_task(server.ask(OUT))
            await upstream.seen(1)
            server.write(upstream=[at(other)])
            await server.server.reload()
            assert "192.0.2.2" in str((await server.ask("new.example.com")).answer[0])
            upstream.release()
            assert "192.0.2.1" in str((await waiting).answer[0])

    story(told)


def test_who_waits_at_an_address_that_goes_is_answered(tmp_path: Path) -> None:
    async def told(farm: Farm) -> None:
        upstream, port = await farm.add(hold), free_port()
        own: dict[str, Any] = {"upstream": [at(upstream)], "ns_addresses": ["127.0.0.1"]}
        places = [f"127.0.0.1:{port}", f"127.0.0.2:{port}"]
        async with serving(tmp_path, listen=places, **own) as server:
            waiting = asyncio.create_task(server.ask(OUT))
            await upstream.seen(1)
            server.write(listen=places[1:], **own)
            await server.server.reload()
            assert server.server._listeners.bound == [("127.0.0.2", port)]
            while not waiting.done():  # there may be a second try
                upstream.release()
                await asyncio.sleep(0)
            assert (await waiting).answer

    story(told)


def test_the_old_cache_goes_with_its_settings(tmp_path: Path) -> None:
    """Also what no collector sees any more."""

    async def told(farm: Farm) -> None:
        upstream, other = await farm.add(answer), await farm.add(answer)
        async with serving(tmp_path, upstream=[at(upstream)]) as server:
            assert (await server.ask(OUT)).answer
            forwarder = server.server._forwarding.forwarder
            assert forwarder is not None
            gone = weakref.ref(forwarder)
            entries = forwarder.cache.entries
            assert entries
            del forwarder
            gc.collect()
            gc.disable()
            try:
                server.write(upstream=[at(other)])
                await server.server.reload()
                await until(lambda: gone() is None)
                assert not entries
            finally:
                gc.enable()

    story(told)


def test_an_end_waits_for_answers_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "QUIET_SECONDS", 0.0)

    async def told(farm: Farm) -> None:
        upstream = await farm.add(hold)
        one = Running(tmp_path, upstream=[at(upstream)], lameduck=30)
        running = asyncio.create_task(one.server.run())
        await until(lambda: bool(one.server._listeners.bound))
        waiting = asyncio.create_task(one.ask(OUT))
        await upstream.seen(1)
        one.server._end(patient=True)
        for _ in range(100):
            await asyncio.sleep(0)
        assert not running.done()
        while not waiting.done():  # there may be a second try
            upstream.release()
            await asyncio.sleep(0)
        assert (await waiting).answer
        assert await running == 0

    story(told)


def test_a_resolv_conf_that_changes(tmp_path: Path) -> None:
    async def told(farm: Farm) -> None:
        conf = tmp_path / "resolv.conf"
        conf.write_text("nameserver 127.0.0.1\n")
        async with serving(tmp_path, upstream=[str(conf)]) as server:
            forwarder = server.server._forwarding.forwarder
            assert forwarder is not None
            (group,) = forwarder.groups
            assert [str(one) for one in group.upstreams] == ["127.0.0.1:53"]  # type: ignore[attr-defined]
            conf.write_text("nameserver 127.0.0.2\nnameserver ::1\n")
            await until(lambda: len(group.upstreams) == 2)  # type: ignore[attr-defined]

    story(told)


@with_dig
def test_without_objects_every_name_is_forwarded(tmp_path: Path) -> None:
    async def told(farm: Farm) -> None:
        cluster, upstream = await farm.add(answer), await farm.add(answer)
        settings: dict[str, Any] = {
            "source": "none",
            "upstream": [at(upstream)],
            "stub_domains": {"cluster.local": [at(cluster)], "in-addr.arpa": [at(cluster)]},
            "forward_tcp": "true",
        }
        async with serving(tmp_path, **settings) as server:
            assert server.server.ready_reasons() == []
            assert await server.said(WEB) == f"NOERROR qr rd ra | {WEB}. 300 IN A 192.0.2.1"
            assert await server.said(OUT) == f"NOERROR qr rd ra | {OUT}. 300 IN A 192.0.2.2"
            assert (await server.said("-x", "10.96.0.9")).startswith("NOERROR")
            assert {asked.transport for asked in (*cluster.asked, *upstream.asked)} == {"tcp"}
            assert len(cluster.asked) == 2
            assert server.server.status().zones == ()

    story(told)


def test_the_example_of_a_cache_on_every_node(tmp_path: Path) -> None:
    """As it stands, but for the addresses, which this machine does not have."""

    async def told(farm: Farm) -> None:
        cluster, node = await farm.add(answer), await farm.add(answer)
        suffixes = [suffix for suffix, _ in load_settings({}, {}, str(NODE_LOCAL)).stub_domains]
        assert suffixes == ["cluster.local.", "in-addr.arpa.", "ip6.arpa."]
        flags = {
            "listen": ["127.0.0.1:0"],
            "http": [""],
            "forward_timeout": "60s",
            "upstream": [at(node)],
            "stub_domains": [f"{suffix}={at(cluster)}" for suffix in suffixes],
        }
        server = Server(lambda: load_settings(flags, {}, str(NODE_LOCAL)))
        running = asyncio.create_task(server.run())
        await until(lambda: bool(server._listeners.bound))
        asking = Running.__new__(Running)
        asking.server = server
        for name, fake in ((WEB, cluster), ("9.0.96.10.in-addr.arpa", cluster), (OUT, node)):
            assert f"192.0.2.{farm.all.index(fake) + 1}" in str((await asking.ask(name)).answer[0])
        assert {asked.transport for asked in (*cluster.asked, *node.asked)} == {"tcp"}
        server._end(patient=False)
        assert await running == 0

    story(told)
