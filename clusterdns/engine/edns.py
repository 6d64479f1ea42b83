"""EDNS(0): what a query's OPT record says, and the one that goes into the response (RFC 6891)."""

import struct

from msgspec import Struct

from clusterdns.errors import PeerError

OPT = 41
DO = 0x8000
EXTENDED_ERROR = 15  # RFC 8914 §2
SERVER_OCTETS = 1232  # 1280 (IPv6 minimum MTU) - 40 (IPv6) - 8 (UDP): never fragmented (RFC 9715)


class Edns(Struct, frozen=True, gc=False):
    version: int
    octets: int  # what the client takes over UDP, at least 512 (RFC 6891 §6.2.3)
    dnssec_ok: bool


def parse_opt(octets: int, ttl: int, rdata: bytes) -> Edns:
    """*octets* is the CLASS field, *ttl* the TTL field.  Raises PeerError where options overrun the RDATA.

    Options are checked for their form only: none is echoed (RFC 6891 §6.1.2 wants unknown ones ignored).
    """
    at = 0
    while at < len(rdata):
        if at + 4 > len(rdata):
            raise PeerError("OPT: an option without room for its head")
        at += 4 + int.from_bytes(rdata[at + 2 : at + 4])
    if at != len(rdata):
        raise PeerError("OPT: an option longer than the record")
    return Edns(ttl >> 16 & 0xFF, max(octets, 512), bool(ttl & DO))


def opt_record(
    rcode: int, *, dnssec_ok: bool, error: tuple[int, str] | None = None, octets: int = SERVER_OCTETS
) -> bytes:
    """The response's OPT: version 0, the DO bit copied (RFC 3225 §3), the upper bits of *rcode*, no client option.

    *error*: INFO-CODE and text of an Extended DNS Error.
    """
    options = b""
    if error:
        text = error[1].encode()
        options = struct.pack("!HHH", EXTENDED_ERROR, 2 + len(text), error[0]) + text
    ttl = rcode >> 4 << 24 | (DO if dnssec_ok else 0)
    return b"\0" + struct.pack("!HHIH", OPT, octets, ttl, len(options)) + options
