"""RDATA: the wire form and the master-file form say the same, as dnspython reads them."""

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest

from clusterdns.cluster.addresses import parse_address
from clusterdns.zone.names import parse_name
from clusterdns.zone.rdata import (
    AAAA,
    CNAME,
    NS,
    PTR,
    SOA,
    SRV,
    TXT,
    A,
    Rdata,
    RRset,
    address_rrsets,
)

WEB = parse_name("web.shop.svc.cluster.local")
EXAMPLES = [
    A(parse_address("10.96.0.10")),
    AAAA(parse_address("fd00::10")),
    AAAA(parse_address("::ffff:a00:1")),
    NS(WEB),
    CNAME(WEB),
    PTR(WEB),
    TXT(b"1.1.0"),
    SRV(0, 100, 65535, WEB),
    SOA(WEB, parse_name("."), 2**32 - 1, 5),
]


@pytest.mark.parametrize("rdata", EXAMPLES, ids=lambda rdata: rdata.to_text())
def test_text_and_octets_agree(rdata: Rdata) -> None:
    mnemonic, _, text = rdata.to_text().partition(" ")
    rtype = dns.rdatatype.from_text(mnemonic)
    assert rtype == rdata.rtype
    wire = rdata.to_wire()
    read = dns.rdata.from_wire(dns.rdataclass.IN, rtype, wire, 0, len(wire))
    assert read == dns.rdata.from_text(dns.rdataclass.IN, rtype, text)


def test_an_rrset_is_one_line_for_each_record() -> None:
    rrset = RRset(WEB, 5, (A(parse_address("10.0.0.1")), A(parse_address("10.0.0.2"))))
    assert rrset.to_text().splitlines() == [
        "web.shop.svc.cluster.local. 5 IN A 10.0.0.1",
        "web.shop.svc.cluster.local. 5 IN A 10.0.0.2",
    ]


def test_addresses_are_sorted_and_parted_by_family() -> None:
    addresses = {parse_address(text) for text in ("fd00::2", "10.0.0.10", "fd00::1", "10.0.0.9")}
    four, six = address_rrsets(WEB, 5, addresses)
    assert [rdata.to_text() for rdata in four.rdatas] == ["A 10.0.0.9", "A 10.0.0.10"]
    assert [rdata.to_text() for rdata in six.rdatas] == ["AAAA fd00::1", "AAAA fd00::2"]
    assert address_rrsets(WEB, 5, set()) == []
