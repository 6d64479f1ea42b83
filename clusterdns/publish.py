"""The write path on the loop: what sources say becomes rounds, each published as a whole.

One scan, one re-list or all events that wait are one round: one Change, one serial.  A round is
prepared in slices between which queries are answered, and applied from one query to the next.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

from msgspec import Struct

from clusterdns.cluster.events import Event, Replace, Rounds
from clusterdns.collector import collector_paused
from clusterdns.heap import hand_back
from clusterdns.histogram import PROGRAMMING, TIME, Histogram
from clusterdns.world import World

Result = TypeVar("Result")

logger = logging.getLogger("clusterdns.publish")

SLICE_SECONDS = 0.002  # of preparation, after which waiting queries have their turn


class Round(Struct, frozen=True):
    """What one round did."""

    objects: int  # changed
    names: int  # written or removed
    seconds: float
    serial: int


class Publisher:
    """Drives a World's rounds on the event loop."""

    def __init__(
        self,
        world: World,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        after: Callable[[], None] = lambda: None,
        *,
        tells: bool = True,
    ) -> None:
        """*monotonic* and *wall*: seconds.  *after* is called behind every round.

        *tells*: the log has every round, and not only those that begin with everything: a cluster never rests.

        *seconds* says how long rounds took, *lag* how old changes were when they were published.
        """
        self._world = world
        self._monotonic = monotonic
        self._wall = wall
        self.after = after
        self._tells = tells
        self.rounds = 0
        self.seconds, self.lag = Histogram(TIME), Histogram(PROGRAMMING)
        self._last: float | None = None  # when the last round was published
        self.first_round = asyncio.Event()
        self.quiet = asyncio.Event()  # no round is under way, so that state, controllers and tree say the same
        self.quiet.set()

    async def run(self, source: Rounds) -> None:
        """Endless, like the source.  Raises what the source raises."""
        async for events in source.rounds():
            changed_at = source.changed_at
            await self.round(source.name, events)
            if changed_at is not None:
                self.lag.observe(max(0.0, self._wall() - changed_at))

    async def round(self, source: str, events: Sequence[Event]) -> Round:
        with collector_paused():
            return await self._round(source, events)

    async def _round(self, source: str, events: Sequence[Event]) -> Round:
        started = self._monotonic()
        self.quiet.clear()
        changed, prepared = await self._in_slices(self._world.steps(source, events))
        self._world.commit(prepared, int(self._wall()))
        await asyncio.sleep(0)  # who has asked meanwhile is answered first: what follows is for nobody who waits
        await self._in_slices(self._world.forget())
        self.rounds += 1
        self._last = self._monotonic()
        self.quiet.set()
        self.first_round.set()
        done = Round(changed, prepared.change.size, self._monotonic() - started, self._world.serial)
        self.seconds.observe(done.seconds)
        whole = bool(events) and isinstance(events[0], Replace)
        logger.log(
            logging.INFO if self._tells or whole else logging.DEBUG,
            "round %d: %d objects changed, %d names written, %d removed, %d in all, %.0f ms, serial %d",
            self.rounds,
            changed,
            len(prepared.change.upserts),
            len(prepared.change.deletes),
            len(self._world.table.nodes),
            done.seconds * 1000,
            done.serial,
        )
        self.after()
        if prepared.nodes is not None:
            await asyncio.to_thread(hand_back)
        return done

    @property
    def age(self) -> float | None:
        """Seconds since the last round; None before the first."""
        return None if self._last is None else self._monotonic() - self._last

    async def _in_slices(self, steps: Generator[None, None, Result]) -> Result:
        until = self._monotonic() + SLICE_SECONDS
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                result: Result = stop.value
                return result
            if self._monotonic() >= until:
                await asyncio.sleep(0)
                until = self._monotonic() + SLICE_SECONDS
