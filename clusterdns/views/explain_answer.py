"""What the server answers: asked of the very Responder, and read back from its octets."""

import struct

from clusterdns.cluster.addresses import address_text
from clusterdns.engine.answer import Responder
from clusterdns.engine.edns import EXTENDED_ERROR, OPT
from clusterdns.views.explain_names import type_name
from clusterdns.views.explanation import FORWARDED, Answer
from clusterdns.zone.names import Name, to_text
from clusterdns.zone.prepared import ANY
from clusterdns.zone.rdata import CNAME, SOA

_RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
# One question, one OPT of 1232 octets: without it no error would be told.
_HEADER = struct.pack("!HHHHHH", 0, 0x0100, 1, 0, 0, 1)
_OPT = struct.pack("!BHHIH", 0, 41, 1232, 0, 0)
_NAMED = (2, 5, 12)  # NS, CNAME, PTR


def ask(responder: Responder, name: Name, qtype: int) -> Answer:
    """As over TCP: whole."""
    response = responder.answer(_HEADER + name + struct.pack("!HH", qtype, 1) + _OPT, "tcp")
    if isinstance(response, bytes):
        return read(response, qtype)
    return Answer(type_name(qtype), FORWARDED if response else "nothing")


def read(wire: bytes, qtype: int) -> Answer:
    """*wire*: a response of ours, so that its form needs no proof."""
    rcode = _RCODES.get(wire[3] & 15, str(wire[3] & 15))
    counts = struct.unpack_from("!HHH", wire, 6)
    at = _skip(wire, 12) + 4
    sections: list[list[tuple[int, str]]] = [[], [], []]
    ede = ""
    for section, count in enumerate(counts):
        for _ in range(count):
            owner, at = _name(wire, at)
            rtype, _, ttl, octets = struct.unpack_from("!HHIH", wire, at)
            at += 10
            if rtype == OPT:
                ede = _error(wire[at : at + octets])
            else:
                data = _data(wire, at, octets, rtype)
                sections[section].append((rtype, f"{to_text(owner)} {ttl} IN {type_name(rtype)} {data}"))
            at += octets
    answers, authority, _ = sections
    found = any(qtype in {rtype, ANY} for rtype, _ in answers)
    aliased = bool(answers) and answers[-1][0] == CNAME.rtype and not authority
    negative = rcode == "NXDOMAIN" or (rcode == "NOERROR" and not found and not aliased)
    return Answer(type_name(qtype), rcode, tuple(text for _, text in answers), negative, ede)


def _skip(wire: bytes, at: int) -> int:
    return _name(wire, at)[1]


def _name(wire: bytes, at: int) -> tuple[bytes, int]:
    """The name at *at*, pointers followed, and where it ends there."""
    found, end = b"", 0
    while length := wire[at]:
        if length >= 0xC0:
            end = end or at + 2
            at = (length & 0x3F) << 8 | wire[at + 1]
        else:
            found += wire[at : at + 1 + length]
            at += 1 + length
    return found + b"\0", end or at + 1


def _data(wire: bytes, at: int, octets: int, rtype: int) -> str:
    """As master files write it."""
    data = wire[at : at + octets]
    if rtype in (1, 28):
        return address_text(data)
    if rtype in _NAMED:
        return to_text(_name(wire, at)[0])
    if rtype == 33:
        priority, weight, port = struct.unpack_from("!HHH", data)
        return f"{priority} {weight} {port} {to_text(_name(wire, at + 6)[0])}"
    if rtype == 16:
        return f'"{data[1:].decode("ascii", "replace")}"'
    if rtype == SOA.rtype:
        mname, end = _name(wire, at)
        rname, end = _name(wire, end)
        numbers = " ".join(map(str, struct.unpack_from("!IIIII", wire, end)))
        return f"{to_text(mname)} {to_text(rname)} {numbers}"
    return data.hex()


def _error(options: bytes) -> str:
    """The text of an Extended DNS Error among the options of an OPT."""
    at = 0
    while at + 4 <= len(options):
        code, octets = struct.unpack_from("!HH", options, at)
        if code == EXTENDED_ERROR:
            return options[at + 6 : at + 4 + octets].decode("utf-8", "replace")
        at += 4 + octets
    return ""
