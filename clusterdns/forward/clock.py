"""The seconds that answers of others age by."""

import time
from collections.abc import Callable
from functools import partial


def ageing() -> Callable[[], float]:
    """A clock that never goes back, and goes on while the machine sleeps: TTLs do, and Python's monotonic one does not.

    Where the system has no such clock (it is Linux's), the monotonic one.
    """
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    if boot is not None:
        try:
            time.clock_gettime(boot)
        except OSError:  # a sandbox may forbid it
            return time.monotonic
        return partial(time.clock_gettime, boot)
    return time.monotonic
