"""From folders to versions of files: what has settled since the last scan is read, decoded and handed over.

A prefix of YAML is usually valid YAML, so nothing is taken that may still be being written: a file counts once it
has been left alone for SETTLED seconds, a missing file once it has been missing for as long, and the files of a
group (``folder.Found.group``) once all of them have settled and the group is still of the same generation.
"""

import os
import time
from collections.abc import Callable, Collection, Hashable, Sequence
from math import inf
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from clusterdns.cluster.decode import Decoded, DocumentCache, decode_file
from clusterdns.cluster.documents import BOM, Document, Limits
from clusterdns.cluster.json_stream import is_json
from clusterdns.errors import Problem
from clusterdns.sources.folder import Found, Listing, Signature, Token, list_files, signature, token, unreadable
from clusterdns.sources.narrow import MOST, look_again

SETTLED = 0.05  # seconds
_HEAD = 4096  # octets that show what a large file holds
RESTLESS = 2.0  # seconds, after which a file that does not settle is told about, and does not hold back its group


class Clock(NamedTuple):
    """Seconds.  *wall* is compared with mtime, *monotonic* measures."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


SYSTEM_CLOCK = Clock()


class Scan(Struct, frozen=True):
    versions: dict[str, Decoded | None] | None  # by path; None in it: gone.  None: not settled, nothing was handed over
    listing: Listing
    problems: tuple[Problem, ...]  # of files and folders themselves, not of what is in them
    due: float  # seconds until what has not settled may have; inf: everything has
    cost: float  # seconds that looking took, without the reading of what has changed
    whole: bool  # everything was looked at


class Scanner:
    """Remembers what it handed over.  Blocks on files; one thread at a time."""

    def __init__(self, roots: Sequence[str], clock: Clock, limits: Limits = Limits()) -> None:  # noqa: B008 - frozen
        self._roots, self._clock, self._limits = roots, clock, limits
        self._known: dict[str, Found] = {}  # as handed over
        self._tokens: dict[str, Token] = {}  # of groups, as handed over
        self._listing: Listing | None = None  # as last seen
        self._pending: tuple[str, ...] = ()  # paths and groups that had not settled then
        self._staged: dict[str, tuple[Found, Decoded]] = {}  # settled, read and waiting for the others
        self._caches: dict[str, DocumentCache] = {}
        self._since: dict[Hashable, tuple[object, float]] = {}  # what has not settled -> (its state, since when)
        self._restless: dict[str, float] = {}  # path -> since when it has not settled
        self._holding_since: float | None = None

    def copy(self) -> "Scanner":
        """Another one that has handed over as much."""
        made = Scanner(self._roots, self._clock, self._limits)
        made._known, made._tokens = dict(self._known), dict(self._tokens)
        made._caches = {path: cache.copy() for path, cache in self._caches.items()}
        return made

    def read_again(self) -> None:
        """Let the next scan trust no signature."""
        self._known = {path: replace(found, signature=None) for path, found in self._known.items()}
        self._staged.clear()

    def scan(self, hold: float, hints: Collection[str] | None = None) -> Scan:
        """One look; what has settled waits up to *hold* seconds for what has not: one edit, one round.

        *hints*: absolute paths of what may have changed, beside what had not settled; None: look at everything.
        """
        started = self._clock.monotonic()
        narrow = self._look_again(hints) if hints is not None else None
        self._listing = listing = narrow or list_files(self._roots)
        cost, whole = self._clock.monotonic() - started, narrow is None
        pending = self._stage(listing)
        self._pending = tuple(pending)
        now = self._clock.monotonic()
        self._restless = {path: self._restless.get(path, now) for path in pending}
        if pending:
            self._holding_since = now if self._holding_since is None else self._holding_since
            if now - self._holding_since < hold:
                return Scan(None, listing, (), min(pending.values()), cost, whole)
        self._holding_since = None
        versions = self._hand_over(listing, pending)
        problems = (*listing.problems, *self._restlessness())
        return Scan(versions, listing, problems, min(pending.values(), default=inf), cost, whole)

    def _look_again(self, hints: Collection[str]) -> Listing | None:
        if self._listing is None or len(hints) > MOST:
            return None
        return look_again(self._listing, {*hints, *map(os.path.abspath, self._pending)})

    def _stage(self, listing: Listing) -> dict[str, float]:
        """Read what has changed and settled; of what has not settled path (or group) and seconds until it may."""
        pending: dict[str, float] = {}
        for path, found in listing.files.items():
            known = self._known.get(path)
            # In a narrow look nearly all are the very objects of the look before.
            if known is found or (known and known.signature == found.signature):
                self._staged.pop(path, None)
            elif path not in self._staged or self._staged[path][0] != found:
                self._staged.pop(path, None)
                wait = self._unsettled(path, found.signature) or self._read(path, found)
                if wait:
                    pending[path] = wait
        for path in self._known.keys() - listing.files.keys():
            self._staged.pop(path, None)
            if not _is_unread(path, listing.unread) and (wait := self._unsettled(path, None)):
                pending[path] = wait
        # Last: what has been read above belongs together only if no link was swapped meanwhile.
        pending |= {group: SETTLED for group, before in listing.groups.items() if token(group) != before}
        return pending

    def _unsettled(self, path: str, state: Signature | None) -> float:
        """Seconds until *path* will have been in this *state* (None: absent) for long enough; 0: it has been."""
        waits = [SETTLED - self._seen_for(path, state)]
        if state and (age := self._clock.wall() - state.mtime_ns / 1e9) >= 0:  # else: from the future
            waits.append(SETTLED - age)
        return max(0.0, min(waits))

    def _seen_for(self, what: Hashable, state: object) -> float:
        """Seconds since *what* was first seen in this *state*."""
        now = self._clock.monotonic()
        if self._since.get(what, (None, now))[0] != state or what not in self._since:
            self._since[what] = (state, now)
        return now - self._since[what][1]

    def _read(self, path: str, found: Found) -> float:
        """Stage what the file says.  As ``_unsettled``: 0 unless it changed under our hands."""
        try:
            if found.signature and (fault := _too_large(path, found.signature.size, self._limits)):
                self._staged[path] = found, _unknown(fault)
                return 0
            data = _read_stable(path, found.signature)
        except FileNotFoundError:
            data = None
        except OSError as error:
            # Without a signature it is tried again with every scan.
            self._staged[path] = replace(found, signature=None), _unknown(unreadable(path, error))
            return 0
        if data is None:
            return SETTLED
        cache = self._caches.setdefault(path, DocumentCache())
        self._staged[path] = found, decode_file(data, path, cache, self._limits)
        return 0

    def _hand_over(self, listing: Listing, pending: dict[str, float]) -> dict[str, Decoded | None]:
        """What has settled, but nothing of a group whose generation is new and not there as a whole."""
        torn = self._torn(listing, pending)
        versions: dict[str, Decoded | None] = {}
        for path, (found, version) in list(self._staged.items()):
            if found.group not in torn:
                self._known[path] = replace(found, signature=None) if self._is_racy(found) else found
                versions[path] = version
                del self._staged[path]
        for path in self._known.keys() - listing.files.keys() - pending.keys():
            if self._known[path].group not in torn and not _is_unread(path, listing.unread):
                versions[path] = None
                del self._known[path]
                if cache := self._caches.pop(path, None):
                    cache.forget()
        self._tokens = {
            group: self._tokens.get(group, ()) if group in torn else now for group, now in listing.groups.items()
        }
        self._since = {what: since for what, since in self._since.items() if what in pending or what in torn}
        return versions

    def _is_racy(self, found: Found) -> bool:
        """Whether it may change again within a tick of the file system's clock, and then look the same."""
        return found.signature is not None and 0 <= self._clock.wall() - found.signature.ctime_ns / 1e9 < SETTLED

    def _torn(self, listing: Listing, pending: dict[str, float]) -> set[str]:
        waiting = {group for group in listing.groups if group in pending}
        for path in pending:
            found = listing.files.get(path) or self._known.get(path)
            group = found.group if found else ""
            generation = listing.groups.get(group)
            # A file that somebody writes to for ever must not keep the whole generation from being served.
            if self._tokens.get(group) != generation and self._seen_for(group, generation) < RESTLESS:
                waiting.add(group)
        return waiting

    def _restlessness(self) -> list[Problem]:
        now = self._clock.monotonic()
        text, remedy = "it is written to without pause", "write a new file and rename it into place"
        late = [path for path, since in self._restless.items() if now - since >= RESTLESS]
        return [Problem(path, 0, "warning", "CD306", "", text, remedy) for path in late]


