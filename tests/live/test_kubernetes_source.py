"""The live source beside a real API server: whatever happens to that, in the end both say the same."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from following import manifest_objects

from clusterdns.cluster.model import Key, Object, identity
from clusterdns.cluster.state import State
from clusterdns.sources.kubernetes.kubeconfig import Kubeconfig
from clusterdns.sources.kubernetes.pace import SYSTEM_CLOCK, Clock
from clusterdns.sources.kubernetes.reflector import Timing
from clusterdns.sources.kubernetes.source import Kubernetes
from live.api import Manifest
from live.control_plane import OLD_ETCD, ControlPlane, compact, control_plane, etcd_version, missing
from live.processes import PATIENCE, wait_until

VERSIONS = {"Namespace": "v1", "Service": "v1", "EndpointSlice": "discovery.k8s.io/v1", "Pod": "v1"}
ETCDS = {"streaming lists": None, "etcd 3.4": OLD_ETCD}

pytestmark = [
    pytest.mark.skipif(bool(why := missing("etcd", "kube-apiserver")), reason=why),
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("kubernetes source"),  # a control plane each is enough
]


@pytest.fixture(scope="module", params=ETCDS)
def plane(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    program = ETCDS[request.param]
    if program and etcd_version(program) != "3.4":
        pytest.skip(f"no etcd 3.4 at {program}")
    with control_plane(tmp_path_factory.mktemp("plane"), controllers=False, etcd_program=program) as made:
        yield made


class Live:
    """A source and what its rounds come to."""

    def __init__(self, plane: ControlPlane, source: Kubernetes) -> None:
        self.plane, self.source, self.state = plane, source, State()
        self.rounds = 0

    async def run(self) -> None:
        async for events in self.source.rounds():
            self.state.apply("kubernetes", events)
            self.rounds += 1

    async def until(self, condition: Callable[[], bool]) -> None:
        await until(condition)

    async def equal(self) -> None:
        """What is held is what the server lists: as a person sees it who reads a dump."""
        async with asyncio.timeout(PATIENCE):
            while await asyncio.to_thread(self._served) != self._held():  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.02)

    def _held(self) -> dict[tuple[str, Key], Object]:
        return {identity(one): one for kind in VERSIONS for one in self.state.all(kind)}

    def _served(self) -> dict[tuple[str, Key], Object]:
        items = []
        for kind, version in VERSIONS.items():
            listed = self.plane.api.list(version, kind)["items"] or []
            items += [item | {"kind": kind, "apiVersion": version} for item in listed]
        return {identity(one): one for one in manifest_objects(items)}

    def counted(self, what: str, reason: str) -> int:
        return sum(getattr(one, what).get(reason, 0) for one in self.source.status().kinds)

    def followed(self) -> bool:
        return not any(one.error for one in self.source.status().kinds)

    async def create(self, *manifests: Manifest) -> None:
        for one in manifests:
            await asyncio.to_thread(self.plane.api.create, one)

    async def delete(self, *manifests: Manifest) -> None:
        for one in manifests:
            await asyncio.to_thread(self.plane.api.delete, one)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - it may be anything
            await asyncio.sleep(0.02)


@asynccontextmanager
async def live(
    plane: ControlPlane,
    timing: Timing = Timing(),  # noqa: B008 - frozen
    clock: Clock = SYSTEM_CLOCK,
) -> AsyncIterator[Live]:
    made = Live(plane, Kubernetes(Kubeconfig(str(plane.kubeconfig)), pods=True, clock=clock, timing=timing))
    task = asyncio.create_task(made.run())
    try:
        await made.until(lambda: made.rounds > 0 or task.done())
        yield made
    finally:
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(ended, asyncio.CancelledError), ended


def service(name: str, **spec: Any) -> Manifest:
    spec = {"clusterIP": "None", "ports": [{"name": "http", "port": 80}]} | spec
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def endpoint_slice(name: str, *addresses: str) -> Manifest:
    meta = {"name": name, "namespace": "default", "labels": {"kubernetes.io/service-name": name}}
    endpoints = [{"addresses": [one], "conditions": {"ready": True}, "nodeName": "n"} for one in addresses]
    made: Manifest = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": meta}
    return made | {"addressType": "IPv4", "endpoints": endpoints, "ports": [{"name": "http", "port": 80}]}


def namespace(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"team": "a"}}}


def test_lists_and_changes(plane: ControlPlane) -> None:
    async def main() -> None:
        async with live(plane) as made:
            await made.equal()
            web, slice_ = service("web"), endpoint_slice("web", "10.1.0.1", "10.1.0.2")
            await made.create(web, slice_, namespace("made-now"))
            await made.equal()
            assert made.state.slices(Key("default", "web"))
            await made.delete(web, slice_)
            await made.equal()
            assert not any(one.relists or one.repaired for one in made.source.status().kinds)
            assert made.followed()

    asyncio.run(main())


def test_an_api_server_that_is_killed(plane: ControlPlane) -> None:
    """Deletions during the time without connection are seen, too."""

    async def main() -> None:
        gone, stays = service("gone"), service("stays")
        async with live(plane) as made:
            await made.create(gone, stays)
            await made.equal()
            await asyncio.to_thread(plane.api_server.kill)
            plane.api.close()
            await made.until(lambda: made.counted("restarts", "refused") > 3)
            assert made.state.get("Service", Key("default", "gone")), "what is known stays"
            assert not made.followed()
            await asyncio.to_thread(plane.api_server.start)
            await made.delete(gone)
            await made.create(service("new"))
            await made.equal()
            await made.until(made.followed)
            await made.delete(stays, service("new"))
            await made.equal()

    asyncio.run(main())


def test_an_etcd_that_is_killed(plane: ControlPlane) -> None:
    async def main() -> None:
        before = service("before")
        async with live(plane) as made:
            await made.create(before)
            await made.equal()
            await asyncio.to_thread(plane.etcd.kill)
            await asyncio.sleep(0)
            await asyncio.to_thread(plane.etcd.start)
            await asyncio.to_thread(plane.api_server.wait)
            # The probe has a connection to etcd of its own: that for Services may be made a moment later.
            await asyncio.to_thread(
                wait_until, lambda: plane.api.exists("v1", "Service", "default", "before"), "Services to be read"
            )
            await made.create(service("after"))
            await made.equal()
            await made.delete(before, service("after"))
            await made.equal()

    asyncio.run(main())


def test_a_compacted_history(plane: ControlPlane) -> None:
    """410: everything is listed again, and only differences are told."""

    async def main() -> None:
        gone = service("gone")
        async with live(plane) as made:
            await made.create(gone)
            await made.equal()
            await asyncio.to_thread(plane.api_server.kill)
            plane.api.close()
            await made.until(lambda: made.counted("restarts", "refused") > 0)
            await asyncio.to_thread(compact, plane)
            await asyncio.to_thread(plane.api_server.start)
            await made.delete(gone)
            await made.create(service("new"))
            await made.equal()
            await made.until(made.followed)
            assert made.counted("relists", "expired") > 0
            await made.delete(service("new"))
            await made.equal()

    asyncio.run(main())


class Comparing:
    """A clock by which a comparison that finds a difference waits until the watch has told all that was done.

    Then none may be left.  Seconds would not do: how far a watch is behind a list, depends on the machine.
    """

    timing = Timing(compare=0.05, grace=3600.0, between_pages=0.0)

    def __init__(self) -> None:
        self.told = asyncio.Event()
        self.ended = 0  # comparisons, and the wait before the first
        self._waiting = 0

    async def sleep(self, seconds: float) -> None:
        if seconds == self.timing.grace:
            self._waiting += 1
            await self.told.wait()
            self._waiting -= 1  # what differs still is found before anybody else has a turn
            return
        self.ended += seconds < 2 * self.timing.compare  # all other pauses are longer
        await asyncio.sleep(seconds)

    async def all_told(self) -> None:
        self.told.set()
        await until(lambda: not self._waiting)
        self.told.clear()


def test_comparisons_find_nothing(plane: ControlPlane) -> None:
    """What is right is not repaired, however much goes on meanwhile."""

    async def main() -> None:
        comparing = Comparing()
        async with live(plane, comparing.timing, Clock(sleep=comparing.sleep)) as made:
            for numbers in (range(5), range(5, 10), range(10, 15), range(15, 20)):
                ended = comparing.ended
                for number in numbers:
                    one = service(f"s{number}")
                    await made.create(one)
                    if number % 2:
                        await made.delete(one)
                await made.equal()
                await comparing.all_told()
                await made.until(lambda ended=ended: comparing.ended > ended + 2 * len(VERSIONS))  # type: ignore[misc]
            assert not any(one.relists or one.repaired for one in made.source.status().kinds)
            for number in range(0, 20, 2):
                await made.delete(service(f"s{number}"))
            await made.equal()
            await comparing.all_told()
            assert not any(one.relists or one.repaired for one in made.source.status().kinds)

    asyncio.run(main())


def test_who_is_not_known(plane: ControlPlane, tmp_path: Path) -> None:
    """401 is told and tried again; nothing is published."""
    config = json.loads(plane.kubeconfig.read_text())
    config["users"][0]["user"]["token"] = "nobody's"
    stranger = tmp_path / "stranger"
    stranger.write_text(json.dumps(config))

    async def main() -> None:
        made = Live(plane, Kubernetes(Kubeconfig(str(stranger))))
        task = asyncio.create_task(made.run())
        await until(lambda: all("401" in one.error for one in made.source.status().kinds))
        assert not made.source.status().synced
        assert not made.rounds
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
