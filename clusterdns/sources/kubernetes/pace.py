"""Time: how long to wait before the next try.  Pure but for the clock that is handed in."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from clusterdns.sources.kubernetes.faults import ApiError, Reason

SOON = (0.2, 0.7)  # seconds between tries where nobody is there, or only for a moment: who is back is known within 1 s
GENTLE = 20  # tries of that kind with a server that answers and says no, before they grow rare
LONGEST = 30.0  # seconds
# Nobody is there, or the way is broken: a try costs a server a handshake at most, or it has waited for long already.
ABSENT = frozenset((Reason.REFUSED, Reason.CLOSED, Reason.SILENT, Reason.UNTRUSTED, Reason.CREDENTIALS))
COSTLY = frozenset((Reason.BUSY, Reason.EXPIRED, Reason.DISORDER, Reason.HISTORY, Reason.DIVERGED, Reason.BUG))
AT_ONCE = COSTLY - {Reason.BUSY, Reason.BUG} | {Reason.ENDED, Reason.UNAUTHORIZED}  # the first time


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
        self._faults: Counter[Reason] = Counter()

    def forget(self) -> None:
        """Things went well for so long that what was before it does not matter."""
        self._faults.clear()

    def count(self, reason: Reason) -> int:
        """How often it was the reason, since things went well."""
        return self._faults[reason]

    def delay(self, fault: ApiError) -> float:
        """Seconds.  Who is not there is looked for often, who is in trouble ever more rarely.

        All of it varies, so that many servers do not come back at the same moment.
        """
        self._faults[fault.reason] += 1
        count, (low, high) = self._faults[fault.reason], SOON
        soon = low + (high - low) * self._random()
        if fault.reason in ABSENT:
            return soon
        if fault.reason in AT_ONCE and count == 1:
            return 0.0
        gentle = 0 if fault.reason in COSTLY else GENTLE
        if count <= gentle:
            return max(soon, min(fault.retry_after, LONGEST))
        longest = min(LONGEST, 2.0 ** min(count - gentle - 1, 10))
        return max(longest * (0.5 + self._random() / 2), min(fault.retry_after, LONGEST))
