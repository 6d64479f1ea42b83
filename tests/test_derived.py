"""Names that are derived when asked: right, kept only while what they follow from is published, and bounded."""

from collections.abc import Iterable

import pytest
from packets import name_octets
from strategies import alias, apply, by_key, cluster_ip, headless, key, table_of

from clusterdns.cluster.model import Published
from clusterdns.engine import table as table_module
from clusterdns.engine.table import Table
from clusterdns.zone import derived, records
from clusterdns.zone.names import Name, to_text
from clusterdns.zone.prepared import Node
from clusterdns.zone.rdata import PTR, SRV, A

WEB = cluster_ip("shop/web", "10.96.0.1", ports=["http/tcp/80"], endpoints=["10.1.0.1", "10.1.0.2 w"])
DB = headless("shop/db", "10.1.0.1 db-0", ports=["sql/tcp/3306"])


def found(table: Table, name: str) -> Node | None:
    return table.find(name_octets(name))[1]


def pointers(table: Table, name: str) -> list[str]:
    node = found(table, name)
    if node is None:
        return []
    wire, names, at = node.entries[PTR.rtype].wire, [], 0
    while at < len(wire):
        end = at + 12 + int.from_bytes(wire[at + 10 : at + 12])
        names.append(to_text(wire[at + 12 : end]))
        at = end
    return names


def kept(table: Table) -> set[str]:
    return {to_text(name) for name in table._derived}


def test_endpoint_names_of_a_cluster_ip_service() -> None:
    table = table_of(WEB)
    node = found(table, "w.web.shop.svc.cluster.local")
    assert node
    assert set(node.entries) == {A.rtype, SRV.rtype}
    assert found(table, "10-1-0-1.web.shop.svc.cluster.local")
    assert found(table, "10-1-0-2.web.shop.svc.cluster.local") is None, "it has a hostname"
    assert found(table, "x.w.web.shop.svc.cluster.local") is None
    assert table.find(Name(b"\x01\xff" + name_octets("web.shop.svc.cluster.local")))[1] is None


@pytest.mark.parametrize(
    ("services", "name", "targets"),
    [
        ([WEB], "1.0.96.10.in-addr.arpa", ["web.shop"]),
        ([WEB, cluster_ip("ops/web", "10.96.0.1")], "1.0.96.10.in-addr.arpa", ["web.ops"]),
        ([WEB, DB], "1.0.1.10.in-addr.arpa", ["10-1-0-1.web.shop", "db-0.db.shop"]),
        ([DB, cluster_ip("ops/vip", "10.1.0.1")], "1.0.1.10.in-addr.arpa", ["vip.ops"]),
        ([headless("shop/db", "!10.1.0.1")], "1.0.1.10.in-addr.arpa", []),
        ([alias("shop/docs", "example.org")], "1.0.1.10.in-addr.arpa", []),
    ],
)
def test_where_a_reverse_name_points(services: list[Published], name: str, targets: list[str]) -> None:
    expected = [f"{target}.svc.cluster.local." for target in targets]
    assert sorted(pointers(table_of(*services), name)) == sorted(expected)


def test_empty_non_terminals_of_reverse_zones_exist() -> None:
    table = table_of(WEB, headless("shop/six", "fd00::1"))
    for name in ("0.96.10.in-addr.arpa", "10.in-addr.arpa", "d.f.ip6.arpa", "0.0.d.f.ip6.arpa"):
        node = found(table, name)
        assert node, name
        assert not node.entries
    for name in ("11.in-addr.arpa", "2.0.96.10.in-addr.arpa", "c.f.ip6.arpa", "010.in-addr.arpa"):
        assert found(table, name) is None, name


def test_a_node_is_kept_while_the_very_service_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    original = derived.endpoint_node

    def counting(name: bytes, *rest: object) -> Node | None:
        made.append(to_text(name))
        return original(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(table_module, "endpoint_node", counting)
    table = table_of(WEB, cluster_ip("ops/web", "10.96.0.2"))
    name = "w.web.shop.svc.cluster.local"
    first = found(table, name)
    assert found(table, name) is first
    apply(table, by_key([cluster_ip("ops/web", "10.96.0.3")]), {"shop", "ops"})
    assert found(table, name) is first, "another Service's change is none of its business"
    apply(table, by_key([cluster_ip("shop/web", "10.96.0.1", endpoints=["10.1.0.9 w"])]), {"shop", "ops"})
    second = found(table, name)
    assert second
    assert second.entries != (first.entries if first else None)
    apply(table, {key("shop/web"): None}, {"shop", "ops"})
    assert found(table, name) is None
    assert kept(table) == set(), "what is no longer true is no longer kept"
    assert made == [f"{name}."] * 2


def test_a_pointer_is_kept_while_the_very_index_is_published() -> None:
    table = table_of(WEB)
    name = "1.0.1.10.in-addr.arpa"
    first = found(table, name)
    assert found(table, name) is first
    apply(table, by_key([DB]), {"shop"})
    assert pointers(table, name) == ["db-0.db.shop.svc.cluster.local.", "10-1-0-1.web.shop.svc.cluster.local."]
    apply(table, by_key([headless("shop/db", "10.1.0.1 other")]), {"shop"})
    assert pointers(table, name)[0] == "other.db.shop.svc.cluster.local.", "the address has the same holders as before"


def test_only_what_exists_is_kept_and_not_more_than_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "DERIVED_KEPT", 5)
    table = table_of(cluster_ip("shop/web", "10.96.0.1", endpoints=[f"10.1.0.{last}" for last in range(20)]))
    for last in range(256):
        found(table, f"10-1-0-{last}.web.shop.svc.cluster.local")
        found(table, f"{last}.0.1.10.in-addr.arpa")
        found(table, f"{last}.1.10.in-addr.arpa")
        assert len(table._derived) <= 5
    assert all("10-1-0-" in name or name.startswith("1") for name in kept(table))
    before = kept(table)
    for number in range(50):
        found(table, f"x{number}.web.shop.svc.cluster.local")
        found(table, f"{number}.0.10.10.in-addr.arpa")
    assert kept(table) == before, "absent names are without number"


def test_one_pass_over_the_endpoints_answers_for_all_absent_names(monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[Published] = []
    original = records.shown_by_host

    def counting(published: Published) -> dict[str, records.Shown]:
        passes.append(published)
        return original(published)

    monkeypatch.setattr(table_module, "shown_by_host", counting)
    table = table_of(WEB, DB)
    _ask(table, [f"x{number}.web.shop.svc.cluster.local" for number in range(100)])
    _ask(table, [f"x{number}.db.shop.svc.cluster.local" for number in range(100)])
    assert passes == [WEB, DB]
    apply(table, by_key([cluster_ip("shop/web", "10.96.0.7")]), {"shop"})
    _ask(table, ["w.web.shop.svc.cluster.local", "10-1-0-1.web.shop.svc.cluster.local"])
    assert len(passes) == 3


def _ask(table: Table, names: Iterable[str]) -> None:
    assert [found(table, name) for name in names] == [None] * len(list(names))


def test_before_the_first_round_nothing_is_derived() -> None:
    table = Table(table_of().options)
    assert found(table, "1.0.0.10.in-addr.arpa") is None
    assert found(table, "10.in-addr.arpa") is None
    assert kept(table) == set()
