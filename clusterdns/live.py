"""What is known of a live source beside its events: the last good state, and how old it is.

It is kept on disk, served at a start while the API is away, and handed to the next generation of the server.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from msgspec import Struct

from clusterdns.cluster.events import Kind, LiveSource, Replace, Requests
from clusterdns.cluster.model import Key, Object
from clusterdns.errors import OperatorError, moment
from clusterdns.publish import Publisher
from clusterdns.sources.snapshot import Identity, Objects, SnapshotFile, SnapshotKeeper, fingerprints

logger = logging.getLogger("clusterdns")


class Known(Struct, frozen=True):
    """What one generation of the server leaves to the next."""

    identity: Identity
    objects: Objects
    written: float | None  # Unix seconds of the snapshot that they are; None: they are what the API said
    confirmed: float | None  # Unix seconds of the API's last word on them


class Reach(NamedTuple):
    """How the API is reached.  Both raise OperatorError for what only a person can mend."""

    place: Callable[[], Awaitable[tuple[str, bytes]]]  # gives its URL and who may sign for it (PEM)
    check: Callable[[], Awaitable[None]]  # tries the credentials, for some seconds at most


class Live:
    """Of one Backend."""

    def __init__(
        self,
        source: LiveSource,
        publisher: Publisher,
        held: Callable[[Kind], Sequence[Object]],
        mark: Callable[[str], None],
        *,
        reach: Reach,
        domain: str,
        state_dir: str,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """*held*: the objects of a kind as of the last round.  *mark* gets what every answer is marked with, or "".

        *wall*: Unix seconds.
        """
        self._source, self._publisher, self._held, self._mark = source, publisher, held, mark
        self._reach, self._domain, self._state_dir, self._wall = reach, domain, state_dir, wall
        self._identity = Identity("", domain)
        self._written: float | None = None  # of the snapshot that is served
        self._confirmed: float | None = None  # Unix seconds of the API's last word on what is served from before
        self._restoring = False
        self._keeper: SnapshotKeeper | None = None
        self.synced = asyncio.Event()  # a round of the source has been published

    async def begin(self, known: Known | None) -> None:
        """Publishes what is known before the API is asked: *known*, else the snapshot, else nothing.

        Raises OperatorError where nobody can say how to reach the API.  Wrong credentials are no reason not to serve a
        snapshot: then they are told by the source, which goes on trying, and nothing waits for a slow plugin.
        """
        self._identity = await self._identify()
        file = SnapshotFile(self._state_dir, self._identity) if self._state_dir else None
        self._keeper = SnapshotKeeper(file, self._collect) if file else None
        if known and known.identity.is_cluster_of(self._identity) and not known.objects.keys() ^ {*self._kinds()}:
            await self._reach.check()
            self._confirmed = known.confirmed
            await self._restore(known.objects, known.written)
            return
        if known is None and file and (found := await asyncio.to_thread(file.load, self._kinds())):
            logger.warning(
                "kubernetes: serving the last good state (%s, of %s) until the API has been read",
                file.path,
                moment(found.confirmed),
            )
            self._confirmed = found.confirmed
            await self._restore(found.objects, found.confirmed)
            return
        await self._reach.check()

    async def run(self) -> None:
        """Keeps the state on disk; endless where it is to be kept."""
        if self._keeper:
            await self._keeper.run(self._word)

    async def stop(self, *, keep: bool) -> None:
        """Nothing reaches the disk afterwards.

        *keep*: what has changed is there, and how late the API has confirmed it, unless a round was cut short.
        """
        keeper, self._keeper = self._keeper, None  # without this circle the whole world goes with its last reference
        if keeper and keep and self._publisher.quiet.is_set():
            await keeper.save(self._word)
        if keeper:
            await keeper.done()

    @property
    def triggers(self) -> Sequence[tuple[Key, float]]:
        """See ``LiveSource``; nothing while what was known before is published."""
        return () if self._restoring else self._source.triggers

    @property
    def requests(self) -> Requests:
        return self._source.requests

    def after_round(self) -> None:
        if self._restoring:
            return
        if self._written is not None:
            logger.info("kubernetes: the API has been read: what is served is the snapshot no more")
            self._written = None
            self._mark("")
        self.synced.set()
        if self._keeper:
            self._keeper.note()

    async def known(self) -> Known | None:
        """As of the last round; None before the first."""
        objects = await self._now()
        if objects is None:
            return None
        lag = self.lag()
        return Known(self._identity, objects, self._written, None if lag is None else self._wall() - lag)

    @property
    def where(self) -> str:
        """The API server's URL; while nobody can say it, where it is looked up."""
        return self._identity.server or self._source.status().where

    @property
    def snapshot(self) -> str:
        """Of when the snapshot is that is served; "" where none is."""
        return "" if self._written is None else moment(self._written)

    def lag(self) -> float | None:
        """Seconds since the API last confirmed what is served; None: it never has."""
        if not self.synced.is_set() and self._confirmed is not None:
            return max(0.0, self._wall() - self._confirmed)
        return self._source.status().lag

    def _word(self) -> float:
        """Unix seconds of the API's last word on what is served."""
        return self._wall() - (self.lag() or 0.0)

    def too_old(self, most: float) -> list[str]:
        """One line if the API has not confirmed what is served for more than *most* seconds; 0: it never matters."""
        lag = self.lag()
        if not most or lag is None or lag <= most:
            return []
        return [f"kubernetes: no word from the API for {lag:.0f} s (max_staleness {most:g} s)"]

    def notes(self) -> list[str]:
        """What is wrong, a line each: one where it is the same with all kinds."""
        status = self._source.status()
        found = [f"kubernetes: serving the snapshot of {self.snapshot}: {status.unsynced()}"] if self.snapshot else []
        if status.error:
            faults = [f" {status.told}"] if status.synced else []
        else:
            faults = [f" ({one.kind}) {one.told}" for one in status.kinds if one.synced and one.error]
        return found + [f"kubernetes: the API cannot be followed{one}; what is known is served on" for one in faults]

    async def _restore(self, objects: Objects, written: float | None) -> None:
        self._restoring, self._written = True, written
        if written is not None:
            self._mark(f"snapshot of {moment(written)}: the Kubernetes API has not been read since")
        try:
            replaces = [Replace(kind, tuple(items)) for kind, items in objects.items()]
            await self._publisher.round(self._source.name, replaces)
            self._source.seed(objects)
        finally:
            self._restoring = False

    async def _collect(self) -> tuple[Identity, Objects] | None:
        """For the snapshot: never what came from one."""
        objects = await self._now() if self.synced.is_set() else None
        if objects is None:
            return None
        with suppress(OperatorError):  # its certificates may have been renewed since
            self._identity = await self._identify()
        return self._identity, objects

    async def _identify(self) -> Identity:
        """Raises OperatorError."""
        server, signers = await self._reach.place()
        return Identity(server, self._domain, fingerprints(signers))

    async def _now(self) -> Objects | None:
        await self._publisher.quiet.wait()
        if not self._publisher.first_round.is_set():
            return None
        return {kind: self._held(kind) for kind in self._kinds()}

    def _kinds(self) -> list[Kind]:
        return [one.kind for one in self._source.status().kinds]
