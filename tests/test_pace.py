"""How long is waited before the next try."""

import pytest

from clusterdns.sources.kubernetes.faults import ApiError, Reason
from clusterdns.sources.kubernetes.pace import GENTLE, Backoff


def delays(reason: Reason, times: int, *, drawn: float, retry_after: float = 0.0) -> list[float]:
    backoff = Backoff(lambda: drawn)
    return [round(backoff.delay(ApiError(reason, "", retry_after=retry_after)), 1) for _ in range(times)]


SOON_LOW, SOON_HIGH = [0.2] * GENTLE, [0.7] * GENTLE

OFTEN = ([0.2] * 3 * GENTLE, [0.7] * 3 * GENTLE)
RARE = ([*SOON_LOW, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0], [*SOON_HIGH, 1, 2, 4, 8, 16, 30, 30])
RARE_BUT_AT_ONCE = tuple([0.0, *row[1:]] for row in RARE)
COSTLY = ([0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0], [1, 2, 4, 8, 16, 30, 30])
COSTLY_BUT_AT_ONCE = tuple([0.0, *row[1:]] for row in COSTLY)

DELAYS = {
    # Nobody is there, or the way is broken: no server has anything to do.
    Reason.REFUSED: OFTEN,
    Reason.CLOSED: OFTEN,
    Reason.UNTRUSTED: OFTEN,
    Reason.CREDENTIALS: OFTEN,
    Reason.SILENT: OFTEN,  # each try has waited for long already
    # A server has answered, and may answer so for ever.
    Reason.CUT: RARE,
    Reason.GARBLED: RARE,
    Reason.FAILED: RARE,
    Reason.FORBIDDEN: RARE,
    Reason.UNAUTHORIZED: RARE_BUT_AT_ONCE,
    Reason.ENDED: RARE_BUT_AT_ONCE,
    # It has too much to do, or the next try is a list.
    Reason.BUSY: COSTLY,
    Reason.BUG: COSTLY,
    Reason.EXPIRED: COSTLY_BUT_AT_ONCE,
    Reason.DISORDER: COSTLY_BUT_AT_ONCE,
    Reason.HISTORY: COSTLY_BUT_AT_ONCE,
    Reason.DIVERGED: COSTLY_BUT_AT_ONCE,
}


def test_every_reason_has_a_row() -> None:
    assert set(DELAYS) == set(Reason)


@pytest.mark.parametrize(("reason", "rows"), DELAYS.items(), ids=lambda one: one if isinstance(one, Reason) else "")
def test_delays(reason: Reason, rows: tuple[list[float], list[float]]) -> None:
    lowest, highest = rows
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


def test_who_was_looked_for_long_and_breaks_off_once_is_tried_soon() -> None:
    backoff = Backoff(lambda: 1.0)
    for _ in range(1000):
        backoff.delay(ApiError(Reason.CLOSED, ""))
    assert backoff.delay(ApiError(Reason.CUT, "")) == 0.7


def test_any_number_of_tries() -> None:
    assert delays(Reason.FAILED, 3000, drawn=1.0)[-1] == 30
