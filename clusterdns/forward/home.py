"""Names that are kept home: they mean something to this machine or to nobody, and others must not learn of them.

RFC 6761 (localhost, invalid, test), RFC 6762 (local), RFC 7686 (onion), RFC 9476 (alt), RFC 8375, 9462 and 9665
(home.arpa, resolver.arpa, service.arpa), and reverse names of Services, pods and, if wanted, private networks
(RFC 6303).
"""

import struct

from clusterdns.engine.gate import AA
from clusterdns.engine.reply import Reply
from clusterdns.zone.names import Name, parse_name
from clusterdns.zone.prepared import ANY, IN, NOERROR, NXDOMAIN, OWNER
from clusterdns.zone.rdata import AAAA, NS, SOA, A

LOCALHOST = parse_name("localhost")
TTL = 300  # seconds; RFC 6303 §3 leaves it to us, and settings may change

_ADDRESSES = {A.rtype: b"\x7f\0\0\1", AAAA.rtype: bytes(15) + b"\1"}
_ARPA = parse_name("arpa")
# RFC 6303 §3: nobody is responsible.  Refresh, retry, expire and minimum are for secondaries, which there are none.
_TIMERS = struct.pack("!IIIII", 1, 3600, 1200, 604800, TTL)


def home_reply(name: Name, rtype: int, apex: Name, flags: int) -> Reply:
    """What is said to a question for *name*, which is kept home with *apex*; *flags*: RA as it applies."""
    flags |= AA
    if rtype == ANY:  # one RRset is an answer to it (RFC 8482 §4.1)
        rtype = A.rtype if apex == LOCALHOST else NS.rtype
    if apex == LOCALHOST:
        address = _ADDRESSES.get(rtype)
        if address:
            return Reply(NOERROR, flags, [_record(OWNER, rtype, address)])
        return Reply(NOERROR, flags, authority=_soa(apex))
    if name != apex or not _is_zone(apex):
        return Reply(NXDOMAIN, flags, authority=_soa(apex))
    if rtype == SOA.rtype:
        return Reply(NOERROR, flags, [_soa(apex)])
    if rtype == NS.rtype:
        return Reply(NOERROR, flags, [_record(OWNER, NS.rtype, apex)])
    return Reply(NOERROR, flags, authority=_soa(apex))


def _is_zone(apex: Name) -> bool:
    """Below ``arpa`` they are zones, empty here (RFC 6303 §3); a top-level one does not exist at all."""
    return apex.endswith(_ARPA)


def _soa(apex: Name) -> bytes:
    return _record(apex, SOA.rtype, apex + b"\6nobody\7invalid\0" + _TIMERS)


def _record(owner: bytes, rtype: int, rdata: bytes) -> bytes:
    return owner + struct.pack("!HHIH", rtype, IN, TTL, len(rdata)) + rdata
