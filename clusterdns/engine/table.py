"""The table of prepared answers: what is looked up when a query comes."""

from collections.abc import Generator, Mapping
from typing import NamedTuple

from cachetools import FIFOCache

from clusterdns.cluster.model import Key, Published
from clusterdns.zone.derived import address_node, endpoint_node, pod_node, reverse_node, service_node
from clusterdns.zone.names import Name, parent
from clusterdns.zone.pods import PodNames
from clusterdns.zone.prepared import Change, Node
from clusterdns.zone.records import Shown, shown_by_host
from clusterdns.zone.tree import Prepared, Tree, ZoneOptions
from clusterdns.zone.wildcards import Catalogue, is_wild, wild_node, wild_pod

DERIVED_KEPT = 10_000  # nodes of derived names; each costs about 1 KiB
WILD_KEPT = 64  # nodes of wildcards, with up to 1,000 records each
HOSTS_KEPT = 64  # Services whose endpoints are kept by label: few are so large that it matters

_AT_ONCE = 256  # names written or freed without a pause
_SERVICES_AT_ONCE = 16  # freed; one may have a thousand endpoints

_Guard = tuple[tuple[Key, Published], ...]


class Remains(NamedTuple):
    """Large things that are replaced; whoever drops the last reference pays for all that is in them."""

    nodes: dict[Name, Node]
    services: list[Published]
    chunks: list[object]  # of reverse names

    def free(self) -> Generator[None, None, None]:
        """Yields after each small piece of work."""
        while self.nodes:
            for _ in range(min(_AT_ONCE, len(self.nodes))):
                self.nodes.popitem()
            yield
        for things in (self.services, self.chunks):
            while things:
                del things[-_SERVICES_AT_ONCE:]
                yield


