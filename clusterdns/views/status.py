"""How a running server is: what ``/api/v1/status`` gives, and what ``clusterdns status`` prints of it."""

from collections.abc import Iterator

from msgspec import Struct

from clusterdns.cluster.events import SourceStatus
from clusterdns.errors import printable
from clusterdns.views.ages import human_duration
from clusterdns.views.columns import DESCRIPTION, TABLE, align


class UpstreamStatus(Struct, frozen=True):
    """How a server that is asked for names of others does.  Times are seconds; None: it has not replied yet."""

    server: str
    zones: str  # whose names it is asked for; "." for all others
    state: str  # healthy | suspect | down
    median: float | None
    p95: float | None
    replies: int
    failures: int


class Status(Struct, frozen=True):
    """As of *now*; *started* and *now* are Unix seconds."""

    version: str
    started: float
    now: float
    ready: bool
    reasons: tuple[str, ...]  # why it is not ready
    notes: tuple[str, ...]  # what is wrong while it is
    source: SourceStatus
    snapshot: str  # of when the snapshot is that is served; "" where none is
    lag: float | None  # seconds since the source last confirmed what is served; None: it never has
    rounds: int  # that have been published
    serial: int
    names: int  # prepared
    services: int
    zones: tuple[str, ...]
    listen: tuple[str, ...]
    queries: int
    problems: int
    upstreams: tuple[UpstreamStatus, ...] = ()


def status_text(status: Status) -> str:
    """For people.  Times are as kubectl says them."""
    about, _ = align(list(_about(status)), DESCRIPTION)
    rows, _ = align([*_rows(status.source)], TABLE)
    parts = [about, *_lines(status), rows]
    if status.upstreams:
        titles = ("UPSTREAM", "ZONES", "STATE", "MEDIAN", "P95", "REPLIES", "FAILURES")
        parts.append(align([titles, *_upstreams(status)], TABLE)[0])
    return "\n".join(parts)


def _about(status: Status) -> Iterator[tuple[str, str]]:
    yield "Server:", f"clusterdns {status.version}, up {human_duration(status.now - status.started)}"
    yield "Ready:", "yes" if status.ready else "no"
    yield "Source:", f"{status.source.name}, {status.source.where}" if status.source.where else status.source.name
    if status.snapshot:
        yield "Snapshot:", f"of {status.snapshot}: what is served is this old"
    yield "Zones:", " ".join(status.zones)
    yield "Serial:", f"{status.serial}, after {_some(status.rounds, 'round')}"
    yield "Published:", f"{_some(status.services, 'Service')}, {_some(status.names, 'name')}"
    yield "Listening:", f"{' '.join(status.listen) or 'not yet'} (UDP and TCP), {_queries(status.queries)}"
    yield "Problems:", f"{status.problems}{' (/ready?verbose tells them)' if status.problems else ''}"


def _lines(status: Status) -> list[str]:
    """What is wrong, with an empty line behind it."""
    found = [*map(printable, (*status.reasons, *status.notes))]
    return [*found, ""] if found else []


def _rows(source: SourceStatus) -> Iterator[tuple[str, ...]]:
    """LAG: since any word of it.  BOOKMARK: since the server last said how far it is."""
    titles = "SOURCE", "KIND", "SYNCED", "OBJECTS", "LAG"
    if not source.kinds:
        yield *titles, "LAST ERROR"
        yield source.name, "files", _yes(source.synced), str(source.files), _age(source.lag), source.error or "<none>"
        return
    yield *titles, "BOOKMARK", "LAST ERROR"
    for one in source.kinds:
        error = "see above" if source.error else one.error or "<none>"
        ages = _age(one.lag), _age(one.bookmark_age)
        yield source.name, one.kind, _yes(one.synced), str(one.objects), *ages, error


def _queries(count: int) -> str:
    return f"{count} quer{'y' if count == 1 else 'ies'}"


def _some(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _upstreams(status: Status) -> Iterator[tuple[str, ...]]:
    for one in status.upstreams:
        times = (_milliseconds(one.median), _milliseconds(one.p95))
        yield one.server, one.zones, one.state, *times, str(one.replies), str(one.failures)


def _milliseconds(seconds: float | None) -> str:
    return "<none>" if seconds is None else f"{seconds * 1000:.0f}ms"


def _yes(truth: bool) -> str:
    return "yes" if truth else "no"


def _age(seconds: float | None) -> str:
    return "<never>" if seconds is None else human_duration(seconds)
