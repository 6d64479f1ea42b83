"""Kubernetes' rules for Services (ValidateService and the registry's ipFamilies rules, v1.36)."""

from collections.abc import Sequence

from clusterdns.cluster import schema
from clusterdns.cluster.build import there
from clusterdns.cluster.documents import Path
from clusterdns.cluster.faults import Faults
from clusterdns.cluster.rules import (
    check_address,
    check_choice,
    check_flag,
    check_labels,
    check_name,
    check_number,
    check_port,
    check_protocol,
    is_container_port_name,
    is_label,
    is_subdomain,
    special,
)
from clusterdns.cluster.shared import shared

_TYPES = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
_POLICIES = ("SingleStack", "PreferDualStack", "RequireDualStack")
_FAMILIES = ("IPv4", "IPv6")


def check_service(faults: Faults, wire: schema.WireService) -> None:
    if wire.spec is None:
        faults.error("CD205", ("spec",), "required", "write the Service's ports and selector")
        return
    spec = wire.spec
    check_choice(faults, ("spec", "type"), spec.type, _TYPES)
    check_choice(faults, ("spec", "ipFamilyPolicy"), spec.ip_family_policy, _POLICIES)
    check_flag(faults, ("spec", "publishNotReadyAddresses"), spec.publish_not_ready_addresses)
    check_flag(faults, ("spec", "allocateLoadBalancerNodePorts"), spec.allocate_load_balancer_node_ports)
    check_labels(faults, ("spec", "selector"), spec.selector)
    if spec.type == "ExternalName":
        _check_external_name(faults, spec)
    else:
        _check_cluster_ips(faults, spec)
        _check_families(faults, spec)
    headless = spec.cluster_ip == "None"
    if not (faults.texts_are_quoted and _are_sound(spec.ports, spec.type, headless)):
        _check_ports(faults, spec.ports, spec.type, headless)
    for index, text in enumerate(spec.external_ips or ()):
        _check_external_ip(faults, ("spec", "externalIPs", index), text)


def _check_external_name(faults: Faults, spec: schema.WireServiceSpec) -> None:
    path: Path = ("spec", "externalName")
    if not spec.external_name:
        faults.error("CD205", path, "required for type ExternalName", "write the DNS name that it stands for")
    else:
        check_name(faults, path, spec.external_name.removesuffix("."), _is_dns_name, "CD213")
    for field, value in (
        ("clusterIP", spec.cluster_ip),
        ("clusterIPs", spec.cluster_ips),
        ("ipFamilies", spec.ip_families),
        ("ipFamilyPolicy", spec.ip_family_policy),
    ):
        if value:
            faults.error("CD212", ("spec", field), "may not be set when type is ExternalName", "remove it")


def _is_dns_name(text: str) -> bool:
    """A DNS-1123 subdomain that DNS can carry: Kubernetes forgets that a label ends at 63 (RFC 1035 §2.3.4)."""
    return is_subdomain(text) and all(len(label) <= 63 for label in text.split("."))


def _check_cluster_ips(faults: Faults, spec: schema.WireServiceSpec) -> None:
    path: Path = ("spec", "clusterIPs") if spec.cluster_ips else ("spec", "clusterIP")
    written = [text or "" for text in spec.cluster_ips or ()]
    if written and written[0] != (spec.cluster_ip or ""):
        text = f"{written[0]} must be the same as spec.clusterIP, which is {spec.cluster_ip or 'absent'}"
        faults.error("CD212", (*path, 0), text, f"write clusterIP: {written[0]}")
    written = written or ([spec.cluster_ip] if spec.cluster_ip else [])
    if "None" in written:
        _check_headless(faults, path, written, spec.type or "ClusterIP")
        return
    families: list[int] = []
    for index, text in enumerate(written):
        at = (*path, index) if spec.cluster_ips else path
        if text.lower() == "none":
            faults.error("CD211", at, f'"{text}" is no IP address', "write None, with a capital N")
        elif address := check_address(faults, at, text):
            families.append(4 if len(address) == 4 else 6)
            _check_family_of(faults, at, text, families[-1], (spec.ip_families or [])[index : index + 1])
    if len(written) < 2:
        return
    if len(written) > 2 or len(set(families)) < len(families):
        faults.error("CD212", path, "at most one IPv4 and one IPv6 address are allowed", "remove the others")
    elif len(written) == 2 and spec.ip_family_policy == "SingleStack":
        faults.error("CD212", path, "two addresses, but ipFamilyPolicy is SingleStack", "write PreferDualStack there")


