"""EDNS(0): what a query's OPT record says, and the one that goes into the response (RFC 6891)."""

import struct
from collections.abc import Sequence

from msgspec import Struct

from clusterdns.engine.cookies import CLIENT_OCTETS, COOKIE
from clusterdns.errors import PeerError

OPT = 41
DO = 0x8000
NSID, KEEPALIVE, EXTENDED_ERROR = 3, 11, 15  # options: RFC 5001, RFC 7828, RFC 8914
TRAIL = 65313  # ours, among those for local use (RFC 6891 §9): who has forwarded a query, see forward.trail
SERVER_OCTETS = 1232  # 1280 (IPv6 minimum MTU) - 40 (IPv6) - 8 (UDP): never fragmented (RFC 9715)
MIN_OCTETS = 512  # what every client takes (RFC 6891 §6.2.3)

Error = tuple[int, str]  # an Extended DNS Error: its INFO-CODE, and words for a person

_COOKIE_OCTETS = {CLIENT_OCTETS, *range(16, 41)}  # RFC 7873 §4


class Edns(Struct, frozen=True, gc=False):
    version: int
    octets: int  # what the client takes over UDP, at least 512
    dnssec_ok: bool
    cookie: bytes = b""  # client cookie and perhaps server cookie, of the first such option
    nsid: bool = False  # the server's identity is wanted
    keepalive: int | None = None  # octets in an edns-tcp-keepalive option
    trail: bytes = b""  # of the servers that have forwarded it


def parse_opt(octets: int, ttl: int, rdata: bytes) -> Edns:
    """*octets* is the CLASS field, *ttl* the TTL field.

    Raises PeerError where options overrun the RDATA, or a cookie has a length that none has (RFC 7873 §5.2.2).
    Nobody knows what the RDATA of another version looks like: it is not read.
    """
    version = ttl >> 16 & 0xFF
    options = {} if version else _options(rdata)
    cookie = options.get(COOKIE)
    if cookie is not None and len(cookie) not in _COOKIE_OCTETS:
        raise PeerError("OPT: a cookie of a length that none has")
    return Edns(
        version,
        max(octets, MIN_OCTETS),
        bool(ttl & DO),
        cookie or b"",
        NSID in options,
        len(options[KEEPALIVE]) if KEEPALIVE in options else None,
        options.get(TRAIL, b""),
    )


def _options(rdata: bytes) -> dict[int, bytes]:
    """The first of each code: of several cookies only that one counts (RFC 7873 §5.2)."""
    options: dict[int, bytes] = {}
    at = 0
    while at < len(rdata):
        end = at + 4 + int.from_bytes(rdata[at + 2 : at + 4])
        options.setdefault(int.from_bytes(rdata[at : at + 2]), rdata[at + 4 : end])
        at = end
    if at != len(rdata):
        raise PeerError("OPT: an option longer than the record")
    return options


def option(code: int, content: bytes) -> bytes:
    return struct.pack("!HH", code, len(content)) + content


def error_option(code: int, text: str) -> bytes:
    """An Extended DNS Error: INFO-CODE, and words for a person."""
    return option(EXTENDED_ERROR, code.to_bytes(2) + text.encode())


def with_errors(error: Error | None, others: Sequence[Error], options: bytes = b"") -> tuple[Error | None, bytes]:
    """What is told with its words, and *options* with the INFO-CODEs of the rest (RFC 8914 §2: there may be several).

    *error* is what the response has of its own.
    """
    if not others:
        return error, options
    first, *rest = (error, *others) if error else others
    codes = dict.fromkeys(code for code, _ in rest if code != first[0])
    return first, options + b"".join(error_option(code, "") for code in codes)


def opt_record(rcode: int, *, dnssec_ok: bool, options: bytes = b"", octets: int = SERVER_OCTETS) -> bytes:
    """The response's OPT: version 0, the DO bit copied (RFC 3225 §3), the upper bits of *rcode*.

    *options* are ours: nothing of the client's is echoed (RFC 6891 §6.1.2).  *octets*: what we take over UDP.
    """
    ttl = rcode >> 4 << 24 | (DO if dnssec_ok else 0)
    return b"\0" + struct.pack("!HHIH", OPT, octets, ttl, len(options)) + options
