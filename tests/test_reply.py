"""Truncation: what goes first, and what TC says (RFC 2181 §9, RFC 6891 §7)."""

import dns.message
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packets import TC, opt, query, read
from strategies import Responder, cluster_ip, headless, many, responder

from clusterdns.engine.edns import SERVER_OCTETS
from clusterdns.engine.gate import Query, parse
from clusterdns.engine.reply import Reply, additional_of, records_of, render
from clusterdns.zone.names import parse_name
from clusterdns.zone.prepared import entry
from clusterdns.zone.rdata import AAAA, SRV, A, RRset

CROWD = "crowd.shop.svc.cluster.local"
PORT = f"_sql._tcp.{CROWD}"
BOTH = [*many(20), *(f"fd00::{number:x}" for number in range(20))]
LIMITS = [*range(512, 1300, 7), 1231, 1232, 1233, 4096, 65535]


@pytest.fixture(scope="module")
def big() -> Responder:
    """One Service with 300 endpoints, one whose SRV set has additional records of both families."""
    hosts = [f"{address} host-{number % 20}" for number, address in enumerate(BOTH)]
    return responder(
        headless("shop/crowd", *many(300), ports=["sql/tcp/3306"]),
        headless("shop/both", *hosts, ports=["sql/tcp/3306"]),
        headless("shop/few", *(f"{address} h-{number}" for number, address in enumerate(many(8))), ports=["sql/tcp/1"]),
    )


def whole_rrsets(message: dns.message.Message, complete: dns.message.Message) -> bool:
    """Each additional RRset has all the records that it has in the complete response."""
    kept, full = [{(str(one.name), one.rdtype) for one in each.additional} for each in (message, complete)]
    lines = [str(one) for one in message.additional]
    expected = [str(one) for one in complete.additional if (str(one.name), one.rdtype) in kept]
    return kept <= full and lines == expected


@pytest.mark.parametrize("edns", [False, True], ids=["plain", "edns"])
@pytest.mark.parametrize(
    ("name", "rtype"),
    [
        (CROWD, "A"),
        (CROWD, "AAAA"),
        (PORT, "SRV"),
        (CROWD, "SRV"),
        ("_sql._tcp.both.shop.svc.cluster.local", "SRV"),
        ("both.shop.svc.cluster.local", "SRV"),
        ("few.shop.svc.cluster.local", "SRV"),
        ("few.shop.svc.cluster.local", "A"),
    ],
)
def test_no_response_is_over_the_limit_and_tc_says_that_answers_are_missing(
    big: Responder, name: str, rtype: str, *, edns: bool
) -> None:
    complete = read(big.answer(query(name, rtype, edns=opt()), "tcp"))
    for announced in LIMITS if edns else [512]:
        response = big.answer(query(name, rtype, edns=opt(announced) if edns else b""))
        message = read(response)
        assert response is not None
        assert len(response) <= min(announced, SERVER_OCTETS)
        assert (message.edns >= 0) == edns, "the OPT is kept"
        missing = len(complete.answer) - len(message.answer)
        assert bool(message.flags & TC) == (missing > 0)
        assert [str(one) for one in message.answer] == [str(one) for one in complete.answer[: len(message.answer)]]
        assert whole_rrsets(message, complete)
        if missing:
            assert not message.additional, "additional records go first"
            record = len(complete.answer[len(message.answer)][0].to_digestable()) + 12
            assert len(response) + record > min(announced, SERVER_OCTETS), "as many records as fit"


@pytest.mark.parametrize("edns", [b"", opt(512), opt(65535)])
@pytest.mark.parametrize(("name", "rtype"), [(CROWD, "A"), (PORT, "SRV"), (CROWD, "SRV")])
def test_over_tcp_the_rrset_is_whole(big: Responder, name: str, rtype: str, edns: bytes) -> None:
    message = read(big.answer(query(name, rtype, edns=edns), "tcp"))
    assert len(message.answer) == 300
    assert not message.flags & TC
    assert (message.edns >= 0) == bool(edns)


