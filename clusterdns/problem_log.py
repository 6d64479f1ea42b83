"""Problems in the log: each once when it comes and once when it is mended, and never a flood."""

import logging
from collections.abc import Iterable

from msgspec.structs import replace

from clusterdns.errors import Problem, foremost

LOGGED = 100  # lines per look; whoever keeps the problems has them all


def log_news(logger: logging.Logger, before: Iterable[Problem], after: Iterable[Problem]) -> None:
    """New problems once each, and those that are gone; one that merely moved to another line is neither."""
    if before == after:
        return
    old, new = ({replace(problem, line=0): problem for problem in problems} for problems in (before, after))
    come = [problem for key, problem in new.items() if key not in old]
    for problem in foremost(come, LOGGED):
        logger.log(logging.ERROR if problem.severity == "error" else logging.WARNING, "%s", problem)
    if len(come) > LOGGED:
        logger.error("and %d more problems", len(come) - LOGGED)
    gone = [problem for key, problem in old.items() if key not in new]
    for problem in gone[:LOGGED]:
        logger.info("mended: %s", problem)
    if len(gone) > LOGGED:
        logger.info("mended: %d more problems", len(gone) - LOGGED)
