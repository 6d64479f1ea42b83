"""Answers: the plain path against the slow one, aliases, letter case."""

from random import Random

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packets import (
    AA,
    AD,
    CD,
    RA,
    RD,
    TC,
    mutants,
    name_octets,
    opt,
    option,
    query,
    read,
    records,
    summary,
)
from strategies import SHOP, Refusing, Responder, alias, cluster_ip, clusters, headless, many, responder, table_of

from clusterdns.engine.chain import MAX_LINKS
from clusterdns.engine.cookies import Cookies
from clusterdns.engine.manners import Manners, Peer
from clusterdns.engine.table import Table
from clusterdns.zone.names import to_text
from clusterdns.zone.tree import ZoneOptions

WEB = "web.shop.svc.cluster.local"
APEX = "cluster.local"


class Watched(Responder):
    """Tells whether the last packet was answered on the plain path."""

    plain = True

    def answer(self, packet: bytes, transport: str = "udp", peer: Peer = ("192.0.2.1", 5353)) -> bytes | None:
        self.plain = True
        return super().answer(packet, transport, peer)

    def _slow(self, packet: bytes, transport: str, peer: Peer) -> bytes | None:
        self.plain = False
        return super()._slow(packet, transport, peer)


def agree(server: Watched, packet: bytes, transport: str) -> bool:
    """True when the plain path answered, in the slow one's words."""
    response = server.answer(packet, transport)
    plain = server.plain
    if plain:
        assert response == server._slow(packet, transport, ("192.0.2.1", 5353))
    return plain


MANNERS = Manners(cookies=Cookies((bytes(16),)), clock=lambda: 1559731985)
CROWDED = (*SHOP, headless("shop/crowd", *many(300), ports=["sql/tcp/1"]))
TABLE = table_of(*CROWDED)
DERIVED = ["10-1-0-1.web.shop.svc.cluster.local", "1.0.1.10.in-addr.arpa", "1.10.in-addr.arpa", "9.9.9.9.in-addr.arpa"]
NAMES = [*sorted(TABLE.nodes), *map(name_octets, DERIVED), b"\0", b"\7example\3org\0"]

labels = st.binary(min_size=1, max_size=63) | st.sampled_from([b"web", b"shop", b"x\7cluster", b"a\0\0\1\0\1", b"\0"])
below = st.builds(
    lambda parts, name: b"".join(bytes((len(part),)) + part for part in parts) + name,
    st.lists(labels, min_size=1, max_size=3),
    st.sampled_from(NAMES),
)
names = st.sampled_from(NAMES) | below | st.binary(max_size=30)
types = st.sampled_from([1, 2, 5, 6, 12, 15, 16, 28, 33, 41, 43, 64, 65, 249, 252, 253, 255, 257, 666]) | st.integers(
    0, 65535
)
opts = st.builds(
    opt,
    st.sampled_from([0, 511, 512, 600, 1231, 1232, 1233, 4096, 65535]) | st.integers(0, 65535),
    do=st.booleans(),
    version=st.sampled_from([0, 0, 0, 1, 255]),
    flags=st.sampled_from([0, 0, 0x0080, 0x01000000]),
    options=st.sampled_from(
        [
            b"",
            b"",
            b"",
            option(10, b"8 octets"),
            option(10, bytes(24)),
            option(10, bytes(16)),
            option(100, b""),
            b"\0\x0a",
        ]
    ),
)
flags = st.sets(st.sampled_from([RD, AD, CD])).map(sum) | st.integers(0, 0xFFFF)
queries = st.builds(
    lambda name, rtype, rclass, bits, edns, upper: query(
        name.upper() if upper else name, rtype, rclass=rclass, flags=bits, edns=edns
    ),
    names, types, st.sampled_from([1, 1, 1, 3, 255]), flags, st.just(b"") | opts, st.booleans(),
)  # fmt: skip


@settings(max_examples=1000)
@given(queries, st.sampled_from(["udp", "tcp"]), st.booleans())
def test_the_plain_path_gives_the_bytes_of_the_slow_one(packet: bytes, transport: str, recursion: bool) -> None:
    agree(Watched(TABLE, elsewhere=Refusing() if recursion else None, manners=MANNERS), packet, transport)


