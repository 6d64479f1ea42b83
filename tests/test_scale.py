"""Large clusters, counted and not timed: what a change costs depends on the change, not on the cluster."""

import gc
import json
from collections.abc import Iterable, Iterator, Sequence
from unittest.mock import patch

import pytest
from objects import pod, service

from clusterdns.cluster.addresses import parse_network
from clusterdns.cluster.decode import DocumentCache, decode_file
from clusterdns.cluster.events import Delete, Event, Replace, Upsert
from clusterdns.cluster.model import Key, Object, Pod, Service
from clusterdns.cluster.plain import read_plain
from clusterdns.cluster.state import State
from clusterdns.collector import collector_paused
from clusterdns.controllers import manager
from clusterdns.controllers.manager import ControllerOptions
from clusterdns.world import World
from clusterdns.zone.names import parse_name, to_text
from clusterdns.zone.prepared import Change
from clusterdns.zone.tree import Prepared, ZoneOptions
from clusterdns.zone.zonefile import zone_text

SELECTORS, PODS_EACH = 40, 5
ZONES = ZoneOptions((parse_name("cluster.local"),))
CONTROLLERS = ControllerOptions((parse_network("10.96.0.0/12"),), (parse_network("10.244.0.0/16"),))


def a_world() -> World:
    return World(ZONES, CONTROLLERS)


def turn(world: World, *events: Event) -> tuple[Prepared, int]:
    """One round, and in how many steps it was prepared."""
    steps, count = world.steps("test", events), 0
    while True:
        try:
            next(steps)
            count += 1
        except StopIteration as stop:
            prepared: Prepared = stop.value[1]
            world.commit(prepared, 1)
            for _ in world.forget():
                pass
            return prepared, count


def selecting() -> Iterator[Object]:
    """Services ``shop/s-0``…, the even ones headless, each with its pods."""
    for number in range(SELECTORS):
        labels = {"app": f"s-{number}"}
        ips = [] if number % 2 == 0 else [f"10.96.1.{number}"]
        yield service(f"shop/s-{number}", "http/tcp/80", ips=ips, headless=not ips, selector=labels)
        for place in range(PODS_EACH):
            yield pod(f"shop/s-{number}-{place}", f"10.244.{number}.{place + 1}", labels=labels)


def exported(world: World) -> list[str]:
    """Without the serial."""
    zones = world.table.zones
    return [line for zone in zones for line in zone_text(world.table.tree, zone) if " SOA " not in line]


def by_kind(objects: Iterable[Object]) -> list[Event]:
    everything = list(objects)
    kinds = dict.fromkeys(item.kind for item in everything)
    return [Replace(kind, tuple(item for item in everything if item.kind == kind)) for kind in kinds]


def test_one_pod_changes_the_names_of_its_services_only() -> None:
    world = a_world()
    whole, _ = turn(world, *(Upsert(item) for item in selecting()))
    unready = pod("shop/s-4-0", "10.244.4.1", labels={"app": "s-4"}, ready=False)
    prepared, _ = turn(world, Upsert(unready))
    assert list(prepared.services) == [Key("shop", "s-4")]
    assert len(whole.change.upserts) > 3 * SELECTORS
    names = {to_text(name).split(".svc.")[0] for name in (*prepared.change.upserts, *prepared.change.deletes)}
    endpoint = "10-244-4-1"  # the other endpoints of the Service stay what they are
    assert names == {f"{above}s-4.shop" for above in ("", f"{endpoint}.", "_http._tcp.", "_tcp.")}


@pytest.mark.parametrize("count", [10, SELECTORS])
def test_selectors_meet_the_pods_they_may_select_and_no_others(count: int) -> None:
    objects = [item for item in selecting() if int(item.key.name.split("-")[1]) < count]
    world, met = a_world(), 0

    def counted(selector: dict[str, str], labels: dict[str, str]) -> bool:
        nonlocal met
        met += 1
        return selector.items() <= labels.items()

    with patch.object(manager, "selects", counted):
        turn(world, *by_kind(objects))
        assert met <= 2 * PODS_EACH * count, "not pods times selectors"
        met = 0
        turn(world, Upsert(pod("shop/s-2-0", "10.244.2.9", labels={"app": "s-2"})))
        assert met <= 2 + PODS_EACH


