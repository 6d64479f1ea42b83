"""Sockets that the parent holds: who restarts us keeps them, and no query is lost meanwhile (sd_listen_fds(3))."""

import os
import socket
from collections.abc import Iterable, MutableMapping
from ipaddress import ip_address

from clusterdns.errors import OperatorError
from clusterdns.transports.sockets import Address, address_text, tune

FIRST = 3  # the descriptor of the first one
_NAMES = {socket.SOCK_DGRAM: "UDP", socket.SOCK_STREAM: "TCP"}
_OPTIONS = {socket.SOCK_DGRAM: "ListenDatagram", socket.SOCK_STREAM: "ListenStream"}

Pairs = dict[Address, tuple[socket.socket, socket.socket]]


def inherited_sockets(environ: MutableMapping[str, str], pid: int) -> list[socket.socket]:
    """Those that are meant for this process, whose children will not have them.  Takes the variables away.

    Raises OperatorError where LISTEN_FDS is no number, or a descriptor no socket.
    """
    count, meant_for = environ.pop("LISTEN_FDS", ""), environ.pop("LISTEN_PID", "")
    environ.pop("LISTEN_FDNAMES", None)
    if not count or meant_for != str(pid):
        return []
    if not count.isdecimal():
        raise OperatorError(f"LISTEN_FDS={count!r}: not a number of sockets; start without it, or as systemd does")
    return [_adopted(descriptor) for descriptor in range(FIRST, FIRST + int(count))]


def paired(sockets: Iterable[socket.socket]) -> Pairs:
    """By address, UDP and TCP.  Raises OperatorError for what cannot be served."""
    found: dict[Address, dict[socket.SocketKind, socket.socket]] = {}
    for sock in sockets:
        if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type not in _NAMES:
            raise OperatorError(f"socket {sock.fileno()} of the parent is neither UDP nor TCP; leave it out")
        host, port = sock.getsockname()[:2]
        if ip_address(host).is_unspecified and sock.type == socket.SOCK_DGRAM:
            # One socket for all addresses would answer from another one than was asked (RFC 2181 §4).
            raise OperatorError(
                f"socket {sock.fileno()} of the parent listens on {address_text((host, port))}; "
                "give it one socket for each address, such as ListenDatagram=192.0.2.53:53"
            )
        if found.setdefault((host, port), {}).setdefault(sock.type, sock) is not sock:
            where = address_text((host, port))
            raise OperatorError(f"the parent holds two sockets for {_NAMES[sock.type]} on {where}; leave one out")
    return {address: _pair(address, pair) for address, pair in found.items()}


def _pair(address: Address, pair: dict[socket.SocketKind, socket.socket]) -> tuple[socket.socket, socket.socket]:
    for kind, missing in _NAMES.items():
        if kind not in pair:
            there = _NAMES[next(iter(pair))]
            raise OperatorError(
                f"the parent holds a socket for {there} on {address_text(address)} and none for {missing}; "
                f"add {_OPTIONS[kind]}={address_text(address)}"
            )
    return pair[socket.SOCK_DGRAM], pair[socket.SOCK_STREAM]


def _adopted(descriptor: int) -> socket.socket:
    try:
        os.set_inheritable(descriptor, False)
        sock = socket.socket(fileno=descriptor)
    except OSError as fault:
        raise OperatorError(
            f"LISTEN_FDS: descriptor {descriptor} is no socket ({fault.strerror}); start as systemd does"
        ) from None
    sock.setblocking(False)
    if sock.type == socket.SOCK_DGRAM:
        tune(sock)
    return sock
