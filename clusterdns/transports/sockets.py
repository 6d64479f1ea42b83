"""Listening sockets: one per local address, so that a reply leaves from the address that was asked."""

import errno
import resource
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from ipaddress import ip_address

from clusterdns.cluster.addresses import host_port
from clusterdns.errors import OperatorError

# linux/in.h; Python has no names for them.  OMIT: ignore path-MTU news, which anybody can forge (RFC 9715 §3).
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _PMTUDISC_OMIT = 10, 23, 5
_SO_RCVBUFFORCE = 33  # beyond net.core.rmem_max, for who may
_RECEIVE_OCTETS = 2 << 20  # a burst of some thousand queries: each takes the kernel about 768 octets
_PORT_TRIES = 20
BACKLOG = 1024  # connections that wait for the loop

Address = tuple[str, int]

_REMEDIES = {
    errno.EADDRINUSE: "another process has it: stop that one or listen elsewhere",
    errno.EACCES: "ports below 1024 need a privilege: use a higher port such as 1053",
    errno.EADDRNOTAVAIL: "no interface of this machine has it: see `ip address`",
}


def local_addresses(host: str) -> list[str]:
    """A wildcard becomes the addresses of this machine in its family, as they are now; others stay as they are."""
    if not ip_address(host).is_unspecified:
        return [host]
    version = ip_address(host).version
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    import psutil  # noqa: PLC0415 - 10 ms, which who names addresses need not wait for

    found = [entry.address for entries in psutil.net_if_addrs().values() for entry in entries if entry.family == family]
    # Link-local addresses name an interface as well; nobody configures one as a resolver of a cluster.
    return sorted({address for address in found if "%" not in address and not ip_address(address).is_link_local})


def bind_pairs(listen: Address) -> list[tuple[socket.socket, socket.socket]]:
    """A UDP and a listening TCP socket of the same port for each local address of *listen*; port 0 finds a free one.

    Raises OperatorError when one cannot be had; none stays open then.
    """
    host, port = listen
    addresses = local_addresses(host)
    if not addresses:
        raise OperatorError(f"listen {address_text(listen)}: no interface has an address of this family; leave it out")
    for attempt in range(_PORT_TRIES):
        try:
            return _bind_all(addresses, port)
        except OSError as fault:
            # A port that one socket found free may be taken for the next.
            if port or fault.errno != errno.EADDRINUSE or attempt == _PORT_TRIES - 1:
                raise OperatorError(f"listen {address_text(listen)}: {_why(fault)}") from None
    raise AssertionError("the last attempt returns or raises")


def address_text(address: Address) -> str:
    """``("::1", 53)`` -> ``"[::1]:53"``."""
    return host_port(*address)


def allow_files(wanted: int) -> int:
    """How many files this process may have open from now on: *wanted*, if the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else min(soft, wanted)


def _why(fault: OSError) -> str:
    remedy = _REMEDIES.get(fault.errno or 0)
    return f"{fault.strerror}; {remedy}" if remedy else str(fault.strerror)


def _bind_all(hosts: Sequence[str], port: int) -> list[tuple[socket.socket, socket.socket]]:
    """All on the port that the first one has.  Raises OSError, and leaves none open."""
    with ExitStack() as opened:
        pairs = []
        for host in hosts:
            udp = opened.enter_context(_bind(host, port, socket.SOCK_DGRAM))
            port = udp.getsockname()[1]
            pairs.append((udp, opened.enter_context(_bind(host, port, socket.SOCK_STREAM))))
        opened.pop_all()
        return pairs


def _bind(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, kind)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            tune(sock)
        sock.setblocking(False)
        sock.bind((host, port))
        if kind == socket.SOCK_STREAM:
            sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def tune(sock: socket.socket) -> None:
    """What a UDP socket of ours has."""
    _widen(sock)
    _omit_path_mtu(sock, sock.family)


def _widen(sock: socket.socket) -> None:
    """What arrives while we are busy waits here; the usual limit holds fewer than 300 queries."""
    octets = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    if octets >= 2 * _RECEIVE_OCTETS:  # Linux tells double what was set
        return
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_OCTETS)
    except OSError:
        if octets < _allowed(sock.family):  # a parent may have given it more than we may
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_OCTETS)


def _allowed(family: int) -> int:
    """What a socket gets that asks for as much as ours: net.core.rmem_max, which not every container can read."""
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_OCTETS)
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def _omit_path_mtu(sock: socket.socket, family: int) -> None:
    level, option = (
        (socket.IPPROTO_IP, _IP_MTU_DISCOVER) if family == socket.AF_INET else (socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER)
    )
    try:
        sock.setsockopt(level, option, _PMTUDISC_OMIT)
    except OSError:
        return  # another system than Linux: its default stays
