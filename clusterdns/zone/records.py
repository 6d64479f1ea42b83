"""Kubernetes objects -> RRsets: the DNS schema 1.1.0, and what CoreDNS adds to it, once.

Queries, reverse look-ups, exports and explanations all read what these functions return.  Owners that a name
cannot hold (over 63 octets a label, over 255 a name) are left out: the API allows a few that DNS does not.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from clusterdns.cluster.addresses import address_text
from clusterdns.cluster.model import READY, Endpoint, EndpointSlice, Key, Port, Published, Service
from clusterdns.cluster.rules import is_label
from clusterdns.zone.names import Name, child, label, parse_name
from clusterdns.zone.rdata import CNAME, SRV, RRset, address_rrsets

SCHEMA_VERSION = b"1.1.0"
SCHEMA_VERSION_TTL = 28800  # seconds; the specification's example, kept by CoreDNS whatever its ttl


_inner_label = lru_cache(1 << 10)(label)  # of namespaces, which come again and again


@lru_cache(1 << 10)
def _port_labels(name: str, protocol: str) -> bytes:
    return label(f"_{name}") + label(f"_{protocol}")


def service_name(key: Key, zone: Name) -> Name:
    """``web.shop.svc.cluster.local.``  Raises ValueError where no name can hold it."""
    return child(label(key.name) + _inner_label(key.namespace) + b"\x03svc", zone)


def endpoint_label(endpoint: Endpoint, pod_names: bool = False) -> str:
    """The label of an endpoint below its Service: its hostname, else its address with dashes (§2.4 leaves it open).

    *pod_names*: the name of its pod comes between the two, where that is one label; most are.
    """
    return given_name(endpoint, pod_names) or dashed(endpoint.address)


def given_name(endpoint: Endpoint, pod_names: bool) -> str:
    """ "" where the address has to serve."""
    return endpoint.hostname or (endpoint.target if pod_names and is_label(endpoint.target) else "")


def dashed(address: bytes) -> str:
    """``10-1-0-7``, ``2001-db8--7``; one that would end in a dash gets a 0, as in CoreDNS."""
    text = address_text(address)
    if len(address) == 4:
        return text.replace(".", "-")
    text = text.replace(":", "-")
    return text + "0" if text.endswith("-") else text


def shown(published: Published) -> Iterator[tuple[EndpointSlice, Endpoint]]:
    """The endpoints that have records (DNS specification §2.1 "ready").

    The controllers fold publishNotReadyAddresses into the conditions; hand-written slices need it here.
    """
    everything = published.service.publish_not_ready
    for piece in published.slices:
        for endpoint in _shown_of(piece, everything):
            yield piece, endpoint


def _shown_of(piece: EndpointSlice, everything: bool) -> list[Endpoint]:
    """A list for each slice: of 150,000 endpoints a call for each would be felt."""
    return [one for one in piece.endpoints if everything or one.conditions & READY]


def records_for(published: Published, zone: Name, ttl: int) -> list[RRset]:
    """The RRsets that are prepared for *published*; [] means that none of its names exists.

    Pure and in stable order: equal inputs give equal zones.  *ttl* in seconds.
    """
    service = published.service
    try:
        base = service_name(service.key, zone)
    except ValueError:
        return []
    if service.type == "ExternalName":
        return _alias(service, base, ttl)
    if service.headless:
        return _headless(published, base, ttl)
    addresses = address_rrsets(base, ttl, set(service.cluster_ips))
    return addresses + _cluster_ip_ports(service, base, ttl) if addresses else []


def _alias(service: Service, base: Name, ttl: int) -> list[RRset]:
    """§2.5.  An address as external name is no name: CoreDNS answers NXDOMAIN, and so do we."""
    text = service.external_name.removesuffix(".")
    if text.replace(".", "").isdigit():
        return []
    try:
        return [RRset(base, ttl, (CNAME(parse_name(text)),))]
    except ValueError:
        return []


def _cluster_ip_ports(service: Service, base: Name, ttl: int) -> list[RRset]:
    """§2.3.2: one SRV owner per named port; its number is the Service's, its target the Service itself."""
    weight = max(1, 100 // len(service.cluster_ips))
    return [
        RRset(owner, ttl, (SRV(0, weight, port.number, base),))
        for port in service.ports
        if port.name and (owner := _port_owner(port.name, port.protocol, base))
    ]


def _headless(published: Published, base: Name, ttl: int) -> list[RRset]:
    """§2.4: addresses of every ready endpoint at the Service and at its own name; SRV for its named ports."""
    hosts: dict[str, set[bytes]] = {}
    ports: dict[tuple[str, str], list[tuple[str, int]]] = {}
    everything, pod_names = published.service.publish_not_ready, published.pod_names
    for piece in published.slices:  # as ``shown``, and each port once
        own = [(endpoint_label(one, pod_names), one.address) for one in _shown_of(piece, everything)]
        for host, address in own:
            hosts.setdefault(host, set()).add(address)
        for port in piece.ports if own else ():
            if port.name and port.number:
                targets = ports.setdefault((port.name, port.protocol), [])
                targets += [(host, port.number) for host, _ in own]
    names = {host: name for host in hosts if (name := _below(host, base))}
    found = address_rrsets(base, ttl, set().union(*hosts.values())) if hosts else []
    for host, name in sorted(names.items()):
        found += address_rrsets(name, ttl, hosts[host])
    for (port_name, protocol), targets in sorted(ports.items()):
        if (owner := _port_owner(port_name, protocol, base)) and (rdatas := _weighted(targets, names)):
            found.append(RRset(owner, ttl, rdatas))
    return found


def _weighted(targets: list[tuple[str, int]], names: dict[str, Name]) -> tuple[SRV, ...]:
    """100 shared out over all entries, equal (target, port) once: CoreDNS counts before it removes them."""
    weight = max(1, 100 // len(targets))
    return tuple(SRV(0, weight, number, names[host]) for host, number in sorted(set(targets)) if host in names)


def _below(text: str, base: Name) -> Name | None:
    try:
        return child(label(text), base)
    except ValueError:
        return None


def _port_owner(name: str, protocol: str, base: Name) -> Name | None:
    """``_http._tcp.`` + *base*; None for a 63-character port name, which the API allows and DNS cannot hold."""
    try:
        return child(_port_labels(name, protocol), base)
    except ValueError:
        return None


def service_ports(published: Published, zone: Name, ttl: int) -> RRset | None:
    """SRV at the bare Service name, as CoreDNS has it: all ports, unnamed ones too."""
    service, base = published.service, service_name(published.service.key, zone)
    if service.headless:
        targets = [
            (endpoint_label(endpoint, published.pod_names), port.number)
            for piece, endpoint in shown(published)
            for port in piece.ports
            if port.number
        ]
        names = {host: name for host, _ in targets if (name := _below(host, base))}
        rdatas = _weighted(targets, names) if targets else ()
    else:
        weight = max(1, 100 // (len(service.ports) * len(service.cluster_ips) or 1))
        rdatas = tuple(SRV(0, weight, number, base) for number in sorted({port.number for port in service.ports}))
    return RRset(base, ttl, rdatas) if rdatas else None


Shown = list[tuple[EndpointSlice, Endpoint]]


def shown_by_host(published: Published) -> dict[str, Shown]:
    """The endpoints that have records, by their label."""
    hosts: dict[str, Shown] = {}
    for piece, endpoint in shown(published):
        hosts.setdefault(endpoint_label(endpoint, published.pod_names), []).append((piece, endpoint))
    return hosts


def endpoint_records(host: str, own: Shown, base: Name, ttl: int) -> list[RRset]:
    """What the endpoint name *host* below *base* holds: the addresses of *own*, and their ports as SRV."""
    name = _below(host, base)
    if name is None:
        return []
    targets = [(host, port.number) for piece, _ in own for port in piece.ports if port.number]
    found = address_rrsets(name, ttl, {endpoint.address for _, endpoint in own})
    return [*found, RRset(name, ttl, _weighted(targets, {host: name}))] if targets else found


def all_records(published: Published, zone: Name, ttl: int) -> list[RRset]:
    """Everything that is answered for one Service: what is prepared and what is derived when asked."""
    rrsets = records_for(published, zone, ttl)
    if not rrsets or rrsets[0].rtype == CNAME.rtype:
        return rrsets
    ports = service_ports(published, zone, ttl)
    base = service_name(published.service.key, zone)
    found = rrsets + ([ports] if ports else [])
    for host, own in sorted(shown_by_host(published).items()):
        found += endpoint_records(host, own, base, ttl)
    # A headless Service's endpoint names are among the prepared ones already.
    return list({(rrset.owner, rrset.rtype): rrset for rrset in found}.values())


def pointers(published: Published, address: bytes, zone: Name) -> list[Name]:
    """Where the reverse name of *address* points for this Service: to itself for a ClusterIP, else to its endpoints.

    Usually to one: an address has several names only where slices give it several (§2.4.3 wants a PTR for each).
    """
    try:
        base = service_name(published.service.key, zone)
    except ValueError:
        return []
    if address in published.service.cluster_ips:
        return [base]
    own = {
        endpoint_label(endpoint, published.pod_names) for _, endpoint in shown(published) if endpoint.address == address
    }
    return [name for host in sorted(own) if (name := _below(host, base))]


class Essence(NamedTuple):
    """What the records of a Service depend on."""

    kind: tuple[bool, bool, str]  # whether ExternalName, whether headless, the external name
    cluster_ips: tuple[bytes, ...]
    ports: tuple[tuple[str, str, int], ...]
    # Of slices with endpoints that have records: ports, and each endpoint's address and ``given_name``.
    endpoints: tuple[tuple[tuple[Port, ...], tuple[tuple[bytes, str], ...]], ...]
    total: int  # endpoints, which the reason of a negative answer tells where none is shown

    @property
    def headless(self) -> bool:
        return self.kind[1]


def essence(published: Published) -> Essence:
    """Two Services of equal essence have equal records, all of them."""
    service = published.service
    ports = tuple((port.name, port.protocol, port.number) for port in service.ports)
    everything, pod_names = service.publish_not_ready, published.pod_names
    endpoints = tuple(
        (piece.ports, own)
        for piece in published.slices
        if (
            own := tuple(
                [
                    (one.address, one.hostname or (given_name(one, pod_names) if pod_names else ""))
                    for one in _shown_of(piece, everything)
                ]
            )
        )
    )
    total = sum(len(piece.endpoints) for piece in published.slices) if service.headless and not endpoints else 0
    kind = (service.type == "ExternalName", service.headless, service.external_name)
    return Essence(kind, service.cluster_ips, ports, endpoints, total)


def addresses_of(published: Published) -> set[bytes]:
    """Every address whose reverse name this Service may hold."""
    if published.service.type == "ExternalName":
        return set()
    found, everything = set(published.service.cluster_ips), published.service.publish_not_ready
    for piece in published.slices:
        found.update([one.address for one in _shown_of(piece, everything)])
    return found
