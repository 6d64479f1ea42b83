"""Whether what was answered can be what an API held: every committed write beside every observed answer.

Times are seconds of one monotonic clock.  A write counts from the moment that it was sent, and has to count from the
moment that it was known to be committed; an answer was given some time between question and arrival.  So only what
cannot be right under any order of events is a violation.
"""

import bisect
from collections import defaultdict
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


class _Timeline:
    """What one question is answered, generation by generation."""

    def __init__(self) -> None:
        self.generations: list[_Generation] = []
        self._bases: list[float] = []
        self._sent: list[float] = []
        self._numbers: dict[Answer, list[int]] = {}

    def add(self, answer: Answer, write: Write, base: float) -> None:
        """Nothing new if it is what it was."""
        if self.generations and self.generations[-1].answer == answer:
            return
        self._numbers.setdefault(answer, []).append(len(self.generations))
        self.generations.append(_Generation(answer, write, base))
        self._bases.append(base)
        self._sent.append(write.sent)

    def due(self, at: float) -> int:
        """The number of the last one whose base is not behind *at*; the first one is always due."""
        return max(0, bisect.bisect_right(self._bases, at) - 1)

    def known(self, at: float) -> int:
        """How many had been sent *at* a time."""
        return bisect.bisect_right(self._sent, at)

    def fitting(self, answer: Answer | None, known: int) -> list[int]:
        """The numbers, of the first *known* ones, of those that say *answer*."""
        numbers = self._numbers.get(answer, []) if answer else []
        return numbers[: bisect.bisect_left(numbers, known)]


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
        least = max(reached.get(key, 0), line.due(one.asked - limit))
        known = line.known(one.arrived)
        fitting = line.fitting(one.answer, known)
        right = fitting[bisect.bisect_left(fitting, least) :]
        if not right:
            sort = _sort(one, line.generations[:known], fitting, reached.get(key, 0))
            violations.append(Violation(sort, one, _told(line.generations[least])))
            continue
        reached[key] = right[0]
        if right[-1] + 1 < len(line.generations):
            lag = max(lag, one.asked - line.generations[right[-1] + 1].base)
    return Verdict(violations, lag)


def _timelines(writes: Sequence[Write], outages: list[Outage], limit: float) -> dict[Question, _Timeline]:
    lines: dict[Question, _Timeline] = defaultdict(_Timeline)
    for write in writes:
        base = write.known
        for outage in outages:
            if outage.begun <= base + limit and outage.ended > base:
                base = outage.ended
        for question, answer in write.answers.items():
            lines[question].add(answer, write, base)
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


def _told(right: _Generation) -> str:
    answer = right.answer
    return f"right since {right.base:.3f}: {answer.rcode} {sorted(answer.records)} by {right.write.what}"
