"""How many questions may wait for others: of one client, and in all."""

from typing import NamedTuple


class Limits(NamedTuple):
    per_client: int = 1000
    total: int = 4096
    pressed: int = 1  # of one client while packets come faster than they are answered


class Admission:
    def __init__(self, limits: Limits) -> None:
        self.limits = limits  # may be replaced; who is inside stays
        self.inside = 0
        self.refused = 0
        self._clients: dict[str, int] = {}

    def refusal(self, client: str, *, pressed: bool) -> str | None:
        """Why no further question of *client* is taken; None: it may enter."""
        per_client = self.limits.pressed if pressed else self.limits.per_client
        if self.inside >= self.limits.total:
            return "too many questions wait for other servers"
        return "too many questions of this client wait for other servers" if self._of(client) >= per_client else None

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
