"""What sources say: typed changes, a whole list as one of them."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from clusterdns.cluster.model import Key, Object
from clusterdns.errors import Problem, moment
from clusterdns.histogram import Histogram

# Kinds as sources name them: the API's, so "Deployment" and not "Workload".
Kind = str


class Replace(Struct, frozen=True):
    """The full truth of one kind from one source: its first word, and again after every re-list."""

    kind: Kind
    objects: tuple[Object, ...]


class Upsert(Struct, frozen=True):
    object: Object


class Delete(Struct, frozen=True):
    kind: Kind
    key: Key


# Of an object what its author wrote, or what an API server holds; None where that is not to be had.
Whole = Callable[[Object], dict[str, Any] | None]

Event = Replace | Upsert | Delete


class KindStatus(Struct, frozen=True):
    """How one kind of objects is followed."""

    kind: Kind
    synced: bool  # it has been listed
    objects: int
    lag: float | None  # seconds since the source last confirmed what it said of them; None: it never has
    error: str = ""  # the last one, as long as nothing has gone well since
    repaired: int = 0  # objects that a comparison with the source found to be otherwise
    version: str = ""  # the resourceVersion that is reached
    event_age: float | None = None  # seconds since the last event
    bookmark_age: float | None = None  # seconds since the server said how far it is: list, bookmark, comparison
    restarts: dict[str, int] = {}  # of the watch, by reason
    relists: dict[str, int] = {}  # by reason
    unreadable: int = 0  # objects that are kept as they were because what came of them cannot be read
    error_since: float | None = None  # Unix seconds: when *error*, or another before it, began

    @property
    def told(self) -> str:
        """``since 2026-01-15T10:00:00Z: https://10.96.0.1: ...``; "" where there is no error."""
        return _since(self.error_since, self.error)


class SourceStatus(Struct, frozen=True):
    """How a source is."""

    name: str  # manifests | kubernetes
    where: str  # the API server's URL, or the paths
    synced: bool  # all that is needed has been read
    kinds: tuple[KindStatus, ...] = ()  # of a live API
    error: str = ""  # what keeps all kinds from being followed
    files: int = 0  # of manifests
    scan_seconds: float = 0.0  # that the last look at them took
    lag: float | None = None  # seconds: the greatest of the kinds, or since the last look began; None: never
    error_since: float | None = None  # Unix seconds: when it began with the first of the kinds

    @property
    def told(self) -> str:
        """As that of a kind."""
        return _since(self.error_since, self.error)

    def unsynced(self) -> str:
        """Which kinds are missing and why, for a person; "" where none is."""
        if self.synced:
            return ""
        missing = [one for one in self.kinds if not one.synced]
        if not missing:
            return self.error or "the first scan is not finished"
        if self.error:
            return f"not listed yet: {', '.join(one.kind for one in missing)}; {self.told}"
        kinds = [f"{one.kind}{f' ({one.told})' if one.error else ''}" for one in missing]
        return f"not listed yet: {', '.join(kinds)}"


def _since(at: float | None, error: str) -> str:
    return error if at is None or not error else f"since {moment(at)}: {error}"


class Requests(NamedTuple):
    """To a server, so far; all of them GET."""

    server: str  # URL; "": not known yet
    codes: Mapping[str, int]  # HTTP status -> how many
    seconds: Histogram  # until replies began


class Rounds(Protocol):
    """What publishing needs of a source."""

    name: str

    @property
    def changed_at(self) -> float | None:
        """Unix seconds of a change in the round that came last: of a file, or of an event's arrival; None: unknown."""

    def rounds(self) -> AsyncIterator[Sequence[Event]]:
        """Endless; the first round is the whole truth.  What comes in one round is published in one Change.

        Reconnects by itself.  Raises BackendError only when retrying cannot help.
        """


class Source(Rounds, Protocol):
    """Files and an API server look alike from here."""

    @property
    def problems(self) -> Sequence[Problem]:
        """Of single objects, by path and line."""

    def refresh(self) -> None:
        """Look at everything again, soon."""

    def status(self) -> SourceStatus:
        """As of now; costs next to nothing."""

    def reader(self, namespace: str | None, name: str, selector: str) -> AbstractContextManager[Whole]:
        """For views of objects of *namespace* (None: all) called *name* ("": all) with labels that *selector* matches.

        What it gives is for worker threads, one at a time: it blocks.
        """


class LiveSource(Source, Protocol):
    """One that may be away for long while others go on changing what it holds."""

    @property
    def triggers(self) -> Sequence[tuple[Key, float]]:
        """Of the round that came last: Services whose endpoints changed, and when that came about, in Unix seconds."""

    @property
    def requests(self) -> Requests:
        """To the server, so far."""

    def seed(self, objects: Mapping[Kind, Sequence[Object]]) -> None:
        """Before ``rounds``: these have been published as its own already.  Where nothing has changed they are kept."""
