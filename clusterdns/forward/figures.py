"""What an upstream has done so far, in plain numbers: the metrics page reads them."""

from collections import Counter

from clusterdns.forward.tries import Why
from clusterdns.histogram import TIME, Histogram


class Figures:
    """They only grow, and may be those of several Upstreams, at once or one after the other: see ``ledger``."""

    def __init__(self) -> None:
        self.replies: dict[int, Histogram] = {}  # rcode -> seconds until its replies
        self.failures: Counter[Why] = Counter()
        self.sockets = 0  # that were opened for UDP, one for each query
        self.opened = self.reused = 0  # queries over streams that made a connection, or found one
        self.stray = 0  # messages that belonged to no query, or to another one
        self.near_misses = 0  # replies over UDP with another letter case of the name
        self.probes = self.probe_failures = 0
        self.users = 0  # Upstreams that may still ask something

    def replied(self, rcode: int, seconds: float) -> None:
        if rcode not in self.replies:
            self.replies[rcode] = Histogram(TIME)
        self.replies[rcode].observe(seconds)

    @property
    def queries(self) -> int:
        """Answered ones."""
        return sum(one.count for one in self.replies.values())

    @property
    def foreign(self) -> int:
        """Messages that did not belong to their question, so that they may be forged."""
        return self.stray + self.near_misses
