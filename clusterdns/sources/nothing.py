"""No objects at all: whoever only forwards and caches has none."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from clusterdns.cluster.events import Event, SourceStatus
from clusterdns.errors import Problem
from clusterdns.sources.reread import Rereader


class Nothing:
    name = "none"

    @property
    def problems(self) -> Sequence[Problem]:
        return ()

    @property
    def changed_at(self) -> float | None:
        return None

    def refresh(self) -> None:
        """There is nothing to look at."""

    def status(self) -> SourceStatus:
        return SourceStatus(self.name, "", synced=True)

    def reader(self, namespace: str | None, name: str, selector: str) -> Rereader:
        del namespace, name, selector
        return Rereader()

    async def rounds(self) -> AsyncIterator[Sequence[Event]]:
        """One, which is empty, and then none for ever."""
        yield ()
        await asyncio.get_running_loop().create_future()
