"""Settings -> the options of parts: for the server and for commands that read manifests without one."""

import os
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from clusterdns.cluster.addresses import parse_address
from clusterdns.cluster.documents import Limits
from clusterdns.config import Settings
from clusterdns.controllers.manager import ControllerOptions
from clusterdns.engine.cookies import Cookies
from clusterdns.engine.manners import Manners
from clusterdns.forward.routing import Routes, private_reverse
from clusterdns.forward.telling import Telling
from clusterdns.zone.filters import Filters
from clusterdns.zone.names import Name, parse_name
from clusterdns.zone.reverse import IN_ADDR, IP6, is_reverse, zones_of
from clusterdns.zone.tree import ZoneOptions

_RANDOM_SECRET = os.urandom(16)  # for the life of the process: cookies outlive a reload


def zone_options(settings: Settings, hosts: Sequence[str], *, serves: bool = True) -> ZoneOptions:
    """*hosts*: the addresses that the zones' name server has unless ``ns_addresses`` names others.

    *serves*: there are zones of ours, whatever the source; a server without objects has none.
    """
    addresses = settings.ns_addresses or tuple(map(parse_address, hosts))
    zones = tuple(map(parse_name, settings.zones)) or (parse_name(settings.domain), IN_ADDR, IP6)
    if not serves:
        zones = ()
    return ZoneOptions(
        domains=tuple(zone for zone in zones if not is_reverse(zone)),
        reverse=tuple(zone for zone in zones if is_reverse(zone)),
        ttl=settings.ttl,
        ns_addresses=addresses,
        pods=settings.pods,
        filters=filters(settings),
        wildcards=settings.wildcards,
        fallthrough=tuple(map(parse_name, settings.fallthrough)),
        upstream=bool(settings.upstream),
        stubs=tuple(parse_name(suffix) for suffix, _ in settings.stub_domains),
        ranges=_ranges(settings) if serves else (),
    )


def serves(settings: Settings) -> bool:
    """Whether a server with these settings has zones of its own."""
    return settings.source != "none"


def _ranges(settings: Settings) -> tuple[Name, ...]:
    """The reverse names of Services and pods, which nobody else can know."""
    return tuple(zone for network in (*settings.service_cidr, *settings.pod_cidr) for zone in zones_of(network))


def routes(settings: Settings, zones: ZoneOptions) -> Routes | None:
    """None: nobody is asked for anything."""
    if not zones.upstream and not zones.stubs:
        return None
    kept = tuple(map(parse_name, settings.kept_home))
    private = private_reverse() if settings.local_reverse else ()
    return Routes(
        zones.apexes(),
        zones.stubs,
        kept=kept,
        ranges=(*zones.ranges, *private),
        spared=(parse_name(settings.domain),),  # of a server without zones of its own: others have the cluster's
        falling=frozenset(apex for apex in (*zones.domains, *zones.reverse) if zones.falls(apex)),
        upstream=zones.upstream,
    )


def telling(
    settings: Settings, zones: ZoneOptions, servers: Callable[[int], Sequence[str]] | None = None
) -> Telling | None:
    """Who would be asked for what, for explanations.  *servers*: where somebody knows more of them than settings do."""
    own = routes(settings, zones)
    named = [*(servers for _, servers in settings.stub_domains), settings.upstream]
    return Telling(own, servers or named.__getitem__) if own else None


def filters(settings: Settings) -> Filters:
    return Filters(
        namespaces=frozenset(settings.namespaces),
        namespace_labels=settings.namespace_labels,
        labels=settings.labels,
        endpoint_pod_names=settings.endpoint_pod_names,
        noendpoints=settings.noendpoints,
        ignore_empty_service=settings.ignore_empty_service,
    )


def manners(settings: Settings) -> Manners:
    return Manners(
        udp_octets=settings.max_udp_octets,
        version=settings.server_version,
        server_id=settings.server_id,
        tcp_idle=settings.tcp_idle,
        cookies=Cookies(settings.cookie_secrets or (_RANDOM_SECRET,)),
        clock=time.time,
    )


class Plugins(NamedTuple):
    """What takes part in answering, in the words of CoreDNS, whose plugins these are."""

    own: tuple[str, ...]  # for zones of ours
    foreign: tuple[str, ...]  # for names of others


def plugins(settings: Settings) -> Plugins:
    own = ("kubernetes",) if settings.answer_order == "fixed" else ("kubernetes", "loadbalance")
    return Plugins(own, ("cache", "forward") if settings.upstream or settings.stub_domains else ())


def file_limits(settings: Settings) -> Limits:
    return Limits(octets=settings.max_yaml_octets, json_octets=settings.max_json_octets)


def controller_options(settings: Settings, *, live: bool = False) -> ControllerOptions:
    """*live*: the objects come from a cluster, whose controllers have done their work."""
    return ControllerOptions(
        service_cidr=settings.service_cidr,
        pod_cidr=settings.pod_cidr,
        stand_ins=settings.stand_ins and not live,
        enabled=not live,
    )
