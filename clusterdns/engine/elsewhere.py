"""What the engine asks of whoever answers for the names of others, and what it does for them."""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from clusterdns.engine.edns import Error
from clusterdns.engine.gate import Query
from clusterdns.engine.reply import Reply
from clusterdns.zone.names import Name

Send = Callable[[bytes], None]
# Begins to wait.  *Send* gets the response, once, perhaps before this returns, and on the loop's thread.
Later = Callable[[Send], None]


class Resolve(Struct, frozen=True, gc=False):
    """A question that others must be asked, and what of its answer is known."""

    query: Query
    target: Name  # lower case: the question's name, or where the chain so far ends
    chain: tuple[bytes, ...]  # the records that lead to it, as they stand behind the question
    target_at: int  # offset of the target's name in the response: 12 in the question, 0 nowhere
    flags: int  # AA and RA of the response
    limit: int  # its octets
    transport: str
    address: str  # the client's
    inside: "Inside"
    crossings: int = 0  # how often the chain has come back into zones of ours
    errors: tuple[Error, ...] = ()  # what is to be said of what others said of the chain


class Elsewhere(Protocol):
    """Names that no zone of ours holds."""

    def takes(self, name: Name) -> bool:
        """Whether there is somebody to ask for *name*, which falls through or is where an alias of ours leads."""

    def tells(self, name: Name) -> bool:
        """Whether there is something to say of *name*, where an alias of ours leads, with or without asking."""

    def known(
        self, packet: bytes, end: int, name: bytes, rtype: int, limit: int, opt: bytes, address: str
    ) -> bytes | None:
        """The response to a plain query for a name outside of our zones, if it is at hand and fits into *limit*.

        *end*: of the name in *packet*.  *name*: well-formed and lower case.  *opt*: the response's OPT, b"" for none.
        """

    def ask(self, resolve: Resolve) -> bytes | Later:
        """The response where it is known, and otherwise how to wait for it.  Never blocks, never raises."""


class Inside(Protocol):
    """What is done here with an answer of others."""

    def finish(self, resolve: Resolve, reply: Reply) -> bytes:
        """The response: cut to what the client takes, with the options that it is told."""

    def options(self, resolve: Resolve) -> tuple[bytes, int]:
        """Of the response's OPT, if it has one: the options that are told, and the octets that we take over UDP."""

    def holds(self, name: Name) -> bool:
        """Whether our zones have the last word on *name*."""

    def exists(self, name: Name) -> bool:
        """Whether *name* is there in our zones, if only because others of ours are below it."""

    def resume(self, resolve: Resolve) -> bytes | Later:
        """The response where the chain has come back to a target that our zones hold."""