class Table:
    """``{lower-cased wire name: Node}`` and the zones.  Readers and ``apply`` share one thread."""

    def __init__(self, options: ZoneOptions) -> None:
        self.options = options
        self.tree = Tree(options)
        self.zones = options.zones()
        for index, zone in enumerate(self.zones):
            zone.index = index
        self.apexes: Mapping[bytes, int] = options.apexes()
        self.nodes: dict[Name, Node] = self.tree.before_sync()
        self._derived: FIFOCache[Name, tuple[_Guard, object, Node]] = FIFOCache(DERIVED_KEPT)
        self._catalogue = Catalogue() if options.wildcards else None
        self._wild: FIFOCache[tuple[Name, int], Node | None] = FIFOCache(WILD_KEPT)
        self._hosts: FIFOCache[Key, tuple[Published, dict[str, Shown]]] = FIFOCache(HOSTS_KEPT)

    def zone_of(self, name: bytes) -> int:
        """The zone *name* is in, by whole labels, the longest apex first; -1: none of ours."""
        apexes, at = self.apexes, 0
        while True:
            zone = apexes.get(name[at:])
            if zone is not None:
                return zone
            if not name[at]:
                return -1
            at += 1 + name[at]

    def find(self, name: Name) -> tuple[int, Node | None]:
        """The zone (-1: none of ours) and the node, a derived one included.  *name* is well-formed and lower case."""
        node = self.nodes.get(name)
        if node is not None:
            return node.zone, node
        zone = self.zone_of(name)
        return zone, self.derived(name, zone) if zone >= 0 else None

    def derived(self, name: Name, zone: int) -> Node | None:
        """The node of a name that is not prepared, or that has deferred types; None: it does not exist."""
        kept = self._derived.get(name)
        if kept is not None:
            guard, source, node = kept
            published = self.tree.published
            if source is None or source is self.tree.reverse or self._shows(source):
                for key, before in guard:
                    if published.get(key) is not before:
                        break
                else:
                    return node
            del self._derived[name]
        if not self.tree.synced:
            return None
        return self._reverse(name, zone) if self.zones[zone].reverse else self._forward(name, zone)

    def wild(self, name: Name, rtype: int, zone: int) -> Node | None:
        """The node of an absent *name* with wildcards in it, with what it has of *rtype*; None: it matches nothing."""
        if self._catalogue is None or self.zones[zone].reverse or not is_wild(name):
            return None
        if (name, rtype) not in self._wild:
            self._wild[name, rtype] = self._wild_node(name, rtype, zone, self._catalogue)
        return self._wild[name, rtype]

    def stage(self, prepared: Prepared) -> Generator[None, None, None]:
        """Builds the new dictionary of a large change aside, so that publishing it is one assignment.

        Yields after each small piece of work.
        """
        change = prepared.change
        if change.size <= Change.FULL_ABOVE:
            return
        nodes = dict(self.nodes)
        yield
        for number, name in enumerate(change.deletes):
            nodes.pop(name, None)
            if not number % _AT_ONCE:
                yield
        for number, (name, node) in enumerate(change.upserts.items()):
            nodes[name] = node
            if not number % _AT_ONCE:
                yield
        prepared.nodes = nodes

    def apply(self, prepared: Prepared, serial: int) -> None:
        """Publishes a round: from one query to the next.  *serial* is for all zones."""
        change = prepared.change
        if prepared.nodes is not None:
            self.nodes = prepared.nodes
        else:
            for name in change.deletes:
                self.nodes.pop(name, None)
            self.nodes.update(change.upserts)
        self.tree.apply(prepared)
        if self._catalogue and change.records_changed:
            self._catalogue.note(prepared.services)
            self._wild.clear()
        for zone in self.zones:
            zone.publish(serial)

    def remains(self, prepared: Prepared) -> "Remains":
        """What nobody will need once *prepared* is applied."""
        if prepared.nodes is None:
            return Remains({}, [], [])
        published, reverse = self.tree.published, self.tree.reverse
        services = [old for key in prepared.services if (old := published.get(key))]
        return Remains(self.nodes, services, [*reverse.four.chunks, *reverse.six.chunks])

    def _forward(self, name: Name, zone: int) -> Node | None:
        """An endpoint of the Service one label up, a pod, or the Service itself with its deferred SRV."""
        apex, ttl = self.zones[zone].apex, self.options.ttl
        own = self.nodes.get(name)
        if own is not None and isinstance(own.below, Published):
            return self._keep(name, (own.below,), None, service_node(own.below, zone, apex, ttl))
        above = self.nodes.get(parent(name))
        below = above.below if above is not None else None
        if below is None:
            return None
        if isinstance(below, PodNames):
            return self._keep(name, (), below, pod_node(name, below, zone, ttl))
        return self._keep(name, (below,), None, endpoint_node(name, self._hosts_of(below), zone, ttl))

    def _shows(self, source: object) -> bool:
        return isinstance(source, PodNames) and self.tree.shows_pods(source)

    def _wild_node(self, name: Name, rtype: int, zone: int, catalogue: Catalogue) -> Node | None:
        apex, ttl = self.zones[zone].apex, self.options.ttl
        if node := wild_node(name, rtype, zone, apex, ttl, catalogue):
            return node
        address = wild_pod(name, apex, self.tree.all_pods()) if self.options.pods != "disabled" else None
        return address_node(name, address, zone, ttl) if address is not None else None

    def _hosts_of(self, published: Published) -> dict[str, Shown]:
        """Kept: a name that does not exist must not cost a pass over 5,000 endpoints at every question."""
        before, hosts = self._hosts.get(published.service.key, (None, {}))
        if before is not published:
            hosts = shown_by_host(published)
            self._hosts[published.service.key] = published, hosts
        return hosts

    def _reverse(self, name: Name, zone: int) -> Node | None:
        reverse, published = self.tree.reverse, self.tree.published
        node = reverse_node(name, reverse, published.get, zone, self.options.domains[0], self.options.ttl)
        if node is None or not node.entries:
            return node
        guard = tuple(published[key] for key in reverse.holders(name))
        return self._keep(name, guard, reverse, node)

    def _keep(self, name: Name, guard: tuple[Published, ...], source: object, node: Node | None) -> Node | None:
        """Positives only: absent names are without number."""
        if node is not None:
            self._derived[name] = tuple((one.service.key, one) for one in guard), source, node
        return node
