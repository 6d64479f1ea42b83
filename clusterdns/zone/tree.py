"""The published world: which names exist, and what a round changes in the table.

Below ``svc`` an owner belongs to one Service and is replaced with it.  Reverse names have several contributors:
there the index keeps which Services hold an address.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeVar

from msgspec import Struct

from clusterdns.cluster.model import Key, Published
from clusterdns.zone.filters import Filters
from clusterdns.zone.names import MAX_OCTETS, ROOT, Name, child, is_below, label, parent
from clusterdns.zone.nodes import renewed, touched_hosts
from clusterdns.zone.pods import PodNames
from clusterdns.zone.prepared import DEFER, NXDOMAIN, Change, Node, Zone, entry
from clusterdns.zone.rdata import NS, TXT, RRset, address_rrsets
from clusterdns.zone.records import SCHEMA_VERSION, SCHEMA_VERSION_TTL, addresses_of, essence
from clusterdns.zone.reverse import IN_ADDR, IP6, Addresses, Moves, parse_reverse

_K = TypeVar("_K")
_V = TypeVar("_V")


class ZoneOptions(Struct, frozen=True):
    """What the zones are, and what holds in them whatever the objects say."""

    domains: tuple[Name, ...]  # forward zones; the first is the one that reverse names point into; (): no zones at all
    reverse: tuple[Name, ...] = (IN_ADDR, IP6)
    ttl: int = 5  # seconds
    ns_addresses: tuple[bytes, ...] = (b"\x7f\0\0\1",)
    pods: str = "disabled"  # disabled | insecure | verified
    filters: Filters = Filters()
    wildcards: bool = False
    fallthrough: tuple[Name, ...] = ()
    upstream: bool = False  # somebody could be asked for any name
    stubs: tuple[Name, ...] = ()  # whose names others have; a zone inside of one is ours all the same
    ranges: tuple[Name, ...] = ()  # reverse names of Services and pods: ours even inside a stub

    def zones(self) -> list[Zone]:
        """Forward ones first; a Node's zone is an index of this list."""
        primary = self.domains[0] if self.domains else ROOT
        zones = [(apex, apex, False) for apex in self.domains] + [(apex, primary, True) for apex in self.reverse]
        return [
            Zone(apex, main, self.ttl, reverse=reverse, absent=self._absent(apex), falls=self.falls(apex))
            for apex, main, reverse in zones
        ]

    def apexes(self) -> Mapping[bytes, int]:
        """Where a name belongs by the longest of these that it is below: an index of ``zones``, or -1 for others."""
        own: dict[bytes, int] = {apex: index for index, apex in enumerate((*self.domains, *self.reverse))}
        stubs = [stub for stub in self.stubs if stub not in own and _inside(stub, own)]
        found: dict[bytes, int] = dict.fromkeys(stubs, -1)
        found |= {one: own[_longest(one, own)] for one in self.ranges if _inside(one, own) and _inside(one, stubs)}
        return found | own

    def falls(self, apex: Name) -> bool:
        """Whether others are asked for names that the zone at *apex* lacks."""
        upstream = self.upstream or _inside(apex, self.stubs)
        return falls_through(apex, self.fallthrough, upstream=upstream)

    def _absent(self, apex: Name) -> int:
        if self.wildcards and apex in self.domains:
            return DEFER
        return DEFER if self.falls(apex) or any(is_below(stub, apex) for stub in self.stubs) else NXDOMAIN


def _inside(name: bytes, apexes: Iterable[bytes]) -> bool:
    return any(is_below(name, apex) for apex in apexes)


def _longest(name: bytes, apexes: Iterable[bytes]) -> bytes:
    return max((apex for apex in apexes if is_below(name, apex)), key=len)


def falls_through(apex: Name, fallthrough: Iterable[Name], *, upstream: bool) -> bool:
    """Whether others are asked for names that the zone at *apex* lacks; the root in *fallthrough* means every zone.

    *upstream*: there is somebody to ask.  Otherwise the zone answers itself, as without ``fallthrough``.
    """
    return upstream and any(is_below(apex, zone) for zone in fallthrough)


