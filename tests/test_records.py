"""The DNS schema as tables: a Service and its endpoints, and the records that follow (features.md §1, §2.2)."""

import pytest
from hypothesis import given
from strategies import KEYS, alias, cluster_ip, endpoint, headless, published

from clusterdns.cluster.addresses import parse_address
from clusterdns.cluster.model import Published
from clusterdns.zone.names import parse_name, to_text
from clusterdns.zone.rdata import SRV
from clusterdns.zone.records import (
    addresses_of,
    all_records,
    endpoint_label,
    endpoint_records,
    essence,
    pointers,
    records_for,
    service_name,
    service_ports,
    shown_by_host,
)

ZONE = parse_name("cluster.local")
SHARED = ["10.1.0.1 db", "10.1.0.2 db", "10.1.0.3"]
PREPARED = {
    "ClusterIP: SRV for the named port only": (
        cluster_ip("shop/web", "10.96.0.10", ports=["http/tcp/80", "/tcp/9"]), """
        web.shop.svc.cluster.local. 5 IN A 10.96.0.10
        _http._tcp.web.shop.svc.cluster.local. 5 IN SRV 0 100 80 web.shop.svc.cluster.local."""),
    "ClusterIP of both families": (
        cluster_ip("shop/web", "fd00::10", "10.96.0.10"), """
        web.shop.svc.cluster.local. 5 IN A 10.96.0.10
        web.shop.svc.cluster.local. 5 IN AAAA fd00::10"""),
    "ClusterIP: endpoints change nothing that is prepared": (
        cluster_ip("shop/web", "10.96.0.10", endpoints=["10.1.0.1"]), """
        web.shop.svc.cluster.local. 5 IN A 10.96.0.10"""),
    "no address yet: no name": (cluster_ip("shop/web", ports=["http/tcp/80"]), ""),
    "headless: each endpoint has a name, each port an SRV": (
        headless("shop/db", "10.1.0.2 db-1", "10.1.0.1 db-0", ports=["sql/tcp/3306"]), """
        db.shop.svc.cluster.local. 5 IN A 10.1.0.1
        db.shop.svc.cluster.local. 5 IN A 10.1.0.2
        db-0.db.shop.svc.cluster.local. 5 IN A 10.1.0.1
        db-1.db.shop.svc.cluster.local. 5 IN A 10.1.0.2
        _sql._tcp.db.shop.svc.cluster.local. 5 IN SRV 0 50 3306 db-0.db.shop.svc.cluster.local.
        _sql._tcp.db.shop.svc.cluster.local. 5 IN SRV 0 50 3306 db-1.db.shop.svc.cluster.local."""),
    "headless: no record for the unready": (
        headless("shop/db", "10.1.0.1 db-0", "!10.1.0.2 db-1"), """
        db.shop.svc.cluster.local. 5 IN A 10.1.0.1
        db-0.db.shop.svc.cluster.local. 5 IN A 10.1.0.1"""),
    "headless: publishNotReadyAddresses shows them": (
        headless("shop/db", "!10.1.0.2 db-1", not_ready_too=True), """
        db.shop.svc.cluster.local. 5 IN A 10.1.0.2
        db-1.db.shop.svc.cluster.local. 5 IN A 10.1.0.2"""),
    "headless: a shared hostname has all addresses, and one SRV with its weight counted before": (
        headless("shop/db", *SHARED, ports=["sql/tcp/3306"]), """
        db.shop.svc.cluster.local. 5 IN A 10.1.0.1
        db.shop.svc.cluster.local. 5 IN A 10.1.0.2
        db.shop.svc.cluster.local. 5 IN A 10.1.0.3
        10-1-0-3.db.shop.svc.cluster.local. 5 IN A 10.1.0.3
        db.db.shop.svc.cluster.local. 5 IN A 10.1.0.1
        db.db.shop.svc.cluster.local. 5 IN A 10.1.0.2
        _sql._tcp.db.shop.svc.cluster.local. 5 IN SRV 0 33 3306 10-1-0-3.db.shop.svc.cluster.local.
        _sql._tcp.db.shop.svc.cluster.local. 5 IN SRV 0 33 3306 db.db.shop.svc.cluster.local."""),
    "headless without ready endpoint": (headless("shop/db", "!10.1.0.1"), ""),
    "a hostname that no label can hold: its address stands at the Service": (
        headless("shop/db", "10.1.0.1 " + "h" * 64), """
        db.shop.svc.cluster.local. 5 IN A 10.1.0.1"""),
    "a port name of 63 characters cannot exist in DNS": (
        cluster_ip("shop/web", "10.96.0.10", ports=["p" * 63 + "/tcp/80"]), """
        web.shop.svc.cluster.local. 5 IN A 10.96.0.10"""),
    "ExternalName": (
        alias("shop/docs", "Docs.example.org."), """
        docs.shop.svc.cluster.local. 5 IN CNAME docs.example.org."""),
    "an address is no external name": (alias("shop/docs", "192.0.2.1"), ""),
    "an external name that is none": (alias("shop/docs", "a..b"), ""),
}  # fmt: skip


