"""Query -> response.  The plain path copies prepared sections; everything else is decided from the same ones."""

import struct
from itertools import product

from clusterdns.engine import gate
from clusterdns.engine.edns import DO, OPT, SERVER_OCTETS, opt_record
from clusterdns.engine.gate import CD, FORMERR, NOTIMP, QR, RD, Query, Rejected
from clusterdns.engine.reply import Reply, additional_of, records_of, render
from clusterdns.engine.table import Table
from clusterdns.zone.names import MAX_OCTETS, Name
from clusterdns.zone.prepared import (
    DEFER,
    NOERROR,
    NXDOMAIN,
    OWNER,
    QUESTION_AT,
    REFUSED,
    SERVFAIL,
    Node,
    Zone,
    pointer,
    section_counts,
)
from clusterdns.zone.rdata import CNAME, SOA
from clusterdns.zone.reasons import NOT_SYNCED

AA, RA, AD = 0x0400, 0x0080, 0x0020
IN = 1
BADVERS = 16
ANY, AXFR, IXFR, MAILA, MAILB = 255, 252, 251, 254, 253
UDP, TCP = "udp", "tcp"
PLAIN_OCTETS, TCP_OCTETS = 512, 65535
MAX_LINKS = 8  # of an alias chain inside our zones

# What the plain path does not look up by its number: SOA, which no Entry holds, meta types and ANY (RFC 6895 §3.1).
_SPECIAL = {0, SOA.rtype, OPT, 249, 250, IXFR, AXFR, MAILB, MAILA, ANY}
_PLAIN_TYPES = {struct.pack("!HH", rtype, IN): rtype for rtype in range(1, 260) if rtype not in _SPECIAL}
_NEGATIVE = section_counts(0, 1, 0)
_NEGATIVE_OPT = section_counts(0, 1, 1)
_OPTS_KEPT = 1024


