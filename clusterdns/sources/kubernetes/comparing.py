"""Whether what we have is what the server has, by resourceVersions alone: events do get lost.  Pure."""

from collections.abc import Collection, Iterable, Mapping

from clusterdns.cluster.model import Key
from clusterdns.sources.kubernetes.decoding import number


class Comparison:
    """Of one list with what is held while it comes in and a while after, since the watch may be behind the list."""

    def __init__(self, held: Mapping[Key, int]) -> None:
        """*held*: as it is now and will be."""
        self._held = held
        self._unlisted = set(held)
        self._other: dict[Key, int] = {}  # listed with another version than is held

    def take(self, entries: Iterable[tuple[Key, str]]) -> None:
        for key, text in entries:
            self._unlisted.discard(key)
            if self._held.get(key) != (version := number(text)):
                self._other[key] = version

    @property
    def clean(self) -> bool:
        return not self._unlisted and not self._other

    def diverged(self, listed_at: str, deleted: Collection[Key]) -> list[Key]:
        """What is still not as it was listed and has not changed since, either; sorted.

        *listed_at*: the list's resourceVersion.  *deleted*: what events have deleted since the beginning.
        """
        at = number(listed_at)
        found = [key for key in self._unlisted if self._held.get(key, at + 1) <= at]
        for key, version in self._other.items():
            held = self._held.get(key)
            if key not in deleted and (held is None or held < version or version < held <= at):
                found.append(key)
        return sorted(found)
