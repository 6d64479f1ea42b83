"""What the settings of forwarding may be; as ``config_values``, which uses these."""

import re

from clusterdns.forward.servers import is_file, parse_server
from clusterdns.zone.names import parse_name

_LABEL = re.compile(r"[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?")


def upstream(text: str) -> str:
    """In its one form: ``"10.0.0.1:53"``, ``"[::1]:53"``, ``"tls://9.9.9.9:853#dns.quad9.net"``, ``"/path"``."""
    return text if is_file(text) else str(parse_server(text))


def stub_server(text: str) -> str:
    if is_file(text):
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
