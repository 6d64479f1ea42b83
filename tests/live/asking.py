"""One question to two servers: what is asked, how it is answered, and the same form for both answers."""

import random
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
from ports import free_port

from live.clusters import DOMAIN
from live.control_plane import binary, reachable
from live.processes import running

Ask = Callable[[bytes, str], bytes | None]  # (query, "udp" | "tcp") -> response

_PAYLOAD = 1232  # octets: what our server sends over UDP at most
_SECONDS = 60.0  # for an answer; only a fault takes so long


class Question(NamedTuple):
    name: str  # with the final dot, in any letter case
    rtype: str

    def message(self) -> bytes:
        return dns.message.make_query(self.name, self.rtype, use_edns=0, payload=_PAYLOAD).to_wire()

    def __str__(self) -> str:
        return f"{self.name} {self.rtype}"


class Answer(NamedTuple):
    """What two servers of one mind agree on: letter case, order and serials say nothing."""

    rcode: str
    authoritative: bool
    answer: tuple[str, ...]
    authority: tuple[str, ...]
    additional: tuple[str, ...]

    @property
    def kind(self) -> str:
        """``NXDOMAIN``, ``NODATA``, or the types of the answer section: ``CNAME A``, ``NXDOMAIN CNAME``."""
        types = list(dict.fromkeys(line.split()[3] for line in self.answer))
        if self.rcode == "NOERROR":
            return " ".join(sorted(types, key=lambda one: (one != "CNAME", one))) or "NODATA"
        return " ".join([self.rcode, *types])

    def __str__(self) -> str:
        head = self.kind + (" aa" if self.authoritative else "")
        sections = ("answer", self.answer), ("authority", self.authority), ("additional", self.additional)
        return "\n    ".join([head, *(f"{name}: {line}" for name, lines in sections for line in lines)])


def ask(server: Ask, question: Question) -> Answer:
    """Over TCP where UDP cannot carry it, or where additional records may have been left out without a sign."""
    query = question.message()
    response = None if question.rtype == "SRV" else server(query, "udp")
    if response is None or response[2] & 0x02:  # TC
        response = server(query, "tcp")
    assert response is not None, f"{question}: no response"
    return parse(response)


def parse(response: bytes) -> Answer:
    message = dns.message.from_wire(response, one_rr_per_rrset=True)
    return Answer(
        dns.rcode.to_text(message.rcode()),
        bool(message.flags & dns.flags.AA),
        _lines(message.answer),
        _lines(message.authority),
        _lines(message.additional),
    )


def _lines(rrsets: list[dns.rrset.RRset]) -> tuple[str, ...]:
    return tuple(sorted(_without_serial(rrset.to_text().lower().replace(" in ", " IN ", 1)) for rrset in rrsets))


def _without_serial(line: str) -> str:
    words = line.split()
    words[3] = words[3].upper()
    if words[3] == "SOA":
        words[6] = "SERIAL"
    return " ".join(words)


@contextmanager
def coredns(folder: Path, kubeconfig: Path, options: tuple[str, ...]) -> Iterator[Ask]:
    """A CoreDNS that knows every object of the API: its ready page says when."""
    port, page = free_port(), free_port()
    lines = [f"kubeconfig {kubeconfig}", *options]
    plugin = [f"kubernetes {DOMAIN} in-addr.arpa ip6.arpa {{", *(f"  {line}" for line in lines), "}"]
    server = ["bind 127.0.0.1", "errors", f"ready 127.0.0.1:{page}", *plugin]
    # Zones as of a cluster whose server forwards nothing: names of others are refused.
    zones = " ".join(f"{zone}:{port}" for zone in (DOMAIN, "in-addr.arpa", "ip6.arpa"))
    (folder / "Corefile").write_text("\n".join([f"{zones} {{", *(f"  {line}" for line in server), "}", ""]))
    command: list[str | Path] = [binary("coredns"), "-conf", folder / "Corefile"]
    # It is ready when it knows the cluster, and then opens its sockets.
    with (
        running(
            command, folder / "coredns.log", lambda: reachable(f"http://127.0.0.1:{page}/ready") and _answers(port)
        ),
        client(port) as ask_it,
    ):
        yield ask_it


@contextmanager
def client(port: int) -> Iterator[Ask]:
    """Asks what listens on *port* of 127.0.0.1."""
    with _udp(port) as udp:

        def answer(query: bytes, transport: str) -> bytes:
            return _over_udp(udp, query) if transport == "udp" else _over_tcp(port, query)

        yield answer


def _answers(port: int) -> bool:
    try:
        with client(port) as ask_it:
            return bool(ask_it(Question(f"{DOMAIN}.", "SOA").message(), "udp"))
    except OSError:
        return False


@contextmanager
def _udp(port: int) -> Iterator[socket.socket]:
    with socket.socket(type=socket.SOCK_DGRAM) as made:
        made.settimeout(_SECONDS)
        made.connect(("127.0.0.1", port))
        yield made


def _over_udp(udp: socket.socket, query: bytes) -> bytes:
    udp.send(query)
    while (response := udp.recv(65535))[:2] != query[:2]:
        pass  # an answer that somebody has given up on
    return response


def _over_tcp(port: int, query: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as tcp, tcp.makefile("rb") as stream:
        tcp.sendall(len(query).to_bytes(2) + query)
        return stream.read(int.from_bytes(stream.read(2)))


def flip(rng: random.Random, name: str) -> str:
    """*name* in a random mixture of capital and small letters."""
    return "".join(rng.choice((one.lower(), one.upper())) for one in name)
