"""Long work in small steps: a generator that yields where others may have their turn, and returns what comes of it."""

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Steps = Generator[None, None, T]


def at_once(steps: Steps[T]) -> T:
    """What *steps* return, where nobody waits or it is little."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
