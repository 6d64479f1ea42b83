"""Histograms in plain numbers, and the buckets that metrics have."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

# As CoreDNS has them (plugin/metrics.go, plugin/health, plugin/kubernetes), in seconds and octets.
TIME = tuple(0.00025 * 2**step for step in range(16))
SLIM_TIME = tuple(0.00025 * 10**step for step in range(5))
PROGRAMMING = tuple(0.001 * 2**step for step in range(20))
SIZE = (0.0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000, 48000, 64000)
# The defaults of Prometheus's client for Go, in seconds.
DEFAULT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Histogram:
    """How often a value was at most so large.  *bounds* rise; above the last of them is +Inf."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)  # each for its own bucket, not for those below
        self.total = 0.0  # of all values

    @property
    def count(self) -> int:
        return sum(self.counts)

    def observe(self, value: float, times: int = 1) -> None:
        self.counts[bisect_left(self.bounds, value)] += times
        self.total += value * times

    def add(self, other: "Histogram") -> None:
        """*other* has the same bounds."""
        for index, count in enumerate(other.counts):
            self.counts[index] += count
        self.total += other.total

    def take(self, count: int) -> "Histogram":
        """Moves the *count* least values out, each with the mean of all as its part of the total."""
        taken = Histogram(self.bounds)
        taken.total = self.total * count / max(self.count, count, 1)
        self.total -= taken.total
        for index, own in enumerate(self.counts):
            taken.counts[index] = min(own, count)
            self.counts[index] -= taken.counts[index]
            count -= taken.counts[index]
        return taken

    def copy(self) -> "Histogram":
        made = Histogram(self.bounds)
        made.add(self)
        return made

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """(bound, how many values were at most that), +Inf last."""
        count = 0
        for bound, own in zip((*self.bounds, float("inf")), self.counts, strict=True):
            count += own
            yield bound, count
