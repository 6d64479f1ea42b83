"""Time: how long to wait before the next try.  Pure but for the clock that is handed in."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from clusterdns.sources.kubernetes.faults import ApiError, Reason

SOON = (0.2, 1.0)  # seconds between tries where nobody is there, or only for a moment
GENTLE = 8  # tries of that kind with a server that answers errors, before they grow rare
LONGEST = 30.0  # seconds
_AT_ONCE = (Reason.ENDED, Reason.EXPIRED, Reason.UNAUTHORIZED)  # the first time


class Clock(NamedTuple):
    """Seconds."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


SYSTEM_CLOCK = Clock()


class Backoff:
    """The delay before each next try of one kind.  *random*: as ``random.random``."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._streak = 0  # faults since something went well

    def well(self) -> None:
        """Something was learnt from the server that shows that trying again is worth it."""
        self._streak = 0

    def delay(self, fault: ApiError) -> float:
        """Seconds.  Who is not there is looked for often, who is in trouble ever more rarely; all of it with jitter,

        so that many servers do not come back at the same moment.
        """
        self._streak += 1
        low, high = SOON
        soon = low + (high - low) * self._random()
        if fault.reason is Reason.REFUSED:
            return soon
        if fault.reason in _AT_ONCE and self._streak == 1:
            return 0.0
        gentle = 0 if fault.reason in (Reason.BUSY, Reason.EXPIRED) else GENTLE
        if self._streak <= gentle:
            return max(soon, fault.retry_after)
        longest = min(LONGEST, high * 2.0 ** min(self._streak - gentle - 1, 10))
        return max(longest * (0.5 + self._random() / 2), min(fault.retry_after, LONGEST))
