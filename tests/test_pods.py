"""Pod names: which labels are addresses, and what is kept of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packets import name_octets
from strategies import apply, key

from clusterdns.cluster.addresses import address_text, parse_address
from clusterdns.cluster.model import Key
from clusterdns.engine.table import Table
from clusterdns.zone.names import parse_name
from clusterdns.zone.pods import pod_address
from clusterdns.zone.records import dashed
from clusterdns.zone.tree import ZoneOptions
from clusterdns.zone.zonefile import zone_text

VERIFIED = ZoneOptions((parse_name("cluster.local"),), pods="verified")
INSECURE = ZoneOptions((parse_name("cluster.local"),), pods="insecure")
ONE, TWO = parse_address("10.1.0.1"), parse_address("fd00::1")
NAME = name_octets("10-1-0-1.shop.pod.cluster.local")


@pytest.mark.parametrize(
    ("label", "address"),
    {
        "10-1-0-7": "10.1.0.7",
        "0-0-0-0": "0.0.0.0",
        "2001-db8--7": "2001:db8::7",
        "--": "::",
        "1-2-3--4": "1:2:3::4",
        "1-2-3-4-5-6-7-8": "1:2:3:4:5:6:7:8",
        "fd00--": "fd00::",
        "ffff-ffff-ffff-ffff-ffff-ffff-ffff-ffff": "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "10-1-0": "",
        "10-1-0-256": "",
        "10-1-0-07": "",
        "10-1-0-7-": "",
        "-10-1-0-7": "",
        "a-b-c-d": "",
        "1-2-3-4-5-6-7-8-9": "",
        "1--2--3": "",
        "12345--": "",
        "web-1": "",
        "10.1.0.7": "",
        "2001:db8::7": "",
        "": "",
        "7": "",
    }.items(),
)
def test_which_labels_are_addresses(label: str, address: str) -> None:
    assert pod_address(label.encode()) == (parse_address(address) if address else None)


@given(st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16)))
def test_every_address_has_its_label(address: bytes) -> None:
    if not address_text(address).startswith("::ffff:"):  # Python may write these with dots
        assert pod_address(dashed(address).encode()) == address


@given(st.binary(max_size=63))
def test_any_label_is_one_or_none(label: bytes) -> None:
    assert len(pod_address(label) or b"1234") in (4, 16)


def pods_of(**addresses: tuple[bytes, ...]) -> dict[Key, tuple[bytes, ...]]:
    return {key(f"shop/{name}"): own for name, own in addresses.items()}


def test_a_name_is_kept_while_its_namespace_and_its_pods_are_the_same() -> None:
    table = Table(VERIFIED)
    apply(table, {}, {"shop"}, pods=pods_of(one=(ONE,), two=(TWO,)))
    first = table.find(NAME)[1]
    assert first
    assert table.find(NAME)[1] is first
    apply(table, {}, {"shop"}, pods=pods_of(two=()))
    assert table.find(NAME)[1] is not first
    assert table.find(NAME)[1] == first
    apply(table, {}, {"ops"})
    assert table.find(NAME)[1] is None, "the namespace is hidden"
    apply(table, {}, {"shop"})
    assert table.find(NAME)[1] == first, "and shown again"
    apply(table, {}, {"shop"}, pods=pods_of(one=()))
    assert table.find(NAME)[1] is None
    assert not table.tree.pods
    assert not table.tree.pod_addresses


def test_an_insecure_name_lasts_as_long_as_its_namespace() -> None:
    table = Table(INSECURE)
    apply(table, {}, {"shop"})
    assert table.find(NAME)[1] is table.find(NAME)[1] is not None
    apply(table, {}, {"ops"})
    assert table.find(NAME)[1] is None


@pytest.mark.parametrize(
    ("pods", "due"),
    [
        (pods_of(three=(ONE,)), False),  # another pod of the same host
        (pods_of(one=()), True),
        (pods_of(one=(), three=(ONE,)), False),
        (pods_of(three=(parse_address("10.1.0.9"),)), True),
        ({key("hidden/one"): (TWO,)}, False),
        (pods_of(one=(ONE,)), False),
        (pods_of(never=()), False),
    ],
)
def test_a_serial_is_due_when_an_address_comes_or_goes(pods: dict[Key, tuple[bytes, ...]], due: bool) -> None:
    table = Table(VERIFIED)
    apply(table, {}, {"shop"}, pods=pods_of(one=(ONE,), two=(TWO,)))
    prepared = apply(table, {}, {"shop"}, pods=pods)
    assert prepared.change.records_changed is due


def test_an_export_holds_the_names_of_known_pods_that_are_served() -> None:
    table = Table(VERIFIED)
    apply(table, {}, {"shop"}, pods={**pods_of(one=(ONE, TWO)), key("hidden/one"): (ONE,)})
    text = "".join(zone_text(table.tree, table.zones[0]))
    assert "10-1-0-1.shop.pod.cluster.local. 5 IN A 10.1.0.1\n" in text
    assert "fd00--1.shop.pod.cluster.local. 5 IN AAAA fd00::1\n" in text
    assert "hidden" not in text
    insecure = Table(INSECURE)
    apply(insecure, {}, {"shop"})
    assert "shop" not in "".join(zone_text(insecure.tree, insecure.zones[0]))
