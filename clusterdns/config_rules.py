"""What settings mean together: combinations that mean nothing are refused."""

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import product
from typing import TYPE_CHECKING, Any, cast

from clusterdns.cluster.addresses import Network, in_network, wildcard_of
from clusterdns.forward.ourselves import Own, certain, places, reached
from clusterdns.forward.servers import is_file, parse_server
from clusterdns.zone.names import is_below, parse_name
from clusterdns.zone.reverse import is_reverse, zones_of

if TYPE_CHECKING:
    from clusterdns.config import Settings

_OWN = ("svc", "pod", "dns", "dns-version")  # what a zone holds directly below its apex


def first_forward(settings: "Settings") -> str:
    """The domain, as ``zones`` has it where it is set."""
    return next((zone for zone in settings.zones if not is_reverse(parse_name(zone))), settings.domain)


def disagreements(
    settings: "Settings", named: Collection[str], unknown: Collection[str] = ()
) -> Iterator[tuple[str, str]]:
    """(setting, problem; remedy).  *named*: the settings that somebody gave.

    *unknown*: those whose value is wrong, so that nobody can say what it should have been: no rule that needs one of
    them says anything.
    """
    sure = cast("Settings", _Sure(settings, unknown))
    for rule in _RULES:
        try:
            yield from rule(sure, named)
        except _UnknownError:
            continue


class _UnknownError(Exception):
    """Nobody can say what a setting is."""


class _Sure:
    """Settings of which only those can be looked at that are known.  Raises _UnknownError for the others."""

    def __init__(self, settings: "Settings", unknown: Collection[str]) -> None:
        self._settings, self._unknown = settings, unknown

    def __getattr__(self, name: str) -> Any:
        if name in self._unknown:
            raise _UnknownError
        return getattr(self._settings, name)


def _zones_without_domain(settings: "Settings", named: Collection[str]) -> Iterator[tuple[str, str]]:
    forward = _forward(settings)
    if settings.zones and not forward:
        yield "zones", "there is no forward zone among them; add the cluster's, such as cluster.local"
    elif forward and "domain" in named and settings.domain != forward[0]:
        yield "domain", f"zones begin with {forward[0]}; write the same, or leave domain out"


def _zones_in_zones(settings: "Settings", _: Collection[str]) -> Iterator[tuple[str, str]]:
    forward = _forward(settings)
    for zone in forward:
        for other in forward:
            if _hides(zone, other):
                yield "zones", f"{zone} would hide names of {other}; leave one of them out"


def _unread_manifests(settings: "Settings", _: Collection[str]) -> Iterator[tuple[str, str]]:
    if settings.source == "none" and settings.manifests:
        yield "manifests", "with source: none there are no zones of ours; leave them out, or write source: manifests"
    if settings.source == "kubernetes" and settings.manifests:
        yield "manifests", "with source: kubernetes no manifests are read; leave them out, or write manifests"


def _none_has_zones(settings: "Settings", _: Collection[str]) -> Iterator[tuple[str, str]]:
    if settings.source == "none" and settings.zones:
        yield "zones", "with source: none there are no zones of ours; leave them out"


def _none_asks_others(settings: "Settings", _: Collection[str]) -> Iterator[tuple[str, str]]:
    if settings.source == "none" and not settings.upstream and not settings.stub_domains:
        yield "source", "with none, nothing is answered without somebody to ask; write upstream, too"


def _kubeconfig(settings: "Settings", _: Collection[str]) -> Iterator[tuple[str, str]]:
    if settings.source != "kubernetes" and settings.kubeconfig:
        yield "kubeconfig", f"with source: {settings.source} no API is asked; write source: kubernetes, or leave it out"


def _staleness(settings: "Settings", _: Collection[str]) -> Iterator[tuple[str, str]]:
    if settings.source != "kubernetes" and settings.max_staleness:
        yield "max_staleness", f"with source: {settings.source} no API is asked; leave it out"


def _stubs_in_zones(settings: "Settings", _: Collection[str]) -> Iterator[tuple[str, str]]:
    own = () if settings.source == "none" else _served(settings)
    for suffix, _servers in settings.stub_domains:
        if suffix in own:
            yield "stub_domains", f"{suffix} is a zone of ours; leave it out"
        for zone in own:
            if _hides(suffix, zone):
                yield "stub_domains", f"{suffix} would hide names of {zone}; leave it out"


def _stubs_in_services(settings: "Settings", _: Collection[str]) -> Iterator[tuple[str, str]]:
    yield from _stubs_in(settings, "service_cidr")


def _stubs_in_pods(settings: "Settings", _: Collection[str]) -> Iterator[tuple[str, str]]:
    yield from _stubs_in(settings, "pod_cidr")


def _stubs_in(settings: "Settings", name: str) -> Iterator[tuple[str, str]]:
    ranges: tuple[Network, ...] = () if settings.source == "none" else getattr(settings, name)
    for network, (suffix, _) in product(ranges, settings.stub_domains):
        if any(is_below(parse_name(suffix), one) for one in zones_of(network)):
            yield "stub_domains", f"{suffix} lies in {name}, whose reverse names are ours; leave it out"


