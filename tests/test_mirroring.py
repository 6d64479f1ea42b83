"""Endpoints -> slices: the mirroring controller's rules (features.md §5.1)."""

import pytest
from objects import endpoints_object, shown, subset
from strategies import many

from clusterdns.cluster.model import Endpoints
from clusterdns.controllers.mirroring import MAX_ADDRESSES, mirror

CASES: dict[str, tuple[Endpoints, str]] = {
    "an external database": (
        endpoints_object("shop/db", subset(["sql/tcp/3306"], "192.168.2.8", "192.168.2.9 db-1")), """
        IPv4 sql/tcp/3306: 192.168.2.8 ready
        IPv4 sql/tcp/3306: 192.168.2.9 db-1 ready"""),
    "a slice per family; not ready ones last": (
        endpoints_object("shop/db", subset([], "!10.1.0.1", "fd00::1", "10.1.0.2")), """
        IPv4 -: 10.1.0.2 ready
        IPv4 -: 10.1.0.1
        IPv6 -: fd00::1 ready"""),
    "a slice per port set, whatever the subsets": (
        endpoints_object("shop/db", subset(["a/tcp/1"], "10.1.0.1"), subset(["b/tcp/2"], "10.1.0.2"),
                         subset(["a/tcp/1"], "10.1.0.3", "10.1.0.1")), """
        IPv4 a/tcp/1: 10.1.0.1 ready
        IPv4 a/tcp/1: 10.1.0.3 ready
        IPv4 b/tcp/2: 10.1.0.2 ready"""),
    "skip-mirror, or a leader election": (endpoints_object("shop/db", subset([], "10.1.0.1"), mirrored=False), ""),
    "no subsets": (endpoints_object("shop/db"), ""),
}  # fmt: skip


@pytest.mark.parametrize(("endpoints", "expected"), CASES.values(), ids=CASES)
def test_mirror(endpoints: Endpoints, expected: str) -> None:
    assert shown(mirror(endpoints)) == [line.strip() for line in expected.strip().splitlines()]


def test_at_most_a_thousand_addresses_of_a_subset_ready_ones_first() -> None:
    texts = ["!10.8.0.1", *many(MAX_ADDRESSES)]
    (made,) = mirror(endpoints_object("shop/db", subset([], *texts)))
    assert len(made.endpoints) == MAX_ADDRESSES
    assert all(one.ready for one in made.endpoints)