class Prepared(Struct):
    """A round, ready to be applied: the table's part and the tree's."""

    change: Change
    services: dict[Key, Published | None]
    namespaces: frozenset[str]
    reverse: Addresses
    pods: dict[str, PodNames | None]  # of namespaces whose pods changed; None: none of them has an address
    pod_addresses: dict[Key, tuple[bytes, ...]]
    nodes: dict[Name, Node] | None = None  # the whole table of a large change, see ``Table.stage``


Preparation = Generator[None, None, Prepared]  # yields after each small piece of work


class Tree:
    """What is published now.  ``prepare`` reads it, ``apply`` replaces parts of it in one go."""

    def __init__(self, options: ZoneOptions) -> None:
        self.options = options
        self.published: dict[Key, Published] = {}
        self.namespaces: frozenset[str] = frozenset()
        self.reverse = Addresses()
        self.pods: dict[str, PodNames] = {}  # by namespace, those of hidden ones too; with ``pods: verified`` only
        self.pod_addresses: dict[Key, tuple[bytes, ...]] = {}  # what they are made of
        self.synced = False

    def before_sync(self) -> dict[Name, Node]:
        """What is answered until the first round: apexes and ``dns-version``, no half of anything else."""
        nodes = _apexes(self.options)
        for zone, apex in enumerate(self.options.domains):
            owner = Name(b"\x0bdns-version" + apex)
            version = RRset(owner, SCHEMA_VERSION_TTL, (TXT(SCHEMA_VERSION),))
            nodes[owner] = Node(zone, {TXT.rtype: entry(version)})
        return nodes

    def prepare(
        self,
        services: Mapping[Key, Published | None],
        namespaces: frozenset[str],
        pods: Mapping[Key, tuple[bytes, ...]] = MappingProxyType({}),
    ) -> Preparation:
        """The next state, for these Services (None: gone), exactly these namespaces, and the addresses of these pods
        (() for those that have none or are gone).  Changes nothing.

        A Service whose records stay as they are stays the object that was published: nothing is done for it.
        """
        change = Change({}, [], records_changed=not self.synced)
        if not self.synced:
            change.upserts.update(self.before_sync())
            change.upserts.update(_statics(self.options))
        moved = {key: after for key, after in pods.items() if after != self.pod_addresses.get(key, ())}
        yield
        pod_names = yield from self._pods(moved, namespaces, change)
        self._namespaces(namespaces, pod_names, change)
        accepted: dict[Key, Published | None] = {}
        moves = Moves()
        for key, new in services.items():
            old = self.published.get(key)
            if old is new:
                continue
            touched = None
            if old is not None and new is not None:
                before, after = essence(old), essence(new)
                if before == after:
                    continue
                touched = touched_hosts(before, after)
            for zone, apex in enumerate(self.options.domains):
                written, gone = yield from renewed(old, new, zone, apex, self.options.ttl, touched)
                change.upserts.update(written)
                change.deletes += gone
            accepted[key] = new
            moves.note(key, addresses_of(old) if old else set(), addresses_of(new) if new else set())
            change.records_changed = True
        reverse = yield from self.reverse.moved(moves)
        yield from moves.emptied()
        return Prepared(change, accepted, namespaces, reverse, pod_names, moved)

    def apply(self, prepared: Prepared) -> None:
        """Together with the table's part of the same round, without anything in between."""
        _assign(self.published, prepared.services)
        self.namespaces = prepared.namespaces
        self.reverse = prepared.reverse
        _assign(self.pods, prepared.pods)
        _assign(self.pod_addresses, {key: addresses or None for key, addresses in prepared.pod_addresses.items()})
        self.synced = True

    def all_pods(self) -> Iterator[PodNames]:
        """What the pod names of any namespace that is served may stand for."""
        if self.options.pods == "insecure" and self.namespaces:
            yield PodNames("", None)
        elif self.options.pods == "verified":
            yield from (names for namespace, names in self.pods.items() if namespace in self.namespaces)

    def shows_pods(self, names: PodNames) -> bool:
        """Whether exactly *names* are those of their namespace."""
        known = names.addresses is None or self.pods.get(names.namespace) is names
        return known and names.namespace in self.namespaces

    def _namespaces(self, namespaces: frozenset[str], pods: Mapping[str, PodNames | None], change: Change) -> None:
        """The names that exist because a namespace does, and what is below those of pods."""
        if namespaces is self.namespaces and not pods:  # as in most rounds; there may be thousands
            return
        came, went = namespaces - self.namespaces, self.namespaces - namespaces
        parts = [b"\x03svc"] if self.options.pods == "disabled" else [b"\x03svc", b"\x03pod"]
        for zone, apex in enumerate(self.options.domains):
            for part in parts:
                change.deletes += _namespace_names(went, part, apex).values()
                change.upserts.update((name, Node(zone, {})) for name in _namespace_names(came, part, apex).values())
            if len(parts) > 1:
                shown = namespaces & (came | pods.keys())
                for namespace, name in _namespace_names(shown, parts[1], apex).items():
                    change.upserts[name] = Node(zone, {}, below=self._pod_names(namespace, pods))
        change.records_changed |= bool(came or went)

    def _pod_names(self, namespace: str, changed: Mapping[str, PodNames | None]) -> PodNames | None:
        if self.options.pods == "insecure":
            return PodNames(namespace, None)
        return changed[namespace] if namespace in changed else self.pods.get(namespace)

    def _pods(
        self, pods: Mapping[Key, tuple[bytes, ...]], namespaces: frozenset[str], change: Change
    ) -> Generator[None, None, dict[str, PodNames | None]]:
        """The pod names of every namespace where an address changes hands."""
        moves: dict[str, Moves] = {}
        for key, after in pods.items():
            before = self.pod_addresses.get(key, ())
            moves.setdefault(key.namespace, Moves()).note(key, set(before), set(after))
            yield
        found: dict[str, PodNames | None] = {}
        for namespace, moved in moves.items():
            names = self.pods.get(namespace)
            old = (names.addresses if names else None) or Addresses()
            touched = moved.gained.addresses() | moved.lost.addresses()
            new = yield from old.moved(moved)
            found[namespace] = PodNames(namespace, new) if new.four.chunks or new.six.chunks else None
            if namespace in namespaces:  # the serial must not tell of hidden ones
                change.records_changed |= any(
                    bool(old.of(one).holders(one)) != bool(new.of(one).holders(one)) for one in touched
                )
        return found


