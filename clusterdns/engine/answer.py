"""Query -> response.  The plain path copies prepared sections; everything else is decided from the same ones."""

from msgspec.structs import replace

from clusterdns.engine import gate
from clusterdns.engine.chain import Chains, Outward, error_of
from clusterdns.engine.cookies import REPLY_OCTETS
from clusterdns.engine.counting import Counting
from clusterdns.engine.edns import OPT, with_errors
from clusterdns.engine.elsewhere import Elsewhere, Later, Resolve
from clusterdns.engine.gate import AA, FORMERR, HEADER_OCTETS, NOTIMP, RA, Query, Rejected
from clusterdns.engine.manners import CH, NOBODY, TCP, UDP, Manners, Peer
from clusterdns.engine.order import ORDERS
from clusterdns.engine.plain import (
    BOTH,
    BOTH_HEAD,
    BOTH_HEAD_END,
    CLIENT,
    CLIENT_HEAD,
    CLIENT_HEAD_END,
    FORMS_KEPT,
    NXNAME,
    OPT_OCTETS,
    OPTION_HEAD_OCTETS,
    PLAIN_OCTETS,
    TAIL_OCTETS,
    TYPE_OCTETS,
    Form,
    Forms,
    plain_form,
    plain_headers,
)
from clusterdns.engine.reply import Reply, additional_of, records_of, render
from clusterdns.engine.table import Table
from clusterdns.engine.tally import Tally, count_longer
from clusterdns.zone.extended_errors import INVALID_QUERY_TYPE
from clusterdns.zone.names import MAX_OCTETS, ROOT, Name
from clusterdns.zone.prepared import (
    ANY,
    DEFER,
    IN,
    NOERROR,
    NXDOMAIN,
    QUESTION_AT,
    REFUSED,
    SERVFAIL,
    Node,
    Zone,
)
from clusterdns.zone.rdata import SOA, TXT
from clusterdns.zone.reasons import NOT_SYNCED, Reason, stale_error

NOTAUTH, BADVERS, BADCOOKIE = 9, 16, 23
AXFR, IXFR, MAILA, MAILB = 252, 251, 254, 253
TCP_OCTETS = 65535

_ONE_ADDRESS = 28  # octets of an AAAA record
_UNDERSCORE = 95
_WRONG_TYPE = INVALID_QUERY_TYPE, ""  # RFC 9824 §3.5
# So long a wire, whatever the name.
_FITS_ALWAYS = PLAIN_OCTETS - 12 - MAX_OCTETS - TYPE_OCTETS - OPT_OCTETS - REPLY_OCTETS
_ABOVE_KEPT = 1024
_OTHERS = Zone(ROOT, ROOT, 0, reverse=False)  # stands for every zone that is not ours


