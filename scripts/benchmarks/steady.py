"""Questions at a steady rate from a process of its own, whatever becomes of the answers before.

``python steady.py PORT RATE SECONDS NAME`` asks for A records and prints a line of JSON, see Result.  ``{}`` in NAME
becomes a number, so that no name is asked for twice.
"""

import json
import select
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from asking import SO_TIMESTAMPNS, seconds_of
from load import packet

LOST = 1.0  # seconds without an answer


@dataclass(slots=True)
class Result:
    """*waits*: seconds from sending to the kernel's time stamp of the answer's arrival, in order of arrival."""

    sent: int = 0
    lost: int = 0
    failed: int = 0  # answered with another rcode than NOERROR
    waits: list[float] = field(default_factory=list)


class Steady:
    def __init__(self, port: int, name: str) -> None:
        self._name, self._first = name, time.time_ns() % 10**12
        self._waiting: dict[int, float] = {}  # message ID -> when it was sent
        self.result = Result()
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.connect(("127.0.0.1", port))
        self._socket.setblocking(False)

    def run(self, rate: float, seconds: float) -> Result:
        begin, result = time.monotonic(), self.result
        while result.sent < rate * seconds:
            left = begin + result.sent / rate - time.monotonic()
            if left > 0:
                if select.select([self._socket], [], [], left)[0]:
                    self._receive()
            else:
                self._send()
        end = time.monotonic() + LOST
        while self._waiting and time.monotonic() < end:
            if select.select([self._socket], [], [], 0.1)[0]:
                self._receive()
        result.lost += len(self._waiting)
        return result

    def _send(self) -> None:
        result = self.result
        ident = result.sent & 0xFFFF
        query = packet((self._name.format(self._first + result.sent), "A"))
        result.lost += ident in self._waiting
        self._waiting[ident] = time.time()
        self._socket.send(ident.to_bytes(2) + query[2:])
        result.sent += 1

    def _receive(self) -> None:
        while True:
            try:
                response, extra, _, _ = self._socket.recvmsg(4096, 64)
            except BlockingIOError:
                return
            arrived = next((seconds_of(data) for _, kind, data in extra if kind == SO_TIMESTAMPNS), time.time())
            sent = self._waiting.pop(int.from_bytes(response[:2]), None)
            if sent is not None:
                self.result.waits.append(arrived - sent)
                self.result.failed += response[3] & 0xF != 0


def main(arguments: Sequence[str]) -> None:
    port, rate, seconds, name = arguments
    print(json.dumps(asdict(Steady(int(port), name).run(float(rate), float(seconds)))))


if __name__ == "__main__":
    main(sys.argv[1:])
