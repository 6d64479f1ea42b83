"""Rounds: whole, in slices, with one serial."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import pytest

from clusterdns import publish
from clusterdns.cluster.events import Delete, Event, Replace, Upsert
from clusterdns.cluster.model import Key, Namespace, Service, ServicePort
from clusterdns.controllers.manager import ControllerOptions
from clusterdns.heap import hand_back
from clusterdns.publish import SLICE_SECONDS, Publisher
from clusterdns.world import World, build
from clusterdns.zone.names import parse_name
from clusterdns.zone.prepared import SERVFAIL, Change
from clusterdns.zone.tree import ZoneOptions

ZONES = ZoneOptions((parse_name("cluster.local"),))
CONTROLLERS = ControllerOptions()
WEB = Service(Key("shop", "web"), cluster_ips=(b"\x0a\x60\0\x05",), ports=(ServicePort("http", "tcp", 80, 80),))
NAME = parse_name("web.shop.svc.cluster.local")


class Clock:
    """Seconds that pass only when somebody looks."""

    def __init__(self, step: float = 0.0) -> None:
        self.now, self.step = 1_000.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


class Script:
    """A source that says what it was given."""

    name = "script"

    def __init__(self, *rounds: Sequence[Event], changed_at: float | None = None) -> None:
        self._rounds, self.changed_at = rounds, changed_at

    async def rounds(self) -> AsyncIterator[Sequence[Event]]:
        for events in self._rounds:
            yield events


def a_world() -> World:
    return World(ZONES, CONTROLLERS)


@pytest.mark.parametrize(("tells", "told"), [(True, ["round 1", "round 2"]), (False, ["round 1"])])
def test_of_a_cluster_that_never_rests_not_every_round_is_told(
    tells: bool, told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "clusterdns.publish")
    source = Script([Replace("Service", (WEB,))], [Delete("Service", WEB.key)])
    asyncio.run(Publisher(a_world(), tells=tells).run(source))
    assert [message.partition(":")[0] for message in caplog.messages] == told


@pytest.mark.parametrize("above", [0, 10_000])
def test_memory_is_handed_back_behind_a_large_round(above: int, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    monkeypatch.setattr(Change, "FULL_ABOVE", above)
    monkeypatch.setattr(publish, "hand_back", lambda: done.append(threading.get_ident()))
    run(a_world(), [Upsert(WEB)])
    assert len(done) == (above == 0)
    assert threading.get_ident() not in done


def test_memory_can_be_handed_back() -> None:
    hand_back()


def run(
    world: World, *rounds: Sequence[Event], wall: float = 1_700_000_000.0, changed_at: float | None = None
) -> Publisher:
    async def script() -> Publisher:
        publisher = Publisher(world, wall=lambda: wall)
        await publisher.run(Script(*rounds, changed_at=changed_at))
        return publisher

    return asyncio.run(script())


def test_before_the_first_round_everything_but_the_apex_is_servfail() -> None:
    world = a_world()
    assert world.table.find(NAME) == (0, None)
    assert {zone.miss for zone in world.table.zones} == {SERVFAIL}


def test_a_round_is_published_with_the_time_as_serial() -> None:
    world = a_world()
    publisher = run(world, [Upsert(WEB)])
    assert publisher.rounds == 1
    assert publisher.first_round.is_set()
    assert world.serial == 1_700_000_000
    assert world.table.find(NAME)[1] is not None


def test_how_old_changes_are_and_how_long_rounds_take_is_told() -> None:
    publisher = run(a_world(), [Upsert(WEB)], [Delete("Service", WEB.key)], changed_at=1_699_999_997.0)
    assert (publisher.lag.count, publisher.lag.total) == (2, 6.0)
    assert publisher.seconds.count == 2
    assert publisher.age is not None
    unknown = run(a_world(), [Upsert(WEB)])
    assert unknown.lag.count == 0
    early = run(a_world(), [Upsert(WEB)], changed_at=1_700_000_009.0)
    assert early.lag.total == 0, "clocks differ"


def test_a_serial_rises_by_one_where_the_clock_stands_still_or_falls_back() -> None:
    world = a_world()
    run(world, [Upsert(WEB)], [Delete("Service", WEB.key)])
    assert world.serial == 1_700_000_001
    run(world, [Upsert(WEB)], wall=1_600_000_000.0)
    assert world.serial == 1_700_000_002


def test_a_round_without_other_records_keeps_the_serial() -> None:
    world = a_world()
    run(
        world,
        [Upsert(WEB)],
        [Upsert(Service(WEB.key, labels={"new": "label"}, cluster_ips=WEB.cluster_ips, ports=WEB.ports))],
    )
    assert world.serial == 1_700_000_000


def test_events_of_a_round_are_one_change_whatever_their_order() -> None:
    world = a_world()
    run(world, [Upsert(WEB), Replace("Namespace", (Namespace(Key("", "empty")),)), Delete("Service", WEB.key)])
    assert world.table.find(NAME)[1] is None
    assert world.table.find(parse_name("empty.svc.cluster.local"))[1] is not None


def test_build_equals_rounds() -> None:
    world = a_world()
    run(world, [Upsert(WEB)], [Upsert(Namespace(Key("", "empty")))])
    assert build([WEB, Namespace(Key("", "empty"))], ZONES, CONTROLLERS).table.nodes == world.table.nodes


@pytest.mark.parametrize(("step", "turns"), [(0.0, 1), (SLICE_SECONDS, 200)])
def test_a_long_round_gives_others_their_turn(step: float, turns: int) -> None:
    """Counted, not timed: with a clock on which every look costs a slice, every step ends one.

    One turn comes in any case: behind the change, before anything else is done about it.
    """

    async def script() -> int:
        taken = 0

        async def other() -> None:
            nonlocal taken
            while True:
                taken += 1
                await asyncio.sleep(0)

        running = asyncio.create_task(other())
        services = [Service(Key("shop", f"s{n}"), cluster_ips=(bytes((10, 96, 1, n)),)) for n in range(200)]
        await Publisher(a_world(), monotonic=Clock(step)).round("script", [Upsert(one) for one in services])
        running.cancel()
        return taken

    taken = asyncio.run(script())
    assert taken >= turns
    assert (taken == 1) is (turns == 1)
