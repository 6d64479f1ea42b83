"""What answers of others age by."""

import time

import pytest

from clusterdns.forward.clock import ageing


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="this system has no clock that counts sleep")
def test_it_counts_the_time_that_the_machine_slept(monkeypatch: pytest.MonkeyPatch) -> None:
    now = {time.CLOCK_BOOTTIME: 1000.0, time.CLOCK_MONOTONIC: 1000.0}
    monkeypatch.setattr(time, "clock_gettime", now.__getitem__)
    clock = ageing()
    now[time.CLOCK_BOOTTIME] += 3600  # of sleep
    assert clock() == 4600.0


def test_the_clock_of_the_system_goes_on() -> None:
    clock = ageing()
    first = clock()
    assert clock() >= first


def _forbidden(_: int) -> float:
    raise PermissionError


@pytest.mark.parametrize("lacks", [True, False], ids=["without such a clock", "where it is forbidden"])
def test_without_it_the_monotonic_one_has_to_do(monkeypatch: pytest.MonkeyPatch, lacks: bool) -> None:
    if lacks:
        monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    else:
        monkeypatch.setattr(time, "clock_gettime", _forbidden)
    assert ageing() is time.monotonic
