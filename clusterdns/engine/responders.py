"""One Responder for each door where queries are counted, all with the same table."""

from collections.abc import Callable
from typing import Protocol

from clusterdns.engine.answer import Responder
from clusterdns.engine.elsewhere import Later
from clusterdns.engine.manners import Peer
from clusterdns.engine.tally import Tally


class Make(Protocol):
    def __call__(self, *, tally: Tally) -> Responder: ...


class Responders:
    def __init__(self, make: Make) -> None:
        """*make* makes one that counts in that Tally."""
        self._make = make
        self._made: dict[Tally, Responder] = {}
        self._stale = ""

    def at(self, tally: Tally) -> Callable[[bytes, str, Peer], bytes | Later | None]:
        """See ``Responder.answer``."""
        responder = self._made.get(tally)
        if responder is None:
            responder = self._made[tally] = self._make(tally=tally)
            responder.mark_stale(self._stale)
        return responder.answer

    def mark_stale(self, text: str) -> None:
        """See ``Responder.mark_stale``."""
        self._stale = text
        for responder in self._made.values():
            responder.mark_stale(text)
