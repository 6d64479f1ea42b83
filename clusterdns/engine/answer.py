"""Query -> response.  The plain path copies prepared sections; everything else is decided from the same ones."""

from clusterdns.engine import gate
from clusterdns.engine.cookies import REPLY_OCTETS
from clusterdns.engine.edns import OPT
from clusterdns.engine.gate import FORMERR, HEADER_OCTETS, NOTIMP, Query, Rejected
from clusterdns.engine.manners import CH, NOBODY, TCP, UDP, Manners
from clusterdns.engine.order import ORDERS
from clusterdns.engine.plain import (
    BOTH,
    BOTH_HEAD,
    BOTH_HEAD_END,
    CLIENT,
    CLIENT_HEAD,
    CLIENT_HEAD_END,
    FORMS_KEPT,
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
from clusterdns.zone.absent import why_absent
from clusterdns.zone.names import MAX_OCTETS, Name
from clusterdns.zone.prepared import (
    DEFER,
    NOERROR,
    NXDOMAIN,
    OWNER,
    QUESTION_AT,
    REFUSED,
    SERVFAIL,
    Entry,
    Node,
    Zone,
    pointer,
)
from clusterdns.zone.rdata import CNAME, SOA, TXT
from clusterdns.zone.reasons import NOT_SYNCED, Reason

AA, RA = 0x0400, 0x0080
IN = 1
NOTAUTH, BADVERS, BADCOOKIE = 9, 16, 23
ANY, AXFR, IXFR, MAILA, MAILB = 255, 252, 251, 254, 253
TCP_OCTETS = 65535
MAX_LINKS = 8  # of an alias chain inside our zones

_ONE_ADDRESS = 28  # octets of an AAAA record
_UNDERSCORE = 95
# So long a wire, whatever the name.
_FITS_ALWAYS = PLAIN_OCTETS - 12 - MAX_OCTETS - TYPE_OCTETS - OPT_OCTETS - REPLY_OCTETS
_ABOVE_KEPT = 1024


class Responder:
    """Answers from one table.  *recursion*: an upstream is configured, so RA is set.  *order*: see ``engine.order``."""

    def __init__(
        self, table: Table, *, recursion: bool = False, order: str = "fixed", manners: Manners | None = None
    ) -> None:
        self._table = table
        self._flags = AA | (RA if recursion else 0)
        self._recursion = recursion
        self._first = ORDERS[order]
        self._manners = manners or Manners()
        self._cookies, self._clock = self._manners.cookies, self._manners.clock
        self._headers = plain_headers()
        # Names above absent ones -> their zone.  Search paths make few of them, and a zone is for the process's life.
        self._above: dict[bytes, Zone] = {}

    def answer(self, packet: bytes, transport: str = UDP, address: str = NOBODY) -> bytes | None:  # noqa: C901, PLR0912 - a call costs 60 ns
        """The whole response, or None where silence is the answer.  Never raises, whatever *packet* holds.

        *address*: the client's, for its cookie.

        This function body is the plain path: one question of class IN, the usual flags, an OPT without options or
        with a cookie, or none; whatever it does not recognise goes to ``_slow``, which gives the same bytes for what
        both understand.  It takes a packet apart in four slices, for these and look-ups are all that it spends time on.
        """
        known = self._headers.get(packet[2:12])
        if known is None:
            return self._slow(packet, transport, address)
        tail_octets, forms = known
        end = len(packet) - tail_octets
        form = forms.get(packet[end:])
        if form is None:
            learned = self._learn(packet, end, forms, address)
            if learned is None:
                return self._slow(packet, transport, address)
            end, form = learned
        rtype, question, found, nodata, nxdomain, has_opt, limit, opt = form
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
                        return self._slow(packet, transport, address)
                    if entry.stride and self._first is not None:
                        first = self._first(packet, entry.stride, len(wire))
                        wire = wire[first:] + wire[:first]
                counts = entry.counts_opt if has_opt else entry.counts
                return b"".join((packet[:2], found, counts, written, question, wire, opt))
            if node.absent or node.deferred == rtype:
                return self._slow(packet, transport, address)
            zone = table.zones[node.zone]
            head = nodata
        else:
            if not name or not 0 < name[0] <= 63 or len(name) > MAX_OCTETS:
                return self._slow(packet, transport, address)
            above = name[1 + name[0] :]
            parent = table.nodes.get(above)  # type: ignore[call-overload]
            if parent is None:
                absent_from = self._above.get(above) or self._zone_above(above)
                if absent_from is None:
                    return self._slow(packet, transport, address)
                zone = absent_from
            elif parent.below is not None:
                return self._slow(packet, transport, address)
            else:
                zone = table.zones[parent.zone]
            # Names of ports may exist for another protocol, and that is told.
            if zone.miss != NXDOMAIN or zone.reverse or name[1] == _UNDERSCORE:
                return self._slow(packet, transport, address)
            head = nxdomain
        # The apex is the question's suffix: its offset says how long the rest is.
        return b"".join((packet[:2], head, written, question, zone.tail(end - len(zone.apex)), opt))

    def _learn(self, packet: bytes, end: int, forms: Forms, address: str) -> tuple[int, Form] | None:
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
            form = plain_form(header, before, self._flags, self._manners.udp_octets, option)
            if form is None or end <= HEADER_OCTETS:
                return None
            if len(forms) < FORMS_KEPT:
                forms[tail] = form
        if not option or self._cookies is None:
            return end, form
        cookie = self._cookies.option(packet[OPTION_HEAD_OCTETS - option :], address, self._clock())
        rtype, question, found, nodata, nxdomain, has_opt, limit, opt = form
        return end, (rtype, question, found, nodata, nxdomain, has_opt, limit, opt + cookie)

    def _zone_above(self, above: bytes) -> Zone | None:
        """The zone of *above*, which is not in the table; None where it is not well-formed, or somebody may be told
        why it is not there: see ``zone.absent``.
        """
        apexes, at = self._table.apexes, 0
        while (index := apexes.get(above[at:])) is None:
            length = above[at] if at < len(above) else 0
            if not 0 < length <= 63:
                return None
            at += 1 + length
        zone = self._table.zones[index]
        if above[1 + above[0] :] == b"\3svc" + zone.apex:
            return None
        if len(self._above) >= _ABOVE_KEPT:
            self._above.clear()
        self._above[above] = zone
        return zone

    def _slow(self, packet: bytes, transport: str, address: str) -> bytes | None:
        query = gate.parse(packet)
        if isinstance(query, Rejected):
            return query.response
        manners, edns = self._manners, query.edns
        limit = manners.limit(edns, transport)
        if not query.question:
            reply = self._cookie_only(query, address)
        elif edns and transport == TCP and edns.keepalive:  # a query's option is empty (RFC 7828 §3.2.1)
            reply = Reply(FORMERR)
        else:
            reply = self._decide(query, limit)
        options = manners.options(edns, transport, address) if edns else b""
        return render(query, reply, limit, options, manners.udp_octets)

    def _cookie_only(self, query: Query, address: str) -> Reply:
        """No question: what is wanted is a cookie, or to know whether an old one is good (RFC 7873 §5.4)."""
        if self._manners.cookies is None or query.edns is None:
            return Reply(FORMERR)
        return Reply(BADCOOKIE if self._manners.distrusts(query.edns, address) else NOERROR)

    def _decide(self, query: Query, limit: int) -> Reply:
        """What *query* gets; of what cannot fit into *limit* octets no more than shows that it does not."""
        if query.tsig:
            return Reply(NOTAUTH, tsig=query.tsig.refusal())
        if query.edns and query.edns.version:
            return Reply(BADVERS)
        if query.qtype in (0, OPT, 249, 250):  # no types of records that could be asked for
            return Reply(FORMERR)
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

    def _look_up(self, query: Query, limit: int) -> Reply:
        index, node = self._table.find(query.qname)
        if index < 0:
            return Reply(REFUSED, self._flags & RA)
        zone = self._table.zones[index]
        if node is None:
            node = self._table.wild(query.qname, query.qtype, index)
        if node is None:
            return self._absent(query, zone)
        if query.qtype == SOA.rtype and query.qname == zone.apex:
            return Reply(NOERROR, self._flags, answers=[zone.tail(QUESTION_AT)])
        if query.qtype == ANY:
            node, qtype = self._whole(query.qname, node), _any_type(node)
        else:
            qtype = query.qtype
        if node.deferred == qtype:
            node = self._whole(query.qname, node)
        entry = node.entries.get(qtype)
        if entry is not None:
            records = records_of(entry, limit, first=self._start(query, entry))
            return Reply(NOERROR, self._flags, records, additional=additional_of(entry, limit))
        if node.absent == DEFER:
            return self._follow(query, node, limit)
        return self._negative(query, zone, node.absent, node.reason)

    def _start(self, query: Query, entry: Entry) -> int:
        """Where the first record of the answer begins."""
        return self._first(query.head, entry.stride, len(entry.wire)) if entry.stride and self._first else 0

    def _whole(self, name: Name, node: Node) -> Node:
        """With its deferred types."""
        return (self._table.derived(name, node.zone) if node.deferred else None) or node

    def _absent(self, query: Query, zone: Zone) -> Reply:
        if zone.miss == SERVFAIL:
            return Reply(SERVFAIL, self._flags & RA, error=_error(NOT_SYNCED))
        return self._negative(query, zone, NXDOMAIN, self._why_absent(query, query.qname, zone))

    def _why_absent(self, query: Query, name: Name, zone: Zone) -> Reason | None:
        """Only where there is room to say it."""
        return why_absent(name, zone.apex, self._table.nodes) if query.edns and not zone.reverse else None

    def _negative(self, query: Query, zone: Zone, rcode: int, reason: Reason | None) -> Reply:
        """NODATA or NXDOMAIN, with the SOA (RFC 2308 §2)."""
        offset = QUESTION_AT + len(query.qname) - len(zone.apex)
        return Reply(rcode, self._flags, authority=zone.tail(offset), error=_error(reason))

    def _follow(self, query: Query, node: Node, limit: int) -> Reply:
        """An alias: its chain inside our zones; the last name decides the rcode (RFC 6604 §2.1).

        Ends at a target outside, after MAX_LINKS, or before a name that was there already: the chain so far then.
        """
        reply = Reply(NOERROR, self._flags)
        owner, seen, end = OWNER, {query.qname}, QUESTION_AT + len(query.question)
        while node.absent == DEFER:
            if len(reply.answers) == MAX_LINKS:
                return reply
            link = records_of(node.entries[CNAME.rtype], limit, owner)[0]
            target = Name(link[len(owner) + 10 :])
            reply.answers.append(link)
            # RDATA is not compressed, so the target stands where the link ends.
            owner = pointer(end + len(link) - len(target))
            end += len(link)
            if target in seen:
                return reply
            seen.add(target)
            index, found = self._table.find(target)
            if index < 0:
                return reply
            if found is None:
                zone = self._table.zones[index]
                return self._chain_end(reply, query, zone, NXDOMAIN, self._why_absent(query, target, zone))
            node = self._whole(target, found) if found.deferred == query.qtype else found
        return self._chain_last(reply, query, node, target, owner, limit)

    def _chain_last(self, reply: Reply, query: Query, node: Node, target: Name, owner: bytes, limit: int) -> Reply:
        zone = self._table.zones[node.zone]
        entry = node.entries.get(query.qtype)
        if entry is not None:
            reply.answers += records_of(entry, limit, owner, self._start(query, entry))
            return reply
        if query.qtype == SOA.rtype and target == zone.apex:
            reply.answers.append(zone.tail(0))
            return reply
        return self._chain_end(reply, query, zone, node.absent, node.reason)

    def _chain_end(self, reply: Reply, query: Query, zone: Zone, rcode: int, reason: Reason | None) -> Reply:
        apex_at = len(query.qname) - len(zone.apex)
        inside = self._table.zone_of(query.qname) == self._table.apexes[zone.apex]
        reply.authority = zone.tail(QUESTION_AT + apex_at if inside else 0)
        reply.rcode, reply.error = rcode, _error(reason)
        return reply


def _any_type(node: Node) -> int:
    """One RRset is an answer to ANY (RFC 8482 §4.1): the smallest type number there is, which prefers addresses."""
    return min(node.entries, default=ANY)


def _error(reason: Reason | None) -> tuple[int, str] | None:
    return (reason.ede, reason.text) if reason else None
