"""What holds for every reply: a PeerError, or records that a client can read, for a bounded amount of work."""

from contextlib import suppress
from pathlib import Path

from replies import survives

from clusterdns.engine.wire import name_end
from clusterdns.errors import PeerError
from clusterdns.forward.answers import Question
from clusterdns.forward.walk import walk
from clusterdns.zone.names import Name, parse_name
from fuzz.checking import Visited

REPLIES = Path(__file__).parent / "replies.txt"
_WWW = parse_name("www.example.com")

# A label is visited when it is read, when pointers may lead to it, and when its letter case is looked at; the slices of
# a record's fixed places come on top.
MAX_VISITS_PER_OCTET = 4
MAX_VISITS_AT_LEAST = 100


class Walker:
    """Walks what it is given as a reply to the question that stands in it, or to one for www.example.com."""

    def __init__(self) -> None:
        self.most_visits = 0.0  # for each octet
        self.kinds = {"refused": 0, "taken": 0}

    def work(self) -> str:
        return f"at most {self.most_visits:.1f} visits to each octet of a reply"

    def check(self, octets: bytes) -> None:
        """Raises AssertionError, or whatever it is that should not be raised."""
        self.check_work(octets)
        for dnssec_ok in (False, True):
            taken = survives(octets, Question(*_question(octets), dnssec_ok))
            self.kinds["taken" if taken else "refused"] += 1

    def check_work(self, octets: bytes) -> None:
        packet, asks = Visited(octets), Question(*_question(octets), dnssec_ok=True)
        with suppress(PeerError):
            walk(packet, asks)
        if len(octets) > MAX_VISITS_AT_LEAST:
            self.most_visits = max(self.most_visits, packet.visits / len(octets))
        assert packet.visits <= MAX_VISITS_AT_LEAST + MAX_VISITS_PER_OCTET * len(octets)


def _question(octets: bytes) -> tuple[Name, int]:
    try:
        end = name_end(octets, 12)
    except PeerError:
        return _WWW, 1
    return Name(octets[12:end].lower()), int.from_bytes(octets[end : end + 2])
