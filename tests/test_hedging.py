"""How many hedges there are for so many questions."""

from clusterdns.forward.hedging import BURST, SHARE, Hedges


def test_a_burst_and_then_a_share_of_the_questions() -> None:
    hedges, made = Hedges(), 0
    for _ in range(10_000):
        hedges.earn()
        made += hedges.take()
    assert abs(made - BURST - 10_000 * SHARE) <= 1


def test_a_calm_earns_no_more_than_the_burst() -> None:
    hedges = Hedges()
    for _ in range(10_000):
        hedges.earn()
    assert sum(hedges.take() for _ in range(10_000)) == BURST
