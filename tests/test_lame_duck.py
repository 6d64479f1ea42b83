"""The end after SIGTERM: answers go on while somebody asks or waits, and the log says how long and why no longer."""

import logging
from collections.abc import Callable

import pytest
from jumping import jumping

from clusterdns.lame_duck import lame_duck


class Clients:
    """What they do at each look that somebody takes at them."""

    def __init__(self, asks: Callable[[int], bool], waiting: Callable[[int], bool]) -> None:
        self._asks, self._waiting, self._looks, self._count = asks, waiting, 0, 0

    @property
    def queries(self) -> int:
        self._looks += 1
        self._count += self._asks(self._looks)
        return self._count

    @property
    def under_way(self) -> int:
        return int(self._waiting(self._looks))


def ended(clients: Clients, most: float, quiet: float, caplog: pytest.LogCaptureFixture) -> list[str]:
    with caplog.at_level(logging.INFO):
        jumping(lambda: lame_duck(clients, most, quiet))
    return caplog.messages


def test_nobody_asks(caplog: pytest.LogCaptureFixture) -> None:
    began, end = ended(Clients(lambda _: False, lambda _: False), 60.0, 0.0, caplog)
    assert began == "SIGTERM: answering until nobody has asked for 0 s, for 60 s at most (lameduck)"
    assert end == "ending after 0.0 s, 0 queries since SIGTERM: nobody asks any more"


def test_somebody_asks_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    _, end = ended(Clients(lambda look: look > 1, lambda _: False), 0.05, 60.0, caplog)
    assert end.endswith("1 query since SIGTERM: lameduck is over")


def test_somebody_waits_for_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    _, end = ended(Clients(lambda _: False, lambda look: look < 3), 60.0, 0.0, caplog)
    assert end == "ending after 0.2 s, 0 queries since SIGTERM: nobody asks any more"


def test_without_lameduck_it_is_over_at_once(caplog: pytest.LogCaptureFixture) -> None:
    _, end = ended(Clients(lambda _: True, lambda _: True), 0.0, 1.0, caplog)
    assert end == "ending after 0.0 s, 0 queries since SIGTERM: lameduck is over"
