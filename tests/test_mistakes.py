"""Mistakes that people make in manifests, and what they are told: all of it in one file, to be read by eye.

``mistakes/manifests/good`` holds manifests in order.  ``mistakes/manifests/*.txt`` hold mistakes, each as a change of
one of them::

    == slice.yaml: a port of zero        (title; the file is good/service.yaml unless it is named)
    -    port: 8080                      (lines that go; together they are there once)
    +    port: 0                         (lines that come in their place)

``mistakes/manifests/messages.golden`` shows, for each, the wrong lines and the messages.  After a change of either::

    UPDATE=1 scripts/test tests/test_mistakes.py && git diff tests/mistakes/manifests/messages.golden
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from clusterdns.cluster.decode import Decoded, DocumentCache, decode_file
from clusterdns.cluster.faults import CODES
from clusterdns.errors import Problem

HERE = Path(__file__).parent / "mistakes" / "manifests"
GOLDEN = HERE / "messages.golden"


class Mistake(NamedTuple):
    title: str
    file: str
    gone: list[str]
    come: list[str]

    def text(self) -> str:
        good = (HERE / "good" / self.file).read_text()
        old = "".join(f"{line}\n" for line in self.gone)
        assert good.count(old) == 1, f"{self.title}: these lines are not there once"
        return good.replace(old, "".join(f"{line}\n" for line in self.come))

    def line(self) -> int:
        """The first one that is wrong."""
        good = (HERE / "good" / self.file).read_text().splitlines()
        return next(at for at in range(len(good)) if good[at : at + len(self.gone)] == self.gone) + 1


def mistakes() -> Iterator[Mistake]:
    for path in sorted(HERE.glob("*.txt")):
        for block in path.read_text().split("\n== ")[1:]:
            title, *lines = block.rstrip("\n").split("\n")
            file = title.partition(":")[0] if ":" in title else "service.yaml"
            gone, come = ([line[1:] for line in lines if line[:1] == mark] for mark in "-+")
            yield Mistake(title, file, gone, come)


def told(mistake: Mistake) -> Decoded:
    return decode_file(mistake.text().encode(), mistake.file, DocumentCache())


def shown(mistake: Mistake) -> str:
    first = mistake.line()
    lines = [f"{first + at:3}| {line}" for at, line in enumerate(mistake.come)] or ["   | (left out)"]
    return "\n".join([f"== {mistake.title}", *lines, *map(str, told(mistake).problems), ""])


MISTAKES = {mistake.title: mistake for mistake in mistakes()}


def test_there_are_enough_and_no_two_have_one_title() -> None:
    assert len(MISTAKES) == len(list(mistakes())) >= 200


@pytest.mark.parametrize("name", [path.name for path in sorted((HERE / "good").iterdir())])
def test_what_is_good_is_good(name: str) -> None:
    decoded = decode_file((HERE / "good" / name).read_bytes(), name, DocumentCache())
    assert decoded.problems == ()
    assert decoded.objects


def test_every_mistake_is_told_as_the_golden_file_has_it() -> None:
    text = "\n".join(map(shown, MISTAKES.values()))
    if os.environ.get("UPDATE"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_every_message_names_a_place_and_a_remedy(mistake: Mistake) -> None:
    problems = told(mistake).problems
    assert problems
    for problem in problems:
        assert problem.code in CODES
        assert problem.remedy
        assert problem.text
        assert re.match(rf"{re.escape(mistake.file)}:[1-9]\d*: (error|warning) ", str(problem))
    assert len(problems) <= 4, "one mistake, one message: at most some that follow from it"
    assert any(_is_near(problem, mistake) for problem in problems)


def _is_near(problem: Problem, mistake: Mistake) -> bool:
    """At a wrong line or one beside it, or at another field that names the wrong one, or where something is missing."""
    if mistake.line() - 2 <= problem.line <= mistake.line() + len(mistake.come) + 1:
        return True
    keys = {line.strip(" -").partition(":")[0] for line in (*mistake.gone, *mistake.come)}
    shown = f"{problem.text} {problem.remedy}"
    return any(key in shown for key in keys) or ("required" in shown and problem.line < mistake.line())
