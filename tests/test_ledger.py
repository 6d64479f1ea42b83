"""Figures outlive those whose they are, and no total of them falls."""

from clusterdns.forward.figures import Figures
from clusterdns.forward.ledger import MOST_GONE, Ledger
from clusterdns.forward.servers import Server

ONE, OTHER = Server("192.0.2.1"), Server("192.0.2.2")


def test_who_comes_back_goes_on_where_it_left() -> None:
    ledger = Ledger()
    first = ledger.of(".", ONE)
    first.users -= 1
    assert ledger.of(".", OTHER) is not first
    assert ledger.of(".", ONE) is first
    assert {server for server, _ in ledger} == {ONE, OTHER}


def test_domains_are_apart() -> None:
    ledger = Ledger()
    assert ledger.of(".", ONE) is not ledger.of("corp.example", ONE)
    assert ledger.of(".", ONE) is not ledger.of(".", ONE._replace(transport="tcp"))
    assert [server.address for server, _ in ledger] == [ONE.address] * 3


def test_those_that_have_left_are_forgotten_one_day_and_their_sum_is_not() -> None:
    ledger = Ledger()
    kept = ledger.of(".", ONE)
    for number in range(MOST_GONE + 3):
        figures = ledger.of(".", Server("192.0.2.9", number + 1))
        figures.stray, figures.near_misses = 1, 2
        figures.users -= 1
    ledger.of(".", OTHER)
    servers = [server for server, _ in ledger]
    assert len(servers) == MOST_GONE + 2
    assert [one.port for one in servers if one.address == "192.0.2.9"] == [*range(4, MOST_GONE + 4)]
    assert ledger.of(".", ONE) is kept
    assert ledger.foreign == 3 * (MOST_GONE + 3)


def test_what_is_foreign() -> None:
    figures = Figures()
    figures.stray, figures.near_misses = 3, 4
    figures.failures["bad"] += 1
    assert figures.foreign == 7
