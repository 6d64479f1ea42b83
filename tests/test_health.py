"""What replies and failures say of an upstream, as tables."""

import pytest

from clusterdns.forward.health import (
    FIRST_WAIT,
    LEAST_RETRY,
    LEAST_WAIT,
    MOST_RETRY,
    MOST_WAIT,
    SAMPLES,
    Health,
    RoundTrips,
    State,
    hedge_wait,
    retry_wait,
)

# Events: "r 5": a reply at 5; "f 3": a try that began at 3 has failed.
STATES: dict[str, tuple[str, State]] = {
    "nothing known": ("", "healthy"),
    "a reply": ("r1", "healthy"),
    "one failure": ("f1", "suspect"),
    "two failures": ("f1 f2", "suspect"),
    "three in a row": ("f1 f2 f3", "down"),
    "a reply between": ("f1 f2 r3 f4 f5", "suspect"),
    "up again": ("f1 f2 f3 r4", "healthy"),
    "a reply came after they had begun": ("r9 f1 f2 f3 f4", "healthy"),
    "some began before the last reply": ("r9 f1 f2 f10 f11", "suspect"),
}


@pytest.mark.parametrize(("events", "state"), STATES.values(), ids=STATES)
def test_states(events: str, state: State) -> None:
    health = Health()
    for event in events.split():
        if event[0] == "r":
            health.replied(float(event[1:]))
        else:
            health.failed(float(event[1:]))
    assert health.state == state


def test_pauses_between_probes_grow_and_begin_anew() -> None:
    health = Health()
    pauses = []
    for _ in range(9):
        pauses.append(health.pause)
        health.probe_failed()
    assert pauses == [0, 1, 2, 4, 8, 16, 30, 30, 30]
    health.replied(1.0)
    assert health.pause == 0


def times_of(*seconds: float) -> RoundTrips:
    times = RoundTrips()
    for one in seconds:
        times.observe(one)
    return times


WAITS: dict[str, tuple[tuple[float, ...], State, float]] = {
    "nothing known": ((), "healthy", FIRST_WAIT),
    "one reply": ((0.3,), "healthy", 0.3),
    "quick": ((0.001,) * 20, "healthy", LEAST_WAIT),
    "slow": ((3.0,) * 20, "healthy", MOST_WAIT),
    "one of twenty is slow": ((*(0.05,) * 19, 0.4), "healthy", 0.4),
    "one of forty is slow": ((*(0.05,) * 39, 0.4), "healthy", 0.05),
    "suspect": ((0.5,) * 20, "suspect", LEAST_WAIT),
    "down": ((0.5,) * 20, "down", LEAST_WAIT),
    "long ago": ((*(0.9,) * 200, *(0.05,) * SAMPLES), "healthy", 0.05),
}


@pytest.mark.parametrize(("seconds", "state", "wait"), WAITS.values(), ids=WAITS)
def test_how_long_a_try_is_waited_for_alone(seconds: tuple[float, ...], state: State, wait: float) -> None:
    assert hedge_wait(times_of(*seconds), state) == wait


def test_the_median() -> None:
    assert times_of().median is None
    assert times_of(5, 1, 3).median == 3


RETRIES: dict[str, tuple[tuple[float, ...], list[float]]] = {
    "nothing known": ((), [0.3, 0.6, 1.2]),
    "quick": ((0.001,) * 20, [LEAST_RETRY, 0.6, 1.2]),
    "slow": ((0.5,) * 20, [1.0, 2.0, MOST_RETRY]),
    "very slow": ((4.0,) * 20, [MOST_RETRY] * 3),
}


@pytest.mark.parametrize(("seconds", "waits"), RETRIES.values(), ids=RETRIES)
def test_when_a_query_is_taken_for_lost(seconds: tuple[float, ...], waits: list[float]) -> None:
    assert [retry_wait(times_of(*seconds), tries) for tries in (1, 2, 3)] == waits


def test_who_is_gone() -> None:
    health = Health()
    health.probe_failed()
    assert not health.gone
    for _ in range(3):
        health.failed(1.0)
    assert health.gone
    health.replied(2.0)
    for _ in range(3):
        health.failed(3.0)
    assert not health.gone
