"""TSIG (RFC 8945): this server has no keys, so it knows none, and says so."""

import struct

from msgspec import Struct

from clusterdns.engine.wire import name_end
from clusterdns.errors import PeerError

TSIG = 250
BADKEY = 17
ANY_CLASS = 255
_TIMES = 8  # octets: when it was signed, and how much clocks may differ


class Tsig(Struct, frozen=True, gc=False):
    """What of a query's TSIG record goes into the answer to it."""

    key: bytes  # name in wire form, as it came
    algorithm: bytes
    times: bytes
    original_id: bytes

    def refusal(self) -> bytes:
        """The record of a response to a key that is not known: not signed, with BADKEY (RFC 8945 §5.2.1)."""
        rdata = self.algorithm + self.times + b"\0\0" + self.original_id + struct.pack("!HH", BADKEY, 0)
        return self.key + struct.pack("!HHIH", TSIG, ANY_CLASS, 0, len(rdata)) + rdata


def parse_tsig(key: bytes, rclass: int, rdata: bytes) -> Tsig:
    """Raises PeerError where *rdata* is not in the form of RFC 8945 §4.2."""
    if rclass != ANY_CLASS or name_end(key, 0) != len(key):
        raise PeerError("TSIG: another class than ANY, or a compressed name")
    end = name_end(rdata, 0)
    times, rest = rdata[end : end + _TIMES], rdata[end + _TIMES :]
    mac = 2 + int.from_bytes(rest[:2])
    other = rest[mac + 4 :]  # behind the MAC: the original ID, the error
    if len(other) < 2 or len(other) != 2 + int.from_bytes(other[:2]):
        raise PeerError("TSIG: its fields do not fill it")
    return Tsig(key, rdata[:end], times, rest[mac : mac + 2])
