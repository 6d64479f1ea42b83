"""What is known of one kind and how far that goes: lists and watch events become events of ours.  Pure."""

from collections.abc import Iterable, Iterator
from itertools import islice

from clusterdns.cluster.events import Delete, Event, Kind, Upsert
from clusterdns.cluster.model import Key, Object
from clusterdns.sources.kubernetes.decoding import Seen, number
from clusterdns.sources.kubernetes.faults import ApiError, Reason

_FEW = 64  # looked at without a pause


class Store:
    """``objects`` are whole from the first list on and never torn: a new list takes their place at once."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.objects: dict[Key, Object] = {}
        self.versions: dict[Key, int] = {}  # of objects as last told, whether or not what we use of them changed
        self.unreadable: dict[Key, str] = {}  # -> why; what they were before serves, if anything
        self.position = ""  # the resourceVersion to watch from; "": a list is needed
        self.lists = 0
        self.deleted: set[Key] | None = None  # by events, for who compares meanwhile

    def apply(self, seen: Seen) -> Event | None:
        """One line of a watch.  None where nothing that we use has changed.

        Raises ApiError where the server tells what cannot follow on what it told before: only a list helps then.
        """
        version, reached = number(seen.version), number(self.position)
        if seen.type == "BOOKMARK":
            if 0 < version < reached:
                raise ApiError(Reason.HISTORY, f"the server is at {version}, though it had told of {reached}")
            self.position = seen.version or self.position
            return None
        if 0 < version <= reached and self._is_old(seen, version, reached):
            return None
        position, event = seen.version or self.position, None
        if not 0 < version < self.versions.get(seen.key, 0):  # it was listed later than the list's version says
            event = self._delete(seen.key) if seen.type == "DELETED" else self._put(seen, version)
        self.position = position
        return event

    def _is_old(self, seen: Seen, version: int, reached: int) -> bool:
        """Whether it has been seen before, as after some reconnects.  Raises ApiError where it ought to have been."""
        held = self.versions.get(seen.key)
        gone = seen.type == "DELETED"
        known = gone if held is None else held > version if gone else held >= version
        if not known and version < reached:
            raise ApiError(Reason.DISORDER, f"{seen.key} changed at {version} is told after {reached}")
        return known

    def _put(self, seen: Seen, version: int) -> Event | None:
        self.versions[seen.key] = version
        if seen.object is None:
            self.unreadable[seen.key] = seen.problem
            return None
        self.unreadable.pop(seen.key, None)
        if self.objects.get(seen.key) == seen.object:
            return None
        self.objects[seen.key] = seen.object
        return Upsert(seen.object)

    def _delete(self, key: Key) -> Event | None:
        self.versions.pop(key, None)
        self.unreadable.pop(key, None)
        if self.deleted is not None:
            self.deleted.add(key)
        return Delete(self.kind, key) if self.objects.pop(key, None) else None

    def differences(self, listing: "Listing") -> Iterator[list[Event]]:
        """What *listing* changes, a few at a time and often none: pauses between them do no harm."""
        for keys in _few(self.objects):
            yield [Delete(self.kind, key) for key in keys if key not in listing.objects]
        for keys in _few(listing.objects):
            new = ((key, listing.objects[key]) for key in keys)
            yield [Upsert(item) for key, item in new if self.objects.get(key) is not item]

    def replace(self, listing: "Listing", position: str) -> None:
        """*position*: the resourceVersion of the list."""
        self.objects, self.versions, self.unreadable = listing.objects, listing.versions, listing.unreadable
        self.position = position
        self.lists += 1


class Listing:
    """A list while it comes in.  Objects that are as they were are shared with the store: a re-list needs no room."""

    def __init__(self, store: Store) -> None:
        self._known = store.objects
        self.objects: dict[Key, Object] = {}
        self.versions: dict[Key, int] = {}
        self.unreadable: dict[Key, str] = {}

    def forget(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self.objects.pop(key, None)
            self.versions.pop(key, None)
            self.unreadable.pop(key, None)

    def take(self, seen: Seen) -> None:
        """In any order: initial events come as they like."""
        version = number(seen.version)
        if version < self.versions.get(seen.key, 0):
            return
        if seen.type == "DELETED":  # between the initial events
            self.forget((seen.key,))
            return
        known, item = self._known.get(seen.key), seen.object
        if item is None or item == known:
            item = known
        key = item.key if item else seen.key
        self.versions[key] = version
        if item:
            self.objects[key] = item
        if seen.object:
            self.unreadable.pop(key, None)
        else:
            self.unreadable[key] = seen.problem


def _few(keys: Iterable[Key]) -> Iterator[tuple[Key, ...]]:
    rest = iter(keys)
    while few := tuple(islice(rest, _FEW)):
        yield few
