"""The one strict walk: a reply's octets -> Foreign."""

from clusterdns.errors import PeerError
from clusterdns.forward.answers import Foreign, Question


class LameError(PeerError):
    """A referral, or an empty answer of one who has neither authority nor recursion: ask somebody else."""


def walk(packet: bytes, question: Question) -> Foreign:
    """What the reply *packet* says about *question*.

    Raises PeerError: malformed, truncated (see ``message.truncated``), a loop; LameError.  Rcodes other than NOERROR,
    NXDOMAIN and YXDOMAIN come without records, with ttl 0, and are for the caller to judge.
    """
    raise NotImplementedError
