"""IP addresses as packed octets: 4 or 16 of them.  They hash, sort and share like any ``bytes``."""

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from socket import (  # computations only: many times faster than handling the text here
    AF_INET,
    AF_INET6,
    inet_ntoa,
    inet_ntop,
    inet_pton,
)

Network = IPv4Network | IPv6Network


def parse_address(text: str) -> bytes:
    """``"10.0.0.1"`` -> ``b"\\n\\0\\0\\1"``.  Raises ValueError; no leading zeros, no zone index (RFC 6943 §3.1.1)."""
    try:
        return inet_pton(AF_INET, text)
    except (OSError, ValueError):  # IPv6, or nonsense; ValueError: a NUL in it
        return _parse_ipv6(text)


def _parse_ipv6(text: str) -> bytes:
    if "%" in text:
        raise ValueError(f"{text!r} has a zone index: it means something on one machine only")
    try:
        return IPv6Address(text).packed
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address") from None


def address_text(address: bytes) -> str:
    """``b"\\n\\0\\0\\1"`` -> ``"10.0.0.1"``; IPv6 in RFC 5952 form."""
    return inet_ntoa(address) if len(address) == 4 else str(ip_address(address))


def host_port(host: str, port: int) -> str:
    """``("::1", 53)`` -> ``"[::1]:53"``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def wildcard_of(host: str) -> str:
    """What stands for all addresses of its family; *host* is an IP address in text."""
    return "::" if ":" in host else "0.0.0.0"


def client_of(address: str) -> str:
    """Who is counted as one: an address, or ``"2001:db8:0:1::/64"`` for all addresses of a global IPv6 network.

    Whoever has one of these has all of them.  Of other IPv6 addresses, unique local ones above all, each counts: there
    all pods of a node, or of a cluster, share a /64.
    """
    if ":" not in address or address.find(":") != 4 or address[0] not in "23":  # 2000::/3, as the kernel writes it
        return address
    return inet_ntop(AF_INET6, inet_pton(AF_INET6, address)[:8] + bytes(8)) + "/64"


def family(address: bytes) -> int:
    """4 or 6."""
    return 4 if len(address) == 4 else 6


def parse_network(text: str) -> Network:
    """Raises ValueError, also where host bits are set."""
    return ip_network(text)


def in_network(address: bytes, network: Network) -> bool:
    """False for another family."""
    shift = network.max_prefixlen - network.prefixlen
    return len(address) * 8 == network.max_prefixlen and (
        int.from_bytes(address) >> shift == int(network.network_address) >> shift
    )
