"""Look-up: which zone a name is in, and publishing from one query to the next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packets import name_octets, spelled
from strategies import SHOP, apply, by_key, cluster_ip, label_octets, table_of

from clusterdns.engine.table import Table
from clusterdns.zone.names import Name, parse_name, to_text
from clusterdns.zone.prepared import DEFER, NXDOMAIN, SERVFAIL, Change
from clusterdns.zone.tree import ZoneOptions

NESTED = ZoneOptions(
    (parse_name("cluster.local"), parse_name("eu.cluster.local")),
    (parse_name("10.in-addr.arpa"), parse_name("1.10.in-addr.arpa")),
)


@pytest.mark.parametrize(
    ("name", "zone"),
    {
        "cluster.local": 0,
        "x.cluster.local": 0,
        "eu.cluster.local": 1,
        "a.eu.cluster.local": 1,
        "xeu.cluster.local": 0,
        "10.in-addr.arpa": 2,
        "1.10.in-addr.arpa": 3,
        "2.1.10.in-addr.arpa": 3,
        "11.10.in-addr.arpa": 2,
        "local": -1,
        ".": -1,
        "cluster.local.x": -1,
        "xcluster.local": -1,
    }.items(),
)
def test_the_longest_apex_wins(name: str, zone: int) -> None:
    assert Table(NESTED).zone_of(name_octets(name)) == zone


@pytest.mark.parametrize("part", [b"x\x07cluster", b"\x07cluster", b"web\x04shop\x03svc\x07cluster"])
def test_the_content_of_a_label_can_imitate_an_apex(part: bytes) -> None:
    table = table_of(*SHOP)
    name = Name(bytes((len(part),)) + part + spelled("local"))
    assert name.endswith(b"\x07cluster\x05local\0")
    assert table.find(name) == (-1, None)


@given(st.lists(label_octets, max_size=6), st.sampled_from(["cluster.local.", "10.in-addr.arpa.", "."]))
def test_any_well_formed_name_is_found_or_not(parts: list[bytes], below: str) -> None:
    name = Name(b"".join(bytes((len(part),)) + part.lower() for part in parts) + spelled(below))
    zone, node = table_of(*SHOP, options=NESTED).find(name)
    assert node is None or zone >= 0


def test_names_are_derived_in_each_zone_alike() -> None:
    table = table_of(cluster_ip("shop/web", "10.96.0.1", endpoints=["10.1.0.1"]), options=NESTED)
    for zone, apex in enumerate(("cluster.local", "eu.cluster.local")):
        for name in ("web.shop.svc", "10-1-0-1.web.shop.svc", "svc", "ns.dns"):
            found, node = table.find(name_octets(f"{name}.{apex}"))
            assert (found, node is not None) == (zone, True)


@pytest.mark.parametrize("above", [0, 1000])
def test_a_large_round_is_built_aside(above: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Change, "FULL_ABOVE", above)
    table = table_of(*SHOP)
    before, copy = table.nodes, dict(table.nodes)
    apply(table, by_key([cluster_ip("shop/new", "10.96.0.99")]), {"shop", "ops"})
    assert (table.nodes is before) == (above > 0)
    assert (before == copy) == (above == 0), "who holds the old dictionary sees the old state"
    assert name_octets("new.shop.svc.cluster.local") in table.nodes


def test_every_zone_gets_the_serial_of_the_round() -> None:
    table = Table(NESTED)
    assert [(zone.serial, zone.miss) for zone in table.zones] == [(0, SERVFAIL)] * 4
    apply(table, {}, (), serial=7)
    assert [(zone.serial, zone.miss) for zone in table.zones] == [(7, NXDOMAIN)] * 4


@pytest.mark.parametrize(
    ("fallthrough", "upstream", "deferred"),
    [
        ((), True, []),
        (("in-addr.arpa", "ip6.arpa"), False, []),
        (("in-addr.arpa", "ip6.arpa"), True, ["10.in-addr.arpa.", "1.10.in-addr.arpa."]),
        (("1.10.in-addr.arpa",), True, ["1.10.in-addr.arpa."]),
        (("cluster.local",), True, ["cluster.local.", "eu.cluster.local."]),
        ((".",), True, ["cluster.local.", "eu.cluster.local.", "10.in-addr.arpa.", "1.10.in-addr.arpa."]),
        ((".",), False, []),
        (("example.org",), True, []),
    ],
)
def test_zones_fall_through_where_there_is_somebody_to_ask(
    fallthrough: tuple[str, ...], upstream: bool, deferred: list[str]
) -> None:
    options = ZoneOptions(
        NESTED.domains, NESTED.reverse, fallthrough=tuple(map(parse_name, fallthrough)), upstream=upstream
    )
    table = table_of(*SHOP, options=options)
    assert [to_text(zone.apex) for zone in table.zones if zone.miss == DEFER] == deferred
    assert {zone.miss for zone in Table(options).zones} == {SERVFAIL}, "who knows nothing yet does not pass it on"
