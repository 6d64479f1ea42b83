"""The reading side of ``clusterdns query``: a reply as dig shows it, as bare data, or as JSON."""

import json
from collections.abc import Iterator
from typing import Any

from dnslib import CLASS, QTYPE, RCODE, RR, TXT, DNSRecord

from clusterdns.cli.asking import Reply, Server

_EDE = 15  # the EDNS option "Extended DNS Error" (RFC 8914)
_EXTENDED_RCODES = {16: "BADVERS", 23: "BADCOOKIE"}
_EDE_TEXTS = {
    0: "Other",
    1: "Unsupported DNSKEY Algorithm",
    2: "Unsupported DS Digest Type",
    3: "Stale Answer",
    4: "Forged Answer",
    5: "DNSSEC Indeterminate",
    6: "DNSSEC Bogus",
    7: "Signature Expired",
    8: "Signature Not Yet Valid",
    9: "DNSKEY Missing",
    10: "RRSIGs Missing",
    11: "No Zone Key Bit Set",
    12: "NSEC Missing",
    13: "Cached Error",
    14: "Not Ready",
    15: "Blocked",
    16: "Censored",
    17: "Filtered",
    18: "Prohibited",
    19: "Stale NXDOMAIN Answer",
    20: "Not Authoritative",
    21: "Not Supported",
    22: "No Reachable Authority",
    23: "Network Error",
    24: "Invalid Data",
}


def rcode(message: DNSRecord) -> int:
    """All twelve bits: the upper eight are in OPT (RFC 6891 §6.1.3)."""
    opt = _opt(message)
    return int(message.header.rcode) | (opt.edns_rcode << 4 if opt else 0)


def status(message: DNSRecord) -> str:
    """``NOERROR``, ``NXDOMAIN``, ..."""
    code = rcode(message)
    return _EXTENDED_RCODES.get(code) or str(RCODE.get(code))


def is_nodata(message: DNSRecord) -> bool:
    """Nothing of the type asked (RFC 2308 §2.2).  An alias that leads out of the zone and no further is an answer."""
    qtype = message.questions[0].qtype if message.questions else 0
    if any(qtype in {record.rtype, QTYPE.ANY} for record in message.rr):
        return False
    return not message.rr or any(record.rtype == QTYPE.SOA for record in message.auth)


def extended_errors(message: DNSRecord) -> list[tuple[int, str, str]]:
    """(code, its name, extra text or "")."""
    opt = _opt(message)
    errors = []
    for option in opt.rdata if opt else ():
        if option.code == _EDE and len(option.data) >= 2:
            code = int.from_bytes(option.data[:2])
            text = _printable(bytes(option.data[2:]).decode("utf-8", "replace"))
            errors.append((code, _EDE_TEXTS.get(code, "Unknown"), text))
    return errors


def short(reply: Reply) -> Iterator[str]:
    return map(_data, reply.message.rr)


def dig_text(reply: Reply, server: Server) -> Iterator[str]:
    """The lines that dig prints, in its order."""
    message, opt = reply.message, _opt(reply.message)
    header = message.header
    yield f";; ->>HEADER<<- opcode: QUERY, status: {status(message)}, id: {header.id}"
    counts = zip(
        ("QUERY", "ANSWER", "AUTHORITY", "ADDITIONAL"), (header.q, header.a, header.auth, header.ar), strict=True
    )
    yield f";; flags: {' '.join(_flags(message))}; {', '.join(f'{name}: {count}' for name, count in counts)}"
    if opt:
        yield f";; EDNS: version: {opt.edns_ver}, flags:{' do' if opt.edns_do else ''}; udp: {opt.edns_len}"
    for code, name, text in extended_errors(message):
        yield f";; EDE: {code} ({name}){f': {text}' if text else ''}"
    yield ""
    yield ";; QUESTION SECTION:"
    for question in message.questions:
        yield f";{question.qname}\t\t{CLASS.get(question.qclass)}\t{QTYPE.get(question.qtype)}"
    for name, records in _sections(message):
        if records:
            yield ""
            yield f";; {name.upper()} SECTION:"
            yield from map(_line, records)
    yield ""
    yield f";; Query time: {reply.seconds * 1000:.1f} msec"
    yield f";; SERVER: {server.host}#{server.port} ({reply.transport})"
    yield f";; MSG SIZE  rcvd: {reply.octets}"


def json_text(reply: Reply, server: Server) -> str:
    """One object; additional records without OPT, whose content has keys of its own."""
    message, opt = reply.message, _opt(reply.message)
    found: dict[str, Any] = {
        "server": str(server),
        "transport": reply.transport,
        "time_ms": round(reply.seconds * 1000, 3),
        "size": reply.octets,
        "id": message.header.id,
        "status": status(message),
        "flags": _flags(message),
        "question": [
            {"name": str(each.qname), "class": CLASS.get(each.qclass), "type": QTYPE.get(each.qtype)}
            for each in message.questions
        ],
        **{name: list(map(_fields, records)) for name, records in _sections(message)},
        "edns": {"version": opt.edns_ver, "do": bool(opt.edns_do), "udp": opt.edns_len} if opt else None,
        "ede": [{"code": code, "name": name, "text": text} for code, name, text in extended_errors(message)],
    }
    return json.dumps(found, ensure_ascii=False)


def _opt(message: DNSRecord) -> RR | None:
    return next((record for record in message.ar if record.rtype == QTYPE.OPT), None)


def _sections(message: DNSRecord) -> list[tuple[str, list[RR]]]:
    additional = [record for record in message.ar if record.rtype != QTYPE.OPT]
    return [("answer", message.rr), ("authority", message.auth), ("additional", additional)]


def _flags(message: DNSRecord) -> list[str]:
    return [name for name in ("qr", "aa", "tc", "rd", "ra", "ad", "cd") if getattr(message.header, name)]


def _fields(record: RR) -> dict[str, Any]:
    return {
        "name": str(record.rname),
        "ttl": record.ttl,
        "class": CLASS.get(record.rclass),
        "type": QTYPE.get(record.rtype),
        "data": _data(record),
    }


def _line(record: RR) -> str:
    return "\t".join(str(value) for value in _fields(record).values())


def _data(record: RR) -> str:
    """RDATA as in a master file."""
    if isinstance(record.rdata, TXT):  # dnslib writes octets in octal and leaves quotes bare
        return " ".join(map(_quoted, record.rdata.data))
    return _printable(str(record.rdata.toZone()))


def _quoted(octets: bytes) -> str:
    """A <character-string> (RFC 1035 §5.1)."""
    return f'"{"".join(map(_quoted_octet, octets))}"'


def _quoted_octet(octet: int) -> str:
    if octet in b'"\\':
        return f"\\{chr(octet)}"
    return chr(octet) if 32 <= octet < 127 else f"\\{octet:03d}"


def _printable(text: str) -> str:
    """What a server sends must not steer a terminal."""
    return "".join(each if each.isprintable() else f"\\{ord(each):03d}" for each in text)
