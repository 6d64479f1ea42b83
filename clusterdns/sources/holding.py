"""Which document serves: of two with the same identity the first, of a broken one the last good version.  Pure."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from itertools import islice
from operator import attrgetter
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from clusterdns.cluster.decode import Decoded
from clusterdns.cluster.events import Delete, Event, Kind, Replace, Upsert
from clusterdns.cluster.faults import and_more
from clusterdns.cluster.model import Key, Object, Place, identity, subject
from clusterdns.errors import Problem

Identity = tuple[Kind, Key]
T = TypeVar("T", Key, Identity)

MOST_PROBLEMS = 10_000  # of documents; as many of what is kept, and of what is there twice

_RUN = 4096  # identities that are sorted at once

_severity = attrgetter("severity")  # errors come first

KINDS: tuple[Kind, ...] = (
    *("Namespace", "Service", "EndpointSlice", "Endpoints", "Pod"),
    *("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"),
)


class _File(Struct, frozen=True):
    version: Decoded  # what it says now
    objects: tuple[Object, ...]  # what it stands for: with the last good versions of what is broken

    @property
    def keeps(self) -> bool:
        return len(self.objects) > len(self.version.objects)


class Holding:
    """What every file says and what of it serves.  Not thread-safe."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._serving: dict[Kind, dict[Key, Object]] = {kind: {} for kind in KINDS}
        # All objects of an identity that has several, by place; the first one serves.
        self._rivals: dict[Identity, list[Object]] = {}
        self._broken: dict[Identity, set[str]] = {}  # -> the files that hold a broken document of it

    def copy(self) -> "Holding":
        made = Holding()
        made._files = dict(self._files)
        made._serving = {kind: dict(items) for kind, items in self._serving.items()}
        made._rivals = {name: list(claims) for name, claims in self._rivals.items()}
        made._broken = {name: set(paths) for name, paths in self._broken.items()}
        return made

    def apply(self, versions: Mapping[str, Decoded | None]) -> list[Event]:
        """Take in the new *versions* of files by path (None: the file is gone); what serves differently now.

        An Upsert comes for a mere change of place, too.  Stable order: deletions, then by kind and key.
        """
        gone: set[int] = set()
        come: dict[Identity, list[Object]] = {}
        for path, version in versions.items():
            before = self._take(path, version)
            after = self._files[path].objects if version else ()
            # By id(): documents that were not written anew come from the cache as the very same objects.
            old, new = set(map(id, before)), set(map(id, after))
            for item in before:
                if id(item) not in new:
                    gone.add(id(item))
                    come.setdefault(identity(item), [])
            for item in after:
                if id(item) not in old:
                    come.setdefault((item.kind, item.key), []).append(item)
        settled = (self._settle(name, gone, come[name]) for name in _in_order(come))
        return [event for event in settled if event]

    def begin(self, versions: Mapping[str, Decoded | None]) -> None:
        """As the first ``apply``, for who asks for ``replaces`` next: nothing was before that could be kept."""
        serving = self._serving
        for path, version in versions.items():
            self._take(path, version)
            for item in version.objects if version else ():
                kind, key = item.kind, item.key
                first = serving[kind].setdefault(key, item)
                if first is not item:
                    self._rivals.setdefault((kind, key), [first]).append(item)
        for (kind, key), claims in self._rivals.items():
            claims.sort(key=lambda item: item.place)
            serving[kind][key] = claims[0]

    def _adopt(self, last_good: Object) -> Object | None:
        """It was moved and broken at once: the file that holds it now stands for it as it was."""
        name = identity(last_good)
        if name not in self._broken:
            return None
        path = min(self._broken[name])
        moved = replace(last_good, place=Place(path, 0))
        file = self._files[path]
        self._files[path] = _File(file.version, (*file.objects, moved))
        return moved

    def replaces(self) -> list[Replace]:
        """The whole truth, kind by kind, empty ones too."""
        return [
            Replace(kind, tuple(items[key] for key in _by_runs(list(items)))) for kind, items in self._serving.items()
        ]

    def objects(self) -> tuple[Object, ...]:
        """Everything that serves, in the order of ``replaces``."""
        return tuple(item for one in self.replaces() for item in one.objects)

    def problems(self) -> tuple[Problem, ...]:
        """Of all documents and between them, by path and line; at most some more than MOST_PROBLEMS of each sort."""
        written = iter(sorted((each for file in self._files.values() for each in file.version.problems), key=_severity))
        kept = (problem for path, file in self._files.items() if file.keeps for problem in _kept(path, file))
        doubled = (problem for rivals in self._rivals.values() for problem in _doubled(rivals))
        return tuple(sorted(problem for each in (written, kept, doubled) for problem in _bounded(each)))

    def skipped(self) -> dict[str, int]:
        """How many documents of which kinds that we have no use for."""
        total: Counter[str] = Counter()
        for file in self._files.values():
            if file.version.skipped:  # of 25,000 files hardly any has, and this is done after every edit
                total.update(file.version.skipped)
        return dict(sorted(total.items()))

    def _take(self, path: str, version: Decoded | None) -> tuple[Object, ...]:
        """What the file stood for before."""
        before = self._files.pop(path, None)
        objects = before.objects if before else ()
        for name in before.version.broken if before else ():
            if name and name in self._broken:
                self._broken[name].discard(path)
                if not self._broken[name]:
                    del self._broken[name]
        if version:
            self._files[path] = _File(version, hold(objects, version))
            for name in version.broken:
                if name:
                    self._broken.setdefault(name, set()).add(path)
        return objects

    def _settle(self, name: Identity, gone: set[int], come: list[Object]) -> Event | None:
        """Find out anew who serves as *name*, when of its objects some have *gone* (their ids) and some have *come*."""
        kind, key = name
        serving = self._serving[kind]
        before = serving.get(key)
        if before is None and len(come) == 1:  # as nearly all when all is new
            serving[key] = come[0]
            return Upsert(come[0])
        claims = self._rivals.pop(name, [before] if before else [])
        claims = sorted([item for item in claims if id(item) not in gone] + come, key=lambda item: item.place)
        if len(claims) > 1:
            self._rivals[name] = claims
        if not claims and before and (adopted := self._adopt(before)):
            claims = [adopted]
        if not claims:
            del serving[key]
            return Delete(kind, key)
        serving[key] = claims[0]
        return Upsert(claims[0]) if claims[0] != before else None


