"""Why an answer is negative: each cause once, with what Extended DNS Errors say of it (RFC 8914)."""

from msgspec import Struct


class Reason(Struct, frozen=True, gc=False):
    code: str  # stable, for tools
    ede: int  # INFO-CODE (RFC 8914 §4)
    text: str  # at most one short sentence: it travels in a packet


NOT_SYNCED = Reason("not-synced", 14, "the server has not read its objects yet: try again soon")


def no_ready_endpoint(total: int) -> Reason:
    """A headless Service whose pods are all unready, or that has none."""
    if not total:
        return Reason("no-endpoints", 0, "headless Service without endpoints: its selector matches no pod")
    return Reason("no-ready-endpoint", 0, f"headless Service without ready endpoint: 0 of {total} pods ready")
