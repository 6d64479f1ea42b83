"""How many questions may wait for others: of one client, and in all."""

from typing import NamedTuple

# As places become few, no client may have more than so many times those that are left: of the 4096 that are the default
# four clients still get their thousand, and 250 that ask for all they can get leave some for one that has none.
_TIMES_LEFT = 16


class Limits(NamedTuple):
    per_client: int = 1000
    total: int = 4096


class Admission:
    """*client*: as ``addresses.client_of`` has it."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits  # may be replaced; who is inside stays
        self.inside = 0
        self.refused = 0
        self._clients: dict[str, int] = {}

    def refusal(self, client: str) -> str | None:
        """Why no further question of *client* is taken; None: it may enter."""
        left = self.limits.total - self.inside
        if left <= 0:
            return "too many questions wait for other servers"
        own = self._of(client)
        if own >= self.limits.per_client or own >= _TIMES_LEFT * left:
            return "too many questions of this client wait for other servers"
        return None

    def enter(self, client: str) -> None:
        self.inside += 1
        self._clients[client] = self._of(client) + 1

    def leave(self, client: str) -> None:
        self.inside -= 1
        left = self._of(client) - 1
        if left > 0:
            self._clients[client] = left
        else:
            self._clients.pop(client, None)

    def _of(self, client: str) -> int:
        return self._clients.get(client, 0)
