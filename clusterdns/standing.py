"""What an operator is told of the server's standing when it changes: settings that were refused, and ``/ready``."""

import logging
import time
from collections.abc import Callable, Sequence

from clusterdns.errors import moment

logger = logging.getLogger("clusterdns")


class Refused:
    """Settings that were not taken over: told until a reload succeeds, for those in use are not those in the file."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        """*wall*: Unix seconds."""
        self._wall = wall
        self._since = 0.0
        self._lines: tuple[str, ...] = ()  # the last refusal; (): none
        self.count = 0

    def refuse(self, text: str) -> None:
        """*text*: what is wrong, a line each."""
        if not self._lines:
            self._since = self._wall()
        self._lines = tuple(text.splitlines())
        self.count += 1
        for line in self._lines:
            logger.error("settings not reloaded: %s", line)

    def accept(self) -> None:
        self._lines = ()

    def notes(self) -> list[str]:
        """A line each; [] where the settings in use are the last ones that were read."""
        return [f"settings not reloaded since {moment(self._since)}: {line}" for line in self._lines]


class Staleness:
    """Tells the log when ``/ready`` turns because of ``max_staleness``: probes alone see it else."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._since: float | None = None

    def look(self, reasons: Sequence[str]) -> None:
        """*reasons*: why what is served is too old, as of now; () where it is not."""
        if reasons and self._since is None:
            self._since = self._monotonic()
            logger.warning("/ready is 503 now: %s; what is known is answered on", "; ".join(reasons))
        elif not reasons and self._since is not None:
            logger.info("/ready is no longer 503 for max_staleness, after %.0f s", self._monotonic() - self._since)
            self._since = None
