"""Work in lines of Python that are run, which no machine's speed changes."""

import sys
from types import FrameType
from typing import Any, Self


class Lines:
    """Counts those that this thread runs while it is entered, in functions called meanwhile."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        self.count += event == "line"
        return self._trace
