"""How many questions may wait for others: of one client, and in all."""

from socket import AF_INET6, inet_ntop, inet_pton
from typing import NamedTuple

# As places become few, no client may have more than so many times those that are left: of the 4096 that are the default
# four clients still get their thousand, and 250 that ask for all they can get leave some for one that has none.
_TIMES_LEFT = 16


class Limits(NamedTuple):
    per_client: int = 1000
    total: int = 4096


def client_of(address: str) -> str:
    """Who is counted as one: an address, or ``"2001:db8:0:1::/64"`` for all addresses of a global IPv6 network.

    Whoever has one of these has all of them.  Of other IPv6 addresses, unique local ones above all, each counts: there
    all pods of a node, or of a cluster, share a /64.
    """
    if ":" not in address or address.find(":") != 4 or address[0] not in "23":  # 2000::/3, as the kernel writes it
        return address
    return inet_ntop(AF_INET6, inet_pton(AF_INET6, address)[:8] + bytes(8)) + "/64"


class Admission:
    """*client*: as ``client_of`` has it."""

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
