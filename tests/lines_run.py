"""Work in lines of Python that are run, which no machine's speed changes."""

import gc
import sys
from types import FrameType
from typing import Any, Self


class Lines:
    """Counts those that this thread runs while it is entered, in functions called meanwhile.

    The collector waits: what it finds of other tests may have lines of its own to run at its end.
    """

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Self:
        self._before, self._collects = sys.gettrace(), gc.isenabled()
        gc.disable()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)
        if self._collects:
            gc.enable()

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        self.count += event == "line"
        return self._trace
