"""Names that are numerous and rarely asked: computed at the first question, from what is published.

Endpoint names below ClusterIP Services, SRV at bare Service and endpoint names, pod names, and all reverse names.
"""

from collections.abc import Callable, Mapping

from clusterdns.cluster.model import Key, Published
from clusterdns.zone.names import Name, parent
from clusterdns.zone.pods import PodNames
from clusterdns.zone.prepared import Node, entry, with_addresses
from clusterdns.zone.rdata import PTR, RRset, address_rrsets
from clusterdns.zone.records import Shown, endpoint_records, pointers, records_for, service_ports
from clusterdns.zone.reverse import Addresses, parse_reverse


def endpoint_node(name: Name, hosts: Mapping[str, Shown], zone: int, ttl: int) -> Node | None:
    """The node of a name directly below a Service whose shown endpoints are *hosts*; None: it is none of them."""
    host, base = name[1 : 1 + name[0]].decode("ascii", "replace"), parent(name)
    return _node(endpoint_records(host, hosts[host], base, ttl), zone) if host in hosts else None


def service_node(published: Published, zone: int, apex: Name, ttl: int) -> Node | None:
    """The node of a Service's own name with everything it holds, SRV included."""
    rrsets = records_for(published, apex, ttl)
    ports = service_ports(published, apex, ttl)
    if not rrsets:
        return None
    own = [rrset for rrset in rrsets if rrset.owner == rrsets[0].owner]
    # All are passed, so that the SRV finds the addresses of its targets; only the Service's own are kept.
    return _node([*rrsets, ports] if ports else rrsets, zone, {*own, *([ports] if ports else [])})


def pod_node(name: Name, pods: PodNames, zone: int, ttl: int) -> Node | None:
    """The node of a name directly below ``NS.pod.Z``; None: it stands for no address there."""
    address = pods.address(name[1 : 1 + name[0]])
    return address_node(name, address, zone, ttl) if address else None


def address_node(name: Name, address: bytes, zone: int, ttl: int) -> Node:
    """b"": it exists and holds nothing."""
    return _node(address_rrsets(name, ttl, {address}), zone)


def reverse_node(
    qname: Name, reverse: Addresses, published: Callable[[Key], Published | None], zone: int, primary: Name, ttl: int
) -> Node | None:
    """The node of a reverse name: PTRs, or nothing but its existence for an empty non-terminal (RFC 8020)."""
    span = parse_reverse(qname)
    if span is None:
        return None
    low, high = span
    index = reverse.of(low)
    if low != high:
        return Node(zone, {}) if index.any_between(low, high) else None
    targets = pointer_targets(low, index.holders(low), published, primary)
    return _node([RRset(qname, ttl, tuple(map(PTR, targets)))], zone) if targets else None


def pointer_targets(
    address: bytes, holders: tuple[Key, ...], published: Callable[[Key], Published | None], primary: Name
) -> list[Name]:
    """A ClusterIP points to the first Service that has it, by namespace and name.

    An endpoint's address points to its name in each of its Services.
    """
    services = [service for key in holders if (service := published(key))]
    owners = [service for service in services if address in service.service.cluster_ips][:1]
    return sorted({target for service in owners or services for target in pointers(service, address, primary)})


def _node(rrsets: list[RRset], zone: int, keep: set[RRset] | None = None) -> Node:
    paired = with_addresses(rrsets)
    return Node(zone, {rrset.rtype: entry(rrset, more) for rrset, more in paired if keep is None or rrset in keep})
