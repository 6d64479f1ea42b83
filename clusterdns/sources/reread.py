"""Reads single objects again at their places.  Blocks; meant for a worker thread or a command."""

import os
from functools import partial
from types import TracebackType
from typing import Self

from clusterdns.cluster.model import Object
from clusterdns.cluster.written import written_tree
from clusterdns.views.trees import Tree

_MOST_FILES = 64  # open at a time


class Rereader:
    """Keeps the files open between two objects.  Use as a context manager, from one thread at a time."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}  # path -> descriptor

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        while self._open:
            os.close(self._open.popitem()[1])

    def __call__(self, item: Object) -> Tree | None:
        """As written; None where that is not to be had: no place, the file gone or changed."""
        if not item.place.line:
            return None
        try:
            return written_tree(partial(_read, self._descriptor(item.place.path)), item)
        except OSError:
            return None

    def _descriptor(self, path: str) -> int:
        if path not in self._open:
            while len(self._open) >= _MOST_FILES:
                os.close(self._open.pop(next(iter(self._open))))
            self._open[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return self._open[path]


def _read(descriptor: int, offset: int, octets: int) -> bytes:
    return os.pread(descriptor, octets, offset)
