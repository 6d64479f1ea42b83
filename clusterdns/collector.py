"""Python's cycle collector kept away from what is loaded.

Objects of a cluster form no cycles, and looking for some among 150,000 endpoints holds everything up for 50 ms and
more.  Reference counting frees them all the same.
"""

import gc
from collections.abc import Callable
from contextlib import ContextDecorator
from threading import Lock
from typing import Self

_MANY = 20_000  # new objects; a collection of fewer takes a millisecond

_lock = Lock()
_paused = 0


class Pause(ContextDecorator):
    """See ``collector_paused``."""

    def __init__(self) -> None:
        self._over = True

    def __enter__(self) -> Callable[[], None]:
        self._over = False
        _count(1)
        return self.resume

    def __exit__(self, *_: object) -> None:
        self.resume()

    def resume(self) -> None:
        if not self._over:
            self._over = True
            _count(-1)

    def _recreate_cm(self) -> Self:  # each call of a function that it decorates has one of its own
        return type(self)()


def collector_paused() -> Pause:
    """No collection inside, in any thread; if much was made meanwhile it is not looked at afterwards either.

    Calling what ``with`` gives ends the pause before the block ends.
    """
    return Pause()


def _count(step: int) -> None:
    """Of those that want a pause."""
    global _paused  # noqa: PLW0603 - the collector is the process's, too
    with _lock:
        _paused += step
        if _paused:
            gc.disable()
        else:
            if gc.get_count()[0] > _MANY:
                gc.freeze()
            gc.enable()
