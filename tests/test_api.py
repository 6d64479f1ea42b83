"""``/api/v1``: what it tells, to whom, and that it holds up nobody."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest
from lines_run import Lines

from clusterdns.admin import api as admin_api
from clusterdns.admin.http import HttpServer
from clusterdns.cluster.events import Delete, Event, Replace, Upsert
from clusterdns.cluster.model import Key, Service, ServicePort
from clusterdns.config import load_settings
from clusterdns.errors import Problem
from clusterdns.metrics import Sample
from clusterdns.options import controller_options, zone_options
from clusterdns.publish import Publisher
from clusterdns.sources.reading import load
from clusterdns.transports.sockets import local_addresses
from clusterdns.window import Scene, Window
from clusterdns.world import World

DEMO = Path(__file__).parent.parent / "zones" / "demo"
PROBLEM = Problem("a.yaml", 3, "error", "CD999", "Service shop/web", "a text", "a remedy")


class Life:
    """A server's HTTP address over a World of its own, without DNS sockets."""

    def __init__(self, token: str = "") -> None:
        settings = load_settings({}, {})
        self.world = World(zone_options(settings, ("127.0.0.1",)), controller_options(settings))
        self.publisher = Publisher(self.world, after=self._turned)
        self.window = Window(Scene(self.world, self.publisher, lambda: [PROBLEM], "life"))
        self.token = token
        self.http = HttpServer(self, self.window, lambda: self.token)
        self.url = ""

    def _turned(self) -> None:
        self.window.turned()

    def ready_reasons(self) -> list[str]:
        return []

    def stale(self) -> str:
        return ""

    def ready_notes(self) -> list[str]:
        return []

    def status(self) -> object:
        return {}

    def samples(self) -> Callable[[], Iterable[Sample]]:
        return tuple

    def services(self, _: Callable[[Key], bool]) -> list[Service]:
        return []

    async def round(self, *events: Event) -> None:
        await self.publisher.round("test", list(events))

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        async with aiohttp.ClientSession() as session, session.get(self.url + path, headers=headers) as response:
            text = await response.text()
            return response.status, json.loads(text) if text.startswith(("{", "[")) else text


def living(test: Callable[[Life], Awaitable[None]], token: str = "", host: str = "127.0.0.1") -> None:
    async def life() -> None:
        one = Life(token)
        bound = await one.http.start([(host, 0)])
        one.url = f"http://127.0.0.1:{bound[0][1]}/api/v1/"
        try:
            await asyncio.wait_for(test(one), 240)  # seconds; only a fault waits so long
        finally:
            await one.http.stop()

    asyncio.run(life())


def demo() -> list[Event]:
    return [Upsert(item) for item in load([str(DEMO)]).objects]