def _least_ttl(settings: "Settings", _: Collection[str]) -> Iterator[tuple[str, str]]:
    if settings.cache_min_ttl > min(settings.cache_max_ttl, settings.cache_max_negative_ttl):
        yield "cache_min_ttl", "it is longer than answers may be kept at most; lower it"


def _upstreams(settings: "Settings", _: Collection[str]) -> Iterator[tuple[str, str]]:
    yield from _loops("upstream", settings.upstream, places(settings.listen, certain))


def _stub_servers(settings: "Settings", _: Collection[str]) -> Iterator[tuple[str, str]]:
    own = places(settings.listen, certain)
    for _suffix, servers in settings.stub_domains:
        yield from _loops("stub_domains", servers, own)


def _http_at_dns(settings: "Settings", _: Collection[str]) -> Iterator[tuple[str, str]]:
    for (host, port), (other, taken) in product(settings.http, settings.listen):
        if port and port == taken and _overlap(host, other):
            yield "http", f"{host} port {port} is where DNS is asked over TCP; write another port"


def _overlap(host: str, other: str) -> bool:
    """Whether sockets at these addresses keep each other from a port."""
    return other in (host, wildcard_of(host)) or host == wildcard_of(other)


def _namespaces(settings: "Settings", _: Collection[str]) -> Iterator[tuple[str, str]]:
    if settings.namespaces and settings.namespace_labels:
        yield "namespace_labels", "namespaces is set, too; keep one of them"


def _empty_services(settings: "Settings", _: Collection[str]) -> Iterator[tuple[str, str]]:
    if settings.ignore_empty_service and settings.noendpoints:
        yield "ignore_empty_service", "with noendpoints every Service would be empty; keep one of them"


def _fallthrough_in_zones(settings: "Settings", _: Collection[str]) -> Iterator[tuple[str, str]]:
    served = _served(settings)
    for inner in settings.fallthrough:
        for zone in _outer(inner, served):
            yield "fallthrough", f"{inner} is a part of {zone}; list it in zones, too, or write {zone}"


def _fallthrough_elsewhere(settings: "Settings", named: Collection[str]) -> Iterator[tuple[str, str]]:
    if "fallthrough" not in named or settings.source == "none":
        return
    served = _served(settings)
    for inner in settings.fallthrough:
        if not _outer(inner, served) and not any(is_below(parse_name(zone), parse_name(inner)) for zone in served):
            yield "fallthrough", f"{inner} is no zone of ours; write {' or '.join(served)}, or leave it out"


def _ranges(settings: "Settings", named: Collection[str]) -> Iterator[tuple[str, str]]:
    """Where addresses are allocated from ranges, nobody may get what another has."""
    if not {"service_cidr", "pod_cidr"} <= {*named} and settings.source != "manifests":
        return
    name, other = ("pod_cidr", "service_cidr") if "pod_cidr" in named else ("service_cidr", "pod_cidr")
    theirs = settings.service_cidr if name == "pod_cidr" else settings.pod_cidr
    for own in settings.pod_cidr if name == "pod_cidr" else settings.service_cidr:
        for one in theirs:
            if in_network(own.network_address.packed, one) or in_network(one.network_address.packed, own):
                yield name, f"{own} overlaps {one} of {other}; write networks apart from each other"


def asks_itself(settings: "Settings", local: Callable[[str], Iterable[str]]) -> Iterator[tuple[str, str]]:
    """As ``disagreements``: upstreams that are this server.  *local*: the addresses that a wildcard stands for.

    What a ``resolv.conf`` names is nobody's mistake, and left out when it is read.
    """
    own = places(settings.listen, local)
    yield from _loops("upstream", settings.upstream, own)
    for _, servers in settings.stub_domains:
        yield from _loops("stub_domains", servers, own)


def _loops(name: str, servers: Iterable[str], own: Own) -> Iterator[tuple[str, str]]:
    for text in servers:
        if not is_file(text) and reached(parse_server(text)) in own:
            yield name, f"{text} is where this server listens, and it would ask itself; name another server"


def _forward(settings: "Settings") -> list[str]:
    return [zone for zone in settings.zones if not is_reverse(parse_name(zone))]


def _served(settings: "Settings") -> tuple[str, ...]:
    return settings.zones or (settings.domain, "in-addr.arpa.", "ip6.arpa.")


def _outer(inner: str, served: Iterable[str]) -> list[str]:
    return [zone for zone in served if inner != zone and is_below(parse_name(inner), parse_name(zone))]


def _hides(zone: str, other: str) -> bool:
    return any(is_below(parse_name(zone), parse_name(f"{part}.{other}")) for part in _OWN)


# Each by itself as small as can be: one that needs a setting that nobody knows says nothing.
_RULES: tuple[Callable[["Settings", Collection[str]], Iterator[tuple[str, str]]], ...] = (
    _zones_without_domain,
    _zones_in_zones,
    _unread_manifests,
    _none_has_zones,
    _none_asks_others,
    _kubeconfig,
    _staleness,
    _stubs_in_zones,
    _stubs_in_services,
    _stubs_in_pods,
    _least_ttl,
    _upstreams,
    _stub_servers,
    _http_at_dns,
    _namespaces,
    _empty_services,
    _fallthrough_in_zones,
    _fallthrough_elsewhere,
    _ranges,
)
