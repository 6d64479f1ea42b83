"""The yardstick: the least that a DNS server on an asyncio loop can do.  Sends each datagram back as a response."""

import asyncio
import socket
import sys

_BATCH = 64
_RECEIVE_OCTETS = 1 << 20


async def serve(port: int) -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_OCTETS)
    sock.setblocking(False)
    sock.bind(("127.0.0.1", port))

    def readable() -> None:
        receive, send = sock.recvfrom, sock.sendto
        for _ in range(_BATCH):
            try:
                packet, peer = receive(4096)
            except OSError:
                return
            send(packet[:2] + b"\x81" + packet[3:], peer)  # QR and RD

    asyncio.get_running_loop().add_reader(sock, readable)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
