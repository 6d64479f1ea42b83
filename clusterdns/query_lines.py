"""Lines of the query log: CoreDNS's common format (plugin/log, plugin/pkg/replacer) octet by octet, and JSON.

What a client sends is never written as it is: names are escaped as CoreDNS escapes them, so that every line is one line
of printable ASCII.
"""

from datetime import UTC, datetime

import msgspec
from dns import rdataclass, rdatatype
from msgspec import Struct

from clusterdns.engine import gate
from clusterdns.engine.edns import OPT
from clusterdns.engine.gate import Query
from clusterdns.engine.manners import UDP
from clusterdns.engine.tally import RCODES
from clusterdns.query_log import Exchange
from clusterdns.zone.names import labels

_NONE = "-"  # in the place of what a malformed packet does not tell
_FLAGS = {"qr": 0x8000, "aa": 0x0400, "tc": 0x0200, "rd": 0x0100, "ra": 0x0080, "z": 0x0040, "ad": 0x0020, "cd": 0x0010}
_SPECIAL = frozenset(b". '@;()\"\\")  # escaped by a backslash; what is not printable, by three digits
_TCP_OCTETS = 65535


class Line(Struct):
    """What a line tells; the names are CoreDNS's."""

    time: str  # RFC 3339, UTC
    remote: str
    port: int
    id: int
    type: str
    class_: str = msgspec.field(name="class")
    name: str
    proto: str
    size: int  # octets of the query
    do: bool
    bufsize: int  # octets that the client takes
    rcode: str
    rflags: list[str]
    rsize: int  # octets of the response
    duration: float  # seconds


def common(exchange: Exchange) -> bytes:
    line = line_of(exchange)
    remote = f"[{line.remote}]" if ":" in line.remote else line.remote
    flags = ",".join(line.rflags)
    duration = f"{line.duration:.9f}".rstrip("0").rstrip(".")
    return (
        f'[INFO] {remote}:{line.port} - {line.id} "{line.type} {line.class_} {line.name} {line.proto} {line.size} '
        f'{"true" if line.do else "false"} {line.bufsize}" {line.rcode} {flags} {line.rsize} {duration}s\n'
    ).encode()


def as_json(exchange: Exchange) -> bytes:
    return msgspec.json.encode(line_of(exchange)) + b"\n"


def line_of(exchange: Exchange) -> Line:
    query, response = gate.parse(exchange.query), exchange.response
    asked = query if isinstance(query, Query) and query.question else None
    edns = query.edns if isinstance(query, Query) else None
    flags = int.from_bytes(response[2:4])
    bufsize = (edns.octets if edns else 512) if exchange.proto == UDP else _TCP_OCTETS
    rcode = _rcode(response)
    return Line(
        time=datetime.fromtimestamp(exchange.at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        remote=exchange.client[0],
        port=exchange.client[1],
        id=int.from_bytes(response[:2]),
        type=rdatatype.to_text(rdatatype.RdataType.make(asked.qtype)) if asked else _NONE,
        class_=rdataclass.to_text(rdataclass.RdataClass.make(asked.qclass)) if asked else _NONE,
        name="".join(map(_label, labels(asked.qname))) or "." if asked else _NONE,
        proto=exchange.proto,
        size=len(exchange.query),
        do=bool(edns and edns.dnssec_ok),
        bufsize=bufsize,
        rcode=RCODES.get(rcode, str(rcode)),
        rflags=[name for name, bit in _FLAGS.items() if flags & bit],
        rsize=len(response),
        duration=round(exchange.seconds, 9),
    )


def _label(octets: bytes) -> str:
    return "".join(map(_escaped, octets)) + "."


def _escaped(octet: int) -> str:
    if octet in _SPECIAL:
        return f"\\{chr(octet)}"
    return chr(octet) if 32 <= octet <= 126 else f"\\{octet:03d}"


def _rcode(response: bytes) -> int:
    """All twelve bits, where an OPT follows the question at once: we send such codes with no records."""
    rcode = response[3] & 0x0F
    if response[6:12] != b"\0\0\0\0\0\1":
        return rcode
    at = 12
    if response[4:6] == b"\0\1":
        while at < len(response) and response[at]:
            at += 1 + response[at]
        at += 5
    record = response[at : at + 6]
    return record[5] << 4 | rcode if len(record) == 6 and record[1:3] == OPT.to_bytes(2) else rcode
