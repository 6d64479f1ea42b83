"""Names in a packet that may hold anything."""

from clusterdns.errors import PeerError
from clusterdns.zone.names import MAX_OCTETS


def name_end(packet: bytes, at: int) -> int:
    """The offset behind the uncompressed name at *at*.  Raises PeerError where there is none."""
    start = at
    while True:
        if at >= len(packet):
            raise PeerError("a name is cut")
        length = packet[at]
        if length > 63:
            raise PeerError("a label of another kind")
        at += 1 + length
        if at - start > MAX_OCTETS:
            raise PeerError("a name over 255 octets")
        if not length:
            return at


def owner_end(packet: bytes, at: int) -> int:
    """As ``name_end``, but the name may end in a pointer to something before it."""
    start = at
    while at < len(packet) and 0 < packet[at] <= 63 and at - start < MAX_OCTETS:
        at += 1 + packet[at]
    if at - start >= MAX_OCTETS:
        raise PeerError("a name over 255 octets")
    if at + 1 < len(packet) and packet[at] >= 0xC0:
        if int.from_bytes(packet[at : at + 2]) & 0x3FFF >= start:
            raise PeerError("a pointer that does not point back")
        return at + 2
    return name_end(packet, at)
