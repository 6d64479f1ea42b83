"""The tree: whatever way a state was reached, its answers are those of a fresh build of that state."""

from collections.abc import Iterable, Iterator, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packets import query
from strategies import (
    HOSTNAMES,
    KEYS,
    OPTIONS,
    SHOP,
    Responder,
    Services,
    apply,
    by_key,
    cluster_ip,
    headless,
    key,
    rounds,
    table_of,
)

from clusterdns.cluster.model import Key, Published
from clusterdns.engine.table import Table
from clusterdns.steps import at_once
from clusterdns.zone.names import Name, label, parent, parse_name, to_text
from clusterdns.zone.prepared import NXDOMAIN, Change, Node
from clusterdns.zone.records import all_records, endpoint_label, essence, shown
from clusterdns.zone.reverse import parse_reverse, reverse_name
from clusterdns.zone.tree import ZoneOptions

TWO_DOMAINS = ZoneOptions(
    (parse_name("cluster.local"), parse_name("corp.example")),
    (parse_name("10.in-addr.arpa"), parse_name("200.10.in-addr.arpa"), parse_name("ip6.arpa")),
    ttl=30,
)


def final(history: Sequence[tuple[Services, frozenset[str]]]) -> tuple[dict[Key, Published], frozenset[str]]:
    """What is there after *history*."""
    state: dict[Key, Published] = {}
    for changes, _ in history:
        for of, published in changes.items():
            state.pop(of, None)
            if published:
                state[of] = published
    return state, history[-1][1]


def names_of(tables: Iterable[Table]) -> set[Name]:
    """Every name that could have an answer in one of *tables*, its neighbours, and all names above them."""
    found: set[Name] = set()
    for table in tables:
        found |= table.nodes.keys()
        for published in table.tree.published.values():
            for apex in table.options.domains:
                found |= {rrset.owner for rrset in all_records(published, apex, 5)}
        for index in (table.tree.reverse.four, table.tree.reverse.six):
            found |= {reverse_name(address) for address, _ in index.items()}
    found |= {Name(label(host or "10-1-0-1") + name) for name in list(found) for host in HOSTNAMES}
    for name in list(found):
        above = name
        while above[0]:
            above = parent(above)
            found.add(above)
    return {name for name in found if len(name) <= 255}


def below_of(node: Node) -> object:
    """What the names derived below *node* follow from."""
    return essence(node.below) if isinstance(node.below, Published) else node.below


def assert_same(one: Table, other: Table) -> None:
    assert one.nodes.keys() == other.nodes.keys()
    for name, node in one.nodes.items():
        assert node.same_answers(other.nodes[name]), to_text(name)
        assert node.deferred == other.nodes[name].deferred
        assert below_of(node) == below_of(other.nodes[name])
    assert list(one.tree.reverse.four.items()) == list(other.tree.reverse.four.items())
    assert list(one.tree.reverse.six.items()) == list(other.tree.reverse.six.items())
    first, second = Responder(one), Responder(other)
    for name in names_of((one, other)):
        for rtype in ("A", "SRV", "PTR", "ANY"):
            asked = query(name, rtype)
            assert first.answer(asked, "tcp") == second.answer(asked, "tcp"), to_text(name)


