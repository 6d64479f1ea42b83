"""How a query tells who has forwarded it, so that a loop is seen where it closes.

An EDNS option with eight random octets of each clusterdns on its way.  Others ignore it (RFC 6891 §6.1.2), and most do
not pass it on: a loop through them is ended by the question already being under way.  So is one that is longer than a
trail.  That it is long proves nothing: any client can write marks, and everybody who waits for the same question with
it would be refused by the next server.
"""

from clusterdns.engine.edns import TRAIL, option

MARK_OCTETS = 8
MAX_MARKS = 8  # the latest


def why_not(trail: bytes, own: bytes) -> str | None:
    """Why a query that has come along *trail* goes no further; *own*: our mark."""
    return "a forwarding loop: this question has been here before" if own in _marks(trail) else None


def trail_option(trail: bytes, own: bytes) -> bytes:
    """For the query that we send."""
    return option(TRAIL, b"".join([*_marks(trail), own][-MAX_MARKS:]))


def _marks(trail: bytes) -> list[bytes]:
    """None where the option is not one of ours: its number is for everybody's private use."""
    if len(trail) % MARK_OCTETS:
        return []
    latest = trail[-MAX_MARKS * MARK_OCTETS :]
    return [latest[at : at + MARK_OCTETS] for at in range(0, len(latest), MARK_OCTETS)]