@settings(max_examples=50)
@given(clusters(), st.data())
def test_so_it_does_in_any_cluster(table: Table, data: st.DataObject) -> None:
    server = Watched(table, manners=MANNERS)
    for name in data.draw(st.lists(st.sampled_from(sorted(table.nodes)), max_size=20)):
        for rtype in (1, 5, 16, 28, 33):
            for edns in (b"", opt(512), opt(), opt(options=option(10, b"8 octets"))):
                agree(server, query(name, rtype, edns=edns), "udp")
                agree(server, query(b"\1x" + name, rtype, edns=edns), "udp")


def test_so_it_does_for_mutants() -> None:
    server = Watched(TABLE, manners=MANNERS)
    plain = sum(agree(server, packet, "udp") for packet in mutants(Random(1035), 5_000))
    assert plain > 100


@pytest.mark.parametrize("octets", [8, 24])
@pytest.mark.parametrize(
    "fault", ["whole", "cut", "longer", "RDLENGTH", "another's RDLENGTH", "length", "twice", "no option"]
)
def test_a_cookie_is_taken_on_the_plain_path_only_where_it_is_all_there_is(fault: str, octets: int) -> None:
    whole = query(WEB, edns=opt(options=option(10, bytes(octets))))
    packet = {
        "whole": whole,
        "cut": whole[:-1],
        "longer": whole + b"\0",
        "another's RDLENGTH": whole[: -octets - 6] + (36 - octets).to_bytes(2) + whole[-octets - 4 :],
        "RDLENGTH": whole[: -octets - 5] + bytes((octets + 3,)) + whole[-octets - 4 :],
        "length": whole[: -octets - 1] + bytes((octets - 1,)) + whole[-octets:],
        "twice": query(WEB, edns=opt(options=option(10, bytes(octets)) * 2)),
        "no option": whole[: -octets - 4],
    }[fault]
    for transport in ("udp", "tcp"):
        server = Watched(TABLE, manners=MANNERS)
        for other in (8, 24):  # whose forms are kept
            assert agree(server, query(WEB, edns=opt(options=option(10, bytes(other)))), transport)
        assert agree(server, packet, transport) == (fault == "whole")
    assert not agree(Watched(TABLE), packet, "udp"), "nobody makes cookies"


def test_wildcards_are_found_whatever_the_path() -> None:
    options = ZoneOptions((name_octets(APEX),), wildcards=True)
    server = Watched(table_of(*CROWDED, options=options), manners=MANNERS)
    for name in (
        "*.shop",
        "web.*",
        "*._tcp.web.shop",
        "_http._tcp.*.shop",
        "10-1-0-1.*.shop",
        "any.any",
        "no.shop",
        "*",
    ):
        for rtype in ("A", "SRV", "TXT"):
            agree(server, query(f"{name}.svc.{APEX}", rtype, edns=opt()), "udp")


@pytest.mark.parametrize(
    "edns",
    [b"", opt(), opt(4096, do=True), opt(options=option(10, bytes(8))), opt(options=option(10, bytes(24)))],
    ids=["plain", "edns", "do", "cookie", "both cookies"],
)
@pytest.mark.parametrize("bits", [0, RD, RD | AD, RD | CD])
@pytest.mark.parametrize(
    ("name", "rtype"),
    [
        (WEB, "A"),
        (WEB, "AAAA"),
        ("bare.shop.svc.cluster.local", "AAAA"),
        ("_http._tcp." + WEB, "SRV"),
        ("nothing.shop.svc.cluster.local", "A"),
        ("www.example.org.svc.cluster.local", "AAAA"),
        # What search paths make of names of other namespaces and of names from outside.
        ("web.shop.svc.cluster.local.shop.svc.cluster.local", "A"),
        ("web.shop.svc.cluster.local.svc.cluster.local", "A"),
        ("web.shop.svc.cluster.local.cluster.local", "A"),
        ("example.org.shop.svc.cluster.local", "A"),
        ("example.org.cluster.local", "A"),
        ("web.shop.ops.svc.cluster.local", "A"),
        ("cluster.local", "NS"),
        ("docs.shop.svc.cluster.local", "CNAME"),
    ],
)
def test_what_clients_ask_all_day_takes_the_plain_path(name: str, rtype: str, bits: int, edns: bytes) -> None:
    packet = query(name, rtype, flags=bits, edns=edns)
    server = Watched(TABLE, manners=MANNERS)
    assert agree(server, packet, "udp")
    assert b"\0\x0f" not in (server.answer(packet) or b"")[-11:], "no word of explanation"


