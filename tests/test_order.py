"""The order of addresses in an answer: every one comes first as often, and none is lost."""

import random

import pytest
from packets import opt, query, read
from strategies import SHOP, Responder, alias, cluster_ip, headless, many, table_of

from clusterdns.engine.order import rotated

TABLE = table_of(
    *SHOP,
    headless("shop/five", *many(5), *(f"fd00::{number}" for number in range(1, 4)), ports=["sql/tcp/1"]),
    headless("shop/crowd", *many(100)),
    alias("shop/link", "five.shop.svc.cluster.local"),
    cluster_ip("shop/two", "10.96.0.31", "10.96.0.32"),
)
NSID = b"\x00\x03\x00\x00"  # an option: the query is not plain


def addresses(order: str, ident: int, name: str = "five", rtype: str = "A", edns: bytes = b"") -> list[str]:
    asked = query(f"{name}.shop.svc.cluster.local", rtype, ident=ident, edns=edns)
    message = read(Responder(TABLE, order=order).answer(asked))
    return [one[0].to_text() for one in message.answer if one.rdtype != 5]


@pytest.mark.parametrize("name", ["five", "link"])
@pytest.mark.parametrize("edns", [b"", opt(), opt(options=NSID)], ids=["plain", "edns", "option"])
@pytest.mark.parametrize(("rtype", "count"), [("A", 5), ("AAAA", 3)])
def test_rotate_starts_at_the_query_id_modulo_the_count(name: str, edns: bytes, rtype: str, count: int) -> None:
    stored = addresses("fixed", 0, name, rtype, edns)
    assert len(stored) == count
    assert stored == sorted(stored)
    for ident in (0, 1, 2, 3, 4, 5, 255, 256, 257, 65535):
        start = ident % count
        assert addresses("rotate", ident, name, rtype, edns) == stored[start:] + stored[:start]


def test_random_starts_anywhere_whatever_the_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "randrange", random.Random(1).randrange)
    stored = addresses("fixed", 7)
    seen = {tuple(addresses("random", 7)) for _ in range(200)}
    assert seen == {tuple(stored[start:] + stored[:start]) for start in range(5)}


def test_fixed_is_sorted_whatever_the_id() -> None:
    assert len({tuple(addresses("fixed", ident)) for ident in range(20)}) == 1


@pytest.mark.parametrize("name", ["web", "two"])
def test_cluster_ips_turn_too_where_there_are_several(name: str) -> None:
    seen = {tuple(addresses("rotate", ident, name)) for ident in range(10)}
    assert len(seen) == (2 if name == "two" else 1)


def test_other_types_do_not_turn() -> None:
    name = "_sql._tcp.five.shop.svc.cluster.local"
    responder = Responder(TABLE, order="rotate")
    answers = {(responder.answer(query(name, "SRV", ident=ident), "tcp") or b"")[2:] for ident in range(10)}
    assert len(answers) == 1


def test_what_truncation_keeps_begins_anywhere() -> None:
    stored = read(Responder(TABLE).answer(query("crowd.shop.svc.cluster.local", "A"), "tcp"))
    everything = [one[0].to_text() for one in stored.answer]
    for ident in (0, 1, 50, 99):
        cut = addresses("rotate", ident, "crowd")
        assert 20 < len(cut) < 100
        assert cut == (everything[ident:] + everything[:ident])[: len(cut)]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_no_record_is_lost(transport: str) -> None:
    for order in ("rotate", "random", "fixed"):
        responder = Responder(TABLE, order=order)
        for ident in range(12):
            message = read(responder.answer(query("five.shop.svc.cluster.local", "A", ident=ident), transport))
            assert sorted(one[0].to_text() for one in message.answer) == sorted(many(5))


def test_every_record_begins_one_rotation() -> None:
    firsts = [rotated(ident.to_bytes(2), 16, 16 * 7) for ident in range(65536)]
    counts = [firsts.count(start) for start in range(0, 16 * 7, 16)]
    assert max(counts) - min(counts) <= 1
