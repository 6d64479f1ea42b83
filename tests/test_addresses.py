"""Addresses as packed octets."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterdns.cluster.addresses import address_text, client_of, family, in_network, parse_address, parse_network

ANY = st.ip_addresses()


@given(ANY)
def test_text_and_back(address: IPv4Address | IPv6Address) -> None:
    packed = parse_address(str(address))
    assert packed == address.packed
    assert family(packed) == address.version
    assert address_text(packed) == str(address)


def test_ipv6_may_end_in_an_ipv4_address() -> None:
    assert parse_address("64:ff9b::10.0.0.1") == parse_address("64:ff9b::a00:1")


@pytest.mark.parametrize(
    "text",
    ["", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.256", "1.2.3.-4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.٤", "+1.2.3.4",
     "1.2.3.4/8", "fe80::1%eth0", "::g", "1:2", "localhost", "1_0.2.3.4", "::1\n"],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"IP address|zone index"):
        parse_address(text)


@given(st.text("0123456789abcdef.:%/ ", max_size=20))
def test_only_what_the_standard_library_takes(text: str) -> None:
    try:
        packed = parse_address(text)
    except ValueError:
        return
    assert ip_address(text).packed == packed


@given(ANY, ANY, st.integers(0, 128))
def test_networks(address: IPv4Address | IPv6Address, base: IPv4Address | IPv6Address, length: int) -> None:
    length = min(length, base.max_prefixlen)
    whole = int(base) >> (base.max_prefixlen - length) << (base.max_prefixlen - length)
    network = parse_network(f"{type(base)(whole)}/{length}")
    assert in_network(address.packed, network) is (address.version == network.version and address in network)


def test_a_network_with_host_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="host bits"):
        parse_network("10.0.0.1/8")


@pytest.mark.parametrize(
    ("address", "client"),
    {
        "192.0.2.7": "192.0.2.7",
        "2.3.4.5": "2.3.4.5",
        "203.0.113.7": "203.0.113.7",
        "2001:db8:0:1::7": "2001:db8:0:1::/64",
        "2001:db8:0:1:ffff:ffff:ffff:ffff": "2001:db8:0:1::/64",
        "2001:db8:0:2::7": "2001:db8:0:2::/64",
        "2001:db8::7": "2001:db8::/64",
        "3fff::1": "3fff::/64",
        "2::1": "2::1",
        "20::1": "20::1",
        "200::1": "200::1",
        "::1": "::1",
        "::ffff:192.0.2.7": "::ffff:192.0.2.7",
        "fd00:10:244::7": "fd00:10:244::7",
        "fe80::1%eth0": "fe80::1%eth0",
        "4000::1": "4000::1",
        "": "",
    }.items(),
)
def test_who_is_one_client(address: str, client: str) -> None:
    assert client_of(address) == client
