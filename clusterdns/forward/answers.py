"""What is asked of others, and what they said: bytes as they came, and where to patch them."""

from typing import NamedTuple

from msgspec import Struct

from clusterdns.errors import BackendError
from clusterdns.zone.names import Name
from clusterdns.zone.prepared import NOERROR, NXDOMAIN

YXDOMAIN = 6  # the name that a DNAME leads to is too long (RFC 6672 §2.2)
ANSWERS = (NOERROR, NXDOMAIN, YXDOMAIN)  # other rcodes say why there is none


class Question(NamedTuple):
    """All that an answer depends on, so that it is the key of the cache, too."""

    name: Name  # lower case
    rtype: int
    dnssec_ok: bool = False  # DO
    checking_disabled: bool = False  # CD


class Foreign(Struct, frozen=True, gc=False):
    """The answer to a Question.

    *wire* is its answer and authority section, with offsets as behind a header and a question for that very name, so
    that it begins at 12 + len(name) + 4.  It holds no OPT and no additional record.
    """

    rcode: int  # all twelve bits
    authentic: bool  # AD
    wire: bytes
    answers: int  # records
    authority: int  # records
    cuts: tuple[int, ...]  # the end of each record in wire
    ttls: tuple[int, ...]  # where in wire each TTL stands
    pointers: tuple[int, ...]  # where in wire each compression pointer stands
    ttl: int  # seconds: the least TTL of a positive answer, RFC 2308 §5 for a negative one; not bounded yet
    end: Name  # lower case: the last name of its alias chain
    error: tuple[int, str] | None = None  # the Extended DNS Error that came with it
    partial: bool = False  # the chain leads to *end*, and nothing is said of what is there: to be asked for
    cacheable: bool = True


class Unresolved(BackendError):  # noqa: N818 - nothing is wrong with us
    """Nobody who was asked could say.  *code*: the INFO-CODE of an Extended DNS Error (RFC 8914).

    *chain*: the partial answer whose end is the name that nobody could say anything of; None: the question's.
    """

    def __init__(self, code: int, text: str, chain: Foreign | None = None) -> None:
        super().__init__(text)
        self.code, self.text, self.chain = code, text, chain
