"""Rules for single values, in Kubernetes' words (apimachinery's ``validation`` package, v1.36)."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from clusterdns.cluster.addresses import parse_address
from clusterdns.cluster.compose import Quoted
from clusterdns.cluster.documents import Path
from clusterdns.cluster.faults import Faults
from clusterdns.cluster.labels import is_label_key, is_label_value

_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_PORT_NAME = re.compile(r"(?=.{1,15}\Z)(?=.*[a-z])[a-z0-9]+(?:-[a-z0-9]+)*")
_FORBIDDEN = re.compile(r"[^-a-z0-9.]+")
_HOSTS = ("hostname", "subdomain", "serviceName")
_NO_LABEL = re.compile(r"[^-A-Za-z0-9_.]+")
_LONG = 1000  # characters that nobody makes a better name of: of millions it would hold up whoever waits
_LARGE = 1 << 31  # Kubernetes' ports and replicas are int32
_TRUE, _FALSE = frozenset(("true", "yes", "on", "y")), frozenset(("false", "no", "off", "n"))  # YAML 1.1

PROTOCOLS = ("TCP", "UDP", "SCTP")


@lru_cache(1 << 14)
def is_label(text: str) -> bool:
    """DNS-1123 label: a to z, 0 to 9, inner hyphens, at most 63."""
    return _LABEL.fullmatch(text) is not None


def is_subdomain(text: str) -> bool:
    """DNS-1123 subdomain: such labels, with dots between them, at most 253."""
    return len(text) <= 253 and _SUBDOMAIN.fullmatch(text) is not None


def is_container_port_name(text: str) -> bool:
    """IANA_SVC_NAME (RFC 6335 §5.1): at most 15, at least one letter, single inner hyphens."""
    return _PORT_NAME.fullmatch(text) is not None


def number(value: int | str | None, default: int = 0) -> int:
    """Raises ValueError.  Text as YAML 1.1 reads it: ``80``, ``0x50``; not ``0120``, which is octal to some."""
    if value is None:
        return default
    return value if type(value) is int else int(str(value), 0)


def flag(value: bool | str | None, default: bool = False) -> bool:
    """Raises ValueError."""
    if value is None or type(value) is bool:
        return default if value is None else value
    lowered = str(value).lower()
    if lowered not in _TRUE and lowered not in _FALSE:
        raise ValueError(value)
    return lowered in _TRUE


def check_number(faults: Faults, path: Path, value: int | str | None) -> int | None:
    """The number, None where there is none."""
    if value is None or type(value) is int:
        return value
    if type(value) is Quoted or faults.texts_are_quoted:
        remedy = f"remove the quotes: {value}" if str(value).isdecimal() else "write a number"
        faults.error("CD202", path, f'must be a number, not the text "{value}"', remedy)
        return None
    try:
        return number(value)
    except ValueError:
        faults.error("CD202", path, f"{value} is not a whole number", _number_remedy(str(value)))
        return None


def _number_remedy(text: str) -> str:
    if text.isdecimal() and text.strip("0"):
        return f"write {text.lstrip('0')}: zeros in front are read as octal by some"
    first, _, second = text.partition(":")
    if first.isdecimal() and second.isdecimal():
        return f"write port: {first} and, in a line of its own, targetPort: {second}"
    return "write it with digits only"


def check_flag(faults: Faults, path: Path, value: bool | str | None) -> None:
    if value is None or type(value) is bool:
        return
    quoted = type(value) is Quoted or faults.texts_are_quoted
    try:
        flag(value)
    except ValueError:
        quoted = True
    if quoted:
        shown = f'the text "{value}"' if type(value) is Quoted or faults.texts_are_quoted else str(value)
        faults.error("CD202", path, f"must be true or false, not {shown}", "write true or false, unquoted")


def check_name(faults: Faults, path: Path, text: str, rule: Callable[[str], bool], code: str = "CD203") -> None:
    if rule(text):
        return
    kind = "name with dots" if rule is is_subdomain else "name"
    limit = 253 if rule is is_subdomain else 63
    allowed = "a to z, 0 to 9 and inner hyphens" + (" and dots" if rule is is_subdomain else "")
    better = _better_name(text, rule, path)
    remedy = f"write {better}" if better != text and rule(better) else f"use {allowed}, at most {limit} characters"
    faults.error(code, path, f'"{text}" is no valid {kind}', remedy)


def _better_name(text: str, rule: Callable[[str], bool], path: Path) -> str:
    """What was probably meant; not always a name."""
    if len(text) > _LONG or not text.isascii():
        return text
    text = text.partition("://")[2].partition("/")[0] or text
    text = re.sub(r":[0-9]+\Z", "", text)
    if rule is is_label:
        # A host is named by its first label; in other names a dot is as good as a hyphen.
        text = text.partition(".")[0] if path[-1] in _HOSTS else text.replace(".", "-")
    return re.sub(r"\.{2,}", ".", _FORBIDDEN.sub("-", text.lower())).strip("-.")


def check_labels(faults: Faults, path: Path, labels: Mapping[str, str | None] | None) -> None:
    for key, value in (labels or {}).items():
        if not _is_label_key(key):
            text = f'"{key}" is no valid label key'
            remedy = "write name or prefix.example/name, the name of letters, digits and inner -_. and at most 63 long"
            faults.error("CD204", (*path, key), text, _label_remedy(key, remedy))
        if value and not _is_label_value(value):
            text = f'"{value}" is no valid label value'
            remedy = "use letters, digits and inner -_. only, at most 63 characters"
            faults.error("CD204", (*path, key), text, _label_remedy(value, remedy))


def _label_remedy(text: str, otherwise: str) -> str:
    if len(text) > _LONG:
        return otherwise
    better = _NO_LABEL.sub("-", text).strip("-_.")
    return f"write {better}" if better != text and "/" not in text and is_label_value(better) and better else otherwise


_is_label_key = lru_cache(1 << 12)(is_label_key)
_is_label_value = lru_cache(1 << 14)(is_label_value)


def check_port(faults: Faults, path: Path, value: int | str | None) -> int | None:
    """Required: 1 to 65535."""
    if value is None:
        faults.error("CD205", path, "required", "write the port's number, 1 to 65535")
        return None
    found = check_number(faults, path, value)
    if found is not None and not 1 <= found <= 65535:
        faults.error("CD206", path, f"{found} is not between 1 and 65535", "write the number the program listens on")
    return found


def check_protocol(faults: Faults, path: Path, value: str | None) -> None:
    if value and value not in PROTOCOLS:
        remedy = f"write {value.upper()}" if value.upper() in PROTOCOLS else "write one of them"
        faults.error("CD207", path, f'"{value}" is none of TCP, UDP, SCTP', remedy)


def check_choice(faults: Faults, path: Path, value: str | None, choices: tuple[str, ...]) -> None:
    if value and value not in choices:
        near = [choice for choice in choices if choice.lower() == value.lower()]
        remedy = f"write {near[0]}" if near else "write one of them"
        faults.error("CD210", path, f'"{value}" is none of {", ".join(choices)}', remedy)


def check_count(faults: Faults, path: Path, value: int | str | None) -> None:
    """Optional: 0 or more."""
    found = check_number(faults, path, value)
    if found is not None and found < 0:
        faults.error("CD217", path, f"{found} is negative", "write 0 or more")
    elif found is not None and found >= _LARGE:
        faults.error("CD202", path, f"{found} is too large", "write a number below 2147483648")


def check_address(faults: Faults, path: Path, text: str | None) -> bytes | None:
    """Any IP address, in packed form."""
    if not text:
        faults.error("CD205", path, "required", "write an IP address")
        return None
    try:
        return parse_address(text)
    except ValueError as error:
        faults.error("CD211", path, str(error), _address_remedy(text))
        return None


def _address_remedy(text: str) -> str:
    parts = text.split(".")
    if len(parts) == 4 and all(
        part.isascii() and part.isdecimal() and len(part) < 10 and int(part) < 256 for part in parts
    ):
        return f"write {'.'.join(str(int(part)) for part in parts)}: zeros in front are read as octal by some"
    if "/" in text:
        return "write one address, without a prefix length"
    if text.startswith("["):
        return "write it without brackets, and in quotes"
    if len(parts) == 4 and ":" in parts[3]:
        return "write the address without the port"
    return "write an address like 10.0.0.1 or fd00::1"


def special(address: bytes) -> str:
    """Why endpoints and external IPs cannot have *address*; "" where they can (ValidateNonSpecialIP)."""
    if len(address) == 16 and address[:12] == b"\0" * 10 + b"\xff\xff":
        return "an IPv4 address written as IPv6"
    if not any(address):
        return "the unspecified address"
    if address[0] == 127 if len(address) == 4 else address == b"\0" * 15 + b"\1":
        return "a loopback address"
    if address[:2] == b"\xa9\xfe" if len(address) == 4 else address[0] == 0xFE and address[1] & 0xC0 == 0x80:
        return "a link-local address"
    if address[:3] == b"\xe0\0\0" if len(address) == 4 else address[0] == 0xFF and address[1] & 0x0F == 2:
        return "a link-local multicast address"
    return ""
