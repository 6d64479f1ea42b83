"""Which rule a name falls under, by its labels alone."""

import re
from collections.abc import Sequence

from msgspec import Struct

from clusterdns.cluster.model import Key
from clusterdns.zone.names import MAX_OCTETS, Name, is_below, labels, to_text

TYPES = {
    "A": 1,
    "NS": 2,
    "CNAME": 5,
    "SOA": 6,
    "PTR": 12,
    "MX": 15,
    "TXT": 16,
    "AAAA": 28,
    "SRV": 33,
    "NAPTR": 35,
    "DS": 43,
    "DNSKEY": 48,
    "SVCB": 64,
    "HTTPS": 65,
    "ANY": 255,
    "CAA": 257,
}
_NAMES = {number: name for name, number in TYPES.items()}
PROTOCOLS = ("tcp", "udp", "sctp")

_PIECE = re.compile(rb"\\(\d{3})|\\(.)|([^\\.]+)|(\.)", re.DOTALL)


def type_number(text: str) -> int:
    """``"srv"`` -> 33, ``"TYPE65"`` -> 65.  Raises ValueError."""
    upper = text.upper()
    found = TYPES.get(upper, 0)
    if not found and re.fullmatch(r"TYPE\d{1,5}", upper):
        found = int(upper[4:])
    if not 0 < found < 1 << 16:
        raise ValueError(f"{text}: no record type; write one like AAAA, SRV or TYPE65")
    return found


def type_name(number: int) -> str:
    return _NAMES.get(number, f"TYPE{number}")


def question_name(text: str) -> Name:
    r"""``"Web.shop"`` -> the name as if it had a final dot; ``\.`` and ``\046`` are a dot inside a label.

    Raises ValueError.
    """
    fault = ValueError(f"{text}: not a domain name; labels have 1 to 63 octets, a name has at most 255")
    try:
        found = _split(text.encode("ascii").lower())
    except (ValueError, UnicodeError):
        raise fault from None
    if len(found) > 1 and not found[-1]:
        found.pop()  # the final dot
    if found == [b"", b""] or text == ".":
        return Name(b"\0")
    if not all(0 < len(label) < 64 for label in found):
        raise fault
    name = b"".join(bytes((len(label),)) + label for label in found) + b"\0"
    if len(name) > MAX_OCTETS:
        raise fault
    return Name(name)


def _split(octets: bytes) -> list[bytes]:
    found, at = [b""], 0
    while at < len(octets):
        piece = _PIECE.match(octets, at)
        if not piece:
            raise ValueError("a backslash at the end")
        number, escaped, plain, dot = piece.groups()
        if dot:
            found.append(b"")
        else:
            found[-1] += bytes((int(number),)).lower() if number else escaped or plain
        at = piece.end()
    return found


class Fall(Struct, frozen=True):
    """Where a name falls.  *rule* is one of RULES; the parts that it has are filled in."""

    rule: str
    apex: Name = Name(b"")
    parts: tuple[str, ...] = ()  # the labels before the apex

    @property
    def zone(self) -> str:
        return to_text(self.apex) if self.apex else ""

    @property
    def namespace(self) -> str:
        return self.parts[-2] if self.rule in _IN_NAMESPACE else ""

    @property
    def service(self) -> Key | None:
        return Key(self.parts[-2], self.parts[-3]) if self.rule in _OF_SERVICE else None


_OF_SERVICE = ("service", "endpoint", "protocol", "port", "deep")
_IN_NAMESPACE = (*_OF_SERVICE, "namespace", "pod", "pods")

RULES = {
    "outside": "outside of our zones",
    "apex": "the zone itself",
    "version": "the version of the DNS schema",
    "server": "the zone's name server",
    "between": "a name between others",
    "namespace": "a namespace: NAMESPACE.svc",
    "service": "a Service name: SERVICE.NAMESPACE.svc",
    "endpoint": "an endpoint name: ENDPOINT.SERVICE.NAMESPACE.svc",
    "protocol": "a protocol of ports: _PROTOCOL.SERVICE.NAMESPACE.svc",
    "port": "a port name: _PORT._PROTOCOL.SERVICE.NAMESPACE.svc",
    "deep": "below everything that a Service has",
    "pods": "the pods of a namespace: NAMESPACE.pod",
    "pod": "a pod name: ADDRESS.NAMESPACE.pod",
    "reverse": "a reverse name",
    "other": "neither below svc nor below pod",
}


def fall(name: Name, domains: Sequence[Name], reverse: Sequence[Name]) -> Fall:
    """The zone is the one with the longest apex."""
    apexes = [apex for apex in (*domains, *reverse) if is_below(name, apex)]
    if not apexes:
        return Fall("outside")
    apex = max(apexes, key=len)
    whole = labels(name)
    parts = tuple(part.decode("ascii", "replace") for part in whole[: len(whole) - len(labels(apex))])
    if not parts:
        return Fall("apex", apex)
    if apex in reverse:
        return Fall("reverse", apex, parts)
    return Fall(_rule(parts), apex, parts)


def _rule(parts: tuple[str, ...]) -> str:
    fixed = {("dns-version",): "version", ("ns", "dns"): "server", ("dns",): "between"}
    if parts in fixed:
        return fixed[parts]
    count = len(parts)
    if parts[-1] == "pod":
        return ("between", "pods", "pod")[count - 1] if count < 4 else "other"
    if parts[-1] != "svc":
        return "other"
    if count == 4:
        return "protocol" if parts[0].startswith("_") else "endpoint"
    return ("between", "namespace", "service", "", "port")[count - 1] if count < 6 else "deep"