def service(name: str, at: int = 1, namespace: str = "shop") -> Service:
    ip = bytes((10, 96, 10 + at // 250, at % 250 + 1))
    return Service(Key(namespace, name), cluster_ips=(ip,), ports=(ServicePort("http", "tcp", 80, 80),))


async def names(life: Life, path: str) -> list[str]:
    status, answer = await life.get(path)
    assert status == 200, answer
    return [item["metadata"]["name"] for item in answer["items"]]


def called(owner: object, name: str) -> asyncio.Event:
    """Set once that method of *owner* is called."""
    event, method = asyncio.Event(), getattr(owner, name)

    def noting(*arguments: Any) -> Any:
        event.set()
        return method(*arguments)

    setattr(owner, name, noting)
    return event


def test_objects_and_what_selects_them() -> None:
    async def test(life: Life) -> None:
        await life.round(*demo())
        assert await names(life, "services?namespace=data") == [
            *("database", "database-primary", "etcd", "gossip", "kafka", "mysql", "warehouse"),
        ]
        assert await names(life, "services?name=web") == ["web"]
        assert await names(life, "pods?namespace=data&labelSelector=app%20in%20(kafka)") == ["kafka-0", "kafka-1"]
        assert await names(life, "namespaces") == ["data", "default", "kube-system", "shop", "staging"]
        assert await names(life, "endpoints?name=mysql") == ["mysql"]
        slices = "endpointslices?namespace=data&labelSelector=kubernetes.io/service-name%3Dwarehouse"
        assert await names(life, slices) == ["warehouse-1"]
        objects = (await life.get("objects"))[1]["items"]
        assert {one["kind"] for one in objects} == {
            *("Namespace", "Service", "EndpointSlice", "Endpoints", "Pod", "Deployment", "StatefulSet")
        }
        assert (await life.get("services?labelSelector=a%3D(b"))[0] == 400

    living(test)


def test_records_and_problems() -> None:
    async def test(life: Life) -> None:
        await life.round(*demo())
        some = (await life.get("records?namespace=shop&name=db"))[1]
        assert some["records"] == [
            {
                "name": "db.shop.svc.cluster.local.",
                "ttl": 5,
                "type": "CNAME",
                "data": "database.data.svc.cluster.local.",
                "service": "shop/db",
            }
        ]
        every = (await life.get("records?names=true"))[1]
        assert every["version"] == every["until"] == "life-1"
        assert len(every["records"]) > 200
        assert {"staging.svc.cluster.local.", "_tcp.web.shop.svc.cluster.local."} <= {*every["names"]}
        assert "recommender.shop.svc.cluster.local." not in every["names"]  # it is NXDOMAIN
        assert (await life.get("problems"))[1] == {
            "problems": [
                {
                    "path": "a.yaml",
                    "line": 3,
                    "severity": "error",
                    "code": "CD999",
                    "subject": "Service shop/web",
                    "text": "a text",
                    "remedy": "a remedy",
                }
            ]
        }

    living(test)


def test_nothing_is_told_before_the_first_round() -> None:
    async def test(life: Life) -> None:
        assert (await life.get("services"))[0] == 503

    living(test)


def test_news_comes_behind_a_round() -> None:
    async def test(life: Life) -> None:
        await life.round(Upsert(service("web")))
        version = (await life.get("services"))[1]["metadata"]["resourceVersion"]
        asked = called(life.window, "news")
        waiting = asyncio.create_task(life.get(f"services?after={version}"))
        await asked.wait()
        await life.round(Upsert(service("api", 2)))
        _, answer = await waiting
        assert [item["metadata"]["name"] for item in answer["items"]] == ["api", "web"]
        assert answer["metadata"]["resourceVersion"] == "life-2"
        # A version of another life of the server is never the present one.
        assert (await life.get("services?after=other-2"))[0] == 200

    living(test)


def test_no_news_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusterdns.admin.api.PATIENCE", 0.05)

    async def test(life: Life) -> None:
        await life.round(Upsert(service("web")))
        assert await life.get("services?after=life-1") == (204, "")

    living(test)


def test_another_world_takes_over_from_one_in_the_middle_of_a_round() -> None:
    async def test(life: Life) -> None:
        await life.round(Upsert(service("web")))
        life.publisher.quiet.clear()
        asked = called(life.window, "quiet")
        waiting = asyncio.create_task(life.get("services"))
        await asked.wait()
        life.window.turn_to(Scene(life.world, Publisher(life.world), list, "next"))
        life.window._scene.publisher.first_round.set()
        assert (await waiting)[1]["metadata"]["resourceVersion"] == "next-0"

    living(test)


def test_with_a_token_nobody_is_told_without_it() -> None:
    async def test(life: Life) -> None:
        await life.round(Upsert(service("web")))
        assert (await life.get("services"))[0] == 401
        assert (await life.get("services", Authorization="Bearer wrong"))[0] == 401
        assert (await life.get("services", Authorization="Bearer \u00fc"))[0] == 401
        assert (await life.get("services", Authorization="Bearer secret"))[0] == 200
        life.token = "other"  # as a reload of the settings changes it
        assert (await life.get("services", Authorization="Bearer secret"))[0] == 401

    living(test, "secret")


def test_other_machines_are_told_with_a_token_only() -> None:
    others = [host for host in local_addresses("0.0.0.0") if not host.startswith("127.")]
    if not others:
        pytest.skip("this machine has loopback addresses only")

    async def test(life: Life) -> None:
        await life.round(Upsert(service("web")))
        life.url = life.url.replace("127.0.0.1", others[0])
        assert (await life.get("services"))[0] == 404
        assert await life.get("../../ready?verbose") == (200, "OK")
        life.token = "secret"
        assert (await life.get("../../ready?verbose"))[0] == 401
        assert (await life.get("services", Authorization="Bearer secret"))[0] == 200

    living(test, host="0.0.0.0")


def test_a_page_of_the_web_is_told_nothing() -> None:
    async def test(life: Life) -> None:
        await life.round(Upsert(service("web")))
        port = life.url.split(":")[2].split("/")[0]
        assert (await life.get("services", Host=f"rebound.example:{port}"))[0] == 404
        for host in ("localhost", "127.0.0.1", "[::1]"):
            assert (await life.get("services", Host=f"{host}:{port}"))[0] == 200

    living(test)


def test_many_objects_hold_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop's work between two turns is counted; what takes no lines, reading and encoding, is done by a worker."""
    monkeypatch.setattr(admin_api, "SLICE_SECONDS", 0)  # a turn after every step
    encode, encoders = admin_api._encode, set[int]()

    def noting(*arguments: Any) -> bytes:
        encoders.add(threading.get_ident())
        return encode(*arguments)

    monkeypatch.setattr(admin_api, "_encode", noting)
    items = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": f"web-{at}", "namespace": f"ns-{at % 50}"},
            "spec": {"clusterIP": f"10.96.{10 + at // 250}.{at % 250 + 1}", "ports": [{"port": 80}]},
        }
        for at in range(1500)
    ]
    (tmp_path / "all.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    objects = load([str(tmp_path)]).objects

    async def test(life: Life) -> None:
        await life.round(Replace("Service", objects))
        with LinesPerTurn() as counted:
            listed = await names(life, "services")
        assert len(listed) == 1500
        assert counted.turns > 1000
        assert counted.most < 9000  # of 500 objects, which are looked at and sorted in one step
        assert encoders
        assert threading.get_ident() not in encoders

    living(test)


class LinesPerTurn(Lines):
    """The most that the loop's thread runs from one turn of the loop to the next."""

    def __enter__(self) -> Self:
        self.turns = self.most = 0
        self._turn()
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._next.cancel()

    def _turn(self) -> None:
        self.turns += 1
        self.most, self.count = max(self.most, self.count), 0
        self._next = asyncio.get_running_loop().call_soon(self._turn)


def test_rounds_go_on_while_a_list_is_sent() -> None:
    async def test(life: Life) -> None:
        await life.round(*(Upsert(service(f"web-{at}", at)) for at in range(1000)))
        listing = asyncio.create_task(names(life, "services"))
        for at in range(0, 1000, 50):
            await life.round(Delete("Service", Key("shop", f"web-{at}")))
        assert len(await listing) >= 980

    living(test)
