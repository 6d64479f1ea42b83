"""Python's cycle collector kept away from what is loaded.

Objects of a cluster form no cycles, and looking for some among 150,000 endpoints holds everything up for 50 ms and
more.  Reference counting frees them all the same.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

_MANY = 20_000  # new objects; a collection of fewer takes a millisecond

_lock = Lock()
_paused = 0


@contextmanager
def collector_paused() -> Iterator[Callable[[], None]]:
    """No collection inside, in any thread; if much was made meanwhile it is not looked at afterwards either.

    Calling what it yields ends the pause before the block ends.
    """
    over = False

    def resume() -> None:
        nonlocal over
        if not over:
            over = True
            _count(-1)

    _count(1)
    try:
        yield resume
    finally:
        resume()


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
