"""How long is waited before the next try."""

import pytest

from clusterdns.sources.kubernetes.faults import ApiError, Reason
from clusterdns.sources.kubernetes.pace import GENTLE, Backoff


def delays(reason: Reason, times: int, *, drawn: float, retry_after: float = 0.0) -> list[float]:
    backoff = Backoff(lambda: drawn)
    return [round(backoff.delay(ApiError(reason, "", retry_after=retry_after)), 1) for _ in range(times)]


SOON_LOW, SOON_HIGH = [0.2] * GENTLE, [0.7] * GENTLE


@pytest.mark.parametrize(
    ("reason", "lowest", "highest"),
    [
        (Reason.REFUSED, [*SOON_LOW, 0.2, 0.2, 0.2], [*SOON_HIGH, 0.7, 0.7, 0.7]),
        (Reason.FAILED, [*SOON_LOW, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0], [*SOON_HIGH, 1, 2, 4, 8, 16, 30, 30]),
        (Reason.FORBIDDEN, [*SOON_LOW, 0.5, 1.0], [*SOON_HIGH, 1, 2]),
        (Reason.UNAUTHORIZED, [0.0, *SOON_LOW[1:], 0.5], [0.0, *SOON_HIGH[1:], 1]),
        (Reason.ENDED, [0.0, *SOON_LOW[1:], 0.5], [0.0, *SOON_HIGH[1:], 1]),
        (Reason.BUSY, [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0], [1, 2, 4, 8, 16, 30, 30]),
        (Reason.EXPIRED, [0.0, 1.0, 2.0, 4.0, 8.0, 15.0], [0, 2, 4, 8, 16, 30]),
    ],
)
def test_delays(reason: Reason, lowest: list[float], highest: list[float]) -> None:
    assert delays(reason, len(lowest), drawn=0.0) == lowest
    assert delays(reason, len(highest), drawn=1.0) == highest


def test_what_the_server_asks_for_is_kept_within_reason() -> None:
    assert delays(Reason.BUSY, 2, drawn=0.0, retry_after=7) == [7, 7]
    assert delays(Reason.FAILED, 1, drawn=0.0, retry_after=3) == [3]
    assert delays(Reason.BUSY, 1, drawn=0.0, retry_after=86400) == [30]


def test_reasons_that_take_turns_do_not_hide_each_other() -> None:
    backoff = Backoff(lambda: 1.0)
    seconds = [backoff.delay(ApiError(reason, "")) for _ in range(6) for reason in (Reason.EXPIRED, Reason.ENDED)]
    assert seconds[::2] == [0, 2, 4, 8, 16, 30]
    assert backoff.count(Reason.ENDED) == 6
    backoff.forget()
    assert backoff.delay(ApiError(Reason.EXPIRED, "")) == 0


def test_any_number_of_tries() -> None:
    assert delays(Reason.FAILED, 3000, drawn=1.0)[-1] == 30
