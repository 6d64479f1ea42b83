"""The seconds that answers of others age by."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial


def ageing() -> Callable[[], float]:
    """A clock that never goes back, and goes on while the machine sleeps: TTLs do, and Python's monotonic one does not.

    Where the system has no such clock (it is Linux's), the monotonic one.
    """
    with suppress(AttributeError, OSError):  # another system; a sandbox that forbids it
        now = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
        now()
        return now
    return time.monotonic
