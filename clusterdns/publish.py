"""The write path: events -> state -> controllers -> records -> tree -> table, in whole rounds.

One scan, one re-list or all events that wait are one round: one Change, one serial, one log line.  A round is
prepared in slices between which queries are answered, and applied from one query to the next.
"""

import logging
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TypeVar

from msgspec import Struct

from clusterdns.cluster.events import Event, Replace, Source, Upsert
from clusterdns.cluster.model import Key, Object, Pod, Published
from clusterdns.cluster.state import State
from clusterdns.controllers.manager import ControllerOptions, Controllers
from clusterdns.engine.table import Table
from clusterdns.zone.tree import Prepared, ZoneOptions

Item = TypeVar("Item")

logger = logging.getLogger("clusterdns.publish")

SLICE_SECONDS = 0.002  # of preparation, after which waiting queries have their turn
_EVENTS_AT_ONCE = 64  # applied to the state without a pause


class Round(Struct, frozen=True):
    """What one round did."""

    objects: int  # changed
    names: int  # written or removed
    seconds: float
    serial: int


class World:
    """Objects and the zone that follows from them.  Knows no clock: time comes in with ``commit``."""

    def __init__(self, zones: ZoneOptions, controllers: ControllerOptions, sources: Iterable[str] = ()) -> None:
        self.state = State(sources)
        self.controllers = Controllers(controllers)
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


class Publisher:
    """Drives a World's rounds on the event loop."""

    def __init__(
        self,
        world: World,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        import asyncio  # noqa: PLC0415 - ``build`` needs no loop, and importing one is a third of a small command

        self._world = world
        self._monotonic = monotonic
        self._wall = wall
        self.rounds = 0
        self.first_round = asyncio.Event()

    async def run(self, source: Source) -> None:
        """Endless, like the source.  Raises what the source raises."""
        async for events in source.rounds():
            await self.round(source.name, events)

    async def round(self, source: str, events: Sequence[Event]) -> Round:
        started = self._monotonic()
        changed, prepared = await self._in_slices(self._world.steps(source, events))
        self._world.commit(prepared, int(self._wall()))
        self.rounds += 1
        self.first_round.set()
        done = Round(changed, prepared.change.size, self._monotonic() - started, self._world.serial)
        logger.info(
            "round %d: %d objects changed, %d names written, %d removed, %d in all, %.0f ms, serial %d",
            self.rounds,
            changed,
            len(prepared.change.upserts),
            len(prepared.change.deletes),
            len(self._world.table.nodes),
            done.seconds * 1000,
            done.serial,
        )
        return done

    async def _in_slices(self, steps: Generator[None, None, tuple[int, Prepared]]) -> tuple[int, Prepared]:
        import asyncio  # noqa: PLC0415 - as above

        until = self._monotonic() + SLICE_SECONDS
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                result: tuple[int, Prepared] = stop.value
                return result
            if self._monotonic() >= until:
                await asyncio.sleep(0)
                until = self._monotonic() + SLICE_SECONDS