class Responder:
    """Answers from one table.

    *elsewhere*: who is asked for names of others, so that RA is set; None: nobody.  *order*: see ``engine.order``.
    *tally*: where queries are counted.
    """

    def __init__(
        self,
        table: Table,
        *,
        elsewhere: Elsewhere | None = None,
        order: str = "fixed",
        manners: Manners | None = None,
        tally: Tally | None = None,
    ) -> None:
        self._table = table
        self._tally = tally or Tally()
        self._counting = Counting(table, self._tally)
        self._elsewhere = elsewhere
        self._flags = AA | (RA if elsewhere else 0)
        self._first = ORDERS[order]
        self._chains = Chains(table, self._flags, self._first, elsewhere)
        self._manners = manners or Manners()
        self._cookies, self._clock = self._manners.cookies, self._manners.clock
        self._headers = plain_headers()
        # Names above absent ones -> their zone.  Search paths make few of them, and a zone is for the process's life.
        self._above: dict[bytes, Zone] = {}
        self._stale = ""
        self._zone = -1  # that the query under way asks, as far as it is known; -1: none

    def mark_stale(self, text: str) -> None:
        """Tells with every answer from our zones that it is old, and *text*; "": it is not.

        There is no plain path meanwhile, so that it need not ask.
        """
        self._stale = text
        self._headers = {} if text else plain_headers()

    def answer(  # noqa: C901, PLR0912, PLR0915 - a call costs 60 ns
        self, packet: bytes, transport: str = UDP, peer: Peer = NOBODY
    ) -> bytes | Later | None:
        """The whole response, how to wait for it, or None where silence is the answer.  Never raises, whatever
        *packet* holds.

        *peer*: the client, for its cookie.

        This function body is the plain path: one question of class IN, the usual flags, an OPT without options or
        with a cookie, or none; whatever it does not recognise goes to ``_slow``, which gives the same bytes for what
        both understand.  It takes a packet apart in four slices, for these and look-ups are all that it spends time on.
        """
        known = self._headers.get(packet[2:12])
        if known is None:
            return self._slow(packet, transport, peer)
        tail_octets, forms = known
        end = len(packet) - tail_octets
        form = forms.get(packet[end:])
        if form is None:
            learned = self._learn(packet, end, forms, peer)
            if learned is None:
                return self._slow(packet, transport, peer)
            end, form = learned
        rtype, question, found, nodata, nxdomain, has_opt, limit, opt, positive, absent = form
        # Whatever stands in the name's place: a hit is proved by equality.
        written = packet[12:end]
        name = written.lower()
        table = self._table
        node = table.nodes.get(name)  # type: ignore[call-overload]
        if node is not None:
            entry = node.entries.get(rtype)
            if entry is not None:
                wire = entry.wire
                if len(wire) > _ONE_ADDRESS:
                    if len(wire) > _FITS_ALWAYS and end + TYPE_OCTETS + len(wire) + len(opt) > (
                        limit if transport == UDP else TCP_OCTETS
                    ):
                        return self._slow(packet, transport, peer)
                    if entry.stride and self._first is not None:
                        first = self._first(packet, entry.stride, len(wire))
                        wire = wire[first:] + wire[:first]
                counts = entry.counts_opt if has_opt else entry.counts
                response = b"".join((packet[:2], found, counts, written, question, wire, opt))
            elif node.absent or node.deferred == rtype or not node.entries:
                return self._slow(packet, transport, peer)
            else:
                zone = table.zones[node.zone]
                # The apex is the question's suffix: its offset says how long the rest is.
                response = b"".join((packet[:2], nodata, written, question, zone.tail(end - len(zone.apex)), opt))
            asked, answered = positive[node.zone]
        else:
            if not name or not 0 < name[0] <= 63 or len(name) > MAX_OCTETS:
                return self._slow(packet, transport, peer)
            above = name[1 + name[0] :]
            parent = table.nodes.get(above)  # type: ignore[call-overload]
            if parent is None:
                absent_from = self._above.get(above) or self._zone_above(above)
                if absent_from is None:
                    return self._slow(packet, transport, peer)
                zone = absent_from
            elif parent.below is not None:
                return self._slow(packet, transport, peer)
            else:
                zone = table.zones[parent.zone]
            # Names of ports may exist for another protocol, and that is told.
            if zone.miss != NXDOMAIN or zone.reverse or name[1] == _UNDERSCORE:
                if zone is _OTHERS and self._elsewhere is not None:
                    octets = limit if transport == UDP else TCP_OCTETS
                    cached = self._elsewhere.known(packet, end, name, rtype, octets, opt, peer[0])
                    if cached is not None:
                        return self._counting.cached(packet, cached, form)
                return self._slow(packet, transport, peer)
            response = b"".join((packet[:2], nxdomain, written, question, zone.tail(end - len(zone.apex)), opt))
            asked, answered = absent[zone.index]
        try:
            asked[len(packet)] += 1
            answered[len(response)] += 1
        except IndexError:
            count_longer(asked, answered, len(packet), len(response))
        return response

    def _learn(self, packet: bytes, end: int, forms: Forms, peer: Peer) -> tuple[int, Form] | None:
        """Of a packet with a plain header: where its name ends, and its form; None where it has none.

        *end*: where the name would end without options.  *forms*: those of its header.
        """
        option = 0  # octets of a COOKIE option
        if self._cookies is not None and packet[11]:
            option = CLIENT if packet[-CLIENT:CLIENT_HEAD_END] == CLIENT_HEAD else 0
            option = option or (BOTH if packet[-BOTH:BOTH_HEAD_END] == BOTH_HEAD else 0)
        end -= option
        # With the option's head, which tells its length as well: that in the OPT may lie.
        tail = packet[end : end + TAIL_OCTETS + OPTION_HEAD_OCTETS] if option else packet[end:]
        form = forms.get(tail)
        if form is None:
            header, before = packet[2:12], tail[:TAIL_OCTETS]
            form = plain_form(header, before, self._flags, self._manners.udp_octets, self._counting.cells, option)
            if form is None or end <= HEADER_OCTETS:
                return None
            if len(forms) < FORMS_KEPT:
                forms[tail] = form
        if not option or self._cookies is None:
            return end, form
        cookie = self._cookies.option(packet[OPTION_HEAD_OCTETS - option :], peer[0], self._clock())
        rtype, question, found, nodata, nxdomain, has_opt, limit, opt, positive, absent = form
        return end, (rtype, question, found, nodata, nxdomain, has_opt, limit, opt + cookie, positive, absent)

    def _zone_above(self, above: bytes) -> Zone | None:
        """The zone of *above*, which is not in the table; None where it is not well-formed, or somebody may be told
        why it is not there: see ``zone.absent``.
        """
        apexes, at = self._table.apexes, 0
        while (index := apexes.get(above[at:])) is None:
            length = above[at] if at < len(above) else -1
            if not 0 < length <= 63:
                if length or at != len(above) - 1:
                    return None
                index = -1
                break
            at += 1 + length
        zone = self._table.zones[index] if index >= 0 else _OTHERS
        if above[1 + above[0] :] == b"\3svc" + zone.apex:
            return None
        if len(self._above) >= _ABOVE_KEPT:
            self._above.clear()
        self._above[above] = zone
        return zone

    def _slow(self, packet: bytes, transport: str, peer: Peer) -> bytes | Later | None:
        started = self._tally.clock()
        query = gate.parse(packet)
        if isinstance(query, Rejected):
            return self._counting.rejected(packet, query, started)
        edns = query.edns
        limit = self._manners.limit(edns, transport)
        self._zone = -1
        reply: Reply | Outward
        if not query.question:
            reply = self._cookie_only(query, peer[0])
        elif edns and transport == TCP and edns.keepalive:  # a query's option is empty (RFC 7828 §3.2.1)
            reply = Reply(FORMERR)
        else:
            reply = self._decide(query, limit)
        if not isinstance(reply, Outward):
            reply.flags |= self._flags & RA
            response = self._render(query, reply, limit, transport, peer[0])
            return self._counting.own(packet, query, response, self._zone, reply.rcode, started)
        if self._elsewhere is None and not reply.chain:
            refused = self._render(query, Reply(REFUSED), limit, transport, peer[0])
            return self._counting.own(packet, query, refused, -1, REFUSED, started)
        flags = self._flags if reply.chain else self._flags & RA
        others = self._ask(Resolve(query, *reply, flags, limit, transport, peer[0], self))
        return self._counting.others(packet, query, others, self._zone if reply.chain else -1, started)

    def _ask(self, resolve: Resolve) -> bytes | Later:
        if self._elsewhere is None:
            return self.finish(resolve, Reply(REFUSED))
        return self._elsewhere.ask(resolve)

    def _render(
        self, query: Query, reply: Reply, limit: int, transport: str, address: str, options: bytes = b""
    ) -> bytes:
        if query.edns:
            options += self._manners.options(query.edns, transport, address)
        if self._stale and reply.flags & AA and query.qclass == IN:
            reply.error = stale_error(reply.rcode, self._stale, reply.error)
        return render(query, reply, limit, options, self._manners.udp_octets)

    # For whoever is asked for names of others, see ``elsewhere.Inside``.

    def finish(self, resolve: Resolve, reply: Reply) -> bytes:
        reply.error, options = with_errors(reply.error, resolve.errors)
        return self._render(resolve.query, reply, resolve.limit, resolve.transport, resolve.address, options)

    def options(self, resolve: Resolve) -> tuple[bytes, int]:
        edns, manners = resolve.query.edns, self._manners
        told = manners.options(edns, resolve.transport, resolve.address) if edns else b""
        return told, manners.udp_octets

    def holds(self, name: Name) -> bool:
        index, node = self._table.find(name)
        if index < 0:
            return False
        return bool(node and node.entries) or not self._chains.passes_on(self._table.zones[index], name)

    def exists(self, name: Name) -> bool:
        node = self._table.find(name)[1]
        return node is not None and node.absent != NXDOMAIN

    def resume(self, resolve: Resolve) -> bytes | Later:
        query, limit = resolve.query, resolve.limit
        reply = self._chains.go_on(query, resolve.chain, resolve.target, resolve.target_at, limit)
        if not isinstance(reply, Outward):
            reply.flags = resolve.flags  # AA says whether the first owner is ours
            return self.finish(resolve, reply)
        return self._ask(replace(resolve, **reply._asdict()))

    def _cookie_only(self, query: Query, address: str) -> Reply:
        """No question: what is wanted is a cookie, or to know whether an old one is good (RFC 7873 §5.4)."""
        if self._manners.cookies is None or query.edns is None:
            return Reply(FORMERR)
        return Reply(BADCOOKIE if self._manners.distrusts(query.edns, address) else NOERROR)

    def _decide(self, query: Query, limit: int) -> Reply | Outward:
        """What *query* gets; of what cannot fit into *limit* octets no more than shows that it does not."""
        if query.tsig:
            return Reply(NOTAUTH, tsig=query.tsig.refusal())
        if query.edns and query.edns.version:
            return Reply(BADVERS)
        if query.qtype in (0, OPT, NXNAME, 249, 250):  # no types of records that could be asked for
            return Reply(FORMERR, error=_WRONG_TYPE if query.qtype == NXNAME else None)
        if query.qtype in (MAILA, MAILB):  # obsolete (RFC 1035 §3.2.3, RFC 8482 does not speak of them)
            return Reply(NOTIMP)
        if query.qclass == CH:
            return self._of_server(query)
        if query.qclass != IN or query.qtype in (AXFR, IXFR):
            return Reply(REFUSED)
        return self._look_up(query, limit)

    def _of_server(self, query: Query) -> Reply:
        """Class CH: what the server says of itself (RFC 4892), if it does."""
        record = self._manners.chaos(query.qname)
        if record is None or query.qtype in (AXFR, IXFR):
            return Reply(REFUSED)
        return Reply(NOERROR, AA, answers=[record] if query.qtype in (TXT.rtype, ANY) else [])

    def _look_up(self, query: Query, limit: int) -> Reply | Outward:
        self._zone, node = self._table.find(query.qname)
        index = self._zone
        if self._is_of_others(query.qname, index, node):
            return Outward(query.qname)
        zone = self._table.zones[index]
        if node is None:
            node = self._table.wild(query.qname, query.qtype, index)
        if node is None:
            return self._absent(query, zone)
        if query.qtype == SOA.rtype and query.qname == zone.apex:
            return Reply(NOERROR, self._flags, answers=[zone.tail(QUESTION_AT)])
        if query.qtype == ANY:
            node, qtype = self._chains.whole(query.qname, node), _any_type(node)
        else:
            qtype = query.qtype
        if node.deferred == qtype:
            node = self._chains.whole(query.qname, node)
        entry = node.entries.get(qtype)
        if entry is not None:
            records = records_of(entry, limit, first=self._chains.start(query, entry))
            return Reply(NOERROR, self._flags, records, additional=additional_of(entry, limit))
        if node.absent == DEFER:
            return self._chains.follow(query, node, limit)
        return self._negative(query, zone, node.absent, node.reason)

    def _is_of_others(self, name: Name, index: int, node: Node | None) -> bool:
        if index < 0 or node is None or node.entries:
            return index < 0
        # Nothing of ours is there; so a stub domain between two of our zones has it, or whom we fall through to.
        return self._table.zone_of(name) < 0 or self._chains.passes_on(self._table.zones[index], name)

    def _absent(self, query: Query, zone: Zone) -> Reply | Outward:
        if zone.miss == SERVFAIL:
            return Reply(SERVFAIL, self._flags & RA, error=error_of(NOT_SYNCED))
        if self._chains.passes_on(zone, query.qname):
            return Outward(query.qname)
        return self._negative(query, zone, NXDOMAIN, self._chains.why_absent(query, query.qname, zone))

    def _negative(self, query: Query, zone: Zone, rcode: int, reason: Reason | None) -> Reply:
        """NODATA or NXDOMAIN, with the SOA (RFC 2308 §2)."""
        offset = QUESTION_AT + len(query.qname) - len(zone.apex)
        return Reply(rcode, self._flags, authority=zone.tail(offset), error=error_of(reason))


def _any_type(node: Node) -> int:
    """One RRset is an answer to ANY (RFC 8482 §4.1): the smallest type number there is, which prefers addresses."""
    return min(node.entries, default=ANY)
