"""Settings -> the options of parts: for the server and for commands that read manifests without one."""

import os
import time
from collections.abc import Sequence

from clusterdns.cluster.addresses import parse_address
from clusterdns.cluster.documents import Limits
from clusterdns.config import Settings
from clusterdns.controllers.manager import ControllerOptions
from clusterdns.engine.cookies import Cookies
from clusterdns.engine.manners import Manners
from clusterdns.zone.filters import Filters
from clusterdns.zone.names import parse_name
from clusterdns.zone.reverse import IN_ADDR, IP6, is_reverse
from clusterdns.zone.tree import ZoneOptions

_RANDOM_SECRET = os.urandom(16)  # for the life of the process: cookies outlive a reload


def zone_options(settings: Settings, hosts: Sequence[str]) -> ZoneOptions:
    """*hosts*: the addresses that the zones' name server has unless ``ns_addresses`` names others."""
    addresses = settings.ns_addresses or tuple(map(parse_address, hosts))
    zones = tuple(map(parse_name, settings.zones)) or (parse_name(settings.domain), IN_ADDR, IP6)
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
    )


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
