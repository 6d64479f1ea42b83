"""The prepared nodes of one Service, and which of them a change of it concerns."""

from collections.abc import Collection, Generator
from collections.abc import Set as AbstractSet

from clusterdns.cluster.model import Published
from clusterdns.zone.names import MAX_OCTETS, Name, child, label, parent
from clusterdns.zone.prepared import DEFER, NXDOMAIN, Node, entry, with_addresses
from clusterdns.zone.rdata import CNAME, SRV
from clusterdns.zone.reasons import no_ready_endpoint
from clusterdns.zone.records import Essence, dashed, records_for, service_name

_LONGEST = 63  # octets of a label


def renewed(
    old: Published | None, new: Published | None, zone: int, apex: Name, ttl: int, touched: AbstractSet[str] | None
) -> Generator[None, None, tuple[dict[Name, Node], Collection[Name]]]:
    """What a change of one Service writes in one zone, and which names go.  *touched*: see ``touched_hosts``.

    Yields after each piece of work.
    """
    names = None if new is None or touched is None else _host_names(new, apex, touched)
    after = service_nodes(new, zone, apex, ttl, names) if new else {}
    yield
    if names is not None or old is None:
        return after, names - after.keys() if names else ()
    before = service_nodes(old, zone, apex, ttl)
    yield
    return after, before.keys() - after.keys()


def touched_hosts(before: Essence, after: Essence) -> AbstractSet[str] | None:
    """Where a change of a Service concerns nothing but its endpoints: the labels of those that came or went.

    The nodes at other endpoints' names are as they were and, below a ClusterIP, so are those of the Service's ports.
    None: any node may be otherwise.
    """
    if before[:3] != after[:3]:
        return None
    if not after.headless:
        return frozenset()  # their names are derived
    ports = {each for each, _ in after.endpoints}
    if not ports or ports != {each for each, _ in before.endpoints}:
        return None
    old, new = ({one for _, own in each.endpoints for one in own} for each in (before, after))
    if any(len(given) > _LONGEST or not given.isascii() for _, given in old | new):
        return None  # no name can hold it: a port may be left without a target, and only a whole look tells
    return {given or dashed(address) for address, given in old ^ new}


def service_nodes(
    published: Published, zone: int, apex: Name, ttl: int, touched: AbstractSet[Name] | None = None
) -> dict[Name, Node]:
    """Every prepared node of one Service in one zone, its empty non-terminals included.

    *touched*: only its own, those of these endpoints and, where it is headless, those of its ports.
    """
    rrsets = records_for(published, apex, ttl)
    if not rrsets:
        return _without_records(published, zone, apex)
    if rrsets[0].rtype == CNAME.rtype:
        return {rrsets[0].owner: Node(zone, {CNAME.rtype: entry(rrsets[0])}, absent=DEFER)}
    base = rrsets[0].owner  # the Service's own addresses come first
    wanted = rrsets
    if touched is not None:
        own, ports = {base, *touched}, published.service.headless
        wanted = [one for one in rrsets if one.owner in own or (ports and one.rtype == SRV.rtype)]
    nodes: dict[Name, Node] = {}
    for rrset, additional in with_addresses(wanted, rrsets):
        owner, rtype = rrset.owner, rrset.rtype
        if rtype == SRV.rtype:  # owners of SRV hold nothing else
            nodes[owner] = Node(zone, {rtype: entry(rrset, additional)})
            nodes[parent(owner)] = Node(zone, {})  # _tcp.web… exists because _http._tcp.web… does (RFC 8020)
        elif owner in nodes:  # its addresses of the other family
            nodes[owner].entries[rtype] = entry(rrset)
        else:
            found = {rtype: entry(rrset)}
            nodes[owner] = Node(zone, found, below=published if owner == base else None, deferred=SRV.rtype)
    return nodes


def _host_names(published: Published, apex: Name, hosts: AbstractSet[str]) -> AbstractSet[Name] | None:
    """The names of *hosts* below their Service; None where not every label has room there."""
    try:
        base = service_name(published.service.key, apex)
    except ValueError:
        return None
    return {child(label(host), base) for host in hosts} if 1 + _LONGEST + len(base) <= MAX_OCTETS else None


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