@pytest.mark.parametrize(("service", "expected"), PREPARED.values(), ids=PREPARED)
def test_what_is_prepared(service: Published, expected: str) -> None:
    got = "\n".join(rrset.to_text() for rrset in records_for(service, ZONE, 5))
    assert got.splitlines() == [line.strip() for line in expected.split("\n") if line]


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "10.1.0.7": "10-1-0-7",
        "10.1.0.7 db-0": "db-0",
        "2001:db8::1": "2001-db8--1",
        "2001:db8::": "2001-db8--0",
        "::1": "--1",
    }.items(),
)
def test_the_label_of_an_endpoint(text: str, expected: str) -> None:
    assert endpoint_label(endpoint(text)) == expected


def test_srv_at_the_bare_name_has_all_ports() -> None:
    web = cluster_ip("shop/web", "10.96.0.10", "fd00::10", ports=["http/tcp/80", "/tcp/9", "other/udp/80"])
    rrset = service_ports(web, ZONE, 5)
    assert rrset
    # Six entries share 100; equal (target, port) collapse.
    assert [rdata.to_text() for rdata in rrset.rdatas] == [
        "SRV 0 16 9 web.shop.svc.cluster.local.",
        "SRV 0 16 80 web.shop.svc.cluster.local.",
    ]
    assert service_ports(cluster_ip("shop/web", "10.96.0.10"), ZONE, 5) is None
    assert service_ports(headless("shop/db", "10.1.0.1"), ZONE, 5) is None


def test_an_endpoint_name_holds_its_addresses_and_its_ports() -> None:
    web = cluster_ip("shop/web", "10.96.0.10", endpoints=["10.1.0.1 w", "fd00::1 w", "!10.1.0.2 w"], ports=["/tcp/80"])
    hosts, base = shown_by_host(web), service_name(web.service.key, ZONE)
    assert list(hosts) == ["w"]
    assert [rrset.to_text() for rrset in endpoint_records("w", hosts["w"], base, 5)] == [
        "w.web.shop.svc.cluster.local. 5 IN A 10.1.0.1",
        "w.web.shop.svc.cluster.local. 5 IN AAAA fd00::1",
        "w.web.shop.svc.cluster.local. 5 IN SRV 0 50 80 w.web.shop.svc.cluster.local.",
    ]


def test_weights_never_fall_below_one() -> None:
    crowd = headless("shop/db", *(f"10.1.{n // 256}.{n % 256}" for n in range(300)), ports=["sql/tcp/1"])
    assert {
        rdata.weight for rrset in records_for(crowd, ZONE, 5) for rdata in rrset.rdatas if isinstance(rdata, SRV)
    } == {1}


@pytest.mark.parametrize(
    ("service", "address", "targets"),
    [
        (cluster_ip("shop/web", "10.96.0.10"), "10.96.0.10", ["web.shop.svc.cluster.local."]),
        (
            cluster_ip("shop/web", "10.96.0.10", endpoints=["10.1.0.1"]),
            "10.1.0.1",
            ["10-1-0-1.web.shop.svc.cluster.local."],
        ),
        (
            headless("shop/db", "10.1.0.1", "10.1.0.1 zz"),
            "10.1.0.1",
            ["10-1-0-1.db.shop.svc.cluster.local.", "zz.db.shop.svc.cluster.local."],
        ),
        (headless("shop/db", "!10.1.0.1"), "10.1.0.1", []),
        (headless("shop/" + "n" * 64, "10.1.0.1"), "10.1.0.1", []),
    ],
)
def test_where_a_reverse_name_points(service: Published, address: str, targets: list[str]) -> None:
    assert [to_text(name) for name in pointers(service, parse_address(address), ZONE)] == targets


@given(published(KEYS[0]), published(KEYS[0]))
def test_equal_essence_means_equal_records(one: Published, other: Published) -> None:
    if essence(one) == essence(other):
        assert all_records(one, ZONE, 5) == all_records(other, ZONE, 5)
        assert addresses_of(one) == addresses_of(other)


@given(published(KEYS[1]))
def test_every_record_is_below_its_service_and_every_owner_has_one_rrset_of_a_type(one: Published) -> None:
    rrsets = all_records(one, ZONE, 5)
    owners = [(rrset.owner, rrset.rtype) for rrset in rrsets]
    assert len(set(owners)) == len(owners)
    assert all(to_text(owner).endswith(".svc.cluster.local.") for owner, _ in owners)
    prepared = {(rrset.owner, rrset.rtype) for rrset in records_for(one, ZONE, 5)}
    assert prepared <= set(owners)
