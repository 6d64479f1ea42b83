"""What the settings of forwarding may be; as ``config_model``, which uses these."""

import re

from clusterdns.cluster.addresses import address_text, parse_address
from clusterdns.zone.names import parse_name

_TLS = "tls://"
_PORT, _TLS_PORT = 53, 853
_SERVER = re.compile(r"(?:\[([^]]+)\]|([^][]*?))(?::(\d{1,5}))?(?:#(.*))?")
_LABEL = re.compile(r"[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?")
_FORMS = "write 10.0.0.1, 10.0.0.1:53, tls://9.9.9.9#dns.quad9.net or /etc/resolv.conf"


def upstream(text: str) -> str:
    """In its one form: ``"10.0.0.1:53"``, ``"[::1]:53"``, ``"tls://9.9.9.9:853#dns.quad9.net"``, ``"/path"``."""
    if text.startswith("/"):
        return text
    tls = text.startswith(_TLS)
    bare = text.removeprefix(_TLS)
    if _is_ipv6(bare.partition("#")[0]):  # without brackets and port
        address, port, name = bare.partition("#")[0], None, bare.partition("#")[2] or None
    elif found := _SERVER.fullmatch(bare):
        address, port, name = found[1] or found[2], found[3], found[4]
    else:
        raise ValueError(f"{text!r} is no upstream; {_FORMS}")
    if name is not None and (not tls or not _is_host(name)):
        raise ValueError(f"{text!r}: a name behind # is what a tls:// server's certificate says; {_FORMS}")
    try:
        host = address_text(parse_address(address))
    except ValueError:
        raise ValueError(f"{text!r} is no upstream; {_FORMS}") from None
    number = int(port) if port is not None else _TLS_PORT if tls else _PORT
    if not 0 < number <= 65535:
        raise ValueError(f"{text!r} is no upstream: a port is 1 to 65535; {_FORMS}")
    shown = f"[{host}]:{number}" if ":" in host else f"{host}:{number}"
    return f"{_TLS if tls else ''}{shown}{'#' + name if name else ''}"


def stub_server(text: str) -> str:
    if text.startswith("/"):
        raise ValueError(f"{text!r}: a stub domain has servers of its own; write their addresses, like 10.0.0.1")
    return upstream(text)


def stub_domain(text: str) -> tuple[str, tuple[str, ...]]:
    """``"corp.example=10.0.0.1 10.0.0.2:5353"`` -> the suffix with its final dot, and its servers."""
    suffix, equals, rest = text.partition("=")
    servers = tuple(dict.fromkeys(map(stub_server, rest.split())))
    if not equals or not servers:
        raise ValueError(f"{text!r} names no server; write corp.example: [10.0.0.1], or corp.example=10.0.0.1")
    if suffix.strip() in {"", "."}:
        raise ValueError("every name is below the root; write its servers into upstream")
    return any_domain(suffix.strip()), servers


def any_domain(text: str) -> str:
    """``"Corp.example"`` -> ``"corp.example."``; ``.home`` and the like may be meant, so one label is enough."""
    name = text.lower().removesuffix(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError(f"{text!r} is no domain name; write labels of letters, digits and hyphens with dots between")
    parse_name(name)
    return name + "."


def _is_ipv6(text: str) -> bool:
    try:
        return len(parse_address(text)) == 16
    except ValueError:
        return False


def _is_host(text: str) -> bool:
    return bool(text) and all(_LABEL.fullmatch(label) for label in text.lower().removesuffix(".").split("."))