def a_list(numbers: Iterable[int], port: int = 80) -> bytes:
    items = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": f"s-{number}", "namespace": "shop"},
            "spec": {"clusterIP": f"10.96.2.{number}", "ports": [{"port": port if number == 7 else 80}]},
        }
        for number in numbers
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=1).encode()


def test_of_a_list_only_the_items_that_changed_are_read_again() -> None:
    cache = DocumentCache()
    before = decode_file(a_list(range(20)), "a.json", cache).objects
    with patch("clusterdns.cluster.decode.read_plain", wraps=read_plain) as read:
        after = decode_file(a_list(range(20), port=81), "a.json", cache).objects
        assert read.call_count == 1
        assert [one is other for one, other in zip(before, after, strict=True)].count(False) == 1
        decode_file(a_list(range(10)), "a.json", cache)
        decode_file(a_list(range(20)), "a.json", cache)
        assert read.call_count == 1 + 1 + 10, "what the last read did not have is forgotten"


def test_a_relist_is_taken_in_by_small_steps_and_is_one_round() -> None:
    sizes = []
    apply = State.apply

    def watched(self: State, source: str, events: Sequence[Event]) -> object:
        sizes.append(len(events))
        return apply(self, source, events)

    world, objects = a_world(), list(selecting())
    kept = objects[: len(objects) // 2]
    with patch.object(State, "apply", watched):
        turn(world, *by_kind(objects))
        # The same key twice: the first one serves, as in one Replace.
        second = service("shop/s-1", "http/tcp/99", ips=["10.96.9.9"])
        turn(world, *by_kind([*kept, second]))
    assert max(sizes) <= 64
    fresh = a_world()
    turn(fresh, *(Upsert(item) for item in kept))
    assert exported(world) == exported(fresh)


def test_a_relist_deletes_what_its_own_source_had() -> None:
    world = a_world()
    turn(world, Replace("Service", (service("shop/a"), service("shop/b"))), Upsert(pod("shop/p", "10.244.0.9")))
    turn(world, Replace("Service", ()))
    assert list(world.state.all("Service")) == []
    assert [one.key.name for one in world.state.all("Pod")] == ["p"]
    assert world.state.held("test", "Pod") == [Key("shop", "p")]
    assert world.state.held("other", "Pod") == world.state.held("test", "Service") == []


@pytest.mark.parametrize("above", [0, 10_000])
def test_what_a_large_round_replaces_is_freed_and_nothing_else(above: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Change, "FULL_ABOVE", above)
    world = a_world()
    turn(world, *(Upsert(item) for item in selecting()))
    changed = [
        service(str(item.key), "http/tcp/81", ips=["10.96.3.1"]) if item.key.name == "s-1" else item
        for item in selecting()
    ]
    turn(world, *by_kind(changed))
    turn(world, Delete("Pod", Key("shop", "s-0-0")))
    fresh = a_world()
    turn(fresh, *(Upsert(item) for item in changed if item.key.name != "s-0-0"))
    assert exported(world) == exported(fresh)
    assert {type(item) for item in changed} == {Service, Pod}


def test_the_collector_rests_while_anybody_loads() -> None:
    assert gc.isenabled()
    with collector_paused():
        with pytest.raises(ZeroDivisionError), collector_paused():
            raise ZeroDivisionError
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_pause_of_the_collector_can_end_early() -> None:
    with collector_paused() as resume:
        with collector_paused():
            resume()
            assert not gc.isenabled()
        assert gc.isenabled()
        resume()
        with collector_paused():
            assert not gc.isenabled()
    assert gc.isenabled()
