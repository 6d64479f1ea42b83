"""Histograms: what lies in which bucket, and that nothing is lost when values are moved."""

from hypothesis import given
from hypothesis import strategies as st

from clusterdns.histogram import PROGRAMMING, SIZE, SLIM_TIME, TIME, Histogram

VALUES = st.lists(st.floats(0, 10), max_size=50)


def of(values: list[float]) -> Histogram:
    made = Histogram(TIME)
    for value in values:
        made.observe(value)
    return made


def test_the_buckets_are_those_of_coredns() -> None:
    assert TIME[:3] == (0.00025, 0.0005, 0.001)
    assert (len(TIME), TIME[-1]) == (16, 8.192)
    assert SLIM_TIME == (0.00025, 0.0025, 0.025, 0.25, 2.5)
    assert SIZE == (0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000, 48000, 64000)
    assert (PROGRAMMING[0], len(PROGRAMMING), PROGRAMMING[-1]) == (0.001, 20, 524.288)


def test_a_bound_belongs_to_its_bucket() -> None:
    sizes = Histogram(SIZE)
    for octets in (0, 1, 100, 101, 65535):
        sizes.observe(octets)
    found = dict(sizes.cumulative())
    assert (found[0], found[100], found[200], found[64000], found[float("inf")]) == (1, 3, 4, 4, 5)
    assert (sizes.count, sizes.total) == (5, 65737)


@given(VALUES, VALUES)
def test_adding_is_observing_both(one: list[float], other: list[float]) -> None:
    both = of(one)
    both.add(of(other))
    assert list(both.cumulative()) == list(of(one + other).cumulative())


@given(VALUES, st.integers(0, 60))
def test_what_is_taken_is_what_is_missing_then(values: list[float], count: int) -> None:
    rest = of(values)
    taken = rest.take(count)
    assert taken.count == min(count, len(values))
    least = of(sorted(values)[:count])
    assert taken.counts == least.counts
    total = of(values).total
    rest.add(taken)
    assert rest.counts == of(values).counts
    assert abs(rest.total - total) < 1e-6
