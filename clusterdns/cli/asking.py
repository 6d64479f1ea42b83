"""The network side of ``clusterdns query``: one question to one server, over UDP and TCP."""

import secrets
import socket
import time
from typing import Any, NamedTuple

from dnslib import EDNS0, RCODE, DNSError, DNSHeader, DNSLabel, DNSQuestion, DNSRecord

from clusterdns.errors import BackendError, OperatorError

TRIES = 2
SECONDS = 5.0  # for all tries over one transport
# 1232 = 1280 (IPv6 minimum MTU) - 40 (IPv6) - 8 (UDP).
UDP_OCTETS = 1232

_SocketAddress = tuple[Any, ...]  # as the socket module has it: two values for IPv4, four for IPv6
_WITHOUT_QUESTION = (RCODE.FORMERR, RCODE.NOTIMP)  # a server that could not read it need not repeat it


class Server(NamedTuple):
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Reply(NamedTuple):
    message: DNSRecord
    octets: int
    seconds: float  # from the last send to this reply
    transport: str  # "UDP" | "TCP"


def make_query(labels: tuple[bytes, ...], qtype: int) -> DNSRecord:
    """Built from labels, not from text: dnslib would take a dot inside a label for a border."""
    query = DNSRecord(DNSHeader(id=secrets.randbelow(1 << 16), qr=0, rd=1), q=DNSQuestion(DNSLabel(labels), qtype))
    query.add_ar(EDNS0(udp_len=UDP_OCTETS))
    return query


def ask(server: Server, query: DNSRecord, *, tcp: bool = False) -> Reply:
    """A reply that fits the question.  A truncated one is asked for again over TCP.

    Raises BackendError when none comes in time, OperatorError when the server's name means nothing.
    """
    family, address = _resolved(server)
    if not tcp:
        reply = _ask_udp(server, family, address, query)
        if not reply.message.header.tc:
            return reply
    return _ask_tcp(server, family, address, query)


def _resolved(server: Server) -> tuple[int, _SocketAddress]:
    try:
        found = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        raise OperatorError(f"@{server.host}: no address of a server; write one like @127.0.0.1:1053") from None
    family, _, _, _, address = found[0]
    return family, address


def _ask_udp(server: Server, family: int, address: _SocketAddress, query: DNSRecord) -> Reply:
    """Each try has its share of the time; wrong packets cost the time they take and nothing else."""
    octets = bytes(query.pack())
    failure = silence = f"no answer within {SECONDS:g} s"
    # Connected: the kernel drops what others send, and tells when nobody listens.
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        for _ in range(TRIES):
            try:
                sock.connect(address)
                sent = time.monotonic()
                sock.send(octets)
                while (left := sent + SECONDS / TRIES - time.monotonic()) > 0:
                    sock.settimeout(left)
                    data = sock.recv(65535)
                    if message := _fitting(data, query):
                        return Reply(message, len(data), time.monotonic() - sent, "UDP")
            except TimeoutError:
                failure = silence
            except OSError as error:
                failure = _reason(error)
    raise BackendError(f"{server} over UDP: {failure}")


def _ask_tcp(server: Server, family: int, address: _SocketAddress, query: DNSRecord) -> Reply:
    octets = bytes(query.pack())
    deadline = time.monotonic() + SECONDS
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.settimeout(SECONDS)
            sock.connect(address)
            sent = time.monotonic()
            sock.sendall(len(octets).to_bytes(2) + octets)
            while True:
                data = _received(sock, int.from_bytes(_received(sock, 2, deadline)), deadline)
                if message := _fitting(data, query):
                    return Reply(message, len(data), time.monotonic() - sent, "TCP")
    except TimeoutError:
        raise BackendError(f"{server} over TCP: no answer within {SECONDS:g} s") from None
    except OSError as error:
        raise BackendError(f"{server} over TCP: {_reason(error)}") from None


def _received(sock: socket.socket, count: int, deadline: float) -> bytes:
    """Exactly *count* octets.  Raises OSError when the connection ends, TimeoutError at *deadline*."""
    data = b""
    while len(data) < count:
        sock.settimeout(max(0.001, deadline - time.monotonic()))
        piece = sock.recv(count - len(data))
        if not piece:
            raise ConnectionError("the connection was closed before the answer was whole")
        data += piece
    return data


def _fitting(data: bytes, query: DNSRecord) -> DNSRecord | None:
    """The message in *data* if it answers *query*: a response with its id and its question."""
    try:
        message = DNSRecord.parse(data)
    except DNSError:
        return None
    header = message.header
    if not header.qr or header.id != query.header.id or header.opcode != query.header.opcode:
        return None
    if not message.questions and header.rcode in _WITHOUT_QUESTION:
        return message
    return message if message.questions == query.questions else None


def _reason(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there; start `clusterdns serve PATH`, or name a server with @ADDR:PORT"
    return (error.strerror or str(error)).lower()
