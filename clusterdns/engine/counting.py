"""Which of a Tally's kinds a query is, and its response."""

from clusterdns.engine.elsewhere import Later, Send
from clusterdns.engine.gate import Query, Rejected
from clusterdns.engine.manners import CH
from clusterdns.engine.plain import Cells, Form, is_dnssec_ok
from clusterdns.engine.table import Table
from clusterdns.engine.tally import (
    CACHE,
    CHAOS,
    DROPPED,
    FOREIGN,
    FORWARD,
    KUBERNETES,
    NOBODY,
    Kind,
    Tally,
    count,
    kind,
)
from clusterdns.zone.names import to_text
from clusterdns.zone.prepared import NOERROR, NXDOMAIN

_AA = 0x04  # of octet 2
_RCODE = 0x0F  # of octet 3


class Counting:
    """For one Responder.  *started* is when a query was taken up, by the Tally's clock."""

    def __init__(self, table: Table, tally: Tally) -> None:
        self._tally = tally
        self._zones = [to_text(zone.apex) for zone in table.zones]

    def cells(self, rtype: int, dnssec_ok: bool) -> tuple[Cells, Cells]:
        """See ``plain.Counters``."""
        own = [self._tally.cells(self._zones, rtype, rcode, dnssec_ok=dnssec_ok) for rcode in (NOERROR, NXDOMAIN)]
        return own[0], own[1]

    def rejected(self, packet: bytes, query: Rejected, started: float) -> bytes | None:
        seconds = self._aside(started)
        if query.response is None:
            self._tally.silent[query.why] += 1
        else:
            own = kind(DROPPED, 0, query.response[3] & _RCODE, NOBODY, dnssec_ok=False)
            self._tally.add(own, len(packet), len(query.response), seconds)
        return query.response

    def own(self, packet: bytes, query: Query, response: bytes, zone: int, rcode: int, started: float) -> bytes:
        """*response* is from that *zone* (-1: none), or says that nothing is told; *rcode* is all of its code."""
        authoritative = bool(response[2] & _AA)
        apex, plugin = self._zones[zone] if zone >= 0 else DROPPED, KUBERNETES if authoritative else NOBODY
        if query.qclass == CH and authoritative:
            apex, plugin = FOREIGN, CHAOS
        self._tally.add(_kind(apex, query, rcode, plugin), len(packet), len(response), self._aside(started))
        return response

    def others(self, packet: bytes, query: Query, response: bytes | Later, zone: int, started: float) -> bytes | Later:
        """*response* comes from others, now or later, because an alias in that *zone* led there (-1: none did)."""
        seconds = self._aside(started)
        if isinstance(response, bytes):
            code = response[3] & _RCODE
            plugin = CACHE if code in (NOERROR, NXDOMAIN) else FORWARD
            apex, plugin = (self._zones[zone], KUBERNETES) if zone >= 0 else (FOREIGN, plugin)
            self._tally.add(_kind(apex, query, code, plugin), len(packet), len(response), seconds)
            return response
        apex, plugin = (self._zones[zone], KUBERNETES) if zone >= 0 else (FOREIGN, FORWARD)
        begin, tally, octets = response, self._tally, len(packet)

        def counted(send: Send) -> None:
            def sent(late: bytes) -> None:
                own = _kind(apex, query, late[3] & _RCODE, plugin)
                tally.add(own, octets, len(late), tally.clock() - started)
                send(late)

            begin(sent)

        return counted

    def cached(self, packet: bytes, response: bytes, form: Form) -> bytes:
        """*response* to a plain query of this *form* comes from the cache."""
        code = response[3] & _RCODE
        if code in (NOERROR, NXDOMAIN):
            asked, answered = (form[8] if code == NOERROR else form[9])[-1]
            count(asked, answered, len(packet), len(response))
            return response
        own = kind(FOREIGN, form[0], code, CACHE, dnssec_ok=is_dnssec_ok(form))
        self._tally.add(own, len(packet), len(response), 0.0)
        self._tally.aside(0.0)
        return response

    def _aside(self, started: float) -> float:
        seconds = self._tally.clock() - started
        self._tally.aside(seconds)
        return seconds


def _kind(zone: str, query: Query, rcode: int, plugin: str) -> Kind:
    return kind(zone, query.qtype, rcode, plugin, dnssec_ok=bool(query.edns and query.edns.dnssec_ok))