def test_over_tcp_65535_octets_are_the_limit() -> None:
    server = responder(headless("shop/crowd", *many(5000), ports=["sql/tcp/3306"]))
    for name, rtype in ((CROWD, "A"), (PORT, "SRV"), (CROWD, "SRV")):
        for edns in (b"", opt()):
            response = server.answer(query(name, rtype, edns=edns), "tcp")
            message = read(response)
            assert response is not None
            assert 65_000 < len(response) <= 65_535
            assert message.flags & TC
            assert not message.additional
            assert (message.edns >= 0) == bool(edns)
            assert 500 < len(message.answer) < 5000
    message = read(server.answer(query(CROWD, "AAAA"), "tcp"))
    assert not message.flags & TC, "NODATA is complete"


def test_additional_rrsets_go_from_the_last_without_tc() -> None:
    server = responder(headless("shop/few", *(f"10.1.0.{n} h-{n}" for n in range(1, 8)), ports=["sql/tcp/1"]))
    name = "_sql._tcp.few.shop.svc.cluster.local"
    complete = read(server.answer(query(name, "SRV", edns=opt(1232))))
    assert len(complete.additional) == 7
    counts = []
    for announced in range(512, 700):
        message = read(server.answer(query(name, "SRV", edns=opt(announced))))
        assert not message.flags & TC
        assert len(message.answer) == 7
        assert [str(one) for one in message.additional] == [
            str(one) for one in complete.additional[: len(message.additional)]
        ]
        counts.append(len(message.additional))
    assert counts == sorted(counts)
    assert counts[0] < counts[-1] == 7


records = st.integers(1, 60)
owners = parse_name("web.shop.svc.cluster.local")


@given(records, records, st.integers(0, 3), st.integers(512, 1300), st.booleans(), st.text("ab", max_size=300))
def test_any_reply_fits(answers: int, others: int, extra: int, limit: int, edns: bool, text: str) -> None:
    rrset = RRset(owners, 5, tuple(A(number.to_bytes(4)) for number in range(answers)))
    additional = [RRset(owners, 5, tuple(AAAA(number.to_bytes(16)) for number in range(others)))] * extra
    one = entry(rrset, additional)
    asked = parse(query("web.shop.svc.cluster.local", edns=opt() if edns else b""))
    assert isinstance(asked, Query)
    error = (14, text) if text else None
    reply = Reply(0, 0, records_of(one, limit), additional=additional_of(one, limit), error=error)
    response = render(asked, reply, limit)
    message = read(response)
    assert len(response) <= limit
    assert bool(message.flags & TC) == (len(message.answer) < answers)
    assert len(message.additional) % others == 0
    assert (message.edns >= 0) == edns
    if message.flags & TC:
        assert not message.additional
    if edns and error:
        assert [option.otype for option in message.options] == [15]


def test_the_text_of_an_error_goes_before_any_record() -> None:
    one = entry(RRset(owners, 5, tuple(A(number.to_bytes(4)) for number in range(20))))
    asked = parse(query("web.shop.svc.cluster.local", edns=opt()))
    assert isinstance(asked, Query)
    response = render(asked, Reply(0, 0, records_of(one, 512), error=(14, "x" * 200)), 512)
    message = read(response)
    assert len(message.answer) == 20
    assert [str(option) for option in message.options] == ["EDE 14 (Not Ready)"]


def test_records_are_split_behind_any_owner_and_not_further_than_needed() -> None:
    one = entry(RRset(owners, 5, tuple(SRV(0, 1, number, owners) for number in range(100))))
    split = records_of(one, 65_535)
    assert b"".join(split) == one.wire
    assert b"".join(records_of(one, 65_535, b"\xc0\x20")) == one.wire.replace(b"\xc0\x0c", b"\xc0\x20")
    few = records_of(one, 512)
    assert few == split[: len(few)]
    assert 512 < len(b"".join(few)) <= 512 + len(split[0]), "one more than fits, so that TC is seen to be due"


def test_a_cluster_ip_with_many_ports_has_its_addresses_once() -> None:
    web = cluster_ip("shop/web", "10.96.0.1", "fd00::1", ports=[f"p-{number}/tcp/{number}" for number in range(1, 100)])
    message = read(responder(web).answer(query("web.shop.svc.cluster.local", "SRV", edns=opt()), "tcp"))
    assert len(message.answer) == 99
    assert [one.rdtype for one in message.additional] == [dns.rdatatype.A, dns.rdatatype.AAAA]
