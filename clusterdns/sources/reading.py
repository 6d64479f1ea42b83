"""What the files of manifests say now, read by whoever asks: the one-shot form of ``sources.manifests``, and its eyes.

Without an event loop, whose import alone takes a command longer than reading a few files.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from threading import Lock

from msgspec import Struct
from msgspec.structs import replace

from clusterdns.cluster.documents import Limits
from clusterdns.cluster.events import Event
from clusterdns.cluster.model import Object
from clusterdns.collector import collector_paused
from clusterdns.errors import Problem
from clusterdns.sources.folder import Inode, Listing, check_roots, inode_of
from clusterdns.sources.holding import Holding
from clusterdns.sources.mounts import distant_folders
from clusterdns.sources.scan import RESTLESS, SYSTEM_CLOCK, Clock, Scanner

Watched = Mapping[str, tuple[Inode, set[str]]]  # real folder -> which one it is, names that matter there; none: all


def identify(folders: Mapping[str, set[str]]) -> Watched:
    """``folder.Listing.watched`` with inodes, by which a folder made anew is told from the one before.  Blocks."""
    return {path: (inode, names) for path, names in folders.items() if (inode := inode_of(path))}


class Report(Struct, frozen=True):
    """What there is to say about a scan, besides its objects."""

    problems: tuple[Problem, ...] = ()  # of all files, by path and line
    skipped: dict[str, int] = {}  # kind -> documents that we have no use for
    files: int = 0
    seconds: float = 0.0  # it took


class Loaded(Struct, frozen=True):
    objects: tuple[Object, ...]  # by kind, then key
    report: Report


def load(
    paths: Sequence[str],
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    clock: Clock = SYSTEM_CLOCK,
    sleep: Callable[[float], None] = time.sleep,
) -> Loaded:
    """Everything in *paths*, once what is being written there has settled (at most RESTLESS seconds).

    Raises OperatorError when a path cannot be read; problems of the files in a folder are in the report.
    """
    check_roots(paths)
    reader = Reader(paths, clock, limits)
    while (look := reader.look(RESTLESS)).events is None:
        sleep(look.due)
    return Loaded(reader.holding.objects(), look.report)


class Look(Struct, frozen=True):
    events: list[Event] | None  # None: not settled, nothing was taken
    report: Report
    watched: Watched
    distant: dict[str, str]  # folder -> type of its file system, of those whose changes give no hints
    due: float  # as in Scan
    cost: float  # as in Scan
    whole: bool  # as in Scan
    changed_at: float | None = None  # Unix seconds; the newest file that was taken in, not by the first look


class Reader:
    """A scanner and what became of its files.  Blocks; threads take turns."""

    def __init__(self, paths: Sequence[str], clock: Clock, limits: Limits) -> None:
        self._paths, self._limits = paths, limits
        self.holding = Holding()
        self._scanner, self._clock = Scanner(paths, clock, limits), clock
        self._first, self._begun = True, False
        self._turn = Lock()
        self._watched: Watched = {}
        self._distant: dict[str, str] = {}
        self._report = Report()
        self._documents: tuple[Problem, ...] = ()  # problems of what is in the files

    def copy(self) -> "Reader":
        """Another one, whose first events are Replaces, too: it shares the objects, and the last good versions."""
        made = Reader(self._paths, self._clock, self._limits)
        with self._turn:
            if self._begun:
                made.holding, made._scanner = self.holding.copy(), self._scanner.copy()
                made._documents, made._begun = self._documents, True
        return made

    @collector_paused()
    def look(self, hold: float, again: bool = False, hints: Collection[str] | None = None) -> Look:
        """Scan; *hold* and *hints* as in ``Scanner.scan``, *again*: read every file anew.

        The first events are Replaces.
        """
        with self._turn:
            return self._look(hold, again, hints)

    def _look(self, hold: float, again: bool, hints: Collection[str] | None) -> Look:
        started = self._clock.monotonic()
        if again:
            self._scanner.read_again()
        scan = self._scanner.scan(hold, hints)
        if scan.whole:
            self._watched = identify(scan.listing.watched)
            self._distant = distant_folders(self._watched)
        events: list[Event] | None = None
        changed_at = None
        if scan.versions is not None:
            if not self._begun:
                self.holding.begin(scan.versions)
                self._begun = True
            else:
                events = self.holding.apply(scan.versions)
            if scan.versions:
                self._documents = self.holding.problems()
            problems = tuple(sorted((*scan.problems, *self._documents)))
            self._report = Report(problems, self.holding.skipped(), len(scan.listing.files))
            if self._first:
                self._first, events = False, [*self.holding.replaces()]
            else:
                changed_at = _newest(scan.versions, scan.listing)
        self._report = replace(self._report, seconds=self._clock.monotonic() - started)
        return Look(events, self._report, self._watched, self._distant, scan.due, scan.cost, scan.whole, changed_at)


def _newest(paths: Iterable[str], listing: Listing) -> float | None:
    """When the youngest of these files was written, in Unix seconds; None where none of them is there any more."""
    found = [listing.files[path].signature for path in paths if path in listing.files]
    return max((one.mtime_ns / 1e9 for one in found if one), default=None)
