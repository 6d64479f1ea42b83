"""Extended DNS Errors: said where somebody could mend what is wrong, and nowhere else (RFC 8914)."""

import dns.edns
import dns.rcode
import pytest
from packets import AA, opt, option, query, read
from strategies import OPTIONS, SHOP, Responder, alias, headless, responder, table_of

from clusterdns.engine.table import Table
from clusterdns.zone import reasons
from clusterdns.zone.names import parse_name
from clusterdns.zone.tree import ZoneOptions

APEX = "cluster.local"
WEB = "web.shop.svc.cluster.local"
SERVER = responder(
    *SHOP, alias("shop/slip", "web.shp.svc.cluster.local"), alias("shop/wait", "idle.shop.svc.cluster.local")
)


def said(server: Responder, name: str, rtype: str = "A") -> str:
    """The text of the only error, or ""."""
    message = read(server.answer(query(name, rtype, edns=opt())))
    assert read(server.answer(query(name, rtype))).edns == -1, "no OPT, no reason"
    assert all(isinstance(one, dns.edns.EDEOption) for one in message.options)
    texts = [one.text or "" for one in message.options if isinstance(one, dns.edns.EDEOption)]
    return ", ".join(texts)


def test_until_the_first_round_nothing_but_the_apexes_is_known() -> None:
    server = Responder(Table(OPTIONS))
    for name in (WEB, "svc.cluster.local", "1.0.96.10.in-addr.arpa", "10.in-addr.arpa", "x.ip6.arpa"):
        message = read(server.answer(query(name, edns=opt())))
        assert message.rcode() == dns.rcode.SERVFAIL
        assert not message.flags & AA
        assert [(one.otype, getattr(one, "code", None)) for one in message.options] == [(dns.edns.OptionType.EDE, 14)]
        assert read(server.answer(query(name))).edns == -1, "no OPT, no reason"
    for name, rtype in ((APEX, "SOA"), (APEX, "NS"), ("dns-version.cluster.local", "TXT"), ("in-addr.arpa", "SOA")):
        message = read(server.answer(query(name, rtype)))
        assert message.rcode() == dns.rcode.NOERROR
        assert message.flags & AA
    assert read(server.answer(query("example.org"))).rcode() == dns.rcode.REFUSED


REASONS = {
    "idle.shop.svc.cluster.local": "headless Service without ready endpoint: 0 of 1 endpoints ready",
    "empty.shop.svc.cluster.local": "headless Service without endpoints",
    "wait.shop.svc.cluster.local": "headless Service without ready endpoint: 0 of 1 endpoints ready",
    "_http._udp.web.shop.svc.cluster.local": "port http of web.shop is not UDP: ask for _http._tcp",
    "_HTTP._sctp.Web.shop.svc.cluster.local": "port http of web.shop is not SCTP: ask for _http._tcp",
    "_dns._tcp.web.ops.svc.cluster.local": "port dns of web.ops is not TCP: ask for _dns._udp",
    "_sql._udp.db.shop.svc.cluster.local": "port sql of db.shop is not UDP: ask for _sql._tcp",
    "web.shp.svc.cluster.local": "namespace shp is not served here: look for a slip in its name",
    "_http._tcp.web.shp.svc.cluster.local": "namespace shp is not served here: look for a slip in its name",
    "slip.shop.svc.cluster.local": "namespace shp is not served here: look for a slip in its name",
}
SILENT = [
    "nothing.shop.svc.cluster.local",
    "bare.shop.svc.cluster.local",
    "x.web.shop.svc.cluster.local",
    "_nothing._udp.web.shop.svc.cluster.local",
    "_http._icmp.web.shop.svc.cluster.local",
    "http._udp.web.shop.svc.cluster.local",
    "_http.web.shop.svc.cluster.local",
    "_http._tcp.nothing.shop.svc.cluster.local",
    "shp.svc.cluster.local",
    "web.shp.cluster.local",
    "web.shp.pod.cluster.local",
    "example.org",
    "9.9.9.9.in-addr.arpa",
    # Of a namespace's shape are labels only.
    "web.s_p.svc.cluster.local",
    "_web.shp.svc.cluster.local",
    # An endpoint's shape is what a search path makes of every www.example.org.
    "db-0.db.shp.svc.cluster.local",
    "www.example.org.svc.cluster.local",
    "www.example.org.shop.svc.cluster.local",
    "www.example.org.cluster.local",
    "web.shop.svc.cluster.local.shop.svc.cluster.local",
    "web.shop.svc.cluster.local.svc.cluster.local",
    "web.shop.svc.cluster.local.cluster.local",
    "_http._tcp.web.shop.svc.cluster.local.shop.svc.cluster.local",
]


@pytest.mark.parametrize("name", REASONS)
def test_a_negative_answer_says_why_where_somebody_could_mend_it(name: str) -> None:
    for rtype in ("TXT", "SRV"):
        assert said(SERVER, name, rtype) == REASONS[name]


@pytest.mark.parametrize("name", SILENT)
def test_other_negative_answers_say_nothing(name: str) -> None:
    assert not read(SERVER.answer(query(name, "TXT", edns=opt()))).answer
    assert not said(SERVER, name, "TXT")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"s.p", b"\0", b"x" * 63])
def test_a_text_holds_no_octets_that_a_client_made_up(content: bytes) -> None:
    name = b"\3web" + bytes((len(content),)) + content + b"\3svc\7cluster\5local\0"
    message = read(SERVER.answer(query(name, edns=opt())))
    assert bool(message.options) == (content == b"x" * 63)


def test_what_exists_in_another_zone_is_not_looked_for() -> None:
    options = ZoneOptions((parse_name("cluster.local"), parse_name("corp.test")))
    server = Responder(table_of(*SHOP, options=options))
    assert said(server, "web.shp.svc.corp.test") == REASONS["web.shp.svc.cluster.local"]
    assert said(server, "_http._udp.web.shop.svc.corp.test").endswith("ask for _http._tcp")


def test_a_reason_comes_and_goes_with_its_cause() -> None:
    name = "web.later.svc.cluster.local"
    assert said(responder(*SHOP), name)
    assert not said(responder(*SHOP, headless("later/x", "10.9.9.9")), name)


def test_an_error_and_a_cookie_share_the_opt() -> None:
    message = read(SERVER.answer(query("web.shp.svc.cluster.local", edns=opt(options=option(3, b"")))))
    assert [one.otype for one in message.options] == [15]


def test_every_cause_is_known_by_one_code_and_is_short() -> None:
    causes = [
        reasons.NOT_SYNCED,
        reasons.no_ready_endpoint(0),
        reasons.no_ready_endpoint(3),
        reasons.other_protocol("http", "web.shop", "_udp", "_tcp"),
        reasons.no_namespace("shp"),
    ]
    assert len({cause.code for cause in causes}) == len(causes)
    for cause in causes:
        assert len(cause.text) < 120, "it travels in a packet"
