"""Settings that were refused are told until others are taken, and the log says when ``/ready`` turns."""

import logging

import pytest

from clusterdns.standing import Refused, Staleness


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_refusal_is_told_since_the_first_one_and_until_one_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    refused = Refused(clock)
    assert refused.notes() == []
    refused.refuse("c.yaml:3:6: ttl: '5000' is out of range\nc.yaml:4:1: unknown setting tll")
    clock.now += 60
    refused.refuse("c.yaml:4:1: unknown setting tll")
    assert refused.notes() == ["settings not reloaded since 2027-01-15T08:00:00Z: c.yaml:4:1: unknown setting tll"]
    assert caplog.messages[0] == "settings not reloaded: c.yaml:3:6: ttl: '5000' is out of range"
    assert (len(caplog.messages), refused.count) == (3, 2)
    refused.accept()
    assert refused.notes() == []
    clock.now += 60
    refused.refuse("c.yaml:1:1: no")
    assert refused.notes() == ["settings not reloaded since 2027-01-15T08:02:00Z: c.yaml:1:1: no"]
    assert refused.count == 3


def test_every_line_of_a_refusal_is_a_note() -> None:
    refused = Refused(Clock())
    refused.refuse("c.yaml:3:6: one\nc.yaml:4:1: two")
    assert [note.rpartition(": ")[2] for note in refused.notes()] == ["one", "two"]


def test_the_log_says_once_that_what_is_served_is_too_old_and_once_that_it_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    staleness = Staleness(clock)
    with caplog.at_level(logging.INFO):
        for reasons in ([], ["no word for 121 s"], ["no word for 122 s"], [], []):
            staleness.look(reasons)
            clock.now += 7
    assert caplog.messages == [
        "/ready is 503 now: no word for 121 s; what is known is answered on",
        "/ready is no longer 503 for max_staleness, after 14 s",
    ]
