"""One query over UDP: a socket of its own, so a port that nobody can foretell (RFC 5452 §9.2)."""

import asyncio
import errno
import os
import secrets
import socket
from functools import cache
from itertools import pairwise

from clusterdns.forward.figures import Figures
from clusterdns.forward.message import is_bare_error, is_reply
from clusterdns.forward.tries import TryError

_BATCH = 16  # One turn of the loop looks at so many packets of one socket: forgers must not stop all others.
_REPLY_OCTETS = 65535
_PORTS = range(1024, 65536)
_BIND_TRIES = 10
_SAMPLES, _NEAR = 12, 64  # ports to judge a kernel by, and what is no distance between two random ones
# Nothing that the upstream could help: no files, no memory, no port.
_LOCAL = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN, errno.EADDRINUSE}

Address = tuple[str, int]


class NearMiss(Exception):  # noqa: N818 - nothing failed
    """A packet came that fits in everything but the letter case of the name.

    Either the server does not keep it, or somebody has guessed the port and the ID: TCP helps against both.
    """


class UdpExchange:
    """Counts in *figures* the sockets, and what was ignored because it did not belong to the query."""

    def __init__(self, address: Address, figures: Figures) -> None:
        self._address, self._figures = address, figures
        self._family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET

    async def ask(self, sent: bytes) -> bytes:
        """The reply to the query *sent*, however long it takes: cancel it.

        Raises TryError for what the network reports, NearMiss.  Wrong packets are ignored and the wait goes on: they
        must not keep the right one from being seen.
        """
        loop = asyncio.get_running_loop()
        sock = self._connected()
        number = sock.fileno()  # the loop writes a socket out at length to find that it does not know it
        try:
            reply: asyncio.Future[bytes] = loop.create_future()
            loop.add_reader(number, self._readable, sock, sent, reply)
            try:
                sock.send(sent)
                return await reply
            finally:
                loop.remove_reader(number)
                del reply  # else an error would hold this frame, this the future, and that the error
        except OSError as fault:
            raise failure(fault) from None
        finally:
            sock.close()

    def _connected(self) -> socket.socket:
        """To the upstream, so that the kernel drops what others send and tells of ICMP errors."""
        try:
            sock = socket.socket(self._family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        except OSError as fault:
            raise failure(fault) from None
        try:
            if not kernel_is_random(self._family):
                _bind_random(sock)
            sock.connect(self._address)
        except OSError as fault:
            sock.close()
            raise failure(fault) from None
        self._figures.sockets += 1
        return sock

    def _readable(self, sock: socket.socket, sent: bytes, reply: "asyncio.Future[bytes]") -> None:
        for _ in range(_BATCH):
            if reply.done():
                return
            try:
                packet = sock.recv(_REPLY_OCTETS)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as fault:
                reply.set_exception(fault.with_traceback(None))  # of a frame that holds *reply*
                return
            if is_reply(packet, sent) or is_bare_error(packet, sent):
                reply.set_result(packet)
            elif is_reply(packet, sent, any_case=True):
                reply.set_exception(NearMiss())
            else:
                self._figures.stray += 1


def failure(fault: OSError) -> TryError:
    """By whose fault, and in words."""
    # The loop's errors name what it tried to connect to, in the way of a program.
    text = os.strerror(fault.errno) if fault.errno and fault.errno > 0 else str(fault) or type(fault).__name__
    return TryError("local" if fault.errno in _LOCAL else "network", text.lower())


def looks_random(ports: list[int]) -> bool:
    """False for ports that are handed out in a row."""
    near = sum(abs(one - other) <= _NEAR for one, other in pairwise(ports))
    return near <= len(ports) // 3


@cache
def kernel_is_random(family: socket.AddressFamily) -> bool:
    """Whether sockets get ports in no order: Linux does that, others and some sandboxes count up."""
    ports = []
    host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    try:
        for _ in range(_SAMPLES):
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.connect((host, 53))
                ports.append(sock.getsockname()[1])
    except OSError:
        return False
    return looks_random(ports)


def _bind_random(sock: socket.socket) -> None:
    for left in reversed(range(_BIND_TRIES)):
        try:
            sock.bind(("", secrets.choice(_PORTS)))
        except OSError as fault:
            if fault.errno not in (errno.EADDRINUSE, errno.EACCES) or not left:
                raise
        else:
            return
