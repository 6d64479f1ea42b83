"""What the engine asks of whoever answers for the names of others."""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from clusterdns.engine.gate import Query
from clusterdns.zone.names import Name

Send = Callable[[bytes], None]
# Begins to wait.  *Send* gets the response, once, perhaps before this returns, and on the loop's thread.
Later = Callable[[Send], None]


class Resolve(Struct, frozen=True, gc=False):
    """A question that others must be asked, and what of its answer is known."""

    query: Query
    target: Name  # lower case: the question's name, or where our aliases end
    chain: tuple[bytes, ...]  # our CNAME records, as they stand behind the question
    target_at: int  # offset of the target's name in the response; 12: in the question
    flags: int  # AA and RA of the response
    limit: int  # its octets
    transport: str
    address: str  # the client's


class Elsewhere(Protocol):
    """Names that no zone of ours holds."""

    def ask(self, resolve: Resolve) -> bytes | Later:
        """The response where it is known, and otherwise how to wait for it.  Never blocks, never raises."""
