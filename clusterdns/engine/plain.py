"""What a plain query holds besides its ID and its name, and what follows from that for the response.

There are few such forms: each is worked out once, and from then on found by its octets.
"""

import struct
from collections.abc import Callable
from itertools import product

from clusterdns.engine.cookies import CLIENT_OCTETS, COOKIE, REPLY_OCTETS, SERVER_OCTETS
from clusterdns.engine.edns import DO, OPT, opt_record
from clusterdns.engine.gate import CD, QR, RD
from clusterdns.engine.tally import Cell
from clusterdns.zone.prepared import IN, NXDOMAIN, section_counts
from clusterdns.zone.rdata import SOA

AD = 0x0020
PLAIN_OCTETS = 512
TYPE_OCTETS, OPT_OCTETS = 4, 11  # type and class of the question; an OPT without options
TAIL_OCTETS = TYPE_OCTETS + OPT_OCTETS  # behind the name of a query with EDNS and no option

# A COOKIE option at the end of a packet, as clients send it: with their cookie only, or with the server's as well.
OPTION_HEAD_OCTETS = 4
CLIENT, BOTH = OPTION_HEAD_OCTETS + CLIENT_OCTETS, OPTION_HEAD_OCTETS + CLIENT_OCTETS + SERVER_OCTETS
CLIENT_HEAD, CLIENT_HEAD_END = struct.pack("!HH", COOKIE, CLIENT_OCTETS), -CLIENT_OCTETS
BOTH_HEAD, BOTH_HEAD_END = struct.pack("!HH", COOKIE, CLIENT_OCTETS + SERVER_OCTETS), -CLIENT_OCTETS - SERVER_OCTETS

# Where queries are counted, one for each zone: those with NOERROR, those with NXDOMAIN.
Cells = tuple[Cell, ...]
Counters = Callable[[int, bool], tuple[Cells, Cells]]  # by type and DO

FORMS_KEPT = 1024  # for each header: types, and sizes in the OPT

# Type; type and class as they came; flags of a hit; flags and counts of NODATA and of NXDOMAIN; "has an OPT"; the
# size limit over UDP; the response's OPT; where it is counted.  A bare tuple, because it is unpacked for every query.
Form = tuple[int, bytes, bytes, bytes, bytes, bool, int, bytes, Cells, Cells]
Forms = dict[bytes, Form]

NXNAME = 128  # says in NSEC records that a name does not exist, and is no type of records (RFC 9824 §2)
# What is not looked up by its number: SOA, which no Entry holds, OPT, meta types and ANY (RFC 6895 §3.1).
_SPECIAL = {0, SOA.rtype, OPT, NXNAME, *range(249, 256)}
_TYPES = {struct.pack("!HH", rtype, IN): rtype for rtype in range(1, 260) if rtype not in _SPECIAL}


def plain_headers() -> dict[bytes, tuple[int, Forms]]:
    """Octets 2 to 11 of a plain query -> how many octets follow its name, and room for the forms these have."""
    headers: dict[bytes, tuple[int, Forms]] = {}
    for rd, ad, cd, has_opt in product((0, RD), (0, AD), (0, CD), (False, True)):
        octets = TAIL_OCTETS if has_opt else TYPE_OCTETS
        headers[struct.pack("!HHHHH", rd | ad | cd, 1, 0, 0, has_opt)] = octets, {}
    return headers


def plain_form(
    header: bytes, tail: bytes, flags: int, udp_octets: int, counters: Counters, options: int = 0
) -> Form | None:
    """The form of a query with this plain *header* and *tail*, the octets behind its name; None: it is not plain.

    *flags*: AA and RA as they apply.  *udp_octets*: the most that is sent over UDP.  *options*: octets that follow
    *tail*, those of a COOKIE option; the one of the response is still to be added then.
    """
    question, opt = tail[:TYPE_OCTETS], tail[TYPE_OCTETS:]
    rtype = _TYPES.get(question)
    if rtype is None:
        return None
    limit, answered, dnssec_ok = PLAIN_OCTETS, b"", False
    if opt:
        if opt[:3] != b"\0\0\x29" or opt[6] or opt[9:] != options.to_bytes(2):  # owner and type, version, options
            return None
        limit = min(max(PLAIN_OCTETS, int.from_bytes(opt[3:5])), udp_octets)
        room = bytes(REPLY_OCTETS if options else 0)
        dnssec_ok = bool(opt[7] & DO >> 8)
        answered = opt_record(0, dnssec_ok=dnssec_ok, options=room, octets=udp_octets)[:OPT_OCTETS]
    flags |= QR | int.from_bytes(header[:2]) & (RD | CD)
    found, absent = flags.to_bytes(2), (flags | NXDOMAIN).to_bytes(2)
    negative = section_counts(0, 1, bool(opt))
    nodata, nxdomain = found + negative, absent + negative
    return rtype, question, found, nodata, nxdomain, bool(opt), limit, answered, *counters(rtype, dnssec_ok)


def is_dnssec_ok(form: Form) -> bool:
    opt = form[7]
    return bool(opt and opt[7] & DO >> 8)
