"""Octets as they come -> lines."""

from collections.abc import Iterator

from clusterdns.sources.kubernetes.faults import ApiError, Reason

LONGEST = 32 << 20  # octets; etcd takes objects of 1.5 MB, JSON makes three times of it at most


class Lines:
    """Joins the pieces of a line once, however many they are."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._begun: list[bytes] = []
        self._octets = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that *data* completes, blank ones left out.  Take them all.  Raises ApiError."""
        *whole, rest = data.split(b"\n")
        for piece in whole:
            line = b"".join((*self._begun, piece)) if self._begun else piece
            self._begun, self._octets = [], 0
            if line.strip():
                yield line
        if rest:
            self._begun.append(rest)
            self._octets += len(rest)
            if self._octets > self._longest:
                raise ApiError(Reason.GARBLED, f"a line of more than {self._longest >> 20} MiB")
