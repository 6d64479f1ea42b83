"""Whose a name is."""

import pytest
from packets import name_octets

from clusterdns.forward.routing import UPSTREAM, Routes, private_reverse
from clusterdns.zone.names import Name, to_text
from clusterdns.zone.tree import ZoneOptions

OWN = ("cluster.local", "eu.corp.example")
STUBS = ("corp.example", "consul.cluster.local", "10.in-addr.arpa", "dc.local")
KEPT = ("local", "localhost", "home.arpa", "dc.local")
RANGES = ("96.10.in-addr.arpa",)


def names(*texts: str) -> tuple[Name, ...]:
    return tuple(map(name_octets, texts))


def routes(*, upstream: bool = True) -> Routes:
    stubs, ranges = names(*STUBS), names(*RANGES)
    options = ZoneOptions(names(*OWN), upstream=upstream, stubs=stubs, ranges=ranges)
    return Routes(options.apexes(), stubs, kept=names(*KEPT), ranges=ranges, upstream=upstream)


@pytest.mark.parametrize(
    ("name", "to"),
    {
        "www.example.org": "upstream",
        ".": "upstream",
        "org": "upstream",
        "corp.example": "corp.example",
        "a.b.corp.example": "corp.example",
        "notcorp.example": "upstream",
        "x.consul.cluster.local": "consul.cluster.local",
        # What our zones lack, where they fall through, goes to whom it would belong to without us.
        "x.cluster.local": "upstream",
        "x.eu.corp.example": "corp.example",
        "5.in-addr.arpa": "upstream",
        "1.2.3.10.in-addr.arpa": "10.in-addr.arpa",
        "1.0.96.10.in-addr.arpa": "home 96.10.in-addr.arpa.",
        "printer.local": "home local.",
        "local": "home local.",
        "x.dc.local": "dc.local",
        "a.localhost": "home localhost.",
        "x.home.arpa": "home home.arpa.",
    }.items(),
)
def test_the_longest_suffix_decides(name: str, to: str) -> None:
    route = routes().of(name_octets(name))
    if route.home:
        assert to == f"home {to_text(route.home)}"
    else:
        assert route.group is not None
        assert to == ("upstream" if route.group == UPSTREAM else STUBS[route.group])


@pytest.mark.parametrize(
    ("name", "to"),
    {
        "corp.example": "upstream",
        "x.corp.example": "corp.example",
        # What is above them nobody else knows.
        "consul.cluster.local": "consul.cluster.local",
        "10.in-addr.arpa": "10.in-addr.arpa",
        "home.arpa": "upstream",
        "x.home.arpa": "home home.arpa.",
        # Of these there is no delegation, or nobody may learn of them.
        "local": "home local.",
        "localhost": "home localhost.",
        "96.10.in-addr.arpa": "home 96.10.in-addr.arpa.",
        ".": "upstream",
    }.items(),
)
def test_a_delegation_belongs_to_who_has_the_zone_above(name: str, to: str) -> None:
    route = routes().of(name_octets(name), 43)
    assert route.group is not None or route.home
    assert to == (f"home {to_text(route.home)}" if route.home else ("upstream", *STUBS)[1 + (route.group or 0)])


def test_where_nobody_has_the_zone_above_a_stub_domain_answers_for_its_own_delegation() -> None:
    found = routes(upstream=False)
    assert found.of(name_octets("corp.example"), 43).group == STUBS.index("corp.example")
    assert found.of(name_octets("home.arpa"), 43).home == name_octets("home.arpa")


def test_names_above_ours_exist() -> None:
    found = routes()
    assert [
        name
        for name in ("local", "example", "corp.example", "org", "b.cluster.local")
        if found.is_above(name_octets(name))
    ] == ["local", "example", "corp.example"]


def test_without_an_upstream_only_stub_domains_are_asked() -> None:
    found = routes(upstream=False)
    assert [found.takes(name_octets(name)) for name in ("www.example.org", "x.corp.example", "x.local")] == [
        False,
        True,
        False,
    ]
    assert not found.takes(name_octets("x.cluster.local"))


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("cluster.local", True),
        ("web.shop.svc.cluster.local", True),
        ("x.consul.cluster.local", False),
        ("1.0.96.10.in-addr.arpa", True),
        ("1.0.97.10.in-addr.arpa", False),
        ("x.corp.example", False),
        ("x.eu.corp.example", True),
        ("1.2.0.192.in-addr.arpa", True),
        (".", False),
    ],
)
def test_what_lies_in_our_zones(name: str, ours: bool) -> None:
    assert routes().is_ours(name_octets(name)) is ours


def test_a_label_that_looks_like_several_is_one() -> None:
    assert routes().of(Name(b"\x0dx\x04corp\x07exampl\x01e\0")).group == UPSTREAM


def test_private_networks() -> None:
    found = {to_text(name) for name in private_reverse()}
    for zone in ("10.in-addr.arpa.", "31.172.in-addr.arpa.", "168.192.in-addr.arpa.", "127.100.in-addr.arpa."):
        assert zone in found
    assert {"d.f.ip6.arpa.", "b.e.f.ip6.arpa.", "8.b.d.0.1.0.0.2.ip6.arpa."} < found
    assert "1." + "0." * 31 + "ip6.arpa." in found
    assert not {"32.172.in-addr.arpa.", "63.100.in-addr.arpa.", "c.f.ip6.arpa."} & found


def test_the_domain_of_the_cluster_is_not_kept_home_by_a_server_without_zones() -> None:
    found = Routes({}, (), kept=names("local"), spared=names("cluster.local"))
    assert found.takes(name_octets("web.shop.svc.cluster.local"))
    assert not found.takes(name_octets("printer.local"))
