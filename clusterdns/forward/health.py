"""How an upstream does, as its replies show.  Pure: time comes in as monotonic seconds."""

from collections import deque
from typing import Literal

DOWN_FAILURES = 3  # in a row; one or two are packets that got lost
LEAST_WAIT, MOST_WAIT = 0.02, 1.0  # seconds before another upstream is asked beside one that has not replied yet
FIRST_WAIT = 0.1  # the same for an upstream of which nothing is known
LEAST_RETRY, MOST_RETRY = 0.3, 3.0  # seconds after which a query is taken for lost
MOST_PAUSE = 30.0  # seconds between two probes
SAMPLES = 64  # replies that the figures are made of

State = Literal["healthy", "suspect", "down"]


class RoundTrips:
    """The times to the latest replies, in seconds."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=SAMPLES)
        self._sorted: list[float] | None = []

    def observe(self, seconds: float) -> None:
        self._times.append(seconds)
        self._sorted = None

    @property
    def median(self) -> float | None:
        return self._share(0.5)

    @property
    def p95(self) -> float | None:
        """None: there was no reply yet."""
        return self._share(0.95)

    def _share(self, share: float) -> float | None:
        if self._sorted is None:
            self._sorted = sorted(self._times)
        return self._sorted[int(share * len(self._sorted))] if self._sorted else None


class Health:
    """Any reply proves an upstream healthy; failures are silence and what the network reports."""

    def __init__(self) -> None:
        self.failures = 0  # in a row
        self._replied = float("-inf")  # when
        self._probes = 0  # without success since it went down

    @property
    def state(self) -> State:
        if not self.failures:
            return "healthy"
        return "suspect" if self.failures < DOWN_FAILURES else "down"

    def replied(self, now: float) -> None:
        self.failures = self._probes = 0
        self._replied = now

    def failed(self, began: float) -> None:
        """A try of the time *began* did.  One that a later reply has overtaken says something about its question only.

        Thus names whose own servers are dead do not make a good resolver look dead, as long as it answers others.
        """
        if began > self._replied:
            self.failures += 1

    def probe_failed(self) -> None:
        self._probes += 1

    @property
    def gone(self) -> bool:
        """It is down, and says nothing to probes either."""
        return self.state == "down" and self._probes > 0

    @property
    def pause(self) -> float:
        """Seconds until the next probe: none before the first, then 1, 2, 4 … 30."""
        return min(2.0 ** min(self._probes - 1, 10), MOST_PAUSE) if self._probes else 0.0


def hedge_wait(times: RoundTrips, state: State) -> float:
    """Seconds after which a hedge is worth it: a reply that takes longer than 95 of 100 will rather not come."""
    p95 = times.p95
    if p95 is None:
        return FIRST_WAIT
    return min(max(p95, LEAST_WAIT), MOST_WAIT) if state == "healthy" else LEAST_WAIT


def retry_wait(times: RoundTrips, tries: int) -> float:
    """Seconds after which the last of *tries* queries is taken for lost; twice as many after each (RFC 1536 §1).

    Unlike hedges retries are not bounded in number, so whatever is merely slow must rather not get any: a server that
    is slow with everything has a p95 that says so.
    """
    p95 = times.p95
    wait = max(2 * (FIRST_WAIT if p95 is None else p95), LEAST_RETRY)
    return min(wait * (1 << tries - 1), MOST_RETRY)
