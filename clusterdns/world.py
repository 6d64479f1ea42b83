"""Objects and the zone that follows from them: the write path without clock or loop.

events -> cluster.state -> controllers -> filters -> zone.records -> zone.tree -> engine.table
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from heapq import merge
from typing import TypeVar

from clusterdns.cluster.events import Delete, Event, Replace, Upsert
from clusterdns.cluster.model import Key, Object, Pod, Published, Service
from clusterdns.cluster.state import Changed, State
from clusterdns.controllers.manager import ControllerOptions, Controllers
from clusterdns.controllers.memory import Memory
from clusterdns.engine.table import Remains, Table
from clusterdns.errors import Problem
from clusterdns.steps import at_once
from clusterdns.zone.left_out import left_out
from clusterdns.zone.tree import Prepared, ZoneOptions

Item = TypeVar("Item")

_EVENTS_AT_ONCE = 64  # applied to the state without a pause


class World:
    """Objects and the zone that follows from them.  Knows no clock: time comes in with ``commit``."""

    def __init__(self, zones: ZoneOptions, controllers: ControllerOptions, memory: Memory | None = None) -> None:
        """*memory*: what an earlier life allocated."""
        self.state = State()
        self.controllers = Controllers(controllers, memory)
        self.table = Table(zones)
        self.serial = 0
        self._remains: list[Remains] = []
        self._filters = zones.filters
        self._verified = zones.pods == "verified"

    def steps(self, source: str, events: Sequence[Event]) -> Generator[None, None, tuple[int, Prepared]]:
        """Takes in *events* and prepares what follows.  Yields often; the table stays as it is.

        Returns how many objects changed, and the preparation for ``commit``.
        """
        changed = 0
        pods: set[Key] = set()
        for changes in self._changes(source, events):
            changed += len(changes)
            yield
            for few in _chunks(changes):
                self.controllers.take(self.state, few)
                if self._verified:
                    pods.update(one.key for change in few for one in change if isinstance(one, Pod))
                yield
        yield from self.controllers.learn(self.state)
        dirty = self.controllers.settle(self.state)
        yield
        namespaces = yield from self._namespaces()
        dirty |= yield from self._revealed_or_hidden(namespaces)
        services: dict[Key, Published | None] = {}
        for key in (yield from _in_order(dirty)):
            services[key] = self._shown(key) if key.namespace in namespaces else None
            yield
        addresses: dict[Key, tuple[bytes, ...]] = {}
        for key in (yield from _in_order(pods | self.controllers.stood)) if self._verified else ():
            addresses[key] = self._filters.pod(self.controllers.pod(self.state, key))
            yield
        prepared = yield from self.table.tree.prepare(services, namespaces, addresses)
        yield from self.table.stage(prepared)
        return changed, prepared

    def commit(self, prepared: Prepared, now: int) -> None:
        """Publishes from one query to the next.  *now*: Unix seconds; a serial never falls (RFC 1982)."""
        if prepared.change.records_changed:
            self.serial = max(self.serial + 1, now)
        self._remains.append(self.table.remains(prepared))
        self.table.apply(prepared, self.serial)

    def forget(self) -> Generator[None, None, None]:
        """Frees what the last commits replaced, a little at a time: at once a large zone takes 50 ms."""
        while self._remains:
            yield from self._remains.pop().free()

    def _changes(self, source: str, events: Sequence[Event]) -> Iterator[Sequence[Changed]]:
        """What *events* change in the state, a few at a time.  None where only time has passed."""
        single: list[Event] = []
        for event in events:
            if not isinstance(event, Replace):
                single.append(event)
                continue
            for few in _chunks(single):
                yield self.state.apply(source, few)
            single = []
            if not self.state.has(event.kind):
                for objects in _chunks(event.objects):
                    yield self.state.begin(source, event.kind, objects)
                continue
            for few in self._replaced(source, event):
                yield self.state.apply(source, few)
        for few in _chunks(single):
            yield self.state.apply(source, few)

    def _replaced(self, source: str, event: Replace) -> Iterator[Sequence[Event]]:
        """As deletions and what is there now.  It is one step all the same: nobody sees half of a round."""
        named: dict[Key, Object] = {}
        for few in _chunks(event.objects):
            for item in few:
                named.setdefault(item.key, item)
            yield ()
        for keys in _chunks(self.state.held(source, event.kind)):
            yield [Delete(event.kind, key) for key in keys if key not in named]
        for few in _chunks(event.objects):
            yield [Upsert(item) for item in few if named[item.key] is item]

    def problems(self) -> tuple[Problem, ...]:
        """What is wrong between objects, and which names of what is served no zone can hold; sorted."""
        found = list(self.controllers.problems())
        for key, published in self.table.tree.published.items():
            service = self.state.get("Service", key)
            place = service.place if service else published.service.place
            told = {one for apex in self.table.options.domains for one in left_out(published, apex)}
            for code, text, remedy in told:
                found.append(Problem(place.path, place.line, "warning", code, f"Service {key}", text, remedy))
        return tuple(sorted(found))

    def services(self, wanted: Callable[[Key], bool]) -> list[Service]:
        """With what was allocated to them, in no particular order; also those that the zones do not show."""
        keys = [one.key for one in self.state.all("Service") if wanted(one.key)]
        found = (self.controllers.service(self.state, key) for key in keys)
        return [service for service in found if service]

    def _shown(self, key: Key) -> Published | None:
        published = self.controllers.published(self.state, key)
        return self._filters.service(published) if published else None

    def _namespaces(self) -> Generator[None, None, frozenset[str]]:
        """Those that are served."""
        everything = self.state.namespaces()
        if not self._filters.by_namespace:
            return everything
        shown = []
        for few in _chunks(list(everything)):
            for name in few:
                declared = self.state.get("Namespace", Key("", name))
                if self._filters.shows_namespace(name, declared.labels if declared else None):
                    shown.append(name)
            yield
        return frozenset(shown)

    def _revealed_or_hidden(self, namespaces: frozenset[str]) -> Generator[None, None, set[Key]]:
        """The Services of namespaces that are shown since this round, or no more: they are the same, their zone not."""
        turned = namespaces ^ self.table.tree.namespaces if self._filters.by_namespace else frozenset()
        found: set[Key] = set()
        if turned:
            for number, service in enumerate(self.state.all("Service")):
                if service.key.namespace in turned:
                    found.add(service.key)
                if not number % _EVENTS_AT_ONCE:
                    yield
        return found


def _in_order(keys: Iterable[Key]) -> Generator[None, None, Iterator[Key]]:
    """As ``sorted``, which takes 10 ms for 10,000 of them."""
    runs = []
    for few in _chunks(list(keys)):
        runs.append(sorted(few))
        yield
    return iter(runs[0]) if len(runs) == 1 else merge(*runs)


def _chunks(items: Sequence[Item]) -> Generator[Sequence[Item], None, None]:
    for at in range(0, len(items), _EVENTS_AT_ONCE):
        yield items[at : at + _EVENTS_AT_ONCE]


def build(objects: Iterable[Object], zones: ZoneOptions, controllers: ControllerOptions, *, serial: int = 1) -> World:
    """A whole world from nothing: for the commands' ``--from``, and for tests, whose other way must equal it."""
    world = World(zones, controllers)
    steps = world.steps("objects", [Upsert(item) for item in objects])
    world.commit(at_once(steps)[1], serial)
    at_once(world.forget())
    return world
