"""The checker of histories finds what is planted, and nothing else."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live.history import LIMIT, Answer, Outage, Question, Seen, Sort, Write, judge

DB, WEB = Question("db", "A"), Question("web", "A")
ABSENT = Answer("NXDOMAIN", frozenset())


def held(*records: str) -> Answer:
    return Answer("NOERROR", frozenset(records))


def write(at: float, answer: Answer, question: Question = DB, took: float = 0.1) -> Write:
    return Write(f"write of {at}", int(at * 10), at, at + took, {question: answer})


def seen(at: float, answer: Answer | None, question: Question = DB, replica: int = 0) -> Seen:
    return Seen(question, answer, at, at + 0.01, replica)


# Two slices of two endpoints; at 10 the first changes, at 20 the second, at 30 both are as in the beginning.
WRITES = [
    write(0, held("a1", "a2", "b1", "b2")),
    write(10, held("a3", "a4", "b1", "b2")),
    write(20, held("a3", "a4", "b3", "b4")),
    write(30, held("a1", "a2", "b1", "b2")),
]
FIRST, SECOND, THIRD, FOURTH = (one.answers[DB] for one in WRITES)

RIGHT: list[tuple[str, list[Seen], list[Outage]]] = [
    ("each in its time", [seen(5, FIRST), seen(12, SECOND), seen(22, THIRD), seen(32, FOURTH)], []),
    ("while it is written, both", [seen(10.05, SECOND), seen(10.06, SECOND)], []),
    ("within the limit, the old one", [seen(11, FIRST), seen(11.05, SECOND)], []),
    ("the same again is no step back", [seen(5, FIRST), seen(32, FIRST), seen(33, FIRST)], []),
    ("generations may be skipped", [seen(5, FIRST), seen(30.05, FOURTH)], []),
    ("in an outage the last one known", [seen(15, FIRST), seen(25, FIRST), seen(26.5, THIRD)], [Outage(9, 26)]),
    ("an outage that begins while a write is on its way", [seen(14, FIRST), seen(16.5, SECOND)], [Outage(10.5, 16)]),
    ("one outage behind the other", [seen(18, FIRST)], [Outage(9, 12), Outage(12.5, 17.5)]),
    ("another replica begins anew", [seen(12, SECOND), seen(12, FIRST, replica=1)], [Outage(9, 15)]),
]
WRONG: list[tuple[str, list[Seen], list[Outage], Sort]] = [
    ("nobody answers", [seen(5, None)], [], Sort.SILENT),
    ("a failure", [seen(5, Answer("SERVFAIL", frozenset()))], [], Sort.VANISHED),
    ("the name is gone", [seen(5, ABSENT)], [], Sort.VANISHED),
    ("the name is empty", [seen(5, held())], [], Sort.VANISHED),
    ("gone in an outage", [seen(15, ABSENT)], [Outage(9, 26)], Sort.VANISHED),
    ("a record of nobody", [seen(5, held("a1", "a2", "b1", "x"))], [], Sort.PHANTOM),
    ("the future", [seen(5, SECOND)], [], Sort.PHANTOM),
    ("half of a slice", [seen(12, held("a1", "a4", "b1", "b2"))], [], Sort.TORN),
    ("a slice is missing", [seen(12, held("a3", "a4"))], [], Sort.TORN),
    ("two generations at once", [seen(10.5, held("a1", "a2", "a3", "a4", "b1", "b2"))], [], Sort.TORN),
    ("slices of two generations", [seen(22, held("a1", "a2", "b3", "b4"))], [], Sort.TORN),
    ("back within the limit", [seen(10.5, SECOND), seen(10.6, FIRST)], [], Sort.BACKWARDS),
    ("back in an outage", [seen(10.5, SECOND), seen(15, FIRST)], [Outage(10.4, 26)], Sort.BACKWARDS),
    ("too late", [seen(11.2, FIRST)], [], Sort.STALE),
    ("too late after an outage", [seen(15, FIRST), seen(17.1, FIRST)], [Outage(9, 16)], Sort.STALE),
    ("too old for its outage", [seen(15, FIRST)], [Outage(12, 16)], Sort.STALE),
    ("one of two is late", [seen(22, SECOND)], [], Sort.STALE),
]


@pytest.mark.parametrize(("seen_then", "outages"), [row[1:] for row in RIGHT], ids=[row[0] for row in RIGHT])
def test_what_is_right(seen_then: list[Seen], outages: list[Outage]) -> None:
    assert judge(WRITES, seen_then, outages).violations == []


@pytest.mark.parametrize(("seen_then", "outages", "sort"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_is_planted(seen_then: list[Seen], outages: list[Outage], sort: Sort) -> None:
    (found,) = judge(WRITES, seen_then, outages).violations
    assert (found.sort, found.seen) == (sort, seen_then[-1])
    assert str(sort) in str(found)


def test_names_that_come_and_go() -> None:
    writes = [write(0, ABSENT), write(10, held("a")), write(20, ABSENT)]
    assert judge(writes, [seen(5, ABSENT), seen(12, held("a")), seen(22, ABSENT)]).violations == []
    (found,) = judge(writes, [seen(22, held())]).violations
    assert found.sort is Sort.PHANTOM


def test_names_are_judged_apart() -> None:
    writes = [*WRITES, write(10, held("w"), WEB)]
    assert judge(writes, [seen(12, SECOND), seen(12, held("w"), WEB), seen(13, SECOND)]).violations == []


def test_the_longest_lag() -> None:
    assert judge(WRITES, [seen(10.6, FIRST), seen(12, SECOND)]).lag == pytest.approx(0.5)
    assert judge(WRITES, [seen(16.3, FIRST)], [Outage(9, 16)]).lag == pytest.approx(0.3)


def histories(rng: Random) -> tuple[list[Write], list[Seen], list[Outage]]:
    """A server that does all it should: it knows of a write after a while, and of several at once after an outage."""
    outages = [Outage(100.0, 110.0), Outage(130.0, 131.0)]
    writes, now = [write(0, held("g0"))], 90.0
    for number in range(1, 40):
        now += rng.random() * 2
        writes.append(write(now, rng.choice((held(f"g{number}"), held(f"g{number}", "x"), held("same")))))
    arrivals, last = [], 0.0
    for one in writes:
        arrival = one.sent + rng.random() * LIMIT
        for outage in outages:
            if outage.begun <= arrival < outage.ended:
                arrival = outage.ended + rng.random() * LIMIT
        last = max(last, arrival)
        arrivals.append(last)
    answers, at = [], 80.0
    while at < now + 2:
        at += rng.random() / 2
        reached = [number for number, arrival in enumerate(arrivals) if arrival <= at]
        answers.append(seen(at, writes[reached[-1]].answers[DB]))
    return writes, answers, outages


@settings(max_examples=50)
@given(st.integers(0, 10**6))
def test_a_faithful_server_is_never_accused(seed: int) -> None:
    writes, answers, outages = histories(Random(seed))
    assert judge(writes, answers, outages).violations == []


@settings(max_examples=50)
@given(st.integers(0, 10**6), st.sampled_from([None, ABSENT, held("nobody's"), held("g0", "g1")]))
def test_one_wrong_answer_among_many_is_found(seed: int, planted: Answer | None) -> None:
    writes, answers, outages = histories(Random(seed))
    place = Random(seed).randrange(len(answers))
    answers[place] = answers[place]._replace(answer=planted)
    found = judge(writes, answers, outages)
    assert [one.seen for one in found.violations] == [answers[place]]