def test_ra_is_set_exactly_when_there_is_an_upstream() -> None:
    for recursion in (False, True):
        server = responder(*SHOP, recursion=recursion)
        for name in (
            WEB,
            "bare.shop.svc.cluster.local",
            "nothing.cluster.local",
            "example.org",
            "1.0.96.10.in-addr.arpa",
        ):
            for rtype in ("A", "SOA"):
                assert bool(read(server.answer(query(name, rtype))).flags & RA) == recursion


def test_udp_and_tcp_give_the_same_octets_where_both_fit() -> None:
    server = responder(*SHOP)
    for name in NAMES:
        for rtype in ("A", "AAAA", "SRV", "PTR", "ANY"):
            packet = query(name, rtype, edns=opt())
            assert server.answer(packet, "udp") == server.answer(packet, "tcp")


# Aliases.

ZONE = "svc.cluster.local"
SOA = "ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5"
LAST = {
    "an address": (cluster_ip("shop/end", "10.96.0.9"), "end.shop", "NOERROR", "A"),
    "NODATA": (cluster_ip("shop/end", "fd00::9"), "end.shop", "NOERROR", ""),
    "an empty non-terminal": (cluster_ip("shop/end", "10.96.0.9", ports=["x/tcp/1"]), "_tcp.end.shop", "NOERROR", ""),
    "NXDOMAIN": (cluster_ip("shop/end", "10.96.0.9"), "other.shop", "NXDOMAIN", ""),
    "a headless Service without endpoints": (headless("shop/end"), "end.shop", "NXDOMAIN", ""),
    "a headless Service": (headless("shop/end", "10.1.0.1", "10.1.0.2"), "end.shop", "NOERROR", "A A"),
    "an endpoint name": (cluster_ip("shop/end", "10.96.0.9", endpoints=["10.1.0.1 h"]), "h.end.shop", "NOERROR", "A"),
}


@pytest.mark.parametrize("links", range(1, 10))
@pytest.mark.parametrize("end", LAST)
def test_a_chain_is_followed_to_its_end(end: str, links: int) -> None:
    last, target, rcode, found = LAST[end]
    targets = [*(f"a-{number}.shop" for number in range(2, links + 1)), target]
    chain = [alias(f"shop/a-{number}", f"{to}.{ZONE}") for number, to in enumerate(targets, 1)]
    message = read(responder(last, *chain).answer(query(f"a-1.shop.{ZONE}", edns=opt())))
    kept = min(links, MAX_LINKS)
    expected = [f"a-{number}.shop.{ZONE}. 5 IN CNAME {targets[number - 1]}.{ZONE}." for number in range(1, kept + 1)]
    assert records(message.answer)[:kept] == expected
    rest = message.answer[kept:]
    assert message.flags & AA
    if links > MAX_LINKS:
        assert (message.rcode(), rest, message.authority) == (dns.rcode.NOERROR, [], [])
        return
    assert dns.rcode.to_text(message.rcode()) == rcode
    assert " ".join(dns.rdatatype.to_text(rrset.rdtype) for rrset in rest) == found
    assert {str(rrset.name) for rrset in rest} <= {f"{target}.{ZONE}."}
    assert [str(rrset.name) for rrset in message.authority] == ([] if found else ["cluster.local."])


