"""A loop on which nobody waits: its time jumps to what is due."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any


class Jumping(asyncio.SelectorEventLoop):
    """Its time stands still but for where it would have to wait."""

    def __init__(self) -> None:
        selector = selectors.SelectSelector()
        super().__init__(selector)
        self.now, really = 0.0, selector.select

        def select(timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            self.now += timeout or 0.0
            return really(0)

        selector.select = select  # type: ignore[method-assign]

    def time(self) -> float:
        return self.now


def jumping(play: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=Jumping) as runner:
        runner.run(play())
