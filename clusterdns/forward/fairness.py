"""Waiting in a row where nobody stands behind all that another client wants."""

from collections import OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """First in, first out for each client, and clients take turns.  False: it is empty."""

    def __init__(self) -> None:
        self._clients: OrderedDict[str, deque[T]] = OrderedDict()  # none is empty; whose turn it is comes first

    def __bool__(self) -> bool:
        return bool(self._clients)

    def put(self, client: str, item: T) -> None:
        own = self._clients.get(client)
        if own is None:
            own = self._clients[client] = deque()
        own.append(item)

    def take(self) -> T:
        """Raises KeyError when it is empty."""
        client, own = self._clients.popitem(last=False)
        item = own.popleft()
        if own:
            self._clients[client] = own
        return item
