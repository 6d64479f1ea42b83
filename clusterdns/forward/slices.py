"""Long work on the loop a little at a time, so that packets wait for no more than one step of it.

A thread would take the interpreter whenever the loop lets go of it, which it does twice for each packet.
"""

import asyncio
from typing import TypeVar
from weakref import WeakKeyDictionary

from clusterdns.errors import PeerError
from clusterdns.steps import Steps

T = TypeVar("T")

LARGE_OCTETS = 8192  # of a reply: what is done with more would hold the loop for longer than queries should wait
PAUSE_SECONDS = 0.001  # between two steps; most take less than that, none more than a few times as much
MOST_WAITING = 32  # for their turn: each takes a tenth of a second, and nobody waits for longer than some seconds

_turns: "WeakKeyDictionary[asyncio.AbstractEventLoop, _Turns]" = WeakKeyDictionary()


class _Turns:
    def __init__(self) -> None:
        self.lock, self.inside = asyncio.Lock(), 0


async def in_slices(steps: Steps[T]) -> T:
    """What *steps* return; of all those of one loop, one is under way.  Raises PeerError where too many wait."""
    turns = _turns.setdefault(asyncio.get_running_loop(), _Turns())
    if turns.inside > MOST_WAITING:
        raise PeerError("too many large replies at once")
    turns.inside += 1
    try:
        async with turns.lock:
            while True:
                try:
                    next(steps)
                except StopIteration as end:
                    result: T = end.value
                    return result
                await asyncio.sleep(PAUSE_SECONDS)
    finally:
        turns.inside -= 1
