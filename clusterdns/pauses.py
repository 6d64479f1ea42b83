"""How long queries were kept waiting by what is not theirs: Python's collector, and whatever held the event loop."""

import asyncio
import gc
import time
from collections.abc import Callable, Mapping

from clusterdns.histogram import SLIM_TIME, TIME, Histogram

SECONDS = 1.0  # between looks at the loop
FAILED = 5.0  # seconds after which a client of /health gives up, as CoreDNS asking itself does


class Pauses:
    """Measures from ``start`` to ``stop``."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """*clock*: seconds, from any beginning."""
        self._clock = clock
        self.collector = {generation: Histogram(TIME) for generation in range(len(gc.get_count()))}
        self.loop, self.health = Histogram(TIME), Histogram(SLIM_TIME)
        self.health_failures = 0
        self._collecting = 0.0
        self._next: asyncio.TimerHandle | None = None

    def start(self) -> None:
        gc.callbacks.append(self._collector)
        self._wait()

    def stop(self) -> None:
        """Any number of times."""
        if self._collector in gc.callbacks:
            gc.callbacks.remove(self._collector)
        if self._next:
            self._next.cancel()

    def late(self, seconds: float) -> None:
        """The loop came so much later than it should have."""
        self.loop.observe(seconds)
        self.health.observe(seconds)
        self.health_failures += seconds > FAILED

    def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        self._next = loop.call_at(loop.time() + SECONDS, self._look, loop.time() + SECONDS)

    def _look(self, due: float) -> None:
        self.late(max(0.0, asyncio.get_running_loop().time() - due))
        self._wait()

    def _collector(self, phase: str, about: Mapping[str, int]) -> None:
        """Python calls it before and after; nothing that makes objects belongs here."""
        if phase == "start":
            self._collecting = self._clock()
        else:
            self.collector[about["generation"]].observe(self._clock() - self._collecting)
