"""What the HTTP address shows of a running server."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence

from clusterdns import showing
from clusterdns.cluster.labels import parse_selector
from clusterdns.errors import Problem
from clusterdns.explaining import explanation
from clusterdns.publish import Publisher
from clusterdns.showing import FINDERS, Query, Shown
from clusterdns.sources.reread import Rereader
from clusterdns.views.explanation import Explanation
from clusterdns.views.records import Record
from clusterdns.world import World


class Window:
    """A World between its rounds.  *life* tells this life of the server from others."""

    kinds = tuple(FINDERS)

    def __init__(
        self, world: World, publisher: Publisher, problems: Callable[[], Sequence[Problem]], life: str
    ) -> None:
        self._world, self._publisher, self._problems, self._life = world, publisher, problems, life
        self._turn = asyncio.Event()

    def turn_to(self, world: World, publisher: Publisher, problems: Callable[[], Sequence[Problem]], life: str) -> None:
        """Another World took over."""
        self._world, self._publisher, self._problems, self._life = world, publisher, problems, life
        self.turned()

    def turned(self) -> None:
        """To be called behind every round."""
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()

    def ready(self) -> bool:
        return self._publisher.first_round.is_set()

    def version(self) -> str:
        return f"{self._life}-{self._publisher.rounds}"

    async def news(self, version: str) -> None:
        while self.version() == version:
            await self._turn.wait()

    async def quiet(self) -> None:
        """Also when another World takes over from one that is in the middle of a round."""
        while not self._publisher.quiet.is_set():
            waits = [asyncio.create_task(event.wait()) for event in (self._publisher.quiet, self._turn)]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    def find(self, kind: str, parameters: Mapping[str, str]) -> Iterator[Shown | None]:
        return FINDERS[kind](self._world, _query(parameters))

    def records(self, parameters: Mapping[str, str]) -> Iterator[Record | None]:
        return showing.records(self._world, _query(parameters))

    def names(self) -> Iterator[str | None]:
        return showing.names(self._world)

    def explanation(self, parameters: Mapping[str, str]) -> Iterator[Explanation | None]:
        return explanation(self._world, parameters, self._problems())

    def problems(self) -> Sequence[Problem]:
        return self._problems()

    def reader(self) -> Rereader:
        return Rereader()


def _query(parameters: Mapping[str, str]) -> Query:
    """Raises ValueError for a selector that is none."""
    selector = parse_selector(parameters.get("labelSelector", ""))
    return Query(parameters.get("namespace"), parameters.get("name", ""), selector)
