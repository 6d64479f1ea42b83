"""Why an answer is negative: each cause once, with what Extended DNS Errors say of it (RFC 8914).

Nothing here tells what is hidden from what does not exist.  ``zone.causes`` has the same codes, and more words, for
people who have the room.
"""

from msgspec import Struct

from clusterdns.zone.extended_errors import NOT_READY, OTHER, STALE_ANSWER, STALE_NXDOMAIN_ANSWER


class Reason(Struct, frozen=True, gc=False):
    code: str  # stable, for tools
    ede: int  # INFO-CODE
    text: str  # at most one short sentence: it travels in a packet


NOT_SYNCED = Reason("not-synced", NOT_READY, "the server has not read its objects yet: try again soon")


def no_ready_endpoint(total: int) -> Reason:
    """A headless Service whose endpoints are all unready, or that has none.

    Why it has none is not told: pods may match its selector and have no address yet, and of a live API nobody follows
    them.
    """
    if not total:
        return Reason("no-endpoints", OTHER, "headless Service without endpoints")
    return Reason("no-ready-endpoint", OTHER, f"headless Service without ready endpoint: 0 of {total} endpoints ready")


def other_protocol(port: str, service: str, asked: str, exists: str) -> Reason:
    """*asked* and *exists*: protocols as labels, with their underscore."""
    text = f"port {port} of {service} is not {asked[1:].upper()}: ask for _{port}.{exists}"
    return Reason("other-protocol", OTHER, text)


def no_namespace(namespace: str) -> Reason:
    """It does not exist, or is not served: this is not told."""
    text = f"namespace {namespace} is not served here: look for a slip in its name"
    return Reason("no-namespace", OTHER, text)


def stale_error(rcode: int, text: str, error: tuple[int, str] | None) -> tuple[int, str]:
    """INFO-CODE and text of an answer that is old, as *text* says.  *error*: what else there is to say of it."""
    return (STALE_NXDOMAIN_ANSWER if rcode == 3 else STALE_ANSWER), f"{text}; {error[1]}" if error else text
