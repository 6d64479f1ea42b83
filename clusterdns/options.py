"""Settings -> the options of parts: for the server and for commands that read manifests without one."""

from collections.abc import Sequence

from clusterdns.cluster.addresses import parse_address
from clusterdns.config import Settings
from clusterdns.controllers.manager import ControllerOptions
from clusterdns.zone.names import parse_name
from clusterdns.zone.tree import ZoneOptions


def zone_options(settings: Settings, hosts: Sequence[str]) -> ZoneOptions:
    """*hosts*: the addresses that the zones' name server has unless ``ns_addresses`` names others."""
    addresses = settings.ns_addresses or tuple(map(parse_address, hosts))
    return ZoneOptions((parse_name(settings.domain),), ttl=settings.ttl, ns_addresses=addresses)


def controller_options(settings: Settings) -> ControllerOptions:
    return ControllerOptions(
        service_cidr=settings.service_cidr, pod_cidr=settings.pod_cidr, stand_ins=settings.stand_ins, enabled=True
    )
