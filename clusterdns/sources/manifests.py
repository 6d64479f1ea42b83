"""Objects from manifest files: watched for a server, read once for a command.

The truth is a scan (``sources.scan``), on every hint that something changed and on a timer; what the files say is
sorted out by ``sources.holding``.  Everything that touches files runs in a worker thread.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from clusterdns.cluster.events import Event
from clusterdns.cluster.model import Object
from clusterdns.errors import Problem
from clusterdns.sources.folder import check_roots
from clusterdns.sources.holding import Holding
from clusterdns.sources.scan import RESTLESS, SYSTEM_CLOCK, Clock, Scanner
from clusterdns.sources.watching import Watched, Watcher, identify

logger = logging.getLogger("clusterdns.manifests")

INTERVAL = 2.0  # seconds between scans without a hint
SHARE = 0.05  # of the time may be spent on those
HOLD = 0.2  # seconds that what has settled waits for what has not
HINT_PAUSE = 0.03  # seconds from a hint, itself some 20 ms old, to the scan: by then the file has settled
LOGGED = 100  # problems per scan; ``problems`` has them all


class Report(Struct, frozen=True):
    """What there is to say about a scan, besides its objects."""

    problems: tuple[Problem, ...] = ()  # of all files, by path and line
    skipped: dict[str, int] = {}  # kind -> documents that we have no use for
    files: int = 0
    seconds: float = 0.0  # it took


class Loaded(Struct, frozen=True):
    objects: tuple[Object, ...]  # by kind, then key
    report: Report


def load(paths: Sequence[str], *, clock: Clock = SYSTEM_CLOCK, sleep: Callable[[float], None] = time.sleep) -> Loaded:
    """Everything in *paths*, once what is being written there has settled (at most RESTLESS seconds).

    Raises OperatorError when a path cannot be read; problems of the files in a folder are in the report.
    """
    check_roots(paths)
    reader = _Reader(paths, clock)
    while (look := reader.look(RESTLESS)).events is None:
        sleep(look.due)
    return Loaded(reader.holding.objects(), look.report)


class Manifests:
    """The source of a server.  Use its methods on one loop, ``rounds`` once at a time."""

    name = "manifests"

    def __init__(
        self, paths: Sequence[str], *, clock: Clock = SYSTEM_CLOCK, interval: float = INTERVAL, watch: bool = True
    ) -> None:
        """*interval*: seconds between scans without a hint.  *watch*: whether to ask the system for hints."""
        self._paths, self._clock, self._interval, self._watch = tuple(paths), clock, interval, watch
        self._report = Report()
        self._wake = asyncio.Event()
        self._again = False
        self._hinted = False  # since the last change

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

    def request_scan(self) -> None:
        """Scan now, and read every file whether it seems changed or not."""
        self._again = True
        self._wake.set()

    async def rounds(self) -> AsyncIterator[Sequence[Event]]:
        """See ``events.Source``.  Raises OperatorError before the first round if a path cannot be read."""
        await asyncio.to_thread(check_roots, self._paths)
        reader = _Reader(self._paths, self._clock)
        watcher = Watcher(self._hint)
        hold = RESTLESS  # The first round is the whole truth, so it waits longer for files being written.
        try:
            while True:
                again, self._again = self._again, False
                look = await asyncio.to_thread(reader.look, hold, again)
                self._take(look.report)
                armed = self._watch and watcher.arm(look.watched, self._clock.monotonic())
                if look.events is not None:
                    hold = HOLD
                if look.events:
                    self._judge(watcher)
                    yield look.events
                # What changed between scan and watch gave no hint.
                await self._pause(min(look.due, HINT_PAUSE) if armed else look.due, look.cost)
        finally:
            await watcher.close()

    def _hint(self) -> None:
        self._hinted = True
        self._wake.set()

    def _judge(self, watcher: Watcher) -> None:
        """A change that came without a hint: the watch has gone deaf."""
        if not self._hinted:
            watcher.disarm()
        self._hinted = False

    def _take(self, report: Report) -> None:
        _log_news(self._report.problems, report.problems)
        self._report = report

    async def _pause(self, due: float, cost: float) -> None:
        """Until it is time to scan again.

        *due*: seconds until something not settled may be.  *cost*: seconds that a scan without changes takes; however
        many hints come, no more than half of the time is spent on that.
        """
        loop = asyncio.get_running_loop()
        rested = loop.time() + cost
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(due, cost), max(self._interval, cost / SHARE))):
                await self._wake.wait()
                await asyncio.sleep(max(HINT_PAUSE, rested - loop.time()))
        self._wake.clear()


class _Look(Struct, frozen=True):
    events: list[Event] | None  # None: not settled, nothing was taken
    report: Report
    watched: Watched
    due: float  # as in Scan
    cost: float  # as in Scan


class _Reader:
    """A scanner and what became of its files.  Blocks; one thread at a time."""

    def __init__(self, paths: Sequence[str], clock: Clock) -> None:
        self.holding = Holding()
        self._scanner, self._clock = Scanner(paths, clock), clock
        self._first = True
        self._report = Report()
        self._documents: tuple[Problem, ...] = ()  # problems of what is in the files

    def look(self, hold: float, again: bool = False) -> _Look:
        """Scan; *hold* as in ``Scanner.scan``, *again*: read every file anew.  The first events are Replaces."""
        started = self._clock.monotonic()
        if again:
            self._scanner.read_again()
        scan = self._scanner.scan(hold)
        events: list[Event] | None = None
        if scan.versions is not None:
            events = self.holding.apply(scan.versions)
            if scan.versions:
                self._documents = self.holding.problems()
            problems = tuple(sorted((*scan.problems, *self._documents)))
            self._report = Report(problems, self.holding.skipped(), len(scan.listing.files))
            if self._first:
                self._first, events = False, [*self.holding.replaces()]
        self._report = replace(self._report, seconds=self._clock.monotonic() - started)
        return _Look(events, self._report, identify(scan.listing.watched), scan.due, scan.cost)


def _log_news(before: Iterable[Problem], after: Iterable[Problem]) -> None:
    """New problems once each, and those that are gone; one that merely moved to another line is neither."""
    if before == after:
        return
    old, new = ({replace(problem, line=0): problem for problem in problems} for problems in (before, after))
    come = [problem for key, problem in new.items() if key not in old]
    for problem in come[:LOGGED]:
        logger.log(logging.ERROR if problem.severity == "error" else logging.WARNING, "%s", problem)
    if len(come) > LOGGED:
        logger.error("and %d more problems", len(come) - LOGGED)
    gone = [problem for key, problem in old.items() if key not in new]
    for problem in gone[:LOGGED]:
        logger.info("mended: %s", problem)
    if len(gone) > LOGGED:
        logger.info("mended: %d more problems", len(gone) - LOGGED)
