"""What the HTTP address shows of a running server."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from clusterdns import showing
from clusterdns.cluster.events import Source, Whole
from clusterdns.cluster.labels import parse_selector
from clusterdns.errors import Problem
from clusterdns.explaining import explanation
from clusterdns.publish import Publisher
from clusterdns.showing import FINDERS, Query, Shown
from clusterdns.sources.reread import Rereader
from clusterdns.views.explain import Others
from clusterdns.views.explanation import Explanation
from clusterdns.views.records import Record
from clusterdns.world import World


class Scene(NamedTuple):
    """What a Window looks at.  *life* tells this generation of the server from others."""

    world: World
    publisher: Publisher
    problems: Callable[[], Sequence[Problem]]
    life: str
    source: Source | None = None  # None: every object is in a file
    others: Others | None = None  # who is asked for names of others


class Window:
    """A World between its rounds."""

    kinds = tuple(FINDERS)

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._turn = asyncio.Event()

    def turn_to(self, scene: Scene) -> None:
        """Another World took over."""
        self._scene = scene
        self.turned()

    def turned(self) -> None:
        """To be called behind every round."""
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()

    def ready(self) -> bool:
        return self._scene.publisher.first_round.is_set()

    def version(self) -> str:
        return f"{self._scene.life}-{self._scene.publisher.rounds}"

    async def news(self, version: str) -> None:
        while self.version() == version:
            await self._turn.wait()

    async def quiet(self) -> None:
        """Also when another World takes over from one that is in the middle of a round."""
        while not self._scene.publisher.quiet.is_set():
            waits = [asyncio.create_task(event.wait()) for event in (self._scene.publisher.quiet, self._turn)]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    def find(self, kind: str, parameters: Mapping[str, str]) -> Iterator[Shown | None]:
        followed = {one.kind for one in self._scene.source.status().kinds} if self._scene.source else ()
        if kind == "pods" and followed and "Pod" not in followed:
            raise ValueError("pods are not followed: ask kubectl, or set pods: verified, which needs them")
        return FINDERS[kind](self._scene.world, _query(parameters))

    def records(self, parameters: Mapping[str, str]) -> Iterator[Record | None]:
        return showing.records(self._scene.world, _query(parameters))

    def names(self) -> Iterator[str | None]:
        return showing.names(self._scene.world)

    def explanation(self, parameters: Mapping[str, str]) -> Iterator[Explanation | None]:
        return explanation(self._scene.world, parameters, self._scene.problems(), self._scene.others)

    def problems(self) -> Sequence[Problem]:
        return self._scene.problems()

    def reader(self, parameters: Mapping[str, str]) -> AbstractContextManager[Whole]:
        if self._scene.source is None:
            return Rereader()
        get = parameters.get
        return self._scene.source.reader(get("namespace"), get("name", ""), get("labelSelector", ""))


def _query(parameters: Mapping[str, str]) -> Query:
    """Raises ValueError for a selector that is none."""
    selector = parse_selector(parameters.get("labelSelector", ""))
    return Query(parameters.get("namespace"), parameters.get("name", ""), selector)
