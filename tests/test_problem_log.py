"""Problems in the log."""

import logging

import pytest

from clusterdns.errors import Problem, foremost
from clusterdns.problem_log import LOGGED, log_news

logger = logging.getLogger("clusterdns.test")
WARNINGS = [Problem("a.yaml", line, "warning", "CD107", f"no {line}", "stray", "remove it") for line in range(1, 301)]
ERROR = Problem("b.yaml", 1, "error", "CD103", "", "broken", "mend it")


def test_each_once_when_it_comes_and_when_it_is_mended(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log_news(logger, [], [ERROR])
    log_news(logger, [ERROR], [Problem("b.yaml", 7, "error", "CD103", "", "broken", "mend it")])  # it only moved
    log_news(logger, [ERROR], [])
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert told == [("ERROR", str(ERROR)), ("INFO", f"mended: {ERROR}")]


def test_an_error_behind_any_number_of_warnings_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    log_news(logger, [], [*WARNINGS, ERROR])
    told = [record.getMessage() for record in caplog.records]
    assert told == [*map(str, WARNINGS[: LOGGED - 1]), str(ERROR), "and 201 more problems"]


@pytest.mark.parametrize(
    ("severities", "most", "expected"),
    [
        ("", 2, []),
        ("ww", 2, [0, 1]),
        ("wew", 2, [0, 1]),
        ("wwe", 2, [0, 2]),
        ("wewe", 2, [1, 3]),
        ("eee", 2, [0, 1]),
        ("wee", 1, [1]),
    ],
)
def test_errors_rather_than_warnings_in_their_order(severities: str, most: int, expected: list[int]) -> None:
    problems = [ERROR if one == "e" else WARNINGS[at] for at, one in enumerate(severities)]
    assert foremost(problems, most) == tuple(problems[at] for at in expected)
