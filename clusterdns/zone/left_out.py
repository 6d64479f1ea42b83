"""Names that the Kubernetes API allows and DNS cannot hold: no zone has them, and ``check`` tells which."""

from collections.abc import Iterator
from typing import NamedTuple

from clusterdns.cluster.model import Published
from clusterdns.zone.names import MAX_OCTETS, Name, to_text
from clusterdns.zone.records import endpoint_label, shown

# Codes are never given a second meaning.
CODES: dict[str, str] = {
    "CD501": "a name longer than DNS allows, 255 octets: it is not served",
    "CD502": "a port name of 63 characters, which no SRV name can hold",
}

_MAX_PORT_NAME = 62  # octets: an underscore comes before it, and a label has at most 63


class LeftOut(NamedTuple):
    code: str
    text: str
    remedy: str


def left_out(published: Published, apex: Name) -> Iterator[LeftOut]:
    """What the zone at *apex* lacks of one Service: over 63 octets in a label, or over 255 in a name."""
    service = published.service
    base = _octets(service.key.name, service.key.namespace, "svc") + len(apex)
    if base > MAX_OCTETS:
        text = (
            f"its name in {to_text(apex)} would have {base} octets, {MAX_OCTETS} are possible: it is not served there"
        )
        yield LeftOut("CD501", text, "give the Service or its namespace a shorter name")
        return
    if service.type == "ExternalName":
        return
    for name, protocol in sorted(_ports(published)):
        if len(name) > _MAX_PORT_NAME:
            text = (
                f"port name {name} has {len(name)} characters, {_MAX_PORT_NAME} fit into a label: it has no SRV records"
            )
            yield LeftOut("CD502", text, "give the port a shorter name")
        elif (octets := base + _octets(f"_{name}", f"_{protocol}")) > MAX_OCTETS:
            text = f"the name of port {name} in {to_text(apex)} would have {octets} octets: it has no SRV records"
            yield LeftOut("CD501", text, "give the port, the Service or its namespace a shorter name")
    hosts = {endpoint_label(endpoint, published.pod_names) for _, endpoint in shown(published)}
    long = sorted(host for host in hosts if base + _octets(host) > MAX_OCTETS)
    if long:
        more = f" and {len(long) - 1} more" if len(long) > 1 else ""
        text = f"the names of endpoint {long[0]}{more} in {to_text(apex)} would be over {MAX_OCTETS} octets: left out"
        yield LeftOut("CD501", text, "give the Service or its namespace a shorter name")


def _octets(*labels: str) -> int:
    return sum(1 + len(label) for label in labels)


def _ports(published: Published) -> set[tuple[str, str]]:
    """(name, protocol) of the ports that would have SRV records."""
    service = published.service
    if not service.headless:
        return {(port.name, port.protocol) for port in service.ports if port.name}
    return {(port.name, port.protocol) for piece in published.slices for port in piece.ports if port.name}
