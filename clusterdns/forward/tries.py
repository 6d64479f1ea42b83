"""What can come of asking an upstream once, and how often one may."""

from collections import Counter, defaultdict
from typing import Literal

from clusterdns.errors import BackendError

MOST_TRIES = 3  # of one question, per server and transport (RFC 9520 §3.1)

# silence: nothing came, or nothing that belongs to the query.  network: what the system or the other end reported.
# local: this machine lacks something.  bad: a reply that says nothing: malformed, or of one who does not know.
# spent: it has been asked often enough.
Why = Literal["silence", "network", "local", "bad", "spent"]
Transport = Literal["udp", "tcp", "tls"]


class TryError(BackendError):
    """One try brought no answer."""

    def __init__(self, why: Why, text: str) -> None:
        super().__init__(text)
        self.why, self.text = why, text


class Tries:
    """Counts the queries that one question causes.  *connections*: of each upstream, the numbers of those it took."""

    def __init__(self) -> None:
        self._made: Counter[tuple[object, Transport]] = Counter()
        self.connections: defaultdict[object, set[int]] = defaultdict(set)

    def take(self, upstream: object, transport: Transport) -> None:
        """Raises TryError when there were enough."""
        made = self._made[upstream, transport]
        if made >= MOST_TRIES:
            raise TryError("spent", f"no answer to {made} queries")
        self._made[upstream, transport] = made + 1
