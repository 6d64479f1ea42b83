"""What settings mean together: combinations that mean nothing are refused."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from clusterdns.cluster.addresses import in_network
from clusterdns.forward.ourselves import certain, places, reached
from clusterdns.forward.servers import is_file, parse_server
from clusterdns.zone.names import is_below, parse_name
from clusterdns.zone.reverse import is_reverse, zones_of

if TYPE_CHECKING:
    from clusterdns.config import Settings

_OWN = ("svc", "pod", "dns", "dns-version")  # what a zone holds directly below its apex


def first_forward(settings: "Settings") -> str:
    """The domain, as ``zones`` has it where it is set."""
    return next((zone for zone in settings.zones if not is_reverse(parse_name(zone))), settings.domain)


def disagreements(settings: "Settings", named: Collection[str]) -> Iterator[tuple[str, str]]:
    """(setting, problem; remedy).  *named*: the settings that somebody gave."""
    yield from _zones(settings, named)
    yield from _source(settings)
    yield from _forwarding(settings)
    yield from asks_itself(settings, certain)
    if settings.namespaces and settings.namespace_labels:
        yield "namespace_labels", "namespaces is set, too; keep one of them"
    if settings.ignore_empty_service and settings.noendpoints:
        yield "ignore_empty_service", "with noendpoints every Service would be empty; keep one of them"
    yield from _fallthrough(settings, named)
    yield from _ranges(settings, named)


def _fallthrough(settings: "Settings", named: Collection[str]) -> Iterator[tuple[str, str]]:
    served = settings.zones or (settings.domain, "in-addr.arpa.", "ip6.arpa.")
    for inner in settings.fallthrough:
        outer = [zone for zone in served if inner != zone and is_below(parse_name(inner), parse_name(zone))]
        for zone in outer:
            yield "fallthrough", f"{inner} is a part of {zone}; list it in zones, too, or write {zone}"
        if outer or "fallthrough" not in named or settings.source == "none":
            continue
        if not any(is_below(parse_name(zone), parse_name(inner)) for zone in served):
            yield "fallthrough", f"{inner} is no zone of ours; write {' or '.join(served)}, or leave it out"


def _ranges(settings: "Settings", named: Collection[str]) -> Iterator[tuple[str, str]]:
    """Where addresses are allocated from ranges, nobody may get what another has."""
    if settings.source != "manifests" and not {"service_cidr", "pod_cidr"} <= {*named}:
        return
    name, other = ("pod_cidr", "service_cidr") if "pod_cidr" in named else ("service_cidr", "pod_cidr")
    theirs = settings.service_cidr if name == "pod_cidr" else settings.pod_cidr
    for own in settings.pod_cidr if name == "pod_cidr" else settings.service_cidr:
        for one in theirs:
            if in_network(own.network_address.packed, one) or in_network(one.network_address.packed, own):
                yield name, f"{own} overlaps {one} of {other}; write networks apart from each other"


def _forwarding(settings: "Settings") -> Iterator[tuple[str, str]]:
    own = [] if settings.source == "none" else settings.zones or (settings.domain, "in-addr.arpa.", "ip6.arpa.")
    kept = [] if settings.source == "none" else [("service_cidr", one) for one in settings.service_cidr]
    kept += [] if settings.source == "none" else [("pod_cidr", one) for one in settings.pod_cidr]
    for suffix, _ in settings.stub_domains:
        if suffix in own:
            yield "stub_domains", f"{suffix} is a zone of ours; leave it out"
        for zone in own:
            if any(is_below(parse_name(suffix), parse_name(f"{part}.{zone}")) for part in _OWN):
                yield "stub_domains", f"{suffix} would hide names of {zone}; leave it out"
        for name, network in kept:
            if any(is_below(parse_name(suffix), one) for one in zones_of(network)):
                yield "stub_domains", f"{suffix} lies in {name}, whose reverse names are ours; leave it out"
    if settings.cache_min_ttl > min(settings.cache_max_ttl, settings.cache_max_negative_ttl):
        yield "cache_min_ttl", "it is longer than answers may be kept at most; lower it"


def asks_itself(settings: "Settings", local: Callable[[str], Iterable[str]]) -> Iterator[tuple[str, str]]:
    """As ``disagreements``: upstreams that are this server.  *local*: the addresses that a wildcard stands for.

    What a ``resolv.conf`` names is nobody's mistake, and left out when it is read.
    """
    own = places(settings.listen, local)
    named = [("upstream", settings.upstream), *(("stub_domains", servers) for _, servers in settings.stub_domains)]
    for name, servers in named:
        for text in servers:
            if not is_file(text) and reached(parse_server(text)) in own:
                yield name, f"{text} is where this server listens, and it would ask itself; name another server"


def _source(settings: "Settings") -> Iterator[tuple[str, str]]:
    if settings.source == "none":
        if settings.manifests:
            yield (
                "manifests",
                "with source: none there are no zones of ours; leave them out, or write source: manifests",
            )
        if settings.zones:
            yield "zones", "with source: none there are no zones of ours; leave them out"
        if not settings.upstream and not settings.stub_domains:
            yield "source", "with none, nothing is answered without somebody to ask; write upstream, too"
    if settings.source == "kubernetes":
        if settings.manifests:
            yield "manifests", "with source: kubernetes no manifests are read; leave them out, or write manifests"
        return
    if settings.kubeconfig:
        yield "kubeconfig", f"with source: {settings.source} no API is asked; write source: kubernetes, or leave it out"
    if settings.max_staleness:
        yield "max_staleness", f"with source: {settings.source} no API is asked; leave it out"


def _zones(settings: "Settings", named: Collection[str]) -> Iterator[tuple[str, str]]:
    forward = [zone for zone in settings.zones if not is_reverse(parse_name(zone))]
    if settings.zones and not forward:
        yield "zones", "there is no forward zone among them; add the cluster's, such as cluster.local"
    elif forward and "domain" in named and settings.domain != forward[0]:
        yield "domain", f"zones begin with {forward[0]}; write the same, or leave domain out"
    for zone in forward:
        for other in forward:
            if any(is_below(parse_name(zone), parse_name(f"{part}.{other}")) for part in _OWN):
                yield "zones", f"{zone} would hide names of {other}; leave one of them out"
