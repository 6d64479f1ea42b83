"""Reload: settings change under a server that answers, and wrong ones change nothing."""

import asyncio
import gc
import logging
import re
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import dns.asyncquery
import dns.message
import dns.rdatatype
import pytest
from in_process import InProcess, started
from ports import free_port
from support import PATIENCE, write_manifests

from clusterdns import server as server_module
from clusterdns.server import Server
from clusterdns.sources.allocations import Keeper
from clusterdns.transports.sockets import Address

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.9, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: free, namespace: shop}
spec: {ports: [{port: 80}]}
"""


class Life(InProcess):
    def __init__(self, folder: Path) -> None:
        self.manifests = folder / "manifests"
        self.manifests.mkdir()
        write_manifests(self.manifests, SERVICE)
        super().__init__(folder / "clusterdns.yaml")

    def write(self, **settings: Any) -> None:
        super().write(**{"manifests": [str(self.manifests)]} | settings)

    async def ask(self, name: str, rtype: str = "A", at: Address | None = None) -> dns.message.Message:
        host, port = at or self.bound[0]
        return await dns.asyncquery.udp(dns.message.make_query(name, rtype), host, port=port, timeout=PATIENCE)

    async def addresses(self, name: str, at: Address | None = None) -> list[str]:
        answer = (await self.ask(name, at=at)).answer
        return [rdata.address for rrset in answer for rdata in rrset if rrset.rdtype == dns.rdatatype.A]


def live(folder: Path, story: Callable[[Life], Awaitable[None]]) -> None:
    async def run() -> None:
        async with started(Life(folder)) as life, asyncio.timeout(PATIENCE):
            await story(life)

    asyncio.run(run())


def test_another_ttl_and_domain_on_the_sockets_that_were_there(tmp_path: Path) -> None:
    async def story(life: Life) -> None:
        before = life.bound
        assert await life.addresses("web.shop.svc.cluster.local") == ["10.96.0.9"]
        life.write(ttl=77, domain="other.test")
        await life.server.reload()
        assert life.bound == before
        [rrset] = (await life.ask("web.shop.svc.other.test")).answer
        assert rrset.ttl == 77
        assert await life.addresses("web.shop.svc.cluster.local") == []

    live(tmp_path, story)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ttl": 5000}, "ttl: '5000' is out of range"),
        ({"tll": 5}, "unknown setting tll; did you mean ttl?"),
        ({"domain": "in-addr.arpa"}, "'in-addr.arpa' is a reverse zone; write a forward zone, such as cluster.local"),
        ({"manifests": ["/nonexistent/folder"]}, "/nonexistent/folder"),
        ({"listen": ["127.0.0.1:0", "192.0.2.77:5353"]}, "listen 192.0.2.77:5353"),
        ({"ttl": 9, "http": ["192.0.2.77:9153"]}, "192.0.2.77"),
    ],
)
def test_what_is_wrong_changes_nothing(
    wrong: dict[str, Any], said: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(life: Life) -> None:
        before, backend = life.bound, life.server._backend
        life.write(**wrong)
        await life.server.reload()
        assert said in caplog.text
        assert life.bound == before
        assert life.server._backend is backend
        [rrset] = (await life.ask("web.shop.svc.cluster.local")).answer
        assert rrset.ttl == 5
        [note] = life.server.status().notes
        assert re.match(r"settings not reloaded since 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ: ", note)
        assert said in note
        assert life.server.ready_notes() == [note]
        assert life.server._status().endswith(f"; {note}"), "for the service manager"
        assert not life.server.ready_reasons(), "the settings in use answer on"
        life.write()
        with caplog.at_level(logging.INFO):
            await life.server.reload()
        assert "settings read again: they are as they were" in caplog.text
        assert life.server.status().notes == ()

    live(tmp_path, story)


def test_listeners_come_and_go_and_those_that_stay_are_not_touched(tmp_path: Path) -> None:
    async def story(life: Life) -> None:
        stays = life.bound[0]
        port = free_port()
        life.write(listen=["127.0.0.1:0", f"127.0.0.2:{port}"], ns_addresses=["127.0.0.1"])
        await life.server.reload()
        assert life.bound == [stays, ("127.0.0.2", port)]
        for address in life.bound:
            assert await life.addresses("web.shop.svc.cluster.local", at=address) == ["10.96.0.9"]
        life.write(listen=["127.0.0.1:0"], ns_addresses=["127.0.0.1"])
        await life.server.reload()
        assert life.bound == [stays]

    live(tmp_path, story)


def test_the_old_world_goes_with_its_last_reference(tmp_path: Path) -> None:
    """No collector would find it: what is served is frozen."""

    async def story(life: Life) -> None:
        old = weakref.ref(life.server._backend)
        life.write(ttl=30)
        gc.disable()
        try:
            await life.server.reload()
            await life.ask("web.shop.svc.cluster.local")  # a turn of the loop, in which tasks let go
            assert old() is None
        finally:
            gc.enable()

    live(tmp_path, story)


def test_allocated_addresses_stay_over_a_reload(tmp_path: Path) -> None:
    async def story(life: Life) -> None:
        before = await life.addresses("free.shop.svc.cluster.local")
        write_manifests(life.manifests, SERVICE.replace("10.96.0.9", before[0]))  # its address is claimed: it moves
        while (moved := await life.addresses("free.shop.svc.cluster.local")) == before:
            pass
        write_manifests(life.manifests, SERVICE)
        while await life.addresses("web.shop.svc.cluster.local") != ["10.96.0.9"]:
            pass
        life.write(ttl=30)
        await life.server.reload()
        assert await life.addresses("free.shop.svc.cluster.local") == moved

    live(tmp_path, story)


def test_a_changed_file_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "WATCH_SECONDS", 0)

    async def story(life: Life) -> None:
        await life.addresses("web.shop.svc.cluster.local")
        life.write(ttl=42)
        while (await life.ask("web.shop.svc.cluster.local")).answer[0].ttl != 42:
            pass

    live(tmp_path, story)


def test_a_file_that_has_been_read_for_a_signal_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "WATCH_SECONDS", 0)
    news: list[str] = []
    monkeypatch.setattr(Server, "_spawn_reload", lambda _: news.append("it changed"))

    async def story(life: Life) -> None:
        for ttl in (5001, 5002):
            life.write(ttl=ttl)
            await life.server.reload()
            for _ in range(100):  # looks at the file
                await asyncio.sleep(0)
            assert not news

    live(tmp_path, story)


def test_a_watch_that_ends_by_a_fault_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server_module, "WATCH_SECONDS", 0)

    def broken(_: str) -> None:
        raise RuntimeError("what nobody thought of")

    async def story(life: Life) -> None:
        monkeypatch.setattr(server_module, "_signature", broken)
        while not life.server.panics:
            assert await life.addresses("web.shop.svc.cluster.local") == ["10.96.0.9"]

    live(tmp_path, story)
    assert "a task of the server ended by a fault" in caplog.text
    assert "what nobody thought of" in caplog.text


def test_a_keeper_of_allocations_that_ends_by_a_fault_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_: Keeper) -> None:
        raise RuntimeError("what nobody thought of")

    async def story(life: Life) -> None:
        monkeypatch.setattr(Keeper, "run", broken)
        life.write(state_dir=str(tmp_path / "state"))
        await life.server.reload()
        while not life.server.panics:
            assert await life.addresses("web.shop.svc.cluster.local") == ["10.96.0.9"]

    live(tmp_path, story)
    assert "what nobody thought of" in caplog.text


def test_no_query_is_lost_while_settings_change(tmp_path: Path) -> None:
    """Every answer is that of the old settings or of the new ones, and there is one to every question."""

    async def story(life: Life) -> None:
        done, seen = asyncio.Event(), set[int]()

        async def ask() -> None:
            while not done.is_set():
                [rrset] = (await life.ask("web.shop.svc.cluster.local")).answer
                seen.add(rrset.ttl)

        asking = [asyncio.create_task(ask()) for _ in range(4)]
        for ttl in range(10, 30):
            life.write(ttl="wrong" if ttl % 5 == 0 else ttl)
            await life.server.reload()
            while ttl % 5 and ttl not in seen and not any(one.done() for one in asking):
                await life.ask("web.shop.svc.cluster.local")  # a turn of the loop, in which the others are answered
        done.set()
        await asyncio.gather(*asking)
        assert seen - {5} == {ttl for ttl in range(10, 30) if ttl % 5}

    live(tmp_path, story)
