"""Reverse names: which Services hold which address, and which empty non-terminals follow from that.

One sorted array of packed addresses per family, in chunks: a change copies the chunks it touches, readers keep
the version they have, and a prefix of a reverse name is looked up by bisection instead of being stored.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Generator, Iterator
from collections.abc import Set as AbstractSet
from ipaddress import IPv4Network, IPv6Network

from msgspec import Struct

from clusterdns.cluster.addresses import Network
from clusterdns.cluster.model import Key
from clusterdns.zone.names import Name, is_below, labels, parse_name

Holders = tuple[Key, ...]  # sorted by namespace and name, never empty

IN_ADDR = Name(b"\x07in-addr\x04arpa\x00")
IP6 = Name(b"\x03ip6\x04arpa\x00")

_CHUNK = 512  # addresses; a change of one address copies this many references
_FEW = 64  # addresses that are changed at once, in 0.2 ms
_SORTED_AT_ONCE = 4096  # in about 1 ms


class _Chunk(Struct, frozen=True, gc=False):
    addresses: tuple[bytes, ...]
    holders: tuple[Holders, ...]

    def edited(self, changed: list[bytes], changes: dict[bytes, Holders]) -> "list[_Chunk]":
        """What takes its place when the addresses *changed* have the holders that *changes* says."""
        addresses, holders = list(self.addresses), list(self.holders)
        for address in changed:
            place, now = bisect_left(addresses, address), changes[address]
            there = place < len(addresses) and addresses[place] == address
            addresses[place : place + there] = [address] if now else []
            holders[place : place + there] = [now] if now else []
        return list(_cut(addresses, holders))


class AddressIndex(Struct, frozen=True):
    """Addresses of one family in order.  Immutable."""

    starts: tuple[bytes, ...] = ()
    chunks: tuple[_Chunk, ...] = ()

    def holders(self, address: bytes) -> Holders:
        """() where nobody has it."""
        at = bisect_right(self.starts, address) - 1
        if at < 0:
            return ()
        chunk = self.chunks[at]
        place = bisect_left(chunk.addresses, address)
        found = place < len(chunk.addresses) and chunk.addresses[place] == address
        return chunk.holders[place] if found else ()

    def any_between(self, low: bytes, high: bytes) -> bool:
        """Is there an address from *low* to *high*, both included?"""
        at = bisect_right(self.starts, high) - 1
        if at < 0:
            return False
        addresses = self.chunks[at].addresses
        return addresses[bisect_right(addresses, high) - 1] >= low

    def items(self) -> Generator[tuple[bytes, Holders], None, None]:
        for chunk in self.chunks:
            yield from zip(chunk.addresses, chunk.holders, strict=True)

    def addresses(self) -> Generator[bytes, None, None]:
        for chunk in self.chunks:
            yield from chunk.addresses

    def changed(self, changes: dict[bytes, Holders]) -> "Generator[None, None, AddressIndex]":
        """The next version: each address of *changes* with its new holders, () removes it.

        Takes *changes* over.  Yields after each small piece of work, as nothing here is short where all pods move.
        """
        if not changes:
            return self
        if self.chunks and len(changes) <= _FEW:
            return self._edited(changes)
        touched: set[int] = set()
        for few in _pieces(list(changes)) if self.chunks else ():
            touched.update(bisect_right(self.starts, address) - 1 for address in few)
            yield
        touched = {max(0, at) for at in touched}
        for at in touched:
            for address, holders in zip(self.chunks[at].addresses, self.chunks[at].holders, strict=True):
                changes.setdefault(address, holders)
            yield
        order = yield from _in_order(list(changes))
        chunks: list[_Chunk] = []
        begin = 0
        for at, chunk in enumerate(self.chunks or (_Chunk((), ()),)):
            if at not in touched and chunk.addresses:
                chunks.append(chunk)
                continue
            end = bisect_left(order, self.starts[at + 1], begin) if at + 1 < len(self.starts) else len(order)
            chunks += yield from _held(order[begin:end], changes)
            begin = end
        return _index(chunks)

    def _edited(self, changes: dict[bytes, Holders]) -> "AddressIndex":
        """As ``changed`` for the few addresses of a Service or two, at once: most rounds of a cluster are such."""
        touched: defaultdict[int, list[bytes]] = defaultdict(list)
        for address in changes:
            touched[max(0, bisect_right(self.starts, address) - 1)].append(address)
        starts, chunks = list(self.starts), list(self.chunks)
        for at in sorted(touched, reverse=True):  # from the end, so that those before stay where they are
            chunks[at : at + 1] = pieces = self.chunks[at].edited(touched[at], changes)
            starts[at : at + 1] = [piece.addresses[0] for piece in pieces]
        return AddressIndex(tuple(starts), tuple(chunks))


class Addresses(Struct, frozen=True):
    """Those of both families.  Immutable."""

    four: AddressIndex = AddressIndex()
    six: AddressIndex = AddressIndex()

    def of(self, address: bytes) -> AddressIndex:
        """The index of its family."""
        return self.four if len(address) == 4 else self.six

    def holders(self, qname: bytes) -> Holders:
        """Of the address that a whole reverse name stands for; () for any other name."""
        span = parse_reverse(qname)
        return self.of(span[0]).holders(span[0]) if span and span[0] == span[1] else ()

    def moved(self, moves: "Moves") -> "Generator[None, None, Addresses]":
        """The next version.  Yields after each small piece of work."""
        if not (self.four.chunks or self.six.chunks or moves.lost.heaps):
            return Addresses((yield from _first(moves.gained, 4)), (yield from _first(moves.gained, 16)))
        changes: dict[int, dict[bytes, Holders]] = {4: {}, 16: {}}
        for few, gained in moves.gained.pieces():
            for address in few:
                holders, now = self.of(address).holders(address), gained[address]
                if holders or len(now) > 1:
                    lost = moves.lost.get(address)
                    now = tuple(sorted((set(holders) - set(lost)) | set(now)))
                changes[len(address)][address] = now
            yield
        for few, lost_there in moves.lost.pieces():
            for address in few:
                if not moves.gained.get(address):
                    holders, lost = self.of(address).holders(address), lost_there[address]
                    left = () if holders == lost else tuple(key for key in holders if key not in lost)
                    changes[len(address)][address] = left
            yield
        four = (yield from self.four.changed(changes[4])) if changes[4] else self.four
        six = (yield from self.six.changed(changes[16])) if changes[16] else self.six
        return self if four is self.four and six is self.six else Addresses(four, six)


class Heaps:
    """Addresses and holders, those of a subnet on one heap: each is small enough to be sorted or freed at once."""

    def __init__(self) -> None:
        self.heaps: defaultdict[bytes, dict[bytes, Holders]] = defaultdict(dict)

    def add(self, key: Key, addresses: AbstractSet[bytes]) -> None:
        mine = (key,)  # one tuple for all its addresses: most have no other holder
        heaps = self.heaps
        for address in addresses:
            heap = heaps[address[:3] if len(address) == 4 else address[:8]]
            before = heap.setdefault(address, mine)
            if before is not mine:
                heap[address] = before + mine

    def get(self, address: bytes) -> Holders:
        heap = self.heaps.get(_subnet(address))
        return heap.get(address, ()) if heap else ()

    def pieces(self) -> Iterator[tuple[list[bytes], dict[bytes, Holders]]]:
        """Some addresses and the heap they are on."""
        for heap in self.heaps.values():
            for few in _pieces(list(heap)):
                yield few, heap

    def addresses(self) -> set[bytes]:
        return {address for heap in self.heaps.values() for address in heap}

    def emptied(self) -> Generator[None, None, None]:
        """Frees all, a little at a time: as one dictionary 300,000 entries take 20 ms."""
        while self.heaps:
            _, heap = self.heaps.popitem()
            yield from emptied(heap)


def _subnet(address: bytes) -> bytes:
    """Usually a node's: a /24 of IPv4, a /64 of IPv6."""
    return address[:3] if len(address) == 4 else address[:8]