def _unknown(problem: Problem) -> Decoded:
    """A file of which nobody can tell what it says now, so that all its objects stay."""
    return Decoded(objects=(), problems=(problem,), skipped={}, broken=(None,))


def _too_large(path: str, size: int, limits: Limits) -> Problem | None:
    """What is read has to fit into memory, several times over; only JSON may be larger than YAML.  Raises OSError."""
    if size <= limits.octets:
        return None
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        json = is_json(Document(file.read(_HEAD).removeprefix(BOM), 1, 0))
    if size <= limits.json_octets and json:
        return None
    setting, most = ("max_json_octets", limits.json_octets) if json else ("max_yaml_octets", limits.octets)
    text = f"{_shown(size)} of {'JSON' if json else 'YAML'} in one file: it is not read, for {_shown(most)} are allowed"
    return Problem(path, 0, "error", "CD309", "", text, f"split the file, or raise {setting}")


def _shown(octets: int) -> str:
    return f"{octets / (1 << 20):.1f} MiB"


def _is_unread(path: str, unread: set[str]) -> bool:
    """Whether *path* or a folder above it could not be looked at, so that its absence means nothing."""
    while path not in unread:
        parent = os.path.dirname(path)
        if parent == path:
            return False
        path = parent
    return True


def _read_stable(path: str, expected: Signature | None) -> bytes | None:
    """The content of the file with that very signature before and after; None if it is another.  Raises OSError."""
    # Not blocking: a FIFO may have taken the file's place since it was looked at.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if expected is None or signature(os.fstat(file.fileno())) != expected:
            return None
        data: bytes | None = file.read(expected.size + 1)  # None: the system's own files may have nothing to say yet
        unchanged = signature(os.fstat(file.fileno())) == expected
    return data if unchanged and data is not None and len(data) == expected.size else None
