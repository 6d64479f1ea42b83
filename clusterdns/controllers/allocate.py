"""One allocator for ClusterIPs, stand-in addresses and node ports: stable, and nobody moves."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeVar

from clusterdns.cluster.addresses import Network
from clusterdns.cluster.model import Key

Claimant = tuple[str, ...]  # a Key, or one with more parts

NO_MEMORY: Mapping[str, int] = MappingProxyType({})


class Band(NamedTuple):
    """Integers from *first* to *last*, both included.  IPv6 has bands of 2**64: nothing here ever lists one."""

    first: int
    last: int

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and self.first <= value <= self.last


def usable(network: Network) -> Band | None:
    """Without the network address, the first one (``default/kubernetes``'s by convention) and the IPv4 broadcast.

    None where that leaves nothing.
    """
    first = int(network.network_address)
    band = Band(first + 2, first + network.num_addresses - (2 if network.version == 4 else 1))
    return band if band.first <= band.last else None


def service_bands(network: Network) -> tuple[Band, ...]:
    """The dynamic band, then the static one, into which dynamic ones go only when the first is full.

    The static band is the lowest min(max(16, size/16), 256) addresses, none up to a size of 16
    (Kubernetes v1.36.3, pkg/registry/core/service/ipallocator).
    """
    band, size = usable(network), network.num_addresses
    if band is None:
        return ()
    static = min(max(16, size // 16), 256) if size > 16 else 0
    border = int(network.network_address) + static
    bands = (Band(max(border + 1, band.first), band.last), Band(band.first, min(border, band.last)))
    return tuple(band for band in bands if band.first <= band.last)


def stable_hash(*parts: str) -> int:
    """64 bits, the same in every process; Python's ``hash`` is not."""
    return int.from_bytes(blake2b("/".join(parts).encode(), digest_size=8).digest())


class Allocator:
    """Gives each claimant that wants one an integer of its bands.

    Claimants that want at the same time are served in the order of (hash, claimant), each with the first free integer
    from its hash on.  It stays theirs until they drop it or are evicted.
    """

    def __init__(
        self, bands: Iterable[Band], taken: Callable[[int], bool], memory: Mapping[str, int] = NO_MEMORY
    ) -> None:
        """*taken*: whether somebody wrote an integer down, so that it is not handed out.

        *memory*: what ``export`` once gave; an entry counts when its claimant wants and the integer is free.
        """
        self._bands = tuple(bands)
        self._taken = taken
        self._memory = dict(memory)
        self._held: dict[Claimant, int] = {}
        self._holders: dict[int, Claimant] = {}
        self._waiting: set[Claimant] = set()
        self._full = False  # nothing was freed since a search found nothing: do not search again
        self.refused: frozenset[Claimant] = frozenset()  # who came away empty from the last ``settle``
        self.displaced: set[Claimant] = set()  # who found its first choice held: a restart may find it free

    def __getitem__(self, claimant: Claimant) -> int | None:
        return self._held.get(claimant)

    def want(self, claimant: Claimant) -> None:
        if claimant not in self._held:
            self._waiting.add(claimant)

    def drop(self, claimant: Claimant) -> None:
        """It wants none any more, if it ever did."""
        self._waiting.discard(claimant)
        self._release(claimant)

    def evict(self, value: int) -> Claimant | None:
        """*value* became taken: who held it waits for another one, and is returned."""
        loser = self._holders.get(value)
        if loser:
            self._release(loser)
            self._waiting.add(loser)
        return loser

    def freed(self) -> None:
        """Something is taken no more."""
        self._full = False

    def settle(self) -> set[Claimant]:
        """Serves those who wait; returns whom it served.  The others are in ``refused``: the bands are full."""
        served = set()
        for _, start, claimant in [] if self._full else sorted(map(self._turn, self._waiting)):
            value = self._choose(claimant, start)
            if value is not None:
                self._held[claimant] = value
                self._holders[value] = claimant
                served.add(claimant)
                if value != next(self._candidates(start)):
                    self.displaced.add(claimant)
        self._waiting -= served
        self.refused = frozenset(self._waiting)
        return served

    def export(self) -> dict[str, int]:
        return {"/".join(claimant): value for claimant, value in sorted(self._held.items())}

    def _release(self, claimant: Claimant) -> None:
        if (value := self._held.pop(claimant, None)) is not None:
            del self._holders[value]
            self.displaced.discard(claimant)
            self._full = False

    def _covers(self, value: int) -> bool:
        return any(value in band for band in self._bands)

    def _turn(self, claimant: Claimant) -> tuple[bool, int, Claimant]:
        """Those remembered come first, or a newcomer could take what another one had before the restart."""
        return "/".join(claimant) not in self._memory, stable_hash(*claimant), claimant

    def _choose(self, claimant: Claimant, start: int) -> int | None:
        remembered = self._memory.pop("/".join(claimant), None)
        if remembered is not None and self._covers(remembered) and self._free(remembered):
            return remembered
        if self._full:
            return None
        found = next(filter(self._free, self._candidates(start)), None)
        self._full = found is None
        return found

    def _candidates(self, start: int) -> Iterator[int]:
        for first, last in self._bands:
            size = last - first + 1
            at = start % size
            yield from range(first + at, last + 1)
            yield from range(first, first + at)

    def _free(self, value: int) -> bool:
        return value not in self._holders and not self._taken(value)


Value = TypeVar("Value", int, bytes)


class Written(Generic[Value]):
    """Which Services say a value themselves, so that a second one is noticed."""

    def __init__(self) -> None:
        self._owners: dict[Value, tuple[Key, ...]] = {}
        self._shared: set[Value] = set()

    def __contains__(self, value: object) -> bool:
        return value in self._owners

    def add(self, value: Value, owner: Key) -> None:
        self._set(value, (*self._owners.get(value, ()), owner))

    def remove(self, value: Value, owner: Key) -> None:
        self._set(value, tuple(one for one in self._owners[value] if one != owner))

    def shared(self) -> list[tuple[Value, tuple[Key, ...]]]:
        """Values with two owners or more."""
        return [(value, self._owners[value]) for value in sorted(self._shared)]

    def _set(self, value: Value, owners: tuple[Key, ...]) -> None:
        if owners:
            self._owners[value] = owners
        else:
            del self._owners[value]
        if len(owners) > 1:
            self._shared.add(value)
        else:
            self._shared.discard(value)
