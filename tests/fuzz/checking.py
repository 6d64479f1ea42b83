"""What holds for every packet: a proper response or silence, the same on both paths, for a bounded amount of work.

Work is counted where it is done, so no machine's speed changes it: octets and slices taken out of the packet (which is
labels, records and options visited), and look-ups in the table.
"""

from pathlib import Path
from typing import Any, Self

import dns.message
import dns.rcode
from packets import read
from strategies import SHOP, Responder, headless, many, table_of

from clusterdns.engine import gate
from clusterdns.engine.cookies import Cookies
from clusterdns.engine.gate import Rejected
from clusterdns.engine.manners import Manners, Peer
from clusterdns.engine.table import Table

CORPUS = Path(__file__).parent / "corpus.txt"
PEER: Peer = ("192.0.2.1", 5353)

# Four names of at most 128 labels can stand in a packet that is read, each looked at twice per label; the slices of
# fixed places come on top.  An option of the OPT costs none: they are read from a copy of its RDATA.
MAX_VISITS = 1100
# A name is looked for at each label: as itself, as its apex, and once more for each of eight aliases.
MAX_LOOK_UPS = 300

_QR, _OPCODE, _TC, _RD, _CD = 0x80, 0x78, 0x02, 0x01, 0x10


class Visited(bytes):
    """Octets that count how often somebody takes some of them."""

    visits: int

    def __new__(cls, octets: bytes) -> Self:
        made = super().__new__(cls, octets)
        made.visits = 0
        return made

    def __getitem__(self, key: Any) -> Any:
        self.visits += 1
        return super().__getitem__(key)


class Counted(dict[Any, Any]):
    """A dictionary that counts look-ups."""

    look_ups = 0

    def get(self, key: Any, default: Any = None) -> Any:
        self.look_ups += 1
        return super().get(key, default)

    def __getitem__(self, key: Any) -> Any:
        self.look_ups += 1
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.look_ups += 1
        return super().__contains__(key)


class Watched(Responder):
    """Tells whether the last packet was answered on the plain path."""

    plain = True

    def _slow(self, packet: bytes, transport: str, peer: Peer) -> bytes | None:
        self.plain = False
        return super()._slow(packet, transport, peer)

    def plainly(self, packet: bytes) -> tuple[bytes | None, bool]:
        self.plain = True
        return self.answer(packet, "udp", PEER), self.plain

    def slowly(self, packet: bytes) -> bytes | None:
        return super()._slow(packet, "udp", PEER)


class Harness:
    """A server with everything switched on, and what is asked of each of its responses."""

    def __init__(self) -> None:
        table: Table = table_of(*SHOP, headless("shop/crowd", *many(300)))
        table.nodes = Counted(table.nodes)
        table.apexes = Counted(table.apexes)
        self._counters = table.nodes, table.apexes
        manners = Manners(
            version="clusterdns", server_id="node-7", tcp_idle=10.0, cookies=Cookies((bytes(16),)), clock=lambda: 1e9
        )
        self._server = Watched(table, manners=manners)
        self.most_visits = self.most_look_ups = 0
        self.kinds = {"silence": 0, "rejected": 0, "plain": 0, "slow": 0}

    def work(self) -> str:
        return f"at most {self.most_visits} visits to a packet's octets and {self.most_look_ups} look-ups in the table"

    def check(self, octets: bytes) -> bytes | None:
        """The response.  Raises AssertionError, or whatever it is that should not be raised."""
        packet = Visited(octets)
        before = self._look_ups()
        response, plain = self._server.plainly(packet)
        self._count(packet.visits, self._look_ups() - before)
        if len(octets) < 12 or octets[2] & _QR:
            assert response is None
            self.kinds["silence"] += 1
            return response
        assert response is not None
        assert response[0:2] == octets[0:2]
        assert (response[2] ^ octets[2]) & _OPCODE == 0, "the opcode is the query's"
        assert response[2] & _QR
        parsed = gate.parse(octets)
        if isinstance(parsed, Rejected):
            self._rejected(octets, response, parsed)
        else:
            self._answered(octets, response, parsed)
            if plain:
                assert response == self._server.slowly(octets), "the paths agree"
            self.kinds["plain" if plain else "slow"] += 1
        return response

    def _look_ups(self) -> int:
        return sum(one.look_ups for one in self._counters)

    def _count(self, visits: int, look_ups: int) -> None:
        self.most_visits, self.most_look_ups = max(self.most_visits, visits), max(self.most_look_ups, look_ups)
        assert visits <= MAX_VISITS
        assert look_ups <= MAX_LOOK_UPS

    def _rejected(self, octets: bytes, response: bytes, parsed: Rejected) -> None:
        """A header and nothing else."""
        self.kinds["rejected"] += 1
        assert response == parsed.response
        assert len(response) == 12
        assert response[3] & 0xF in {dns.rcode.FORMERR, dns.rcode.NOTIMP}
        assert response[4:] == bytes(8)

    def _answered(self, octets: bytes, response: bytes, query: gate.Query) -> None:
        assert (response[2] ^ octets[2]) & _RD == 0, "RD is copied"
        assert (response[3] ^ octets[3]) & _CD == 0, "CD is copied"
        assert len(response) <= (min(query.edns.octets, 1232) if query.edns else 512), "what the client takes"
        message = read(response)
        assert response[12 : 12 + len(query.question)] == query.question, "the question is echoed as it came"
        assert len(message.question) == bool(query.question)
        assert message.rcode() != dns.rcode.SERVFAIL
        assert (message.edns >= 0) == (query.edns is not None), "an OPT for an OPT"
        over_tcp = self._server.answer(octets, "tcp", PEER)
        if query.edns and query.edns.keepalive is not None:
            return
        if response[2] & _TC:
            assert len(over_tcp or b"") > len(response)
        elif over_tcp != response:
            assert _answers(message) == _answers(read(over_tcp)), "only additional records may be left out"


def _answers(message: dns.message.Message) -> object:
    return message.rcode(), message.flags, message.question, message.answer, message.authority


def corpus(path: Path = CORPUS) -> list[bytes]:
    """One packet per line: a title, a colon, its octets in hexadecimal digits."""
    lines = path.read_text().splitlines()
    return [bytes.fromhex(line.rpartition(":")[2]) for line in lines if line and not line.startswith("#")]
