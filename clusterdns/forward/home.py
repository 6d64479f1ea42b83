"""Names that are kept home: they mean something to this machine or to nobody, and others must not learn of them.

RFC 6761 (localhost, invalid, test), RFC 6762 (local), RFC 7686 (onion), RFC 9476 (alt), RFC 8375, 9462 and 9665
(home.arpa, resolver.arpa, service.arpa), and reverse names of Services, pods and, if wanted, private networks
(RFC 6303).
"""

import struct

from clusterdns.engine.elsewhere import Resolve
from clusterdns.engine.gate import AA
from clusterdns.engine.reply import Reply
from clusterdns.zone.names import Name, parse_name
from clusterdns.zone.prepared import ANY, IN, MAX_POINTER, NOERROR, NXDOMAIN, OWNER, pointer
from clusterdns.zone.rdata import AAAA, NS, SOA, A

LOCALHOST = parse_name("localhost")
TTL = 300  # seconds; RFC 6303 §3 leaves it to us, and settings may change

_ADDRESSES = {A.rtype: b"\x7f\0\0\1", AAAA.rtype: bytes(15) + b"\1"}
_ARPA = parse_name("arpa")
_DESIGNATED = parse_name("_dns.resolver.arpa")  # NODATA, whatever is asked for (RFC 9462 §6.4)
# RFC 6303 §3: nobody is responsible.  Refresh, retry, expire and minimum are for secondaries, which there are none.
_TIMERS = struct.pack("!IIIII", 1, 3600, 1200, 604800, TTL)


def kept_reply(resolve: Resolve, apex: Name, *, exists: bool = False) -> Reply:
    """What is said of the target of *resolve*, see ``home_reply``; aliases that lead to it stand before."""
    name, qtype = resolve.target, resolve.query.qtype
    if not resolve.chain:
        return home_reply(name, qtype, apex, resolve.flags, exists=exists)
    owner = pointer(resolve.target_at) if 0 < resolve.target_at <= MAX_POINTER else name
    reply = home_reply(name, qtype, apex, resolve.flags, owner, exists=exists)
    reply.flags = resolve.flags  # AA says whether the first owner is ours
    reply.answers = [*resolve.chain, *reply.answers]
    return reply


def home_reply(name: Name, rtype: int, apex: Name, flags: int, owner: bytes = OWNER, *, exists: bool = False) -> Reply:
    """What is said to a question for *name*, which is kept home with *apex*; *flags*: RA as it applies.

    *owner*: how *name* is written there.  *exists*: there are names below it that are not kept home (RFC 8020).
    """
    flags |= AA
    if rtype == ANY:  # one RRset is an answer to it (RFC 8482 §4.1)
        rtype = A.rtype if apex == LOCALHOST else NS.rtype
    if apex == LOCALHOST:
        address = _ADDRESSES.get(rtype)
        if address:
            return Reply(NOERROR, flags, [_record(owner, rtype, address)])
        return Reply(NOERROR, flags, authority=_soa(apex))
    if name != apex or not _is_zone(apex):
        return Reply(NOERROR if exists or name == _DESIGNATED else NXDOMAIN, flags, authority=_soa(apex))
    if rtype == SOA.rtype:
        return Reply(NOERROR, flags, [_soa(apex)])
    if rtype == NS.rtype:
        return Reply(NOERROR, flags, [_record(owner, NS.rtype, apex)])
    return Reply(NOERROR, flags, authority=_soa(apex))


def _is_zone(apex: Name) -> bool:
    """Below ``arpa`` they are zones, empty here (RFC 6303 §3); a top-level one does not exist at all."""
    return apex.endswith(_ARPA)


def _soa(apex: Name) -> bytes:
    return _record(apex, SOA.rtype, apex + b"\6nobody\7invalid\0" + _TIMERS)


def _record(owner: bytes, rtype: int, rdata: bytes) -> bytes:
    return owner + struct.pack("!HHIH", rtype, IN, TTL, len(rdata)) + rdata