def _statics(options: ZoneOptions) -> dict[Name, Node]:
    """What every forward zone holds beside its apex and version."""
    nodes = {}
    for zone, apex in enumerate(options.domains):
        owner = _server_name(apex)
        own = address_rrsets(owner, options.ttl, set(options.ns_addresses))
        nodes[owner] = Node(zone, {rrset.rtype: entry(rrset) for rrset in own})
        for labels in (b"\x03dns", b"\x03svc", b"\x03pod"):
            nodes[Name(labels + apex)] = Node(zone, {})
    return _between(options) | nodes


def _between(options: ZoneOptions) -> dict[Name, Node]:
    """Names between the apex of a zone and that of another one, or a stub domain, inside it: they exist (RFC 8020)."""
    zones = {apex: zone for zone, apex in enumerate((*options.domains, *options.reverse))}
    nodes: dict[Name, Node] = {}
    for apex in dict.fromkeys((*zones, *options.stubs)):
        above, found = parent(apex), []
        while above not in zones and above[0]:
            found.append(above)
            above = parent(above)
        if above in zones and above != apex:
            nodes.update((name, Node(zones[above], {})) for name in found if not _is_address(name))
    return nodes


def _is_address(name: Name) -> bool:
    """Its records are no part of the table, and would be hidden there."""
    span = parse_reverse(name)
    return span is not None and span[0] == span[1]


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


def _namespace_names(namespaces: Iterable[str], part: bytes, apex: Name) -> dict[str, Name]:
    """Those that fit: below a long domain a long one does not, and neither do its Services."""
    labels = {namespace: label(namespace) + part for namespace in namespaces}
    return {one: child(below, apex) for one, below in labels.items() if len(below) + len(apex) <= MAX_OCTETS}


def _assign(kept: dict[_K, _V], changes: Mapping[_K, _V | None]) -> None:
    """None removes."""
    for key, value in changes.items():
        if value is None:
            kept.pop(key, None)
        else:
            kept[key] = value
