"""How many questions may go to a second upstream before the first can be taken for lost.

A hedge cuts the slow end of the answers' times, where it stays rare.  Where everything is slow, be it that an upstream
has too much to do, each hedge would make it slower: so they are a share of the questions, as in gRPC's throttling of
hedges, and beyond that a question waits for ``health.retry_wait``.
"""

SHARE = 0.05  # of the questions: as many as take longer than the 95th percentile
BURST = 16.0  # after a calm: this many find out at once that an upstream has gone


class Hedges:
    """Those that the questions of one group of upstreams may still make."""

    def __init__(self) -> None:
        self._left = BURST

    def earn(self) -> None:
        """With each question."""
        self._left = min(self._left + SHARE, BURST)

    def take(self) -> bool:
        """Whether there was one left."""
        if self._left < 1:
            return False
        self._left -= 1
        return True
