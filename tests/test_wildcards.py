"""Wildcards: bounded, never stale, and nobody else's business.  What they match is in cases/options-wildcards.txt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packets import name_octets, opt, query, read
from strategies import OPTIONS, SHOP, Responder, alias, apply, by_key, cluster_ip, headless, key, many, table_of

from clusterdns.cluster.model import Published
from clusterdns.engine import table as table_module
from clusterdns.engine.table import Table
from clusterdns.zone import wildcards
from clusterdns.zone.names import parse_name
from clusterdns.zone.tree import ZoneOptions

WILD = ZoneOptions(OPTIONS.domains, wildcards=True)
Z = "svc.cluster.local"


def addresses(table: Table, name: str, rtype: str = "A") -> list[str]:
    message = read(Responder(table).answer(query(f"{name}.{Z}", rtype), "tcp"))
    return [one[0].to_text() for one in message.answer]


def rcode(table: Table, name: str, rtype: str = "A") -> int:
    return read(Responder(table).answer(query(f"{name}.{Z}", rtype), "tcp")).rcode()


def test_a_wildcard_follows_every_round() -> None:
    table = table_of(cluster_ip("shop/web", "10.96.0.1"), options=WILD)
    assert addresses(table, "*.shop") == ["10.96.0.1"]
    apply(table, by_key([cluster_ip("shop/api", "10.96.0.2"), headless("ops/db", "10.1.0.1")]), {"shop", "ops"})
    assert addresses(table, "*.shop") == ["10.96.0.1", "10.96.0.2"]
    assert addresses(table, "*.*") == ["10.1.0.1", "10.96.0.1", "10.96.0.2"]
    apply(table, {key("shop/web"): None, key("ops/db"): None}, {"shop"})
    assert addresses(table, "*.*") == ["10.96.0.2"]
    assert rcode(table, "*.ops") == 3
    apply(table, {key("shop/api"): None}, {"shop"})
    assert rcode(table, "*.shop") == 3
    assert rcode(table, "*") == 0


def test_at_most_a_thousand_records() -> None:
    table = table_of(
        *(cluster_ip(f"n{number % 3}/s{number}", address, ports=["http/tcp/80"])
          for number, address in enumerate(many(1500))),
        headless("crowd/db", *many(1200, "10.8.0.0"), ports=["sql/tcp/1"]),
        options=WILD,
    )  # fmt: skip
    for name, rtype in (
        ("*.*", "A"),
        ("*.*", "SRV"),
        ("*.crowd", "A"),
        ("*.db.crowd", "SRV"),
        ("_sql._tcp.*.*", "SRV"),
    ):
        node = table.wild(name_octets(f"{name}.{Z}"), 1 if rtype == "A" else 33, 0)
        assert node
        (entry,) = node.entries.values()
        assert sum(count for count, _ in entry.cuts) == 1000, name
        assert read(Responder(table).answer(query(f"{name}.{Z}", rtype, edns=opt()))).flags & 0x200


def test_one_question_looks_at_so_much_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wildcards, "MAX_LOOKS", 10)
    table = table_of(
        *(headless(f"shop/s{number}", *many(5), ports=["sql/tcp/1"]) for number in range(20)), options=WILD
    )
    assert rcode(table, "absent.*.*") == 0, "who has not looked at everything must not deny"
    assert rcode(table, "_absent._tcp.*.*", "SRV") == 0
    assert rcode(table, "absent.*") == 3


def test_the_same_question_is_worked_out_once_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    original = wildcards.wild_node

    def counting(qname: bytes, *rest: object) -> object:
        asked.append(qname)
        return original(qname, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(table_module, "wild_node", counting)
    table = table_of(*SHOP, options=WILD)
    for _ in range(5):
        addresses(table, "*.shop")
        rcode(table, "absent.*")
        rcode(table, "absent.shop")
    assert len(asked) == 2
    for number in range(200):
        rcode(table, f"absent-{number}.*")
    assert len(table._wild) <= table_module.WILD_KEPT


parts = st.sampled_from(
    ["web", "db", "shop", "ops", "_http", "_tcp", "db-0", "pod", "svc", "x", "anyone", "**", "front"]
)


@given(st.lists(parts, max_size=5), st.sampled_from(["A", "SRV", "TXT", "PTR", "ANY"]))
def test_other_names_get_what_they_got(labels: list[str], rtype: str) -> None:
    asked = query(".".join([*labels, "cluster.local"]), rtype)
    with_them, without = (Responder(table_of(*SHOP, options=options)) for options in (WILD, OPTIONS))
    assert with_them.answer(asked) == without.answer(asked)


def test_an_existing_name_is_itself_and_an_alias_takes_no_part() -> None:
    services: list[Published] = [cluster_ip("shop/any", "10.96.0.1"), cluster_ip("shop/web", "10.96.0.2")]
    table = table_of(*services, alias("shop/docs", "any.shop.svc.cluster.local"), options=WILD)
    assert addresses(table, "any.shop") == ["10.96.0.1"]
    assert addresses(table, "*.shop") == ["10.96.0.1", "10.96.0.2"]
    assert addresses(table, "docs.shop")[-1] == "10.96.0.1"
    assert rcode(table_of(alias("shop/docs", "example.org"), options=WILD), "*.shop") == 3


def test_before_the_first_round_nothing_is_known() -> None:
    assert rcode(Table(WILD), "*.shop") == 2


def test_several_zones_answer_for_themselves() -> None:
    options = ZoneOptions((*OPTIONS.domains, parse_name("corp.example")), wildcards=True)
    table = table_of(cluster_ip("shop/web", "10.96.0.1", ports=["http/tcp/80"]), options=options)
    message = read(Responder(table).answer(query("*.shop.svc.corp.example", "SRV")))
    assert message.answer[0][0].to_text() == "0 100 80 web.shop.svc.corp.example."
