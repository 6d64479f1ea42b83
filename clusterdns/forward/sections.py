"""The records of a reply: where each begins and ends, who owns it, and where names stand in it."""

import struct

from msgspec import Struct

from clusterdns.engine.edns import OPT
from clusterdns.engine.wire import owner_end
from clusterdns.errors import PeerError
from clusterdns.forward.compressed import Names
from clusterdns.steps import Steps
from clusterdns.zone.names import ROOT, Name
from clusterdns.zone.prepared import IN, OWNER

A, NS, CNAME, SOA, SIG, AAAA, NAPTR, DNAME, DS, RRSIG, NSEC, NSEC3 = 1, 2, 5, 6, 24, 28, 35, 39, 43, 46, 47, 50
FIXED_OCTETS = 10
A_STEP = 128  # records: between two looks at what else is to be done
_FIXED = struct.Struct("!HHIH")  # TYPE, CLASS, TTL, RDLENGTH
_SIGNATURES = (SIG, RRSIG)

# Types with names in their RDATA: octets before the names, names, octets behind (None: any number).  The names of
# RFC 1035's types are compressed, those of some more by old servers (RFC 3597 §4); of those behind, no name may be, but
# others may point to it.  Whatever else there is, is passed on as it came.  CNAME is read where it is met.
_LAYOUTS: dict[int, tuple[int, int, int | None]] = {
    NS: (0, 1, 0),
    3: (0, 1, 0),  # MD
    4: (0, 1, 0),  # MF
    SOA: (0, 2, 20),
    7: (0, 1, 0),  # MB
    8: (0, 1, 0),  # MG
    9: (0, 1, 0),  # MR
    12: (0, 1, 0),  # PTR
    14: (0, 2, 0),  # MINFO
    15: (2, 1, 0),  # MX
    17: (0, 2, 0),  # RP
    18: (2, 1, 0),  # AFSDB
    21: (2, 1, 0),  # RT
    23: (0, 1, 0),  # NSAP-PTR
    SIG: (18, 1, None),
    26: (2, 2, 0),  # PX
    30: (0, 1, None),  # NXT
    33: (6, 1, 0),  # SRV
    36: (2, 1, 0),  # KX
    DNAME: (0, 1, 0),
    RRSIG: (18, 1, None),
    NSEC: (0, 1, None),
    64: (2, 1, None),  # SVCB
    65: (2, 1, None),  # HTTPS
}
_LENGTHS = {A: 4, AAAA: 16}


class Record(Struct, frozen=True, gc=False):
    begin: int
    fixed: int  # where its owner ends
    stop: int
    owner: Name  # lower case
    rtype: int
    ttl: int  # as it came
    pointers: tuple[int, ...]  # where they stand
    target: Name = ROOT  # of a CNAME or DNAME
    covered: int = 0  # the type that a signature covers


def read_records(packet: bytes, names: Names, question: Name, at: int, count: int) -> Steps[tuple[list[Record], int]]:
    """The next *count* records at *at*, without those of other classes than IN, and where they end.

    Raises PeerError for what is malformed, IndexError or struct.error where the packet ends too early.
    """
    found: list[Record] = []
    while count > A_STEP:
        at = _read_records(packet, names, question, at, A_STEP, found)
        count -= A_STEP
        yield
    return found, _read_records(packet, names, question, at, count, found)


def _read_records(packet: bytes, names: Names, question: Name, at: int, count: int, found: list[Record]) -> int:
    """Adds them to *found*, and returns where they end."""
    for _ in range(count):
        begin, pointer = at, 0
        if packet[at : at + 2] == OWNER:
            owner, at, pointer = question, at + 2, at
        else:
            owner, at, pointer = names.read(at)
        rtype, rclass, ttl, rdlength = _FIXED.unpack_from(packet, at)
        fixed, rdata = at, at + FIXED_OCTETS
        at = rdata + rdlength
        if at > len(packet):
            raise PeerError("RDATA is cut")
        if rtype == OPT:
            raise PeerError("OPT in another section")
        if rclass != IN:
            continue
        pointers = (pointer,) if pointer else ()
        if rtype == CNAME:
            target, end, pointer = names.read(rdata)
            if end != at:
                raise PeerError("RDATA of another length than its name")
            found.append(
                Record(begin, fixed, at, owner, rtype, ttl, (*pointers, pointer) if pointer else pointers, target)
            )
        elif rtype in _LAYOUTS or rtype == NAPTR:
            target, inside = _read_rdata(packet, names, rtype, rdata, at)
            covered = int.from_bytes(packet[rdata : rdata + 2]) if rtype in _SIGNATURES else 0
            found.append(Record(begin, fixed, at, owner, rtype, ttl, pointers + inside, target, covered))
        else:
            if rdlength != _LENGTHS.get(rtype, rdlength):
                raise PeerError("an address of another length")
            found.append(Record(begin, fixed, at, owner, rtype, ttl, pointers))
    return at


def read_opt(packet: bytes, at: int, count: int) -> tuple[int, bytes] | None:
    """TTL and RDATA of the one OPT among the *count* additional records at *at*: nothing else there is looked at.

    Raises as ``read_records``, and PeerError for a second OPT, one below a name, and octets behind the last record.
    """
    found = None
    for _ in range(count):
        begin, at = at, owner_end(packet, at) if packet[at] else at + 1
        rtype, _rclass, ttl, rdlength = _FIXED.unpack_from(packet, at)
        rdata = at + FIXED_OCTETS
        at = rdata + rdlength
        if rtype == OPT:
            if found or packet[begin]:
                raise PeerError("OPT: twice, or not at the root")
            found = ttl, packet[rdata:at]
    if at != len(packet):
        raise PeerError("the last record does not end where the packet does")
    return found


def _read_rdata(packet: bytes, names: Names, rtype: int, at: int, stop: int) -> tuple[Name, tuple[int, ...]]:
    """The first name in it, and where pointers stand."""
    before, count, behind = _LAYOUTS.get(rtype) or (_naptr_octets(packet, at), 1, 0)
    at += before
    pointers: tuple[int, ...] = ()
    capitals = len(names.cased)
    first = ROOT
    for number in range(count):
        name, at, pointer = names.read(at)
        if pointer:
            pointers += (pointer,)
        if not number:
            first = name
    if at > stop or (behind is not None and at + behind != stop):
        raise PeerError("RDATA of another length than its names")
    if rtype != DNAME:
        del names.cased[capitals:]
    return first, pointers


def _naptr_octets(packet: bytes, start: int) -> int:
    """Order, preference and three character-strings (RFC 3403 §4.1)."""
    at = start + 4
    for _ in range(3):
        at += 1 + packet[at]
    return at - start


def ancestors(name: Name) -> set[Name]:
    """It and all names above it: a look-up in them costs the same for each of many records."""
    found, at = {name}, 0
    while name[at]:
        at += 1 + name[at]
        found.add(Name(name[at:]))
    return found
