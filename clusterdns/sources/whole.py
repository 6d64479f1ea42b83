"""A file that is replaced as a whole.  Blocks."""

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_ONE_AT_A_TIME = Lock()  # two generations of a server, or a worker nobody waits for any more, may write the same file


class InTurn:
    """Work in threads, one after the other: who is cancelled has not stopped it, and what comes next waits for it."""

    def __init__(self) -> None:
        self._last: asyncio.Future[Any] | None = None

    async def do(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        await self.done()
        running = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
        self._last = running
        return await asyncio.shield(running)

    async def done(self) -> None:
        """Nothing is under way any more."""
        while (last := self._last) and not last.done():
            await asyncio.wait([last])


def write_whole(path: Path, write: Callable[[BinaryIO], object], mode: int = 0o644) -> None:
    """The old file or the new one, whatever happens in between: content and name are synced before they count.

    *write* gets the new file.  Raises OSError; the old file is untouched then, and no half of a new one stays.
    """
    with _ONE_AT_A_TIME:
        _write_whole(path, write, mode)


class Kept:
    """A file of ``state_dir``.  A disk that is full or read-only is told once, not at every try."""

    def __init__(self, path: Path, logger: logging.Logger) -> None:
        self._path, self._logger = path, logger
        self._failing = False

    def write(self, write: Callable[[], object], lost: str) -> bool:
        """Whether *write* raised no OSError.  *lost*: what that means for a restart."""
        try:
            write()
        except OSError as fault:
            if not self._failing:
                self._logger.error(
                    "%s: %s; %s: %s, or set another state_dir", self._path, fault.strerror, lost, _remedy(fault)
                )
            self._failing = True
            return False
        self._failing = False
        return True


def _remedy(fault: OSError) -> str:
    return "free the disk" if fault.errno in (errno.ENOSPC, errno.EDQUOT) else "let this user write there"


def _write_whole(path: Path, write: Callable[[BinaryIO], object], mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    try:
        with open(draft, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
