"""The address index against a dictionary, and reverse names against dnspython."""

from bisect import bisect_left
from collections.abc import Generator, Iterator
from ipaddress import ip_network
from typing import TypeVar

import dns.reversename
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import KEYS

from clusterdns.cluster.addresses import address_text
from clusterdns.cluster.model import Key
from clusterdns.zone import reverse
from clusterdns.zone.names import parse_name, to_text
from clusterdns.zone.reverse import Addresses, AddressIndex, Holders, Moves, parse_reverse, reverse_name, zones_of

T = TypeVar("T")

CHUNK = 4

holders = st.sampled_from([(), (KEYS[0],), (KEYS[1],), (KEYS[0], KEYS[1])])
fours = st.integers(0, 255).map(lambda low: bytes((10, 0, low // 16, low % 16)))
sixes = st.integers(0, 255).map(lambda low: b"\xfd" + bytes(14) + bytes((low,)))
any_address = st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)


def steps(addresses: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[dict[bytes, Holders]]]:
    return st.lists(st.dictionaries(addresses, holders, max_size=40), max_size=6)


@pytest.fixture(autouse=True, scope="module", params=[0, 10], ids=["many", "few"])
def _small_chunks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Both ways of ``AddressIndex.changed``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reverse, "_CHUNK", CHUNK)
        patch.setattr(reverse, "_FEW", request.param)
        yield


def changed(index: AddressIndex, changes: dict[bytes, Holders]) -> AddressIndex:
    return done(index.changed(dict(changes)))


def done(running: Generator[None, None, T]) -> T:
    while True:
        try:
            next(running)
        except StopIteration as stop:
            result: T = stop.value
            return result


@given(steps(fours) | steps(sixes), st.lists(st.tuples(fours, fours) | st.tuples(sixes, sixes), max_size=20))
def test_the_index_is_a_sorted_dictionary(rounds: list[dict[bytes, Holders]], spans: list[tuple[bytes, bytes]]) -> None:
    index, model = AddressIndex(), dict[bytes, Holders]()
    for changes in rounds:
        before = index, list(index.items())
        index = changed(index, changes)
        model = {address: held for address, held in (model | changes).items() if held}
        assert list(index.items()) == sorted(model.items())
        assert list(before[0].items()) == before[1], "readers keep the version they have"
        assert all(0 < len(chunk.addresses) <= CHUNK for chunk in index.chunks)
        assert index.starts == tuple(chunk.addresses[0] for chunk in index.chunks)
    order = sorted(model)
    for address in {address for changes in rounds for address in changes} | {one for span in spans for one in span}:
        if not order or len(address) == len(order[0]):
            assert index.holders(address) == model.get(address, ())
    for low, high in spans:
        if low <= high and (not order or len(low) == len(order[0])):
            at = bisect_left(order, low)
            assert index.any_between(low, high) == (at < len(order) and order[at] <= high)


def test_every_edge_of_every_chunk_is_found() -> None:
    addresses = [bytes((10, 0, 0, last)) for last in range(1, 255, 2)]
    index = changed(AddressIndex(), dict.fromkeys(addresses, (KEYS[0],)))
    for low in range(256):
        here = bytes((10, 0, 0, low))
        assert bool(index.holders(here)) == (low % 2 == 1 and low < 255)
        assert index.any_between(here, here) == bool(index.holders(here))
    assert not index.any_between(bytes(4), bytes((10, 0, 0, 0)))
    assert not index.any_between(bytes((10, 0, 0, 254)), b"\xff" * 4)
    assert index.any_between(bytes(4), b"\xff" * 4)


def test_addresses_that_come_one_by_one_leave_chunks_at_least_half_full() -> None:
    index = AddressIndex()
    for number in range(400):
        index = changed(index, {(number * 7919 % 65536).to_bytes(4): (KEYS[0],)})
    assert len(index.chunks) <= 2 * 400 / CHUNK + 1


def test_a_change_of_one_address_leaves_all_other_chunks_as_they_are() -> None:
    index = changed(AddressIndex(), {bytes((10, 0, 0, low)): (KEYS[0],) for low in range(0, 250, 2)})
    cases: list[dict[bytes, Holders]] = [{bytes((10, 0, 0, 100)): ()}, {bytes((10, 0, 0, 101)): (KEYS[1],)}]
    for changes in cases:
        after = changed(index, changes)
        kept = {id(chunk) for chunk in index.chunks} & {id(chunk) for chunk in after.chunks}
        assert len(kept) == len(index.chunks) - 1


@given(any_address)
def test_a_reverse_name_is_the_one_dnspython_makes(address: bytes) -> None:
    name = reverse_name(address)
    assert name == dns.reversename.from_address(address_text(address)).to_wire()
    assert parse_reverse(name) == (address, address)


@given(any_address, st.integers(0, 32))
def test_each_parent_of_a_reverse_name_is_the_span_of_its_addresses(address: bytes, cut: int) -> None:
    parts = to_text(reverse_name(address)).split(".")
    cut = min(cut, len(parts) - 3)
    kept = len(parts) - 3 - cut
    bits = kept * (8 if len(address) == 4 else 4)
    network = ip_network((address, bits), strict=False)
    span = parse_reverse(parse_name(".".join(parts[cut:])))
    assert span == (network.network_address.packed, network.broadcast_address.packed)


@pytest.mark.parametrize(
    "name",
    [
        "01.0.0.10.in-addr.arpa",
        "00.0.0.10.in-addr.arpa",
        "256.0.0.10.in-addr.arpa",
        "1000.0.0.10.in-addr.arpa",
        "-1.0.0.10.in-addr.arpa",
        "x.0.0.10.in-addr.arpa",
        "9.1.0.0.10.in-addr.arpa",
        "1.0.0.10.in-addr.arpa.arpa",
        "g.ip6.arpa",
        "00.ip6.arpa",
        "0." * 33 + "ip6.arpa",
        "1.0.0.10.ip6.in-addr",
        "arpa",
        ".",
        "in-addr",
        "1.0.0.10.arpa",
    ],
)
def test_names_that_no_address_has(name: str) -> None:
    assert parse_reverse(parse_name(name)) is None


@pytest.mark.parametrize(
    "wire", [b"\x01\xb2\x07in-addr\x04arpa\0", b"\x01A\x03ip6\x04arpa\0", b"\x0a7\x07in-addr\x01\x04arpa\0"]
)
def test_octets_that_imitate_a_reverse_name(wire: bytes) -> None:
    # The gate passes names in lower case; "²" is a digit to Python's str, not to bytes.
    assert parse_reverse(wire) is None


@given(st.lists(st.binary(min_size=1, max_size=5) | st.sampled_from([b"0", b"10", b"255", b"a"]), max_size=34))
@example([b"0"] * 32)
def test_any_labels_are_read_or_refused(parts: list[bytes]) -> None:
    below = b"".join(bytes((len(part),)) + part for part in parts)
    for apex in (reverse.IN_ADDR, reverse.IP6):
        span = parse_reverse(below + apex)
        if span is not None and span[0] == span[1]:
            assert reverse_name(span[0]) == below + apex


@pytest.mark.parametrize(
    ("network", "zones"),
    {
        "10.96.0.0/12": [f"{second}.10.in-addr.arpa." for second in range(96, 112)],
        "10.0.0.0/8": ["10.in-addr.arpa."],
        "10.1.2.0/24": ["2.1.10.in-addr.arpa."],
        "10.1.2.3/32": ["3.2.1.10.in-addr.arpa."],
        "0.0.0.0/0": ["in-addr.arpa."],
        "fd00::/8": ["d.f.ip6.arpa."],
        "fd00::/7": ["c.f.ip6.arpa.", "d.f.ip6.arpa."],
        "::/0": ["ip6.arpa."],
    }.items(),
)
def test_the_zones_that_cover_a_network(network: str, zones: list[str]) -> None:
    assert [to_text(zone) for zone in zones_of(ip_network(network, strict=False))] == zones


moves = st.lists(st.tuples(st.sampled_from(KEYS), st.sets(fours | sixes), st.sets(fours | sixes)), max_size=8)


@given(st.lists(moves, max_size=3))
def test_what_came_first_is_held_as_what_came_later(rounds: list[list[tuple[Key, set[bytes], set[bytes]]]]) -> None:
    addresses, model = Addresses(), dict[bytes, set[Key]]()
    for each in rounds:
        moved = Moves()
        for key, _, after in {key: (key, before, after) for key, before, after in each}.values():
            now = {address for address, keys in model.items() if key in keys}
            moved.note(key, now, after)
            for address in now | after:
                (model.setdefault(address, set()).add if address in after else model[address].remove)(key)
        gone = moved.gained.addresses() | moved.lost.addresses()
        addresses = done(addresses.moved(moved))
        held = {address: tuple(sorted(keys)) for address, keys in model.items() if keys}
        assert [*addresses.four.items(), *addresses.six.items()] == sorted(
            held.items(), key=lambda each: (len(each[0]), each)
        )
        assert all(addresses.of(address).holders(address) == held.get(address, ()) for address in gone)
        for _ in moved.emptied():
            pass
        assert not moved.gained.heaps
        assert not moved.lost.heaps