@pytest.fixture(params=[0, 2000], ids=["swapped", "in-place"], scope="module", autouse=True)
def _branch(request: pytest.FixtureRequest) -> Iterator[None]:
    """Both ways of ``Table.apply``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Change, "FULL_ABOVE", request.param)
        yield


@settings(max_examples=40)
@given(rounds, st.sampled_from([OPTIONS, TWO_DOMAINS]))
def test_any_history_ends_as_a_fresh_build_does(
    history: list[tuple[Services, frozenset[str]]], options: ZoneOptions
) -> None:
    table = Table(options)
    responder = Responder(table)
    for changes, namespaces in history:
        apply(table, changes, namespaces)
        for name in names_of((table,)):  # so that derived names are kept from round to round
            responder.answer(query(name, "SRV"))
    state, namespaces = final(history)
    fresh = Table(options)
    apply(fresh, state, namespaces)
    assert_same(table, fresh)


@settings(max_examples=30)
@given(rounds, st.randoms(use_true_random=False))
def test_any_partition_into_rounds_in_any_order_is_the_same(
    history: list[tuple[Services, frozenset[str]]], rng: Random
) -> None:
    state, namespaces = final(history)
    left = list(state.items())
    rng.shuffle(left)
    table = Table(OPTIONS)
    while left:
        size = rng.randint(1, len(left))
        apply(table, dict(left[:size]), {*namespaces, left[0][0].name})
        del left[:size]
    apply(table, {}, namespaces)
    fresh = Table(OPTIONS)
    apply(fresh, state, namespaces)
    assert_same(table, fresh)


@settings(max_examples=40)
@given(rounds)
def test_taking_everything_away_leaves_what_an_empty_build_has(history: list[tuple[Services, frozenset[str]]]) -> None:
    table = Table(OPTIONS)
    for changes, namespaces in history:
        apply(table, changes, namespaces)
    apply(table, dict.fromkeys(KEYS), ())
    assert_same(table, table_of())
    assert not table.tree.published


@settings(max_examples=40)
@given(rounds)
def test_every_holder_of_an_address_is_published_and_shows_it(history: list[tuple[Services, frozenset[str]]]) -> None:
    table = Table(OPTIONS)
    for changes, namespaces in history:
        apply(table, changes, namespaces)
    holders: dict[bytes, set[Key]] = {}
    for of, published in table.tree.published.items():
        if published.service.type != "ExternalName":
            for address in {one.address for _, one in shown(published)} | set(published.service.cluster_ips):
                holders.setdefault(address, set()).add(of)
    reverse = table.tree.reverse
    assert {address: set(held) for index in (reverse.four, reverse.six) for address, held in index.items()} == holders


def test_a_preparation_changes_nothing_and_yields() -> None:
    table = table_of(*SHOP)
    nodes, reverse = dict(table.nodes), table.tree.reverse
    steps = table.tree.prepare({one.service.key: None for one in SHOP}, frozenset())
    assert sum(1 for _ in steps) > len(SHOP)
    assert table.nodes == nodes
    assert table.tree.reverse is reverse


def test_equal_records_are_no_change() -> None:
    table = table_of(*SHOP)
    unready = cluster_ip("shop/bare", "10.96.0.11", endpoints=["!10.1.0.5"])
    prepared = at_once(table.tree.prepare(by_key(SHOP), frozenset({"shop", "ops"})))
    assert not prepared.change.records_changed
    assert not prepared.change.size
    assert not prepared.services
    assert prepared.reverse is table.tree.reverse
    prepared = at_once(table.tree.prepare(by_key([unready]), frozenset({"shop", "ops"})))
    assert not prepared.change.records_changed, "an endpoint that has no record"


@pytest.mark.parametrize(
    ("services", "namespaces", "changed"),
    [
        ({}, ("shop", "ops"), False),
        ({}, ("shop",), True),
        ({}, ("shop", "ops", "new"), True),
        ({key("shop/bare"): None}, ("shop", "ops"), True),
        ({key("shop/never"): None}, ("shop", "ops"), False),
    ],
)
def test_a_serial_is_due_when_a_record_or_a_name_changed(
    services: Services, namespaces: tuple[str, ...], *, changed: bool
) -> None:
    table = table_of(*SHOP)
    prepared = at_once(table.tree.prepare(services, frozenset(namespaces)))
    assert prepared.change.records_changed == changed


def test_what_exists_before_and_after_the_first_round() -> None:
    table = Table(OPTIONS)
    before = {to_text(name) for name in table.nodes}
    assert before == {"cluster.local.", "dns-version.cluster.local.", "in-addr.arpa.", "ip6.arpa."}
    apply(table, {}, {"shop"})
    after = {to_text(name) for name in table.nodes} - before
    assert after == {f"{name}.cluster.local." for name in ("dns", "ns.dns", "svc", "pod", "shop.svc")}


def test_names_above_a_port_exist_and_go_with_it() -> None:
    table = table_of(cluster_ip("shop/web", "10.96.0.1", ports=["http/tcp/80", "dns/udp/53"]))
    above = parse_name("_udp.web.shop.svc.cluster.local")
    assert above in table.nodes
    apply(table, by_key([cluster_ip("shop/web", "10.96.0.1", ports=["http/tcp/80"])]), {"shop"})
    assert above not in table.nodes
    assert parse_name("_tcp.web.shop.svc.cluster.local") in table.nodes


def test_a_headless_service_that_loses_its_endpoints_keeps_a_reason() -> None:
    table = table_of(headless("shop/db", "10.1.0.1 db-0"))
    apply(table, by_key([headless("shop/db", "!10.1.0.1 db-0")]), {"shop"})
    node = table.nodes[parse_name("db.shop.svc.cluster.local")]
    assert (node.absent, node.entries) == (NXDOMAIN, {})
    assert node.reason
    assert "0 of 1" in node.reason.text
    assert parse_name("db-0.db.shop.svc.cluster.local") not in table.nodes


def test_names_that_do_not_fit_are_left_out_and_harm_nobody() -> None:
    long = parse_name(".".join(["d" * 63, "e" * 63, "f" * 62]))
    options = ZoneOptions((long,))
    fits, not_fits = cluster_ip("s/w", "10.96.0.1"), headless("n" * 60 + "/w", "10.1.0.1 " + "h" * 63)
    table = table_of(fits, not_fits, options=options)
    owners = {to_text(name).split(".", 1)[0] for name in table.nodes}
    assert "w" in owners
    assert "n" * 60 not in owners
    assert parse_reverse(reverse_name(b"\x0a\1\0\1")) is not None
    assert [endpoint_label(one) for _, one in shown(not_fits)] == ["h" * 63]
    responder = Responder(table)
    assert responder.answer(query("1.0.1.10.in-addr.arpa", "PTR")) is not None
