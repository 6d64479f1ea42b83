"""Reverse names: which Services hold which address, and which empty non-terminals follow from that.

One sorted array of packed addresses per family, in chunks: a change copies the chunks it touches, readers keep
the version they have, and a prefix of a reverse name is looked up by bisection instead of being stored.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Generator, Mapping
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
_SORTED_AT_ONCE = 4096  # in about 1 ms


class _Chunk(Struct, frozen=True, gc=False):
    addresses: tuple[bytes, ...]
    holders: tuple[Holders, ...]


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
            chunks += yield from _cut(order[begin:end], changes)
            begin = end
        yield from emptied(changes)
        return AddressIndex(tuple(chunk.addresses[0] for chunk in chunks), tuple(chunks))


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
        if not (self.four.chunks or self.six.chunks or moves.lost):
            return (yield from _first(moves))
        changes: dict[int, dict[bytes, Holders]] = {4: {}, 16: {}}
        for few in _pieces(list(moves.gained)):
            for address in few:
                gained = moves.gained[address]
                holders = self.of(address).holders(address)
                if holders or len(gained) > 1:
                    lost = moves.lost.get(address, ())
                    gained = tuple(sorted((set(holders) - set(lost)) | set(gained)))
                changes[len(address)][address] = gained
            yield
        for few in _pieces(list(moves.lost)):
            for address in few:
                if address not in moves.gained:
                    holders, lost = self.of(address).holders(address), moves.lost[address]
                    left = () if holders == lost else tuple(key for key in holders if key not in lost)
                    changes[len(address)][address] = left
            yield
        four = (yield from self.four.changed(changes[4])) if changes[4] else self.four
        six = (yield from self.six.changed(changes[16])) if changes[16] else self.six
        return self if four is self.four and six is self.six else Addresses(four, six)


class Moves:
    """Who came to hold which addresses in a round, and who ceased to."""

    def __init__(self) -> None:
        self.shared: set[bytes] = set()  # addresses that several came to hold, or ceased to
        self.gained: dict[bytes, Holders] = {}
        self.lost: dict[bytes, Holders] = {}

    def note(self, key: Key, before: AbstractSet[bytes], after: AbstractSet[bytes]) -> None:
        mine = (key,)  # one tuple for all its addresses: most have no other holder
        for addresses, kept in ((after - before, self.gained), (before - after, self.lost)):
            if kept.keys().isdisjoint(addresses):
                kept.update(dict.fromkeys(addresses, mine))
                continue
            for address in addresses:
                if address in kept:
                    self.shared.add(address)
                kept[address] = kept[address] + mine if address in kept else mine


def _first(moves: Moves) -> Generator[None, None, Addresses]:
    """The first version, where nothing was before: what is known of 150,000 addresses need not be asked of each."""
    four = dict(moves.gained)
    yield
    for address in moves.shared:
        four[address] = tuple(sorted(four[address]))
    six = {}
    for few in _pieces(list(four)):
        six.update({address: four.pop(address) for address in few if len(address) == 16})
        yield
    return Addresses((yield from AddressIndex().changed(four)), (yield from AddressIndex().changed(six)))


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
    buckets: dict[bytes, list[bytes]] = {}
    for few in _pieces(addresses):
        for address in few:
            start = address[octet : octet + 3]
            if start in buckets:
                buckets[start].append(address)
            else:
                buckets[start] = [address]
        yield
    order: list[bytes] = []
    for start in sorted(buckets):
        order += yield from _in_order(buckets[start], octet + 3)
        yield
    return order


def _cut(order: list[bytes], holders: Mapping[bytes, Holders]) -> Generator[None, None, list[_Chunk]]:
    """As few chunks as can hold them, of about equal size: a full chunk that gets one more becomes two halves."""
    held: list[bytes] = []
    for few in _pieces(order):
        held += [address for address in few if holders[address]]
        yield
    count = -(-len(held) // _CHUNK)
    size = -(-len(held) // count) if count else 1
    chunks = []
    for at in range(0, len(held), size):
        piece = held[at : at + size]
        chunks.append(_Chunk(tuple(piece), tuple([holders[address] for address in piece])))
        yield
    return chunks


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