class Responder:
    """Answers from one table.  *recursion*: an upstream is configured, so RA is set."""

    def __init__(self, table: Table, *, recursion: bool = False) -> None:
        self._table = table
        self._flags = AA | (RA if recursion else 0)
        self._recursion = recursion
        self._plain = self._plain_headers()
        self._opts: dict[bytes, tuple[int, bytes]] = {}

    def answer(self, packet: bytes, transport: str = UDP) -> bytes | None:  # noqa: C901, PLR0912 - a call costs 60 ns
        """The whole response, or None where silence is the answer.  Never raises, whatever *packet* holds.

        This function body is the plain path: one question of class IN, the usual flags, an OPT without options or
        none; whatever it does not recognise goes to ``_slow``, which gives the same bytes for what both understand.
        """
        plain = self._plain.get(packet[2:12])
        if plain is None:
            return self._slow(packet, transport)
        found, absent, has_opt = plain
        # The first zero octet ends the name, or the name is none that we hold: a hit is proved by equality.
        end = packet.find(b"\0", 12) + 1
        question_end = end + 4
        rtype = _PLAIN_TYPES.get(packet[end:question_end])
        if rtype is None:
            return self._slow(packet, transport)
        if has_opt:
            seen = self._opts.get(packet[question_end:]) or self._opt(packet[question_end:])
            if seen is None:
                return self._slow(packet, transport)
            limit, opt = seen
        elif len(packet) == question_end:
            limit, opt = PLAIN_OCTETS, b""
        else:
            return self._slow(packet, transport)
        if transport == TCP:
            limit = TCP_OCTETS
        table = self._table
        name = packet[12:end].lower()
        node = table.nodes.get(name)  # type: ignore[call-overload]
        if node is None:
            zone = self._absent_zone(name)
            if zone is None:
                return self._slow(packet, transport)
            flags = absent
        else:
            entry = node.entries.get(rtype)
            if entry is not None:
                if question_end + len(entry.wire) + len(opt) > limit:
                    return self._slow(packet, transport)
                counts = entry.counts_opt if has_opt else entry.counts
                return b"".join((packet[:2], found, counts, packet[12:question_end], entry.wire, opt))
            if node.absent or node.deferred == rtype:
                return self._slow(packet, transport)
            zone = table.zones[node.zone]
            flags = found
        # The apex is the question's suffix: its offset says how long the rest is.
        tail = zone.tail(end - len(zone.apex))
        return b"".join(
            (packet[:2], flags, _NEGATIVE_OPT if has_opt else _NEGATIVE, packet[12:question_end], tail, opt)
        )

    def _absent_zone(self, name: bytes) -> Zone | None:
        """The zone in which *name* surely does not exist; None where that is not plain to see."""
        table = self._table
        apexes, size, at = table.apexes, len(name), 0
        if size > MAX_OCTETS:
            return None
        above = table.nodes.get(name[1 + name[0] :])  # type: ignore[call-overload]
        if above is not None and above.below is not None:
            return None
        while (index := apexes.get(name[at:])) is None:
            length = name[at]
            at += 1 + length
            if at >= size or length > 63:
                return None
        zone = table.zones[index]
        return zone if zone.miss == NXDOMAIN and not zone.reverse else None

    def _plain_headers(self) -> dict[bytes, tuple[bytes, bytes, bool]]:
        """Octets 2 to 11 of a plain query -> flags of a response with rcode NOERROR and NXDOMAIN, and "has an OPT"."""
        found = {}
        for rd, ad, cd, has_opt in product((0, RD), (0, AD), (0, CD), (False, True)):
            kept = QR | self._flags | rd | cd
            key = struct.pack("!HHHHH", rd | ad | cd, 1, 0, 0, has_opt)
            found[key] = kept.to_bytes(2), (kept | NXDOMAIN).to_bytes(2), has_opt
        return found

    def _opt(self, tail: bytes) -> tuple[int, bytes] | None:
        """The size limit and the response's OPT for a query's OPT without options; None for any other *tail*."""
        if len(tail) != 11 or tail[:3] != b"\0\0\x29" or tail[9:] != b"\0\0" or tail[6]:
            return None
        octets = min(max(PLAIN_OCTETS, int.from_bytes(tail[3:5])), SERVER_OCTETS)
        seen = octets, opt_record(NOERROR, dnssec_ok=bool(tail[7] & DO >> 8))
        if len(self._opts) < _OPTS_KEPT:
            self._opts[tail] = seen
        return seen

    def _slow(self, packet: bytes, transport: str) -> bytes | None:
        query = gate.parse(packet)
        if isinstance(query, Rejected):
            return query.response
        limit = TCP_OCTETS
        if transport == UDP:
            limit = min(query.edns.octets, SERVER_OCTETS) if query.edns else PLAIN_OCTETS
        return render(query, self._decide(query, limit), limit)

    def _decide(self, query: Query, limit: int) -> Reply:
        """What *query* gets; of what cannot fit into *limit* octets no more than shows that it does not."""
        if query.edns and query.edns.version:
            return Reply(BADVERS)
        if query.qtype in (0, OPT, 249, 250):  # no types of records that could be asked for
            return Reply(FORMERR)
        if query.qtype in (MAILA, MAILB):  # obsolete (RFC 1035 §3.2.3, RFC 8482 does not speak of them)
            return Reply(NOTIMP)
        if query.qclass != IN or query.qtype in (AXFR, IXFR):
            return Reply(REFUSED)
        return self._look_up(query, limit)

    def _look_up(self, query: Query, limit: int) -> Reply:
        index, node = self._table.find(query.qname)
        if index < 0:
            return Reply(REFUSED, self._flags & RA)
        zone = self._table.zones[index]
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
            return Reply(NOERROR, self._flags, records_of(entry, limit), additional=additional_of(entry, limit))
        if node.absent == DEFER:
            return self._follow(query, node, limit)
        return self._negative(query, zone, node.absent, node)

    def _whole(self, name: Name, node: Node) -> Node:
        """With its deferred types."""
        return (self._table.derived(name, node.zone) if node.deferred else None) or node

    def _absent(self, query: Query, zone: Zone) -> Reply:
        if zone.miss == SERVFAIL:
            return Reply(SERVFAIL, self._flags & RA, error=(NOT_SYNCED.ede, NOT_SYNCED.text))
        return self._negative(query, zone, NXDOMAIN, None)

    def _negative(self, query: Query, zone: Zone, rcode: int, node: Node | None) -> Reply:
        """NODATA or NXDOMAIN, with the SOA (RFC 2308 §2)."""
        reason = node.reason if node else None
        offset = QUESTION_AT + len(query.qname) - len(zone.apex)
        error = (reason.ede, reason.text) if reason else None
        return Reply(rcode, self._flags, authority=zone.tail(offset), error=error)

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
                return self._chain_end(reply, query, self._table.zones[index], NXDOMAIN)
            node = self._whole(target, found) if found.deferred == query.qtype else found
        return self._chain_last(reply, query, node, target, owner, limit)

    def _chain_last(self, reply: Reply, query: Query, node: Node, target: Name, owner: bytes, limit: int) -> Reply:
        zone = self._table.zones[node.zone]
        entry = node.entries.get(query.qtype)
        if entry is not None:
            reply.answers += records_of(entry, limit, owner)
            return reply
        if query.qtype == SOA.rtype and target == zone.apex:
            reply.answers.append(zone.tail(0))
            return reply
        return self._chain_end(reply, query, zone, node.absent)

    def _chain_end(self, reply: Reply, query: Query, zone: Zone, rcode: int) -> Reply:
        apex_at = len(query.qname) - len(zone.apex)
        inside = self._table.zone_of(query.qname) == self._table.apexes[zone.apex]
        reply.authority = zone.tail(QUESTION_AT + apex_at if inside else 0)
        reply.rcode = rcode
        return reply


def _any_type(node: Node) -> int:
    """One RRset is an answer to ANY (RFC 8482 §4.1): the smallest type number there is, which prefers addresses."""
    return min(node.entries, default=ANY)
