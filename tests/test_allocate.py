"""The allocator: stable, no duplicates, nobody moves, and no range is ever listed."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterdns.cluster.addresses import parse_network
from clusterdns.controllers.allocate import Allocator, Band, Claimant, service_bands, usable

BANDS = {  # range -> dynamic band, static band; as offsets from the network address
    "10.96.0.0/12": [(257, 2**20 - 2), (2, 256)],
    "10.0.0.0/16": [(257, 65534), (2, 256)],
    "10.0.0.0/20": [(257, 4094), (2, 256)],
    "10.0.0.0/24": [(17, 254), (2, 16)],
    "10.0.0.0/27": [(17, 30), (2, 16)],
    "10.0.0.0/28": [(2, 14)],
    "10.0.0.0/30": [(2, 2)],
    "10.0.0.0/31": [],
    "0.0.0.0/32": [],
    "255.255.255.255/32": [],
    "fd00::/108": [(257, 2**20 - 1), (2, 256)],
    "fd00::/64": [(257, 2**64 - 1), (2, 256)],
}


@pytest.mark.parametrize(("network", "bands"), BANDS.items(), ids=BANDS)
def test_bands_of_a_service_range(network: str, bands: list[tuple[int, int]]) -> None:
    base = int(parse_network(network).network_address)
    assert [(first - base, last - base) for first, last in service_bands(parse_network(network))] == bands


def test_a_huge_range_is_as_cheap_as_any() -> None:
    allocator = _allocator(*service_bands(parse_network("fd00::/64")))
    allocator.want(("shop", "web"))
    assert allocator.settle() == {("shop", "web")}
    assert usable(parse_network("::/0")) is not None


def _allocator(*bands: Band, taken: tuple[int, ...] = (), memory: dict[str, int] | None = None) -> Allocator:
    return Allocator(bands, taken.__contains__, memory or {})


def _settled(allocator: Allocator, *names: str) -> dict[str, int | None]:
    for name in names:
        allocator.want(("ns", name))
    allocator.settle()
    return {name: allocator["ns", name] for name in names}


def test_who_asks_together_is_served_in_one_order() -> None:
    names = [f"s{number}" for number in range(10)]
    assert _settled(_allocator(Band(1, 12)), *names) == _settled(_allocator(Band(1, 12)), *reversed(names))


def test_the_hash_is_the_same_in_every_process() -> None:
    code = "from clusterdns.controllers.allocate import stable_hash; print(stable_hash('shop', 'web'))"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1


def test_the_next_band_comes_when_the_first_is_full() -> None:
    got = _settled(_allocator(Band(10, 11), Band(1, 3)), "a", "b", "c", "d", "e", "f")
    assert sorted(value for value in got.values() if value) == [1, 2, 3, 10, 11]
    assert list(got.values()).count(None) == 1


def test_the_refused_are_served_when_somebody_leaves() -> None:
    allocator = _allocator(Band(1, 2))
    got = _settled(allocator, "a", "b", "c")
    (refused,) = [name for name, value in got.items() if value is None]
    assert allocator.refused == {("ns", refused)}
    assert allocator.settle() == set()
    leaver = next(name for name in got if name != refused)
    allocator.drop(("ns", leaver))
    assert allocator.settle() == {("ns", refused)}
    assert allocator["ns", refused] == got[leaver]


def test_who_is_evicted_gets_another_one_and_keeps_it() -> None:
    taken: set[int] = set()
    allocator = Allocator([Band(1, 9)], taken.__contains__)
    before = _settled(allocator, "a")["a"]
    assert before is not None
    taken.add(before)
    assert allocator.evict(before) == ("ns", "a")
    allocator.settle()
    after = allocator["ns", "a"]
    assert after not in (None, before)
    taken.clear()
    allocator.freed()
    assert allocator.settle() == set()
    assert allocator["ns", "a"] == after


def test_memory_goes_before_newcomers_and_survives_nonsense() -> None:
    names = [f"s{number}" for number in range(9)]
    first = _allocator(Band(1, 10))
    got = _settled(first, *names)
    memory = first.export()
    assert memory == {f"ns/{name}": value for name, value in got.items()}
    again = _allocator(Band(1, 10), memory=memory)
    assert _settled(again, "new", *names) == got | {"new": again["ns", "new"]}
    wrong = _allocator(Band(1, 10), taken=(3,), memory={"ns/a": 99, "ns/b": 3, "ns/c": 5, "ns/d": 5})
    assert sorted(_settled(wrong, "a", "b", "c", "d").values(), key=str)
    assert wrong.refused == frozenset()


steps = st.lists(
    st.tuples(st.sampled_from(["want", "drop", "take", "free", "settle"]), st.integers(0, 11)), max_size=60
)


@given(steps)
def test_no_duplicates_ever_and_nobody_moves(drawn: list[tuple[str, int]]) -> None:
    taken: set[int] = set()
    bands = (Band(5, 9), Band(1, 3))
    allocator = Allocator(bands, taken.__contains__)
    held: dict[Claimant, int] = {}
    wanting: set[Claimant] = set()
    for action, number in drawn:
        claimant = ("ns", str(number))
        if action == "want":
            allocator.want(claimant)
            wanting.add(claimant)
        elif action == "drop":
            allocator.drop(claimant)
            wanting.discard(claimant)
            held.pop(claimant, None)
        elif action == "take":
            taken.add(number)
            loser = allocator.evict(number)
            assert (held.pop(loser) if loser else number) == number
        elif action == "free":
            taken.discard(number)
            allocator.freed()
        else:
            allocator.settle()
            now = {one: value for one in wanting if (value := allocator[one]) is not None}
            assert held.items() <= now.items(), "nobody moves"
            assert len(set(now.values())) == len(now), "no duplicates"
            assert not taken & set(now.values())
            room = {value for first, last in bands for value in range(first, last + 1)} - taken
            assert len(now) == min(len(wanting), len(room)), "nobody waits while something is free"
            assert allocator.refused == wanting - now.keys()
            held = now
