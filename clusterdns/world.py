"""Objects and the zone that follows from them: the write path without clock or loop.

events -> cluster.state -> controllers -> filters -> zone.records -> zone.tree -> engine.table
"""

from collections.abc import Generator, Iterable, Sequence
from typing import TypeVar

from clusterdns.cluster.events import Event, Replace, Upsert
from clusterdns.cluster.model import Key, Object, Pod, Published
from clusterdns.cluster.state import State
from clusterdns.controllers.manager import ControllerOptions, Controllers
from clusterdns.controllers.memory import Memory
from clusterdns.engine.table import Table
from clusterdns.errors import Problem
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
        self._filters = zones.filters
        self._verified = zones.pods == "verified"

    def steps(self, source: str, events: Sequence[Event]) -> Generator[None, None, tuple[int, Prepared]]:
        """Takes in *events* and prepares what follows.  Yields often; the table stays as it is.

        Returns how many objects changed, and the preparation for ``commit``.
        """
        changed = 0
        pods: set[Key] = set()
        for batch in _batches(events):
            changes = self.state.apply(source, batch)
            changed += len(changes)
            yield
            for few in _chunks(changes):
                self.controllers.take(self.state, few)
                if self._verified:
                    pods.update(one.key for change in few for one in change if isinstance(one, Pod))
                yield
        dirty = self.controllers.settle(self.state)
        namespaces = yield from self._namespaces()
        dirty |= yield from self._revealed_or_hidden(namespaces)
        services: dict[Key, Published | None] = {}
        for key in sorted(dirty):
            services[key] = self._shown(key) if key.namespace in namespaces else None
            yield
        addresses: dict[Key, tuple[bytes, ...]] = {}
        for key in sorted(pods | self.controllers.stood) if self._verified else ():
            addresses[key] = self._filters.pod(self.controllers.pod(self.state, key))
            yield
        prepared = yield from self.table.tree.prepare(services, namespaces, addresses)
        return changed, prepared

    def commit(self, prepared: Prepared, now: int) -> None:
        """Publishes from one query to the next.  *now*: Unix seconds; a serial never falls (RFC 1982)."""
        if prepared.change.records_changed:
            self.serial = max(self.serial + 1, now)
        self.table.apply(prepared, self.serial)

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

    def _shown(self, key: Key) -> Published | None:
        published = self.controllers.published(self.state, key)
        return self._filters.service(published) if published else None

    def _namespaces(self) -> Generator[None, None, frozenset[str]]:
        """Those that are served."""
        everything = self.state.namespaces()
        if not self._filters.by_namespace:
            return frozenset(everything)
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
            for few in _chunks([service.key for service in self.state.all("Service")]):
                found.update(key for key in few if key.namespace in turned)
                yield
        return found


def _batches(events: Sequence[Event]) -> Generator[Sequence[Event], None, None]:
    """A Replace is one step by nature; single changes are taken a few at a time."""
    start = 0
    for at, event in enumerate(events):
        if isinstance(event, Replace):
            if start < at:
                yield from _chunks(events[start:at])
            yield (event,)
            start = at + 1
    yield from _chunks(events[start:])


def _chunks(items: Sequence[Item]) -> Generator[Sequence[Item], None, None]:
    for at in range(0, len(items), _EVENTS_AT_ONCE):
        yield items[at : at + _EVENTS_AT_ONCE]


def build(objects: Iterable[Object], zones: ZoneOptions, controllers: ControllerOptions, *, serial: int = 1) -> World:
    """A whole world from nothing: for the commands' ``--from``, and for tests, whose other way must equal it."""
    world = World(zones, controllers)
    steps = world.steps("objects", [Upsert(item) for item in objects])
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            world.commit(stop.value[1], serial)
            return world
