"""Prepared sections: behind a header and their question they are messages that dnspython reads."""

import struct

import dns.message
from packets import header, question
from strategies import cluster_ip, headless, many

from clusterdns.cluster.addresses import parse_address
from clusterdns.zone.names import Name, parse_name, to_text
from clusterdns.zone.prepared import (
    SERVFAIL,
    Zone,
    compress,
    encode_rrset,
    entry,
    section_counts,
    with_addresses,
)
from clusterdns.zone.rdata import AAAA, SRV, A, RRset
from clusterdns.zone.records import records_for

ZONE = parse_name("cluster.local")
WEB = parse_name("web.shop.svc.cluster.local")


def message(name: Name, rtype: int, counts: bytes, sections: bytes) -> dns.message.Message:
    return dns.message.from_wire(header(0x8400)[:4] + counts + question(name, rtype) + sections, one_rr_per_rrset=True)


def test_an_entry_is_the_answer_and_behind_it_the_additional_section() -> None:
    rrsets = records_for(headless("shop/db", "10.1.0.1 a", "fd00::1 a", "10.1.0.2 b", ports=["sql/tcp/1"]), ZONE, 5)
    for rrset, additional in with_addresses(rrsets):
        one = entry(rrset, additional)
        read = message(rrset.owner, rrset.rtype, one.counts, one.wire)
        assert [str(record) for record in read.answer] == rrset.to_text().splitlines()
        expected = [line for more in additional for line in more.to_text().splitlines()]
        assert [str(record) for record in read.additional] == expected
        assert one.answers == encode_rrset(rrset, b"\xc0\x0c")
        assert one.count == len(rrset.rdatas)
        assert one.counts_opt == one.counts[:6] + (len(expected) + 1).to_bytes(2)
        assert one.cuts[-1][1] == len(one.wire)
        assert sum(count for count, _ in one.cuts) == len(rrset.rdatas) + len(expected)
    assert any(additional for _, additional in with_addresses(rrsets))


def test_the_stride_of_several_addresses_is_what_each_record_takes() -> None:
    four = entry(RRset(WEB, 5, (A(parse_address("10.0.0.1")), A(parse_address("10.0.0.2")))))
    six = entry(RRset(WEB, 5, (AAAA(parse_address("fd00::1")), AAAA(parse_address("fd00::2")))))
    assert (four.stride, six.stride, len(four.wire), len(six.wire)) == (16, 28, 32, 56)
    assert entry(RRset(WEB, 5, (A(parse_address("10.0.0.1")),))).stride == 0, "there is nothing to turn"
    assert entry(RRset(WEB, 5, (SRV(0, 1, 1, WEB), SRV(0, 1, 2, WEB)))).stride == 0


def test_no_rdata_holds_a_pointer() -> None:
    """So that an alias can put the records behind another question."""
    one = entry(RRset(WEB, 5, (SRV(0, 100, 80, WEB),)))
    assert one.wire == b"\xc0\x0c" + struct.pack("!HHIHHHH", 33, 1, 5, 6 + len(WEB), 0, 100, 80) + WEB


def test_compression_points_to_the_longest_suffix_of_the_question() -> None:
    asked = parse_name("_http._tcp.web.shop.svc.cluster.local")
    assert compress(WEB, asked) == struct.pack("!H", 0xC000 | 12 + len(b"\x05_http\x04_tcp"))
    assert compress(asked, asked) == b"\xc0\x0c"
    other = parse_name("a.b.cluster.local")
    at = 12 + len(asked) - len(parse_name("cluster.local"))
    assert compress(other, asked) == b"\x01a\x01b" + struct.pack("!H", 0xC000 | at)
    assert compress(parse_name("example.org"), asked) == parse_name("example.org")


def test_counts_are_capped_at_what_a_count_can_say() -> None:
    assert section_counts(70_000, 0, 65_536) == struct.pack("!4H", 1, 65_535, 0, 65_535)
    crowd = RRset(WEB, 5, tuple(map(A, (number.to_bytes(4) for number in range(65_536)))))
    assert entry(crowd).count == 65_536


def test_the_tail_is_the_soa_with_its_owner_in_the_question() -> None:
    zone = Zone(ZONE, ZONE, 30, reverse=False)
    zone.publish(7)
    read = message(WEB, 1, section_counts(0, 1, 0), zone.tail(12 + len(WEB) - len(ZONE)))
    text = "cluster.local. 30 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 7 7200 1800 86400 30"
    assert [str(record) for record in read.authority] == [text]
    elsewhere = parse_name("docs.example.org")
    read = message(elsewhere, 1, section_counts(0, 1, 0), zone.tail(0))
    assert [str(record) for record in read.authority] == [text]


def test_a_tail_is_encoded_once_for_each_serial() -> None:
    zone = Zone(ZONE, ZONE, 3600, reverse=False)
    assert zone.miss == SERVFAIL, "until something is published"
    zone.publish(1)
    first = zone.tail(12)
    assert zone.tail(12) is first
    zone.publish(2)
    assert zone.tail(12) != first
    assert (zone.ttl, zone.minimum) == (300, 3600)


def test_a_reverse_zone_names_the_server_in_the_first_forward_zone() -> None:
    apex = parse_name("10.in-addr.arpa")
    zone = Zone(apex, ZONE, 5, reverse=True)
    read = message(apex, 1, section_counts(0, 1, 0), zone.tail(12))
    assert str(read.authority[0]).startswith(
        "10.in-addr.arpa. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local."
    )


def test_additional_records_are_those_of_the_targets() -> None:
    services = headless("shop/db", *many(3), ports=["sql/tcp/1", "web/tcp/2"])
    for rrset, additional in with_addresses(records_for(services, ZONE, 5)):
        owners = [to_text(more.owner) for more in additional]
        targets = [to_text(rdata.target) for rdata in rrset.rdatas if isinstance(rdata, SRV)]
        assert owners == targets
    ((_, additional), *_) = with_addresses(records_for(cluster_ip("shop/web", "10.96.0.1"), ZONE, 5))
    assert additional == []
