"""Whether what was answered can be what an API held: every committed write beside every observed answer.

Times are seconds of one monotonic clock.  A write counts from the moment that it was sent, and has to count from the
moment that it was known to be committed; an answer was given some time between question and arrival.  So only what
cannot be right under any order of events is a violation.
"""

import bisect
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

LIMIT = 1.0  # seconds between a write, or the end of an outage, and the answers that must know of it


class Question(NamedTuple):
    name: str
    rtype: str


class Answer(NamedTuple):
    rcode: str
    records: frozenset[str]  # of the answer section and of the additional one, as text


class Write(NamedTuple):
    """*answers*: of the questions that it changes."""

    what: str  # "EndpointSlice history/db-1"
    version: int  # resourceVersion; 0 where the server does not tell it
    sent: float
    known: float
    answers: Mapping[Question, Answer]


class Seen(NamedTuple):
    """*answer*: None where none came.  *replica*: one process from its start to its end."""

    question: Question
    answer: Answer | None
    asked: float
    arrived: float
    replica: int = 0


class Outage(NamedTuple):
    """Of the way from the API to the server.  *ended*: when the API was ready and could be reached again."""

    begun: float
    ended: float


class Sort(StrEnum):
    SILENT = "no answer"
    PHANTOM = "an answer that the API never held till then"
    TORN = "records of several generations"
    VANISHED = "nothing, for what existed throughout"
    BACKWARDS = "an older generation than was seen before"
    STALE = "an older generation than was due"


class Violation(NamedTuple):
    sort: Sort
    seen: Seen
    known: str  # what would have been right

    def __str__(self) -> str:
        one = self.seen
        answer = f"{one.answer.rcode} {sorted(one.answer.records)}" if one.answer else "nothing"
        asked = f"{one.question.name} {one.question.rtype} at {one.asked:.3f} (replica {one.replica})"
        return f"{self.sort}: {asked}: {answer}; {self.known}"


class Verdict(NamedTuple):
    violations: list[Violation]
    lag: float  # seconds: the longest that an answer was certainly behind a write or the end of an outage


class _Generation(NamedTuple):
    answer: Answer
    write: Write
    base: float  # from when on it could be known: when it was committed, or when the outage ended


def judge(
    writes: Sequence[Write], seen: Iterable[Seen], outages: Sequence[Outage] = (), limit: float = LIMIT
) -> Verdict:
    """*writes* in the order of their commits; the first ones say what was there before anything was asked.

    *seen*: of each replica in the order of asking, and none was asked before the one before it had arrived.
    """
    lines = _timelines(writes, sorted(outages), limit)
    reached: dict[tuple[int, Question], int] = {}
    violations, lag = list[Violation](), 0.0
    for one in seen:
        line, key = lines[one.question], (one.replica, one.question)
        last = reached.get(key, 0)
        due = bisect.bisect_right([each.base + limit for each in line], one.asked) - 1
        known = [number for number, each in enumerate(line) if each.write.sent <= one.arrived]
        fitting = [number for number in known if line[number].answer == one.answer]
        right = [number for number in fitting if number >= max(last, due)]
        if not right:
            sort = _sort(one, [line[number] for number in known], fitting, last)
            violations.append(Violation(sort, one, _told(line, max(last, due))))
            continue
        reached[key] = right[0]
        if right[-1] + 1 < len(line):
            lag = max(lag, one.asked - line[right[-1] + 1].base)
    return Verdict(violations, lag)


def _timelines(writes: Sequence[Write], outages: list[Outage], limit: float) -> dict[Question, list[_Generation]]:
    lines: dict[Question, list[_Generation]] = {}
    for write in writes:
        base = write.known
        for outage in outages:
            if outage.begun <= base + limit and outage.ended > base:
                base = outage.ended
        for question, answer in write.answers.items():
            line = lines.setdefault(question, [])
            if not line or line[-1].answer != answer:
                line.append(_Generation(answer, write, base))
    return lines


def _sort(one: Seen, known: list[_Generation], fitting: list[int], last: int) -> Sort:
    """Why *one* is wrong.  *known*: what it might have been.  *fitting*: what it is like, if anything."""
    if one.answer is None:
        return Sort.SILENT
    if fitting:
        return Sort.BACKWARDS if fitting[-1] < last else Sort.STALE
    if not one.answer.records and all(each.answer.records for each in known):
        return Sort.VANISHED
    if one.answer.records and one.answer.records <= {record for each in known for record in each.answer.records}:
        return Sort.TORN
    return Sort.PHANTOM


def _told(line: list[_Generation], least: int) -> str:
    after = line[least]
    return f"right since {after.base:.3f}: {after.answer.rcode} {sorted(after.answer.records)} by {after.write.what}"
