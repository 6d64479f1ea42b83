"""Which objects and records of a World are shown: the same for the HTTP address and for commands with ``--from``.

Everything here is a generator that yields None where a server lets queries have their turn.  What it yields else is
what is to be shown, as a function of the texts that were written: those may be read elsewhere, in a worker.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from heapq import merge
from operator import itemgetter
from typing import TypeVar, cast

from msgspec import Struct

from clusterdns.cluster.build import SERVICE_NAME
from clusterdns.cluster.labels import Selector, matches
from clusterdns.cluster.model import Endpoints, Key, Object, Pod, Published, Service, Workload, list_order
from clusterdns.cluster.state import WORKLOADS
from clusterdns.controllers.manager import SLICE_CONTROLLER
from clusterdns.views import objects
from clusterdns.views.endpoints import made_endpoints
from clusterdns.views.objects import Written
from clusterdns.views.records import Record, rows_of
from clusterdns.views.trees import Tree
from clusterdns.world import World
from clusterdns.zone.derived import pointer_targets
from clusterdns.zone.names import ROOT, is_below, to_text
from clusterdns.zone.prepared import NXDOMAIN
from clusterdns.zone.rdata import PTR, RRset
from clusterdns.zone.records import addresses_of, all_records, pointers
from clusterdns.zone.reverse import reverse_name
from clusterdns.zone.zonefile import zone_rrsets

Item = TypeVar("Item", bound=Object)

Shown = Callable[[Written], Tree]

_CHUNK = 500  # objects looked at, and sorted, without a pause


class Query(Struct, frozen=True):
    """*namespace*: None for all; *name*: "" for all."""

    namespace: str | None = None
    name: str = ""
    selector: Selector = ()

    def wants(self, key: Key, labels: dict[str, str] | None = None) -> bool:
        return (
            (self.namespace is None or not key.namespace or key.namespace == self.namespace)
            and (not self.name or key.name == self.name)
            and (labels is None or matches(self.selector, labels))
        )


def services(world: World, query: Query) -> Iterator[Shown | None]:
    for service in _listed(cast("list[Service]", world.state.snapshot("Service")), query):
        if service and (published := world.controllers.published(world.state, service.key)):
            yield partial(objects.service_tree, published.service)
        yield None


def endpoint_slices(world: World, query: Query) -> Iterator[Shown | None]:
    """Of Services, made ones too."""
    wanted = [one.values for one in query.selector if (one.key, one.operator) == (SERVICE_NAME, "in")]
    for service in _listed(cast("list[Service]", world.state.snapshot("Service")), Query(query.namespace)):
        if service and all(service.key.name in names for names in wanted):
            published = world.controllers.published(world.state, service.key)
            for piece in published.slices if published else ():
                labels = piece.labels | {SERVICE_NAME: piece.service.name}
                if query.wants(piece.key, labels):
                    yield partial(objects.slice_tree, piece)
        yield None


def endpoints(world: World, query: Query) -> Iterator[Shown | None]:
    """Those that were written, and those that an API server's controllers would make."""
    authors = [*world.state.snapshot("Service"), *world.state.snapshot("Endpoints")]
    last = None
    for author in _listed(authors, Query(query.namespace, query.name)):
        if author and author.key != last:
            last = author.key
            shown, labels = _endpoints(world, author.key)
            if shown and matches(query.selector, labels):
                yield shown
        yield None


def _endpoints(world: World, key: Key) -> tuple[Shown | None, dict[str, str]]:
    """The controller's where it makes any, else the written ones, else what hand-written slices say."""
    written = world.state.get("Endpoints", key)
    published = world.controllers.published(world.state, key)
    if published and _are_made(published, written is not None):
        tree = made_endpoints(published)
        return (lambda _: tree), tree["metadata"].get("labels", {})
    return (partial(objects.written_endpoints, written), written.labels) if written else (None, {})


def _are_made(published: Published, written: bool) -> bool:
    service = published.service
    if service.type == "ExternalName":
        return False
    if written and any(piece.managed_by == SLICE_CONTROLLER for piece in published.slices):
        return False  # a dump has what its cluster's controller made
    own = any(endpoint.target for piece in published.slices for endpoint in piece.endpoints)
    if written and not (service.selector and own):
        return False
    return bool(service.selector) or bool(published.slices)


