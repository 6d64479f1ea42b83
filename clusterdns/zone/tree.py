"""The published world: which names exist, and what a round changes in the table.

Below ``svc`` an owner belongs to one Service and is replaced with it.  Reverse names have several contributors:
there the index keeps which Services hold an address.
"""

from collections.abc import Generator, Iterable, Mapping

from msgspec import Struct

from clusterdns.cluster.model import Key, Published
from clusterdns.zone.derived import Reverse
from clusterdns.zone.names import MAX_OCTETS, Name, child, label, parent
from clusterdns.zone.prepared import DEFER, NXDOMAIN, Change, Entry, Node, Zone, entry, with_addresses
from clusterdns.zone.rdata import CNAME, NS, SRV, TXT, RRset, address_rrsets
from clusterdns.zone.reasons import no_ready_endpoint
from clusterdns.zone.records import (
    SCHEMA_VERSION,
    SCHEMA_VERSION_TTL,
    addresses_of,
    essence,
    records_for,
    service_name,
)
from clusterdns.zone.reverse import IN_ADDR, IP6, Holders


class ZoneOptions(Struct, frozen=True):
    """What the zones are, and what holds in them whatever the objects say."""

    domains: tuple[Name, ...]  # forward zones; the first is the one that reverse names point into
    reverse: tuple[Name, ...] = (IN_ADDR, IP6)
    ttl: int = 5  # seconds
    ns_addresses: tuple[bytes, ...] = (b"\x7f\0\0\1",)

    def zones(self) -> list[Zone]:
        """Forward ones first; a Node's zone is an index of this list."""
        primary = self.domains[0]
        forward = [Zone(apex, apex, self.ttl, reverse=False) for apex in self.domains]
        return forward + [Zone(apex, primary, self.ttl, reverse=True) for apex in self.reverse]


class Prepared(Struct):
    """A round, ready to be applied: the table's part and the tree's."""

    change: Change
    services: dict[Key, Published | None]
    namespaces: frozenset[str]
    reverse: Reverse


Preparation = Generator[None, None, Prepared]  # yields after each small piece of work


class Tree:
    """What is published now.  ``prepare`` reads it, ``apply`` replaces parts of it in one go."""

    def __init__(self, options: ZoneOptions) -> None:
        self.options = options
        self.published: dict[Key, Published] = {}
        self.namespaces: frozenset[str] = frozenset()
        self.reverse = Reverse()
        self.synced = False

    def before_sync(self) -> dict[Name, Node]:
        """What is answered until the first round: apexes and ``dns-version``, no half of anything else."""
        nodes = _apexes(self.options)
        for zone, apex in enumerate(self.options.domains):
            owner = Name(b"\x0bdns-version" + apex)
            version = RRset(owner, SCHEMA_VERSION_TTL, (TXT(SCHEMA_VERSION),))
            nodes[owner] = Node(zone, {TXT.rtype: entry(version)})
        return nodes

    def prepare(self, services: Mapping[Key, Published | None], namespaces: frozenset[str]) -> Preparation:
        """The next state, for these Services (None: gone) and exactly these namespaces.  Changes nothing.

        A Service whose records stay as they are stays the object that was published: nothing is done for it.
        """
        change = Change({}, [], records_changed=not self.synced)
        if not self.synced:
            change.upserts.update(self.before_sync())
            change.upserts.update(_statics(self.options))
        self._namespaces(namespaces, change)
        accepted: dict[Key, Published | None] = {}
        moves = _Moves()
        for key, new in services.items():
            old = self.published.get(key)
            if old is new or (old is not None and new is not None and essence(old) == essence(new)):
                continue
            yield from self._service(old, new, change)
            accepted[key] = new
            moves.note(key, addresses_of(old) if old else set(), addresses_of(new) if new else set())
            change.records_changed = True
        reverse = yield from self._reverse(moves)
        return Prepared(change, accepted, namespaces, reverse)

    def apply(self, prepared: Prepared) -> None:
        """Together with the table's part of the same round, without anything in between."""
        for key, published in prepared.services.items():
            if published is None:
                self.published.pop(key, None)
            else:
                self.published[key] = published
        self.namespaces = prepared.namespaces
        self.reverse = prepared.reverse
        self.synced = True

    def _namespaces(self, namespaces: frozenset[str], change: Change) -> None:
        came, went = namespaces - self.namespaces, self.namespaces - namespaces
        for zone, apex in enumerate(self.options.domains):
            change.upserts.update((name, Node(zone, {})) for name in _namespace_names(came, apex))
            change.deletes += _namespace_names(went, apex)
        change.records_changed |= bool(came or went)

    def _service(self, old: Published | None, new: Published | None, change: Change) -> Generator[None, None, None]:
        ttl = self.options.ttl
        for zone, apex in enumerate(self.options.domains):
            after = service_nodes(new, zone, apex, ttl) if new else {}
            yield
            if old:
                change.deletes += service_nodes(old, zone, apex, ttl).keys() - after.keys()
                yield
            change.upserts.update(after)

    def _reverse(self, moves: "_Moves") -> Generator[None, None, Reverse]:
        changes: dict[int, dict[bytes, Holders]] = {4: {}, 16: {}}
        for address in moves.gained.keys() | moves.lost.keys():
            holders = self.reverse.of(address).holders(address)
            gained, lost = moves.gained.get(address, ()), moves.lost.get(address, ())
            if holders or lost or len(gained) > 1:
                gained = tuple(sorted((set(holders) - set(lost)) | set(gained)))
            changes[len(address)][address] = gained
            yield
        four = (yield from self.reverse.four.changed(changes[4])) if changes[4] else self.reverse.four
        six = (yield from self.reverse.six.changed(changes[16])) if changes[16] else self.reverse.six
        return Reverse(four, six) if changes[4] or changes[16] else self.reverse


