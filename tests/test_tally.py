"""Counting at one door: two ways to count that must come to the same, and how time is shared out."""

from hypothesis import given
from hypothesis import strategies as st

from clusterdns.engine.tally import CACHE, KUBERNETES, RCODES, TYPES, Kind, Tally, count, kind
from clusterdns.histogram import Histogram

ZONES = ("cluster.local.", "in-addr.arpa.")
A, AAAA, NOERROR, NXDOMAIN = 1, 28, 0, 3
Query = tuple[int, int, int, int, int]  # zone, type, rcode, octets of the query and of the response
QUERIES = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from([A, AAAA, 65280]),
        st.sampled_from([NOERROR, NXDOMAIN]),
        st.integers(12, 330),
        st.integers(12, 65535),
    ),
    max_size=30,
)


def plainly(tally: Tally, queries: list[Query]) -> None:
    """As the engine does it."""
    for zone, rtype, rcode, asked, answered in queries:
        count(*tally.cells(ZONES, rtype, rcode, dnssec_ok=False)[zone], asked, answered)


def sizes(histograms: dict[str, Histogram]) -> dict[str, tuple[list[int], float]]:
    return {zone: (one.counts, one.total) for zone, one in histograms.items()}


@given(QUERIES)
def test_the_plain_path_counts_as_every_other_way(queries: list[Query]) -> None:
    plain, other = Tally(), Tally()
    plainly(plain, queries)
    for zone, rtype, rcode, asked, answered in queries:
        apex, plugin = (*((zone, KUBERNETES) for zone in ZONES), (".", CACHE))[zone]
        other.add(kind(apex, rtype, rcode, plugin, dnssec_ok=False), asked, answered, 0.0)
    found, expected = plain.snapshot().folded(), other.snapshot().folded()
    assert found.counts == expected.counts
    assert sizes(found.asked) == sizes(expected.asked)
    assert sizes(found.answered) == sizes(expected.answered)


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 2)), max_size=40), st.sets(st.integers(0, 40)))
def test_every_query_has_a_time_whenever_it_is_read(batches: list[tuple[int, float]], reads: set[int]) -> None:
    tally = Tally()
    for number, (zone, seconds) in enumerate(batches):
        plainly(tally, [(zone, A, NOERROR, 40, 56)] * 3)
        tally.batch(3, seconds)
        if number in reads:
            tally.snapshot()
    found = tally.snapshot().folded()
    for apex, one in found.asked.items():
        assert found.seconds[apex].count == one.count
    assert abs(sum(one.total for one in found.seconds.values()) - sum(seconds for _, seconds in batches)) < 1e-6


def test_what_is_slow_goes_to_the_zone_that_most_was_asked_of() -> None:
    tally = Tally()
    plainly(tally, [(0, A, NOERROR, 40, 56)] * 63 + [(1, A, NXDOMAIN, 60, 90)])
    tally.batch(60, 60 * 0.0001)
    tally.batch(4, 4 * 0.1)
    found = tally.snapshot()
    assert dict(found.seconds["cluster.local."].cumulative())[0.064] == 59
    assert dict(found.seconds["in-addr.arpa."].cumulative())[0.00025] == 1


def test_what_is_off_the_plain_path_has_its_own_time_and_the_batch_the_rest() -> None:
    tally = Tally()
    plainly(tally, [(0, A, NOERROR, 40, 56)])
    tally.add(Kind("dropped", "A", False, "REFUSED", ""), 40, 40, 0.5)
    tally.aside(0.5)
    tally.batch(2, 0.5001)
    found = tally.snapshot()
    assert found.seconds["dropped"].total == 0.5
    assert 0 < found.seconds["cluster.local."].total < 0.00011
    tally.batch(0, 0.1)
    assert tally.snapshot().seconds["cluster.local."].count == 1


def test_a_zone_may_be_read_before_something_of_it_is_off_the_plain_path() -> None:
    tally = Tally()
    plainly(tally, [(0, A, NOERROR, 40, 56)])
    tally.batch(1, 0.0001)
    tally.snapshot()
    tally.add(kind("cluster.local.", A, NXDOMAIN, KUBERNETES, dnssec_ok=False), 60, 90, 0.5)
    found = tally.snapshot().folded()
    assert (found.asked["cluster.local."].total, found.answered["cluster.local."].total) == (100, 146)
    assert found.seconds["cluster.local."].count == 2


def test_what_was_read_does_not_change_any_more() -> None:
    tally = Tally()
    plainly(tally, [(0, A, NOERROR, 40, 56)])
    before = tally.snapshot()
    plainly(tally, [(0, A, NOERROR, 40, 56)])
    assert sum(before.folded().counts.values()) == 1


def test_labels_are_few_whatever_is_asked() -> None:
    assert {kind(".", rtype, 0, "", dnssec_ok=False).rtype for rtype in range(65536)} == {*TYPES.values(), "other"}
    assert {kind(".", 1, rcode, "", dnssec_ok=False).rcode for rcode in range(4096)} == {*RCODES.values(), "other"}


def test_of_nothing_there_is_nothing() -> None:
    assert not any(Tally().snapshot().folded())