ALIASES = {
    "to itself": ([alias("s/a", f"a.s.{ZONE}")], "A", "NOERROR aa | a.s.Z CNAME a.s.Z"),
    "a loop of two": (
        [alias("s/a", f"b.s.{ZONE}"), alias("s/b", f"a.s.{ZONE}")], "A",
        "NOERROR aa | a.s.Z CNAME b.s.Z | b.s.Z CNAME a.s.Z"),
    "a loop behind a link": (
        [alias("s/a", f"b.s.{ZONE}"), alias("s/b", f"c.s.{ZONE}"), alias("s/c", f"b.s.{ZONE}")], "A",
        "NOERROR aa | a.s.Z CNAME b.s.Z | b.s.Z CNAME c.s.Z | c.s.Z CNAME b.s.Z"),
    "outward": ([alias("s/a", "Example.org")], "A", "NOERROR aa | a.s.Z CNAME example.org."),
    "outward behind a link": (
        [alias("s/a", f"b.s.{ZONE}"), alias("s/b", "example.org")], "AAAA",
        "NOERROR aa | a.s.Z CNAME b.s.Z | b.s.Z CNAME example.org."),
    "to the root": ([alias("s/a", ".")], "A", "NXDOMAIN aa | cluster.local. SOA"),
    "to an address": ([alias("s/a", "192.0.2.1")], "A", "NXDOMAIN aa | cluster.local. SOA"),
    "CNAME is asked for": (
        [alias("s/a", f"b.s.{ZONE}"), alias("s/b", f"c.s.{ZONE}")], "CNAME", "NOERROR aa | a.s.Z CNAME b.s.Z"),
    "ANY is asked for": ([alias("s/a", f"b.s.{ZONE}")], "ANY", "NOERROR aa | a.s.Z CNAME b.s.Z"),
    "TXT is asked for": (
        [alias("s/a", f"b.s.{ZONE}"), cluster_ip("s/b", "10.96.0.1")], "TXT",
        "NOERROR aa | a.s.Z CNAME b.s.Z | cluster.local. SOA"),
    "SRV of the target, derived": (
        [alias("s/a", f"b.s.{ZONE}"), cluster_ip("s/b", "10.96.0.1", ports=["/tcp/80"])], "SRV",
        "NOERROR aa | a.s.Z CNAME b.s.Z | b.s.Z SRV 0 100 80 b.s.Z"),
    "to a reverse name": (
        [alias("s/a", "1.0.96.10.in-addr.arpa"), cluster_ip("s/b", "10.96.0.1")], "PTR",
        "NOERROR aa | a.s.Z CNAME 1.0.96.10.in-addr.arpa. | 1.0.96.10.in-addr.arpa. PTR b.s.Z"),
    "to a reverse name, NODATA there": (
        [alias("s/a", "1.0.96.10.in-addr.arpa"), cluster_ip("s/b", "10.96.0.1")], "A",
        "NOERROR aa | a.s.Z CNAME 1.0.96.10.in-addr.arpa. | in-addr.arpa. SOA"),
    "to a reverse name that is none": (
        [alias("s/a", "999.0.96.10.in-addr.arpa")], "A",
        "NXDOMAIN aa | a.s.Z CNAME 999.0.96.10.in-addr.arpa. | in-addr.arpa. SOA"),
    "to the apex": (
        [alias("s/a", APEX)], "NS",
        "NOERROR aa | a.s.Z CNAME cluster.local. | cluster.local. NS ns.dns.cluster.local."),
    "SOA of the apex": (
        [alias("s/a", APEX)], "SOA",
        f"NOERROR aa | a.s.Z CNAME cluster.local. | cluster.local. SOA {SOA}"),
    "SOA of another name": ([alias("s/a", f"s.{ZONE}")], "SOA", "NOERROR aa | a.s.Z CNAME s.Z | cluster.local. SOA"),
}  # fmt: skip


@pytest.mark.parametrize("case", ALIASES)
def test_aliases(case: str) -> None:
    services, rtype, expected = ALIASES[case]
    server = responder(*services)
    got = summary(server.answer(query(f"a.s.{ZONE}", rtype, edns=opt()), "tcp"))
    assert got.replace(f".{ZONE}.", ".Z").replace(" 5 IN", "") == expected