class Moves:
    """Who came to hold which addresses in a round, and who ceased to."""

    def __init__(self) -> None:
        self.gained, self.lost = Heaps(), Heaps()

    def note(self, key: Key, before: AbstractSet[bytes], after: AbstractSet[bytes]) -> None:
        self.gained.add(key, after - before if before else after)
        self.lost.add(key, before - after if after else before)

    def emptied(self) -> Generator[None, None, None]:
        yield from self.gained.emptied()
        yield from self.lost.emptied()


def _first(gained: Heaps, octets: int) -> Generator[None, None, AddressIndex]:
    """The first version, where nothing was before: what is known of 150,000 addresses need not be asked of each."""
    addresses: list[bytes] = []
    holders: list[Holders] = []
    subnets = sorted(start for start in gained.heaps if len(start) == len(_subnet(bytes(octets))))
    for start in subnets:
        heap = gained.heaps[start]
        for few in _pieces((yield from _in_order(list(heap), len(start)))):
            addresses += few
            holders += [keys if len(keys) == 1 else tuple(sorted(keys)) for keys in map(heap.__getitem__, few)]
            yield
    return _index((yield from _listed(_cut(addresses, holders))))


def _index(chunks: list[_Chunk]) -> AddressIndex:
    return AddressIndex(tuple(chunk.addresses[0] for chunk in chunks), tuple(chunks))