def pods(world: World, query: Query) -> Iterator[Shown | None]:
    """Stand-ins too."""
    everyone = [*cast("list[Pod]", world.state.snapshot("Pod")), *world.controllers.stand_ins()]
    for pod in _listed(everyone, query):
        if pod:
            yield partial(objects.pod_tree, pod, _workload(world, pod))
        yield None


def _workload(world: World, pod: Pod) -> Workload | None:
    kind, _, owner = pod.stand_in.partition(" ")
    namespace, _, name = owner.partition("/")
    found = world.state.get(kind, Key(namespace, name)) if kind else None
    return found if isinstance(found, Workload) else None


def namespaces(world: World, query: Query) -> Iterator[Shown | None]:
    for name in sorted(world.state.namespaces()):
        declared = world.state.get("Namespace", Key("", name))
        labels = declared.labels if declared else {objects.NAMESPACE_NAME: name}
        if query.name in ("", name) and matches(query.selector, labels):
            yield partial(objects.namespace_tree, name, declared)
        yield None


def everything(world: World, query: Query) -> Iterator[Shown | None]:
    """Every kind, in the order in which an API server could take them; stand-ins are not theirs to take."""
    yield from namespaces(world, query)
    yield from services(world, query)
    yield from endpoint_slices(world, query)
    for find in (_written_endpoints, _written_pods, _workloads):
        yield from find(world, query)


def _written_endpoints(world: World, query: Query) -> Iterator[Shown | None]:
    for item in _listed(cast("list[Endpoints]", world.state.snapshot("Endpoints")), query):
        yield partial(objects.written_endpoints, item) if item else None


def _written_pods(world: World, query: Query) -> Iterator[Shown | None]:
    for item in _listed(cast("list[Pod]", world.state.snapshot("Pod")), query):
        yield partial(objects.pod_tree, item, None) if item else None


def _workloads(world: World, query: Query) -> Iterator[Shown | None]:
    for kind in WORKLOADS:
        for item in _listed(cast("list[Workload]", world.state.snapshot(kind)), query):
            yield partial(objects.workload_tree, item) if item else None


FINDERS: dict[str, Callable[[World, Query], Iterator[Shown | None]]] = {
    "services": services,
    "endpoints": endpoints,
    "endpointslices": endpoint_slices,
    "pods": pods,
    "namespaces": namespaces,
    "objects": everything,
}


def _listed(items: Sequence[Item], query: Query) -> Iterator[Item | None]:
    """Those that *query* wants, in the order of an API server."""
    chunks = []
    for at in range(0, len(items), _CHUNK):
        found = [(list_order(item.key), item) for item in items[at : at + _CHUNK] if query.wants(item.key, item.labels)]
        chunks.append(sorted(found, key=itemgetter(0)))
        yield None
    for _, item in merge(*chunks, key=itemgetter(0)):
        yield item


def records(world: World, query: Query) -> Iterator[Record | None]:
    """Those of the Services that *query* selects, and the reverse names of their addresses; of all zones where it
    selects everything."""
    tree = world.table.tree
    if query == Query():
        for zone in world.table.zones:
            for rrset in zone_rrsets(tree, zone):
                yield from rows_of(rrset)
                yield None
        return
    for service in _listed(cast("list[Service]", world.state.snapshot("Service")), query):
        if service and (found := tree.published.get(service.key)):
            for rrset in _records_of(world, found):
                yield from rows_of(rrset, str(service.key))
        yield None


def _records_of(world: World, published: Published) -> Iterator[RRset]:
    """Of an address that several Services hold, the PTRs into this one only."""
    tree = world.table.tree
    for zone in world.table.zones:
        if not zone.reverse:
            yield from all_records(published, zone.apex, tree.options.ttl)
    primary = tree.options.domains[0] if tree.options.domains else ROOT
    for address in sorted(addresses_of(published), key=lambda address: (len(address), address)):
        owner = reverse_name(address)
        holders = tree.reverse.of(address).holders(address)
        if holders and any(zone.reverse and is_below(owner, zone.apex) for zone in world.table.zones):
            own = pointers(published, address, primary)
            targets = pointer_targets(address, holders, tree.published.get, primary)
            if mine := tuple([PTR(target) for target in targets if target in own]):
                yield RRset(owner, tree.options.ttl, mine)


def names(world: World) -> Iterator[str | None]:
    """Names that exist and may hold no record, so that a question for them is NODATA.  Not in any order."""
    nodes = world.table.nodes
    for count, (name, node) in enumerate(list(nodes.items())):
        if node.absent != NXDOMAIN:
            yield to_text(name)
        if not count % 64:
            yield None
