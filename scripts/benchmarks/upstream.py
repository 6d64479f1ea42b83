"""An upstream whose answers cost nothing to think up: every name has one address.

``python upstream.py PORT TTL`` serves UDP on 127.0.0.1; the address of ``asked.`` is how many questions came so far.
"""

import socket
import struct
import sys

_RECEIVE_OCTETS = 4 << 20
_ASKED = b"\5asked\0"


def serve(port: int, ttl: int) -> None:
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_OCTETS)
    sock.bind(("127.0.0.1", port))
    asked = 0
    while True:
        query, peer = sock.recvfrom(4096)
        end = query.find(b"\0", 12) + 5
        if end < 17 or len(query) < end:
            continue
        if query[12 : end - 4] == _ASKED:
            address = asked.to_bytes(4)
        else:
            asked += 1
            address = bytes((192, 0, 2, 1))
        found = query[end - 4 : end - 2] == b"\0\1"
        answer = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, ttl, 4) + address if found else b""
        opt = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0) if query[11] else b""
        counts = struct.pack("!HHHH", 1, found, 0, bool(opt))
        sock.sendto(query[:2] + b"\x85\x80" + counts + query[12:end] + answer + opt, peer)


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
