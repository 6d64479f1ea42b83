"""Ports that are free and stay so: below those that the kernel gives to every socket that asks for any port."""

import errno
import os
import random
import socket
from collections import deque
from pathlib import Path

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 10_000
_HOSTS = ("127.0.0.1", "127.0.0.2", "::1")
_KINDS = (socket.SOCK_DGRAM, socket.SOCK_STREAM)
_random = random.Random()
_given = deque[int](maxlen=1000)  # more than any test needs; long runs would else use up all there are


def free_port() -> int:
    """Of UDP and TCP alike, on every loopback address that a test listens on; another one each time.

    No other worker of pytest-xdist gets it: between being found and being used, or where nobody is to listen on it for
    the length of a test, it looks free to all of them.
    """
    worker, workers = _worker()
    for _ in range(100):
        port = _random.randrange(_LOWEST + worker % workers, _lowest_ephemeral(), workers)
        if port not in _given and all(_is_free(host, port, kind) for host in _HOSTS for kind in _KINDS):
            _given.append(port)
            return port
    raise AssertionError("no port is free")


def _worker() -> tuple[int, int]:
    """The number of this one, which is higher for one that replaces a crashed one, and how many run at a time."""
    number = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return int(number), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


def _lowest_ephemeral() -> int:
    lowest = int(_EPHEMERAL.read_text().split()[0]) if _EPHEMERAL.exists() else 32768
    return lowest if lowest > _LOWEST + 1000 else 65536


def _is_free(host: str, port: int, kind: socket.SocketKind) -> bool:
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as sock:
            sock.bind((host, port))
    except OSError as fault:
        return fault.errno != errno.EADDRINUSE  # an address or a family that this machine lacks takes nothing
    return True
