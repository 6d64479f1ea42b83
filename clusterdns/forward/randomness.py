"""Random octets that nobody can foretell, from the operating system."""

import os

_BATCH = 4096  # octets of one system call


class Randomness:
    """Not thread-safe."""

    def __init__(self) -> None:
        self._octets = b""
        self._at = 0

    def __call__(self, count: int) -> bytes:
        """At most 4096 octets, each given out once."""
        if self._at + count > len(self._octets):
            self._octets, self._at = os.urandom(_BATCH), 0
        self._at += count
        return self._octets[self._at - count : self._at]
