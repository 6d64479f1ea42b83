"""What goes wrong between an API server and us, by what is to be done about it."""

from enum import StrEnum

from clusterdns.errors import BackendError


class Reason(StrEnum):
    """Why a list or a watch ended; the label of the counters."""

    ENDED = "ended"  # by the server, in order
    EXPIRED = "expired"  # 410: what we know is too old to go on from
    SILENT = "silent"  # not even a bookmark for too long: nobody may be there any more
    REFUSED = "refused"  # nobody listens there, or the name is not known
    CLOSED = "closed"  # who listens there hangs up without an answer: a load balancer with no server behind it
    CUT = "cut"  # the connection broke behind the beginning of an answer
    UNTRUSTED = "untrusted"  # TLS
    UNAUTHORIZED = "unauthorized"  # 401
    FORBIDDEN = "forbidden"  # 403
    BUSY = "busy"  # 429
    FAILED = "failed"  # 5xx, and every other answer that is none
    GARBLED = "garbled"  # what comes is no JSON, or none of ours
    DISORDER = "disorder"  # older events behind newer ones
    HISTORY = "history"  # the server knows less than it told: its etcd was restored
    DIVERGED = "diverged"  # a comparison found what events had not told
    CREDENTIALS = "credentials"  # ours cannot be read
    BUG = "bug"  # ours


# With these it is the same for all kinds of objects.
OF_THE_WAY = frozenset(
    (
        *(Reason.REFUSED, Reason.CLOSED, Reason.CUT, Reason.SILENT),
        *(Reason.UNTRUSTED, Reason.UNAUTHORIZED, Reason.CREDENTIALS),
    )
)


class ApiError(BackendError):
    """It ended; *text* tells how in the words of a person."""

    def __init__(self, reason: Reason, text: str, *, retry_after: float = 0.0) -> None:
        """*retry_after*: seconds, where the server says so."""
        super().__init__(text)
        self.reason, self.retry_after = reason, retry_after
        self.code = 0  # HTTP status of a refusal
        self.token = ""  # of a list whose beginning is too old: for the rest of it, as it is now
        self.streamed = False  # told by an event of a watch that had begun well
