"""Aliases: a chain through our zones, to its last name or to where it leaves them."""

from collections.abc import Sequence
from typing import NamedTuple

from clusterdns.engine.elsewhere import Elsewhere
from clusterdns.engine.gate import RD, Query
from clusterdns.engine.order import First
from clusterdns.engine.reply import Reply, records_of
from clusterdns.engine.table import Table
from clusterdns.zone.absent import why_absent
from clusterdns.zone.names import Name
from clusterdns.zone.prepared import (
    ANY,
    DEFER,
    MAX_POINTER,
    NOERROR,
    NXDOMAIN,
    QUESTION_AT,
    SERVFAIL,
    Entry,
    Node,
    Zone,
    pointer,
)
from clusterdns.zone.rdata import CNAME, SOA
from clusterdns.zone.reasons import NOT_SYNCED, Reason

MAX_LINKS = 8  # of an alias chain inside our zones


class Outward(NamedTuple):
    """Others must be asked for *target*; *chain* and *target_at* as in ``Resolve``."""

    target: Name
    chain: tuple[bytes, ...] = ()
    target_at: int = QUESTION_AT


class Chains:
    """*flags*: AA and RA as they apply."""

    def __init__(self, table: Table, flags: int, first: First | None, elsewhere: Elsewhere | None) -> None:
        self._table, self._flags, self._first, self._elsewhere = table, flags, first, elsewhere

    def passes_on(self, zone: Zone, name: Name) -> bool:
        """Whether others are asked for *name*, of which *zone* has no records."""
        return (
            zone.falls
            and zone.miss != SERVFAIL  # who knows nothing yet does not know what is absent
            and name != zone.apex
            and self._elsewhere is not None
            and self._elsewhere.takes(name)
        )

    def whole(self, name: Name, node: Node) -> Node:
        """With its deferred types."""
        return (self._table.derived(name, node.zone) if node.deferred else None) or node

    def start(self, query: Query, entry: Entry) -> int:
        """Where the first record of the answer begins."""
        return self._first(query.head, entry.stride, len(entry.wire)) if entry.stride and self._first else 0

    def why_absent(self, query: Query, name: Name, zone: Zone) -> Reason | None:
        """Only where there is room to say it."""
        return why_absent(name, zone.apex, self._table.nodes) if query.edns and not zone.reverse else None

    def follow(self, query: Query, node: Node, limit: int) -> Reply | Outward:
        """The question's name is the alias *node*; the last name decides the rcode (RFC 6604 §2.1).

        Ends at a target outside, after MAX_LINKS, or before a name that was there already: the chain so far then.
        """
        return self._walk(query, [], query.qname, QUESTION_AT, limit, node)

    def go_on(self, query: Query, chain: Sequence[bytes], target: Name, target_at: int, limit: int) -> Reply | Outward:
        """As ``follow``, from *target* on, to which *chain* has led."""
        return self._walk(query, [*chain], target, target_at, limit)

    def _walk(
        self, query: Query, chain: list[bytes], name: Name, at: int, limit: int, node: Node | None = None
    ) -> Reply | Outward:
        reply = Reply(NOERROR, self._flags, answers=chain)
        seen, end = {name}, QUESTION_AT + len(query.question) + sum(map(len, chain))
        for links in range(MAX_LINKS + 1):
            index, node = (node.zone, node) if node is not None else self._table.find(name)
            if index < 0:
                return self._leave(query, reply, name, at)
            zone = self._table.zones[index]
            if (node is None or not node.entries) and self.passes_on(zone, name):
                return self._leave(query, reply, name, at)
            if node is None and zone.miss == SERVFAIL:
                reply.rcode, reply.error = SERVFAIL, error_of(NOT_SYNCED)
                return reply
            if node is None:
                return self._negative(reply, query, zone, NXDOMAIN, self.why_absent(query, name, zone))
            if node.deferred == query.qtype:
                node = self.whole(name, node)
            owner = pointer(at) if 0 < at <= MAX_POINTER else name
            if node.absent != DEFER:
                return self._last(reply, query, node, name, owner, limit)
            if links == MAX_LINKS:
                return reply
            link = records_of(node.entries[CNAME.rtype], limit, owner)[0]
            name = Name(link[len(owner) + 10 :])
            reply.answers.append(link)
            # RDATA is not compressed, so the target stands where the link ends.
            end += len(link)
            at = end - len(name)
            if name in seen:
                return reply
            seen.add(name)
            node = None
        return reply

    def _leave(self, query: Query, reply: Reply, target: Name, at: int) -> Reply | Outward:
        """Who wants no recursion, or just the alias, gets the chain so far."""
        asks = query.flags & RD and query.qtype not in (CNAME.rtype, ANY)
        if not asks or self._elsewhere is None or not self._elsewhere.tells(target):
            return reply
        return Outward(target, tuple(reply.answers), at if at <= MAX_POINTER else 0)

    def _last(self, reply: Reply, query: Query, node: Node, target: Name, owner: bytes, limit: int) -> Reply:
        zone = self._table.zones[node.zone]
        entry = node.entries.get(query.qtype)
        if entry is not None:
            reply.answers += records_of(entry, limit, owner, self.start(query, entry))
            return reply
        if query.qtype == SOA.rtype and target == zone.apex:
            reply.answers.append(zone.tail(0))
            return reply
        return self._negative(reply, query, zone, node.absent, node.reason)

    def _negative(self, reply: Reply, query: Query, zone: Zone, rcode: int, reason: Reason | None) -> Reply:
        apex_at = len(query.qname) - len(zone.apex)
        inside = self._table.zone_of(query.qname) == self._table.apexes[zone.apex]
        reply.authority = zone.tail(QUESTION_AT + apex_at if inside else 0)
        reply.rcode, reply.error = rcode, error_of(reason)
        return reply


def error_of(reason: Reason | None) -> tuple[int, str] | None:
    return (reason.ede, reason.text) if reason else None
