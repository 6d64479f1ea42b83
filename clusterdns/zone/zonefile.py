"""A zone as master-file text (RFC 1035 §5) that Knot, NSD and BIND load."""

from collections.abc import Iterator

from clusterdns.zone.derived import pointer_targets
from clusterdns.zone.names import MAX_OCTETS, Name, child, is_below, label, to_text
from clusterdns.zone.prepared import Zone
from clusterdns.zone.rdata import PTR, TXT, RRset, address_rrsets
from clusterdns.zone.records import SCHEMA_VERSION, SCHEMA_VERSION_TTL, all_records, dashed
from clusterdns.zone.reverse import reverse_name
from clusterdns.zone.tree import Tree, apex_rrsets


def zone_text(tree: Tree, zone: Zone) -> Iterator[str]:
    """Line by line, each ended; SOA first, then the apex, then owners by namespace, Service and label."""
    yield f"; {to_text(zone.apex)}\n"
    yield RRset(zone.apex, zone.ttl, (zone.soa(),)).to_text() + "\n"
    for rrset in zone_rrsets(tree, zone):
        yield rrset.to_text() + "\n"


def zone_rrsets(tree: Tree, zone: Zone) -> Iterator[RRset]:
    """Everything in *zone* but its SOA."""
    apex = apex_rrsets(zone.apex, tree.options)
    # Addresses of a name server in another zone are that zone's to give.
    yield from (rrset for rrset in apex if is_below(rrset.owner, zone.apex))
    if zone.reverse:
        yield from _pointers(tree, zone)
        return
    yield RRset(Name(b"\x0bdns-version" + zone.apex), SCHEMA_VERSION_TTL, (TXT(SCHEMA_VERSION),))
    for _, published in sorted(tree.published.items()):
        yield from all_records(published, zone.apex, tree.options.ttl)
    yield from _pods(tree, zone)


def _pods(tree: Tree, zone: Zone) -> Iterator[RRset]:
    """The names of known pods; with ``pods: insecure`` there are as many names as addresses."""
    for namespace, names in sorted(tree.pods.items()):
        if names.addresses is None or namespace not in tree.namespaces:
            continue
        for index in (names.addresses.four, names.addresses.six):
            for address in index.addresses():
                labels = label(dashed(address)) + label(namespace) + b"\x03pod"
                if len(labels) + len(zone.apex) <= MAX_OCTETS:
                    yield from address_rrsets(child(labels, zone.apex), tree.options.ttl, {address})


def _pointers(tree: Tree, zone: Zone) -> Iterator[RRset]:
    for index in (tree.reverse.four, tree.reverse.six):
        for address, holders in index.items():
            owner = reverse_name(address)
            if not is_below(owner, zone.apex):
                continue
            targets = pointer_targets(address, holders, tree.published.get, tree.options.domains[0])
            if targets:
                yield RRset(owner, tree.options.ttl, tuple(map(PTR, targets)))