def emptied(kept: dict[bytes, Holders]) -> Generator[None, None, None]:
    """Dropped as a whole, 300,000 entries take 20 ms."""
    while len(kept) > _SORTED_AT_ONCE:
        for _ in range(_CHUNK):
            kept.popitem()
        yield


def _pieces(addresses: list[bytes]) -> Generator[list[bytes], None, None]:
    for at in range(0, len(addresses), _CHUNK):
        yield addresses[at : at + _CHUNK]


def _in_order(addresses: list[bytes], octet: int = 0) -> Generator[None, None, list[bytes]]:
    """Sorted.  By three octets, since sorting 150,000 at once takes a tenth of a second; equal before *octet*."""
    if len(addresses) <= _SORTED_AT_ONCE:
        return sorted(addresses)
    buckets: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for few in _pieces(addresses):
        for address in few:
            buckets[address[octet : octet + 3]].append(address)
        yield
    order: list[bytes] = []
    for start in sorted(buckets):
        order += yield from _in_order(buckets[start], octet + 3)
        yield
    return order


def _held(order: list[bytes], changes: dict[bytes, Holders]) -> Generator[None, None, list[_Chunk]]:
    """Those of *order* that have holders.  Takes them out of *changes*, which would be long to drop as a whole."""
    addresses: list[bytes] = []
    holders: list[Holders] = []
    for few in _pieces(order):
        found = [changes.pop(address) for address in few]
        addresses += few if all(found) else [address for address, keys in zip(few, found, strict=True) if keys]
        holders += filter(None, found)
        yield
    return (yield from _listed(_cut(addresses, holders)))


def _listed(chunks: Iterator[_Chunk]) -> Generator[None, None, list[_Chunk]]:
    found = []
    for chunk in chunks:
        found.append(chunk)
        yield
    return found


def _cut(addresses: list[bytes], holders: list[Holders]) -> Iterator[_Chunk]:
    """As few chunks as can hold them, of about equal size: a full chunk that gets one more becomes two halves."""
    count = -(-len(addresses) // _CHUNK)
    size = -(-len(addresses) // count) if count else 1
    for at in range(0, len(addresses), size):
        yield _Chunk(tuple(addresses[at : at + size]), tuple(holders[at : at + size]))


def reverse_name(address: bytes) -> Name:
    """``b"\\n\\0\\0\\1"`` -> ``1.0.0.10.in-addr.arpa.`` (RFC 1035 §3.5); IPv6 by nibbles (RFC 3596 §2.5)."""
    if len(address) == 4:
        parts = [b"%d" % octet for octet in reversed(address)]
        return Name(b"".join(bytes((len(part),)) + part for part in parts) + IN_ADDR)
    return Name(b"".join(b"\x01" + digit.encode() for digit in reversed(address.hex())) + IP6)


def is_reverse(name: bytes) -> bool:
    """Whether addresses have their names there."""
    return is_below(name, IN_ADDR) or is_below(name, IP6)


def parse_reverse(name: bytes) -> tuple[bytes, bytes] | None:
    """The lowest and the highest address below a reverse name; equal for a whole address.

    None: not a name that an address can have (leading zeros, 256, 33 nibbles…).
    """
    parts = labels(name)
    suffix, parts = parts[-2:], parts[-3::-1]
    if suffix == [b"in-addr", b"arpa"]:
        octets = [_octet(part) for part in parts]
        if len(octets) > 4 or -1 in octets:
            return None
        start = bytes(octets)
        return start.ljust(4, b"\0"), start.ljust(4, b"\xff")
    if suffix != [b"ip6", b"arpa"] or len(parts) > 32:
        return None
    if any(len(part) != 1 or part not in b"0123456789abcdef" for part in parts):
        return None
    digits = b"".join(parts).decode()
    return bytes.fromhex(digits.ljust(32, "0")), bytes.fromhex(digits.ljust(32, "f"))


def _octet(part: bytes) -> int:
    """-1: not one of 0…255 as it is written."""
    return int(part) if part.isdigit() and len(part) <= 3 and b"%d" % int(part) == part and int(part) < 256 else -1


def zones_of(network: Network) -> list[Name]:
    """The reverse zones that cover *network*: several where it ends within an octet (a nibble for IPv6)."""
    step = 8 if isinstance(network, IPv4Network) else 4
    whole = -(-network.prefixlen // step) * step
    keep = whole // step
    found = []
    subnets: list[IPv4Network] | list[IPv6Network]
    subnets = list(network.subnets(new_prefix=whole))  # type: ignore[assignment]
    for subnet in subnets:
        parts = labels(reverse_name(subnet.network_address.packed))
        total = len(parts) - 2
        text = ".".join(part.decode() for part in parts[total - keep :]) + "."
        found.append(parse_name(text))
    return found
