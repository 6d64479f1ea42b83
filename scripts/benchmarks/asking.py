"""Questions at a steady rate from a process of its own: how long each waits, and whether its answer is one it may be.

``python asking.py PORT SERVICES ENDPOINTS RATE`` asks until its standard input ends and prints JSON, see Asked.
"""

import json
import random
import select
import socket
import struct
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from clusters import Size, addresses, name

_LOST = 3.0  # seconds without an answer
_HEAD = 12  # octets of a DNS header
SO_TIMESTAMPNS = 35  # of Linux; Python has no name for it


@dataclass(slots=True)
class Asked:
    """Waits in seconds, from sending to the kernel's time stamp of the answer's arrival."""

    longest: float = 0.0
    late: int = 0  # above 10 ms
    sent: int = 0
    lost: int = 0
    wrong: list[str] = field(default_factory=list)  # answers of neither generation
    old: int = 0  # answers of generation 0
    new: int = 0  # answers of generation 1


class Asker:
    def __init__(self, port: int, size: Size) -> None:
        self._size, self._port = size, port
        self._waiting: dict[int, tuple[int, float]] = {}  # message ID -> (Service, when it was sent)
        self._random = random.Random(1)  # noqa: S311 - the same questions every time
        self.asked = Asked()
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.connect(("127.0.0.1", port))
        self._socket.setblocking(False)

    def run(self, rate: float) -> Asked:
        begin = time.monotonic()
        while True:
            due = begin + self.asked.sent / rate
            ready, _, _ = select.select([self._socket, sys.stdin], [], [], max(0.0, due - time.monotonic()))
            if self._socket in ready:
                self._receive()
            if sys.stdin in ready:
                break
            if time.monotonic() >= due:
                self._send()
        end = time.monotonic() + _LOST
        while self._waiting and time.monotonic() < end:
            if select.select([self._socket], [], [], 0.1)[0]:
                self._receive()
        self.asked.lost = len(self._waiting)
        return self.asked

    def _send(self) -> None:
        number = self._random.randrange(self._size.services)
        ident = self.asked.sent & 0xFFFF
        labels = b"".join(bytes([len(part)]) + part.encode() for part in name(number).split("."))
        query = struct.pack("!HHHHHH", ident, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)
        self._waiting[ident] = number, time.time()
        self._socket.send(query)
        self.asked.sent += 1

    def _receive(self) -> None:
        while True:
            try:
                response, extra, _, _ = self._socket.recvmsg(65535, 64)
            except BlockingIOError:
                return
            arrived = next((seconds_of(data) for _, kind, data in extra if kind == SO_TIMESTAMPNS), time.time())
            waiting = self._waiting.pop(int.from_bytes(response[:2]), None)
            if waiting:
                self._judge(waiting[0], arrived - waiting[1], response)

    def _judge(self, number: int, waited: float, response: bytes) -> None:
        self.asked.longest = max(self.asked.longest, waited)
        self.asked.late += waited > 0.01
        found = answers(response)
        if found == addresses(number, self._size, 0):
            self.asked.old += 1
        elif found == addresses(number, self._size, 1):
            self.asked.new += 1
        else:
            self.asked.wrong.append(f"{name(number)}: flags {response[2:4].hex()}, {sorted(found)}")


def seconds_of(stamp: bytes) -> float:
    whole, nanoseconds = struct.unpack("qq", stamp)
    return float(whole) + nanoseconds / 1e9


def answers(response: bytes) -> frozenset[str]:
    """The IPv4 addresses of the answer section, whose owners are all pointers; () for an error or a cut answer."""
    if len(response) < _HEAD:
        return frozenset()
    flags, _, count = struct.unpack_from("!HHH", response, 2)
    if flags & 0x020F:
        return frozenset()
    at = response.index(b"\0", _HEAD) + 5
    return frozenset(socket.inet_ntoa(response[at + 12 + 16 * n : at + 16 + 16 * n]) for n in range(count))


def main(arguments: Sequence[str]) -> None:
    port, services, endpoints = map(int, arguments[:3])
    asked = Asker(port, Size(services, endpoints)).run(float(arguments[3]))
    asked.wrong = asked.wrong[:10]
    print(json.dumps(asdict(asked)))


if __name__ == "__main__":
    main(sys.argv[1:])
