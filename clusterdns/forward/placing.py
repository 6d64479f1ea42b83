"""Foreign -> octets of a response: TTLs counted down, pointers moved, cut to what the client takes."""

from clusterdns.engine.edns import SERVER_OCTETS
from clusterdns.engine.elsewhere import Resolve
from clusterdns.forward.answers import Foreign
from clusterdns.zone.names import Name


def bounded(foreign: Foreign, most: int) -> Foreign:
    """With no TTL above *most* seconds, its own included: once, before it is kept."""
    raise NotImplementedError


def sections(foreign: Foreign, age: int, ttl: int | None = None) -> bytes:
    """Its wire *age* seconds later, TTLs not below 0; with a *ttl* (stale answers, RFC 8767 §5.2) that one for each.

    Of the same length: the offsets of *foreign* hold for it.
    """
    raise NotImplementedError


def behind(foreign: Foreign, wire: bytes, target: Name, target_at: int, start: int) -> tuple[bytes, tuple[int, ...]]:
    """*wire* (its ``sections``) as it stands at *start* of a message that has *target*, the name it answers for, in
    full octets at *target_at*; and the end of each record in it.
    """
    raise NotImplementedError


def continued(first: Foreign, name: Name, second: Foreign) -> Foreign:
    """*first*, the partial answer for *name*, and *second*, the one for the end of its chain: one answer."""
    raise NotImplementedError


def respond(
    resolve: Resolve,
    foreign: Foreign,
    wire: bytes,
    options: bytes = b"",
    udp_octets: int = SERVER_OCTETS,
    error: tuple[int, str] | None = None,
) -> bytes:
    """The whole response, of at most ``resolve.limit`` octets; *wire*: the ``sections`` of *foreign*, for its target.

    *options*, *udp_octets*: of its OPT, as for ``engine.reply.render``.  *error*: an Extended DNS Error of ours; else
    the one that came with *foreign* is passed on.

    What does not fit goes in this order: the error's text, then, with TC, the authority section and records of the
    answer from the last.  AD is passed on to those who asked (RFC 6840 §5.8), and not behind aliases of ours.
    """
    raise NotImplementedError
