"""What an upstream has done so far, in plain numbers: the metrics page reads them."""

from collections import Counter

from clusterdns.forward.tries import Why
from clusterdns.histogram import TIME, Histogram


class Figures:
    def __init__(self) -> None:
        self.replies: dict[int, Histogram] = {}  # rcode -> seconds until its replies
        self.failures: Counter[Why] = Counter()
        self.near_misses = 0  # replies with another letter case of the name
        self.probes = self.probe_failures = 0

    def replied(self, rcode: int, seconds: float) -> None:
        if rcode not in self.replies:
            self.replies[rcode] = Histogram(TIME)
        self.replies[rcode].observe(seconds)

    @property
    def queries(self) -> int:
        """Answered ones."""
        return sum(one.count for one in self.replies.values())
