"""The plain path and the slow one count alike, and what comes late counts when it comes."""

from collections.abc import Callable
from functools import partial
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packets import good_queries, mutants, opt, query
from strategies import SHOP, Refusing, table_of

from clusterdns.engine.answer import Responder
from clusterdns.engine.elsewhere import Later, Resolve
from clusterdns.engine.reply import Reply
from clusterdns.engine.responders import Responders
from clusterdns.engine.tally import Kind, Snapshot, Tally
from clusterdns.zone.names import Name

TABLE = table_of(*SHOP)
QUERIES = good_queries()


def counted(tally: Tally) -> Snapshot:
    return tally.snapshot().folded()


def octets(found: Snapshot) -> list[tuple[str, int, float]]:
    return sorted((zone, one.count, one.total) for each in (found.asked, found.answered) for zone, one in each.items())


@given(st.lists(st.sampled_from(QUERIES) | st.integers(0, 2**32).map(lambda seed: next(mutants(Random(seed), 1)))))
def test_both_paths_count_alike(packets: list[bytes]) -> None:
    plain, slow = Tally(), Tally()
    one, other = Responder(TABLE, tally=plain), Responder(TABLE, tally=slow)
    other._headers = {}
    for packet in packets:
        assert one.answer(packet) == other.answer(packet)
    found, expected = counted(plain), counted(slow)
    assert found.counts == expected.counts
    assert octets(found) == octets(expected)
    assert found.silent == expected.silent
    assert sum(found.counts.values()) + sum(found.silent.values()) == len(packets)


class Waiting(Refusing):
    """Answers when it is told to, with an rcode."""

    def __init__(self) -> None:
        self.ready: list[Callable[[int], None]] = []

    def takes(self, name: Name) -> bool:
        return True

    def ask(self, resolve: Resolve) -> bytes | Later:
        return lambda send: self.ready.append(lambda rcode: send(resolve.inside.finish(resolve, Reply(rcode))))


class Known(Refusing):
    """Has an answer to everything: that of a query for the same."""

    def __init__(self, rcode: int) -> None:
        self.rcode = rcode

    def known(
        self, packet: bytes, end: int, name: bytes, rtype: int, limit: int, opt: bytes, address: str
    ) -> bytes | None:
        return packet[:2] + bytes((0x80, self.rcode)) + packet[4:]


def test_who_waits_counts_when_the_answer_is_there_with_all_of_its_time() -> None:
    now, waiting, sent = [10.0], Waiting(), list[bytes]()
    tally = Tally(lambda: now[0])
    server = Responder(TABLE, elsewhere=waiting, tally=tally)
    for name in ("www.example.org", "docs.shop.svc.cluster.local"):  # one of others, one of ours that leads to one
        later = server.answer(query(name, edns=opt(do=True)))
        assert callable(later)
        later(sent.append)
    tally.batch(2, 0.001)
    assert not counted(tally).counts
    now[0] = 12.5
    for ready in waiting.ready:
        ready(3)
    found = counted(tally)
    assert len(sent) == 2
    assert found.counts == {
        Kind(".", "A", True, "NXDOMAIN", "forward"): 1,
        Kind("cluster.local.", "A", True, "NXDOMAIN", "kubernetes"): 1,
    }
    assert {zone: (one.count, one.total) for zone, one in found.seconds.items()} == {
        ".": (1, 2.5),
        "cluster.local.": (1, 2.5),
    }


@pytest.mark.parametrize(("rcode", "shown"), [(0, "NOERROR"), (3, "NXDOMAIN"), (2, "SERVFAIL")])
def test_what_the_cache_knows_counts_as_the_caches(rcode: int, shown: str) -> None:
    tally = Tally()
    server = Responder(TABLE, elsewhere=Known(rcode), tally=tally)
    asked = query("www.example.org", "MX", edns=opt(do=True))
    for _ in range(3):
        server.answer(asked)
    tally.batch(3, 0.003)
    found = counted(tally)
    assert found.counts == {Kind(".", "MX", True, shown, "cache"): 3}
    assert found.seconds["."].count == 3
    assert found.asked["."].total == 3 * len(asked)


def test_one_responder_for_each_door_and_all_of_them_are_stale_together() -> None:
    responders = Responders(partial(Responder, TABLE))
    doors = [Tally(), Tally()]
    first = responders.at(doors[0])
    responders.mark_stale("old")
    for door in doors:
        response = responders.at(door)(QUERIES[4], "udp", ("192.0.2.1", 53))
        assert isinstance(response, bytes)
        assert b"old" in response
    assert responders.at(doors[0]) == first
    assert [sum(counted(door).counts.values()) for door in doors] == [1, 1]