def _in_order(names: Iterable[Identity]) -> Iterator[Identity]:
    """As ``sorted``."""
    groups: dict[tuple[Kind, str], list[Identity]] = {}
    for name in names:
        groups.setdefault((name[0], name[1].namespace), []).append(name)
    for group in sorted(groups):
        yield from _by_runs(groups[group])


def _by_runs(items: list[T]) -> Iterable[T]:
    """As ``sorted``, which holds the interpreter for 30 ms where 20,000 come, and queries wait for it."""
    if len(items) <= _RUN:
        return sorted(items)
    return merge(*(sorted(items[at : at + _RUN]) for at in range(0, len(items), _RUN)))


def hold(before: Iterable[Object], version: Decoded) -> tuple[Object, ...]:
    """What a file stands for: the objects of its *version* and, of those it had *before*, the ones now broken.

    Where a broken document's identity could not be told it may be any of them, so that all stay that are not defined.
    """
    if not version.broken:
        return version.objects
    defined, broken = {identity(item) for item in version.objects}, set(version.broken)
    missing = [item for item in before if identity(item) not in defined]
    return version.objects + tuple(item for item in missing if None in broken or identity(item) in broken)


def _bounded(problems: Iterator[Problem]) -> list[Problem]:
    """Folders can have millions.  Who is told of some mends those, and is told of the next."""
    kept = list(islice(problems, MOST_PROBLEMS))
    rest = deque(enumerate(problems, 1), maxlen=1)
    if rest:
        count, last = rest[0]
        fault = and_more((), "error", count)
        text = f"{fault.text}, in this file and others"
        kept.append(Problem(last.path, 0, "error", fault.code, "", text, fault.remedy))
    return kept


def _kept(path: str, file: _File) -> Iterable[Problem]:
    kept = file.objects[len(file.version.objects) :]
    text = "the last good version stays in use"
    if len(kept) > 1:
        text = f"of {len(kept)} objects {text}"
    about = subject(kept[0]) if len(kept) == 1 else ""
    yield Problem(path, 0, "warning", "CD308", about, text, "mend the errors of this file")


def _doubled(rivals: list[Object]) -> Iterable[Problem]:
    first = _where(rivals[0].place)
    for item in rivals[1:]:
        text = f"{_where(item.place)} defines it a second time, {first} serves"
        yield Problem(item.place.path, item.place.line, "error", "CD307", subject(item), text, "remove one of the two")


def _where(place: Place) -> str:
    return f"{place.path}:{place.line}" if place.line else place.path