def _check_headless(faults: Faults, path: Path, written: Sequence[str], kind: str) -> None:
    if len(written) > 1:
        faults.error("CD212", path, "None may only be there alone", "remove the addresses, or None")
    if kind in ("NodePort", "LoadBalancer"):
        remedy = "remove clusterIP: None, or write type: ClusterIP"
        faults.error("CD212", path, f"may not be None when type is {kind}", remedy)


def _check_family_of(faults: Faults, path: Path, text: str, family: int, families: Sequence[str | None]) -> None:
    if families and families[0] in _FAMILIES and families[0] != f"IPv{family}":
        remedy = "list both in the same order"
        faults.error("CD212", path, f"{text} is no {families[0]} address, as spec.ipFamilies says", remedy)


def _check_families(faults: Faults, spec: schema.WireServiceSpec) -> None:
    if not spec.ip_families:
        return
    families, path = spec.ip_families, ("spec", "ipFamilies")
    for index, family in enumerate(families):
        check_choice(faults, (*path, index), family, _FAMILIES)
    if len(set(families)) < len(families) or len(families) > 2:
        faults.error("CD212", path, "each family may be there once", "write IPv4, IPv6 or both")
    elif len(families) == 2 and spec.ip_family_policy == "SingleStack":
        faults.error("CD212", path, "two families, but ipFamilyPolicy is SingleStack", "write PreferDualStack there")


Ports = tuple[schema.WireServicePort | None, ...] | None


@shared
def _are_sound(ports: Ports, kind: str | None, headless: bool) -> bool:
    """Of JSON: in YAML equal texts may be quoted or not, and so right or wrong."""
    faults = Faults(texts_are_quoted=True)
    _check_ports(faults, ports, kind, headless)
    return not faults


def _check_ports(faults: Faults, written: Ports, kind: str | None, headless: bool) -> None:
    ports, path = there(written), ("spec", "ports")
    if not ports and not headless and kind != "ExternalName":
        faults.error("CD205", path, "required unless clusterIP is None", "write at least one port")
    names: set[str] = set()
    pairs: set[tuple[int, str]] = set()
    for index, port in enumerate(ports):
        at: Path = (*path, index)
        _check_port_name(faults, at, port.name, names, several=len(ports) > 1)
        number, protocol = check_port(faults, (*at, "port"), port.port), port.protocol or "TCP"
        check_protocol(faults, (*at, "protocol"), port.protocol)
        _check_target_port(faults, (*at, "targetPort"), port.target_port)
        _check_node_port(faults, (*at, "nodePort"), port.node_port, kind or "ClusterIP")
        if number is not None:
            if (number, protocol) in pairs:
                faults.error("CD209", (*at, "port"), f"{number}/{protocol} is there twice", "write another port")
            pairs.add((number, protocol))


def _check_port_name(faults: Faults, path: Path, name: str | None, names: set[str], *, several: bool) -> None:
    path = (*path, "name")
    if not name:
        if several:
            faults.error("CD205", path, "required when there is more than one port", "write a name, such as http")
        return
    check_name(faults, path, name, is_label, "CD208")
    if name in names:
        faults.error("CD209", path, f'"{name}" is there twice', "write another name")
    names.add(name)


def _check_target_port(faults: Faults, path: Path, value: int | str | None) -> None:
    """A number, or the name of a container port."""
    if not value:
        return
    text = str(value)
    if isinstance(value, int) or text.lstrip("+-").isdecimal() or text.startswith("0x"):
        found = check_number(faults, path, value)
        if found and not 1 <= found <= 65535:  # 0 is as good as absent
            faults.error("CD206", path, f"{found} is not between 1 and 65535", "write the container's port")
    elif not is_container_port_name(text):
        remedy = "write a port number, or the name of a container port: at most 15 of a to z, 0 to 9 and inner hyphens"
        faults.error("CD208", path, f'"{text}" is no valid name of a container port', remedy)


def _check_node_port(faults: Faults, path: Path, value: int | str | None, kind: str) -> None:
    found = check_number(faults, path, value)
    if not found:
        return
    if not 1 <= found <= 65535:
        faults.error("CD206", path, f"{found} is not between 1 and 65535", "write one of the range 30000 to 32767")
    elif kind in ("ClusterIP", "ExternalName"):
        faults.error("CD218", path, f"may not be used when type is {kind}", "remove it, or write type: NodePort")


def _check_external_ip(faults: Faults, path: Path, text: str | None) -> None:
    address = check_address(faults, path, text)
    if address is not None and (why := special(address)):
        faults.error("CD211", path, f"{text} is {why}", "write an address that other machines can reach")
