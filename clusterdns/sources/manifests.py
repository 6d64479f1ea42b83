"""Objects from manifest files, watched for a server.

The truth is a scan (``sources.scan``), on every hint that something changed and on a timer; what the files say is
sorted out by ``sources.holding``.  Everything that touches files runs in a worker thread.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Collection, Sequence
from math import inf

from clusterdns.cluster.documents import Limits
from clusterdns.cluster.events import Event, SourceStatus
from clusterdns.errors import Problem, printable
from clusterdns.problem_log import log_news
from clusterdns.sources.folder import check_roots
from clusterdns.sources.reading import Reader, Report
from clusterdns.sources.reread import Rereader
from clusterdns.sources.scan import RESTLESS, SYSTEM_CLOCK, Clock
from clusterdns.sources.watching import Watcher

logger = logging.getLogger("clusterdns.manifests")

INTERVAL = 2.0  # seconds between scans of everything
SHARE = 0.05  # of the time may be spent on those
DISTANT_INTERVAL, DISTANT_SHARE = 1.0, 0.2  # where they alone find what others change
HOLD = 0.2  # seconds that what has settled waits for what has not
HINT_PAUSE = 0.03  # seconds from a hint, itself some 20 ms old, to the scan: by then the file has settled


class Manifests:
    """The source of a server.  Use its methods on one loop, ``rounds`` once at a time."""

    name = "manifests"

    def __init__(
        self,
        paths: Sequence[str],
        *,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        clock: Clock = SYSTEM_CLOCK,
        interval: float = INTERVAL,
        watch: bool = True,
    ) -> None:
        """*interval*: seconds between scans without a hint.  *watch*: whether to ask the system for hints."""
        self._limits = limits
        self._paths, self._clock, self._interval, self._watch = tuple(paths), clock, interval, watch
        self._report = Report()
        self._reader: Reader | None = None
        self.changed_at: float | None = None
        self._wake = asyncio.Event()
        self._again = False
        self._hinted = False  # since the last change
        self._hints: set[str] | None = set()  # paths since the last look; None: anything may have changed
        self._distant: dict[str, str] = {}  # as last told
        self._whole_began = -inf  # monotonic; the last look at everything that took in what it saw
        self._unread = ""  # which paths cannot be read
        self._error = ""
        self._error_since: float | None = None  # Unix seconds

    @property
    def report(self) -> Report:
        """About the last scan."""
        return self._report

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self._report.problems

    @property
    def skipped(self) -> dict[str, int]:
        return self._report.skipped

    @property
    def files(self) -> int:
        return self._report.files

    @property
    def scan_seconds(self) -> float:
        return self._report.seconds

    def follow(self, before: "Manifests") -> None:
        """Before ``rounds``: what *before* knows of the same files need not be read, nor be held twice."""
        self._reader = before.reader_of(self._paths, self._limits)

    def reader_of(self, paths: Sequence[str], limits: Limits) -> Reader | None:
        """What reads here, if it reads just that."""
        return self._reader if (paths, limits) == (self._paths, self._limits) else None

    def refresh(self) -> None:
        """Scan now, and read every file whether it seems changed or not."""
        self._again = True
        self._wake.set()

    def status(self) -> SourceStatus:
        lag = self._clock.monotonic() - self._whole_began if self._whole_began > -inf else None
        where = ", ".join(self._paths)
        return SourceStatus(
            *(self.name, where, lag is not None),
            error=self._error,
            files=self.files,
            scan_seconds=self.scan_seconds,
            lag=lag,
            error_since=self._error_since,
        )

    def reader(self, namespace: str | None, name: str, selector: str) -> Rereader:  # noqa: ARG002 - places say it all
        return Rereader()

    async def rounds(self) -> AsyncIterator[Sequence[Event]]:
        """See ``events.Source``.  Raises OperatorError before the first round if a path cannot be read."""
        await asyncio.to_thread(check_roots, self._paths)
        before = self._reader
        reader = await asyncio.to_thread(before.copy) if before else Reader(self._paths, self._clock, self._limits)
        self._reader = reader
        watcher = Watcher(self._hint)
        hold = RESTLESS  # The first round is the whole truth, so it waits longer for files being written.
        whole_at, whole_cost = -inf, 0.0
        try:
            while True:
                again, self._again = self._again, False
                hints, self._hints = self._hints, set()
                if again or self._clock.monotonic() - whole_at >= self._rest(whole_cost):
                    hints = None
                began = self._clock.monotonic()
                look = await asyncio.to_thread(reader.look, hold, again, hints)
                if look.whole and look.events is not None:
                    self._whole_began = began
                if look.whole:
                    whole_at, whole_cost = self._clock.monotonic(), look.cost
                    self._tell_distant(look.distant)
                await self._take(look.report, watcher.fault)
                if look.events is not None:
                    hold = HOLD
                if look.events:
                    self.changed_at = look.changed_at
                    self._judge(watcher)
                    yield look.events
                # Behind the first round, which answers wait for.
                armed = self._watch and watcher.arm(look.watched, self._clock.monotonic())
                if armed:
                    self._hints = None  # What changed between look and watch gave no hint.
                rest = whole_at + self._rest(whole_cost) - self._clock.monotonic()
                await self._pause(min(look.due, HINT_PAUSE) if armed else look.due, look.cost, max(0.0, rest))
        finally:
            await watcher.close()

    def _rest(self, cost: float) -> float:
        """Seconds between two looks at everything that take *cost* seconds each."""
        if self._distant:
            return max(min(self._interval, DISTANT_INTERVAL), cost / DISTANT_SHARE)
        return max(self._interval, cost / SHARE)

    def _tell_distant(self, folders: dict[str, str]) -> None:
        for folder in folders.keys() - self._distant.keys():
            logger.info(
                "%s is on a file system (%s) that does not tell what others change: it is scanned every second",
                printable(folder),
                folders[folder],
            )
        self._distant = folders

    def _hint(self, paths: Collection[str]) -> None:
        self._hints = self._hints | set(paths) if paths and self._hints is not None else None
        self._hinted = True
        self._wake.set()

    def _judge(self, watcher: Watcher) -> None:
        """A change that came without a hint: the watch has gone deaf, unless it could not have heard of it."""
        if not self._hinted and not self._distant:
            watcher.disarm()
        self._hinted = False

    async def _take(self, report: Report, fault: str) -> None:
        """*fault*: what keeps folders from being watched."""
        if report.problems != self._report.problems:  # ten thousand of them take 20 ms to compare
            await asyncio.to_thread(log_news, logger, self._report.problems, report.problems)
            self._unread = _unread(report.problems)
        self._report = report
        self._error = self._unread or fault
        self._error_since = (self._error_since or self._clock.wall()) if self._error else None

    async def _pause(self, due: float, cost: float, rest: float) -> None:
        """Until it is time to scan again.

        *due*: seconds until something not settled may be.  *cost*: seconds that the last look took; however many
        hints come, no more than half of the time is spent on that.  *rest*: seconds until everything is looked at.
        """
        loop = asyncio.get_running_loop()
        rested = loop.time() + cost
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(due, cost), max(rest, cost))):
                await self._wake.wait()
                await asyncio.sleep(max(HINT_PAUSE, rested - loop.time()))
        self._wake.clear()


def _unread(problems: Sequence[Problem]) -> str:
    """What is wrong with the paths themselves, not with what is in files; "" where nothing is."""
    found = [one for one in problems if one.code in ("CD301", "CD304")]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{found[0].path}: {found[0].text}; {found[0].remedy}{more}" if found else ""