class _Moves:
    """Which Services came to hold which addresses in a round, and which ceased to."""

    def __init__(self) -> None:
        self.gained: dict[bytes, Holders] = {}
        self.lost: dict[bytes, Holders] = {}

    def note(self, key: Key, before: set[bytes], after: set[bytes]) -> None:
        mine = (key,)  # one tuple for all its addresses: most have no other holder
        for addresses, kept in ((after - before, self.gained), (before - after, self.lost)):
            for address in addresses:
                kept[address] = kept[address] + mine if address in kept else mine


def service_nodes(published: Published, zone: int, apex: Name, ttl: int) -> dict[Name, Node]:
    """Every prepared node of one Service in one zone, its empty non-terminals included."""
    rrsets = records_for(published, apex, ttl)
    if not rrsets:
        return _without_records(published, zone, apex)
    if rrsets[0].rtype == CNAME.rtype:
        return {rrsets[0].owner: Node(zone, {CNAME.rtype: entry(rrsets[0])}, absent=DEFER)}
    entries: dict[Name, dict[int, Entry]] = {}
    for rrset, additional in with_addresses(rrsets):
        entries.setdefault(rrset.owner, {})[rrset.rtype] = entry(rrset, additional)
    base = rrsets[0].owner  # the Service's own addresses come first
    nodes: dict[Name, Node] = {}
    for owner, found in entries.items():
        if SRV.rtype in found:
            nodes[owner] = Node(zone, found)
            nodes[parent(owner)] = Node(zone, {})  # _tcp.web… exists because _http._tcp.web… does (RFC 8020)
        else:
            nodes[owner] = Node(zone, found, below=published if owner == base else None, deferred=SRV.rtype)
    return nodes


def _without_records(published: Published, zone: int, apex: Name) -> dict[Name, Node]:
    """A headless Service without ready endpoint does not exist for DNS (specification §2.4), but we know why."""
    if not published.service.headless or published.service.type == "ExternalName":
        return {}
    try:
        base = service_name(published.service.key, apex)
    except ValueError:
        return {}
    total = sum(len(piece.endpoints) for piece in published.slices)
    return {base: Node(zone, {}, absent=NXDOMAIN, reason=no_ready_endpoint(total))}


def _statics(options: ZoneOptions) -> dict[Name, Node]:
    """What every forward zone holds beside its apex and version."""
    nodes = {}
    for zone, apex in enumerate(options.domains):
        owner = _server_name(apex)
        own = address_rrsets(owner, options.ttl, set(options.ns_addresses))
        nodes[owner] = Node(zone, {rrset.rtype: entry(rrset) for rrset in own})
        for labels in (b"\x03dns", b"\x03svc", b"\x03pod"):
            nodes[Name(labels + apex)] = Node(zone, {})
    return nodes


def _apexes(options: ZoneOptions) -> dict[Name, Node]:
    """NS at every apex, with addresses: exports load in other servers, and a resolver finds its way."""
    nodes = {}
    for zone, apex in enumerate((*options.domains, *options.reverse)):
        rrsets = apex_rrsets(apex, options)
        nodes[apex] = Node(zone, {NS.rtype: entry(rrsets[0], rrsets[1:])})
    return nodes


def apex_rrsets(apex: Name, options: ZoneOptions) -> list[RRset]:
    """NS and the addresses of its target; a reverse zone's server has its name in the first forward zone."""
    target = _server_name(apex if apex in options.domains else options.domains[0])
    addresses = address_rrsets(target, options.ttl, set(options.ns_addresses))
    return [RRset(apex, options.ttl, (NS(target),)), *addresses]


def _server_name(domain: Name) -> Name:
    return child(b"\x02ns\x03dns", domain)


def _namespace_names(namespaces: Iterable[str], apex: Name) -> list[Name]:
    """Those that fit: below a long domain a long one does not, and neither do its Services."""
    labels = [label(namespace) + b"\x03svc" for namespace in namespaces]
    return [child(below, apex) for below in labels if len(below) + len(apex) <= MAX_OCTETS]


def drain(steps: Preparation) -> Prepared:
    """Runs a preparation to its end, where nobody waits for the loop."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: Prepared = stop.value
            return result
