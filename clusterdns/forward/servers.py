"""Upstreams as text: who they are and how they are spoken to."""

import re
from collections.abc import Iterable
from ipaddress import IPv6Address
from typing import NamedTuple

from clusterdns.cluster.addresses import address_text, parse_address
from clusterdns.forward.tries import Transport

PORT, TLS_PORT = 53, 853
_TLS = "tls://"
_SERVER = re.compile(r"(?:\[([^]]+)\]|([^][]*?))(?::(\d{1,5}))?(?:#(.*))?")
_LABEL = re.compile(r"[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?")
_FORMS = "write 10.0.0.1, 10.0.0.1:53, [2001:db8::1]:53, tls://9.9.9.9#dns.quad9.net or /etc/resolv.conf"


class Server(NamedTuple):
    address: str  # IPv6 with a zone index perhaps, where a file has it
    port: int = PORT
    transport: Transport = "udp"  # that it is asked over first
    name: str | None = None  # that its certificate must have; None: the address

    def __str__(self) -> str:
        """``"10.0.0.1:53"``, ``"[::1]:53"``, ``"tls://9.9.9.9:853#dns.quad9.net"``."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        tls = _TLS if self.transport == "tls" else ""
        return f"{tls}{host}:{self.port}{'#' + self.name if self.name else ''}"


def is_file(text: str) -> bool:
    return text.startswith("/")


def parse_server(text: str) -> Server:
    """*text* without the port has the usual one.  Raises ValueError: ``problem; remedy``."""
    tls = text.startswith(_TLS)
    bare = text.removeprefix(_TLS)
    host, _, behind = bare.partition("#")
    if _is_ipv6(host):  # without brackets and port
        address, port, name = host, None, behind if "#" in bare else None
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
    number = int(port) if port is not None else TLS_PORT if tls else PORT
    if not 0 < number <= 65535:
        raise ValueError(f"{text!r} is no upstream: a port is 1 to 65535; {_FORMS}")
    return Server(host, number, "tls" if tls else "udp", name)


def nameservers(text: str) -> tuple[list[Server], list[str]]:
    """Of a resolv.conf, each once: those that can be used, and what stands where an address should (resolv.conf(5))."""
    found, wrong = [], []
    for line in text.splitlines():
        words = line.split()
        if words[:1] != ["nameserver"]:
            continue
        try:
            found.append(Server(_address(words[1])))
        except (IndexError, ValueError):
            wrong.append(" ".join(words))
    return list(dict.fromkeys(found)), wrong


def with_transport(servers: Iterable[Server], transport: Transport) -> list[Server]:
    """Those of UDP take *transport* instead; those of TLS stay."""
    return [one._replace(transport=transport) if one.transport == "udp" else one for one in servers]


def _address(text: str) -> str:
    if "%" in text:
        return str(IPv6Address(text))  # a link-local router, as autoconfiguration announces it
    return address_text(parse_address(text))


def _is_ipv6(text: str) -> bool:
    try:
        return len(parse_address(text)) == 16
    except ValueError:
        return False


def _is_host(text: str) -> bool:
    return bool(text) and all(_LABEL.fullmatch(label) for label in text.lower().removesuffix(".").split("."))
