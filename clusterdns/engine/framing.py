"""DNS messages in a byte stream: two octets of length, then the message (RFC 1035 §4.2.2)."""

from clusterdns.errors import PeerError


class MessageStream:
    """Feed it what arrived, get whole messages back.  No I/O, no clock.

    *max_octets* bounds what one client can make us hold: queries are small, only answers are not.
    """

    def __init__(self, max_octets: int = 4096) -> None:
        self._buffer = bytearray()
        self._max_octets = max_octets

    def feed(self, data: bytes) -> list[bytes]:
        """Raises PeerError if a client announces more than *max_octets*: close the connection then."""
        self._buffer += data
        messages = []
        at = 0
        while len(self._buffer) - at >= 2:
            end = at + 2 + int.from_bytes(self._buffer[at : at + 2])
            if end - at - 2 > self._max_octets:
                raise PeerError(f"message of {end - at - 2} octets announced")
            if len(self._buffer) < end:
                break
            messages.append(bytes(self._buffer[at + 2 : end]))
            at = end
        del self._buffer[:at]  # once: deleting per message would be quadratic for a full pipeline
        return messages


def frame(message: bytes) -> bytes:
    """One buffer, so that the length never travels in a segment of its own (RFC 7766 §8)."""
    return len(message).to_bytes(2) + message
