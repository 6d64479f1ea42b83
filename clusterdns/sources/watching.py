"""Hints that something changed in folders.  They get lost (watchfiles drops what overflows): never the truth."""

import asyncio
import logging
import os
from collections.abc import Callable, Collection
from importlib import import_module

from clusterdns.errors import printable
from clusterdns.sources.reading import Watched

logger = logging.getLogger("clusterdns.manifests")
logging.getLogger("watchfiles").setLevel(logging.WARNING)  # a line per hint would say nothing about answers

STEP = 20  # milliseconds: what comes closer together is one hint; every step also wakes a thread
DEBOUNCE = 50  # milliseconds after which a hint goes out although more is coming
RETRY = 60.0  # seconds after which a watch that failed is tried again
QUIET = 5_000  # milliseconds without a change after which the watch is known to have begun

_WATCHES = "raise the sysctl fs.inotify.max_user_watches"
_REMEDIES = (
    ("too many open files", "raise the sysctl fs.inotify.max_user_instances, or this process's limit of open files"),
    ("limit reached", _WATCHES),
    ("no space left", _WATCHES),
)


class Watcher:
    """Calls *hint* on the loop when something changes in the folders it was last armed with, not below them.

    With the paths that changed; without any where that cannot be told.
    """

    def __init__(self, hint: Callable[[Collection[str]], None]) -> None:
        self._hint = hint
        self._armed: Watched | None = None
        self._failed_at: float | None = None
        self.fault = ""  # what keeps it from watching, since that began and until it is known to watch again
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def arm(self, folders: Watched, now: float) -> bool:
        """Watch these *folders* from now on; whether that is news.  *now*: monotonic seconds."""
        if self._failed_at is not None and now - self._failed_at >= RETRY:
            self.disarm()
        if folders == self._armed:
            return False
        self._stop.set()
        self._armed, self._stop, self._failed_at = folders, asyncio.Event(), None
        task = asyncio.create_task(self._watch(folders, self._stop, now), name="watch manifests")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    def disarm(self) -> None:
        """Distrust the watch: a folder was replaced, or changed without a hint.  The next ``arm`` starts anew."""
        self._armed = None

    async def close(self) -> None:
        """Ends all threads; takes about a STEP."""
        self._stop.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _watch(self, folders: Watched, stop: asyncio.Event, now: float) -> None:
        if not folders:
            return
        # 20 ms, for which commands that read once have no use, and no query waits.
        awatch = (await asyncio.to_thread(import_module, "watchfiles")).awatch
        if stop.is_set():
            return

        # Not recursive: it would follow links to folders, wherever they lead.  Never by polling: our scan is that.
        try:
            changes = awatch(
                *folders,
                watch_filter=None,
                debounce=DEBOUNCE,
                step=STEP,
                stop_event=stop,
                rust_timeout=QUIET,
                force_polling=False,
                recursive=False,
                ignore_permission_denied=True,
                yield_on_timeout=True,
            )
            async for batch in changes:
                self.fault = ""
                self._sift(folders, {path for _, path in batch})
        except FileNotFoundError:
            self._failed_at = now
            self._hint(())  # A folder went before it could be watched: look again.
        except (OSError, RuntimeError) as error:  # RuntimeError: what watchfiles makes of inotify's limits
            self._failed_at = now
            self._complain(str(error))

    def _sift(self, folders: Watched, paths: set[str]) -> None:
        if not paths.isdisjoint(folders):
            self.disarm()  # A folder itself came or went; its inode number may be the same, its watch is not.
            self._hint(())
            return
        if any(os.path.dirname(path) not in folders for path in paths):
            self._hint(())
            return
        if told := {path for path in paths if _matters(folders, path)}:
            self._hint(told)

    def _complain(self, fault: str) -> None:
        text = f"folders cannot be watched ({printable(fault)}): changes are found by scanning, later{_remedy(fault)}"
        if text != self.fault:
            self.fault = text
            logger.warning("%s", text)


def _remedy(fault: str) -> str:
    """inotify(7) knows two limits; of many open files it cannot be told which one it is."""
    found = (remedy for words, remedy in _REMEDIES if words in fault.lower())
    return next((f"; {remedy}" for remedy in found), "")


def _matters(folders: Watched, path: str) -> bool:
    folder, name = os.path.split(path)
    names = folders[folder][1]
    return not names or name in names
