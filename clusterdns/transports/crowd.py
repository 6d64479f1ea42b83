"""The open TCP connections of all listeners: how many there may be, and who goes when there are more."""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import NamedTuple, Protocol


class Limits(NamedTuple):
    """RFC 9210 §4.2 asks for each of them."""

    idle: float = 10.0  # seconds without a whole message; RFC 7766 §6.2.3 asks for "a few seconds"
    per_client: int = 256  # connections of one client
    total: int = 4096  # connections


class Member(Protocol):
    """An open connection."""

    client: str  # as ``addresses.client_of`` has it

    def abort(self) -> None: ...


class Crowd:
    """Over a limit the connection of longest silence goes, the new one is served.

    Over ``per_client`` it is one of that client, over ``total`` one of the client with most connections.
    """

    def __init__(self, limits: Limits = Limits()) -> None:  # noqa: B008 - it is frozen
        self.limits = limits  # may be replaced; who is inside stays
        self._clients: dict[str, OrderedDict[Member, None]] = {}  # each in order of its last message
        self._count = 0
        self.ever = 0  # connections since the start
        self.ended: Counter[str] = Counter()  # why we ended connections; all others were the client's end

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Member]:
        return iter([member for own in self._clients.values() for member in own])

    def opened(self, member: Member) -> None:
        own = self._clients.setdefault(member.client, OrderedDict())
        own[member] = None
        self._count += 1
        self.ever += 1
        if len(own) > self.limits.per_client:
            self._evict(own)
        elif self._count > self.limits.total:
            self._evict(max(self._clients.values(), key=len))

    def touched(self, member: Member) -> None:
        """It has sent a message."""
        own = self._clients.get(member.client)
        if own is not None and member in own:
            own.move_to_end(member)

    def end(self, member: Member, why: str) -> None:
        """Aborts it.  It is outside at once and counted once, so that no counter that is read meanwhile falls later."""
        before = self._count
        self.closed(member)
        self.ended[why] += before - self._count
        member.abort()

    def closed(self, member: Member) -> None:
        own = self._clients.get(member.client)
        if own is None or member not in own:
            return
        del own[member]
        self._count -= 1
        if not own:
            del self._clients[member.client]

    def _evict(self, members: OrderedDict[Member, None]) -> None:
        self.end(next(iter(members)), "evicted")
