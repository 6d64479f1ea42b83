"""Objects from a live API server, followed for a server."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime

from clusterdns.cluster.events import Delete, Event, Kind, Replace, Requests, SourceStatus, Upsert
from clusterdns.cluster.model import EndpointSlice, Key, Object
from clusterdns.errors import Problem, printable
from clusterdns.sources.kubernetes.access import Credentials
from clusterdns.sources.kubernetes.client import Client
from clusterdns.sources.kubernetes.decoding import Seen
from clusterdns.sources.kubernetes.outage import Outage
from clusterdns.sources.kubernetes.pace import SYSTEM_CLOCK, Clock
from clusterdns.sources.kubernetes.pages import Scope, WholeObjects
from clusterdns.sources.kubernetes.reflector import Reflector, Surroundings, Timing
from clusterdns.sources.kubernetes.resources import SLICES, resources


class Kubernetes:
    """The source of a server.  Use its methods on one loop, ``rounds`` once at a time."""

    name = "kubernetes"

    def __init__(
        self,
        credentials: Credentials,
        *,
        pods: bool = False,
        clock: Clock = SYSTEM_CLOCK,
        random: Callable[[], float] = random.random,
        timing: Timing = Timing(),  # noqa: B008 - frozen
    ) -> None:
        """*pods*: whether pods are followed, too (``pods: verified``)."""
        self.client = Client(credentials)
        self._outage = Outage(clock.monotonic)
        around = Surroundings(self.client, self._changed, self._triggered, self._outage, clock, random, timing)
        self._reflectors = [Reflector(one, around) for one in resources(pods=pods)]
        self._waiting: dict[tuple[Kind, Key], Event] = {}  # the last of each object
        self._some = asyncio.Event()
        self._listed = False
        self._wall = clock.wall
        self._waiting_since: float | None = None
        self.changed_at: float | None = None
        self._new_triggers: list[tuple[Key, float]] = []
        self.triggers: list[tuple[Key, float]] = []

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Objects that cannot be read; what they were before serves, if they were known."""
        remedy = "report this as a bug, unless something changes objects behind the API server's back"
        found = [
            Problem("", 0, "error", "CD310", printable(f"{one.store.kind} {key}"), f"cannot be read: {why}", remedy)
            for one in self._reflectors
            for key, why in one.store.unreadable.items()
        ]
        return tuple(sorted(found))

    @property
    def requests(self) -> Requests:
        return Requests(self.client.server, self.client.requests, self.client.seconds)

    def refresh(self) -> None:
        """Compare with the server now, and try again at once where it could not be reached."""
        for one in self._reflectors:
            one.refresh()

    def status(self) -> SourceStatus:
        kinds = tuple(one.status() for one in self._reflectors)
        errors = {one.error for one in kinds}
        begins = [one.error_since for one in kinds if one.error_since is not None]
        lags = [one.lag for one in kinds if one.lag is not None]
        return SourceStatus(
            self.name,
            self.client.server or self.client.origin,
            all(one.synced for one in kinds),
            kinds,
            error=errors.pop() if len(errors) == 1 else "",
            lag=max(lags) if len(lags) == len(kinds) else None,
            error_since=min(begins, default=None),
        )

    def seed(self, objects: Mapping[Kind, Sequence[Object]]) -> None:
        """What has been published as this source's already: what the first list says the same of is kept as it is."""
        for one in self._reflectors:
            one.store.objects = {item.key: item for item in objects.get(one.store.kind, ())}
        self._outage.knows_something = any(objects.values())

    def reader(self, namespace: str | None, name: str, selector: str) -> WholeObjects:
        """Of slices the model says all that is shown."""
        kinds = {one.store.kind for one in self._reflectors} - {SLICES.kind}
        wanted = {one.kind: one for one in resources(pods=True) if one.kind in kinds}
        return WholeObjects(wanted, Scope(namespace, name, selector), self.client.get, asyncio.get_running_loop())

    async def rounds(self) -> AsyncIterator[Sequence[Event]]:
        """See ``events.Source``.  The first round comes when every kind has been listed.

        Never ends and raises nothing: credentials that cannot be used are a fault of the requests, and tried again.
        """
        tasks = [asyncio.create_task(one.run()) for one in self._reflectors]
        try:
            for one in self._reflectors:
                await one.synced.wait()
            self._listed = self._outage.knows_something = True
            yield [Replace(one.store.kind, tuple(one.store.objects.values())) for one in self._reflectors]
            while True:
                await self._some.wait()
                self._some.clear()
                events, self._waiting = list(self._waiting.values()), {}
                self.changed_at, self._waiting_since = self._waiting_since, None
                self.triggers, self._new_triggers = self._new_triggers, []
                yield events
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.client.close()

    def _triggered(self, seen: Seen) -> None:
        if not self._listed or not isinstance(seen.object, EndpointSlice):
            return
        try:
            at = datetime.fromisoformat(seen.triggered).timestamp()
        except ValueError:  # anybody may annotate
            return
        self._new_triggers.append((seen.object.service, at))

    def _changed(self, events: Sequence[Event]) -> None:
        """What waits for the next round; before the first one the stores say it all."""
        if not self._listed or not events:
            return
        if self._waiting_since is None:
            self._waiting_since = self._wall()
        for event in events:
            self._waiting[_subject(event)] = event
        self._some.set()


def _subject(event: Event) -> tuple[Kind, Key]:
    match event:
        case Upsert(item):
            return item.kind, item.key
        case Delete(kind, key):
            return kind, key
    raise TypeError(event)