def test_an_alias_answers_every_type_and_nothing_is_below_it() -> None:
    server = responder(*SHOP)
    for number in (1, 15, 16, 28, 33, 65, 257, 1000):
        message = read(server.answer(query("docs.shop.svc.cluster.local", number)))
        assert [rrset.rdtype for rrset in message.answer] == [dns.rdatatype.CNAME]
    assert read(server.answer(query("x.docs.shop.svc.cluster.local"))).rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize("rtype", ["A", "SRV"])
def test_a_chain_to_a_large_set_is_cut_behind_whole_records(rtype: str) -> None:
    aliases = [alias(f"shop/a-{number}", f"a-{number + 1}.shop.{ZONE}") for number in range(1, 7)]
    aliases.append(alias("shop/a-7", f"crowd.shop.{ZONE}"))
    server = responder(*aliases, headless("shop/crowd", *many(300), ports=["sql/tcp/1"]))
    whole = read(server.answer(query(f"a-1.shop.{ZONE}", rtype), "tcp"))
    assert len(whole.answer) == 307
    for limit in range(512, 1300, 9):
        response = server.answer(query(f"a-1.shop.{ZONE}", rtype, edns=opt(limit)))
        message = read(response)
        assert response is not None
        assert len(response) <= min(limit, 1232)
        assert message.flags & TC
        assert records(message.answer) == records(whole.answer[: len(message.answer)])


def test_a_chain_through_two_zones_names_the_zone_of_its_end() -> None:
    options = ZoneOptions((name_octets("cluster.local"), name_octets("corp.example")))
    server = responder(alias("s/a", "b.s.svc.corp.example"), options=options)
    message = read(server.answer(query("a.s.svc.cluster.local")))
    assert [str(rrset.name) for rrset in message.authority] == ["corp.example."]
    assert message.rcode() == dns.rcode.NXDOMAIN
    message = read(server.answer(query("a.s.svc.corp.example")))
    assert str(message.authority[0]).startswith("corp.example. 5 IN SOA ns.dns.corp.example. hostmaster.corp.example.")


# Letter case.


@given(st.sampled_from([*map(to_text, sorted(table_of(*SHOP).nodes)), *DERIVED]), st.randoms())
def test_letter_case_is_ignored_and_echoed(name: str, rng: Random) -> None:
    mixed = "".join(letter.upper() if rng.random() < 0.5 else letter for letter in name)
    server = Responder(TABLE)
    for rtype in ("A", "SRV", "PTR", "ANY"):
        packet = query(mixed, rtype, edns=opt())
        response, plain = server.answer(packet), read(server.answer(query(name, rtype, edns=opt())))
        message = read(response)
        end = 12 + len(name_octets(name)) + 4
        assert response is not None
        assert response[:12] == server.answer(query(name, rtype, edns=opt()), "udp")[:12]  # type: ignore[index]
        assert response[12:end] == packet[12:end]
        if message.answer:
            assert message.answer[0].name.to_text() == mixed.rstrip(".") + ".", (
                "the owner is spelled as in the question"
            )
        assert [rrset.to_rdataset() for rrset in message.answer] == [rrset.to_rdataset() for rrset in plain.answer]


@pytest.mark.parametrize("name", ["web.\u017fhop", "w\u0130b.shop", "WEB.SHOP\u212a"])
def test_only_ascii_letters_have_a_case(name: str) -> None:
    server = responder(*SHOP)
    assert read(server.answer(query(f"{name}.svc.cluster.local"))).rcode() == dns.rcode.NXDOMAIN


def test_octets_that_only_look_like_upper_case() -> None:
    """``[`` is not ``{``: 0x20 means letter case in letters only (RFC 4343 §3)."""
    server = responder(headless("shop/db", "10.1.0.1 a{b"))
    assert read(server.answer(query("A{B.db.shop.svc.cluster.local"))).answer
    assert read(server.answer(query("a[b.db.shop.svc.cluster.local"))).rcode() == dns.rcode.NXDOMAIN
