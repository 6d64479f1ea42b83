"""Kubernetes' own rules for whole objects, all faults at once (``pkg/apis/*/validation``, v1.36).

What an API server would have refused is an error; what it accepts but nobody can have meant is a warning.
"""

from collections.abc import Sequence

from clusterdns.cluster import schema
from clusterdns.cluster.build import (
    ADDRESS,
    SERVICE_NAME,
    annotation,
    pod_addresses,
    template_labels,
    there,
    workload_selector,
)
from clusterdns.cluster.documents import Path
from clusterdns.cluster.faults import Faults
from clusterdns.cluster.labels import matches
from clusterdns.cluster.rules import (
    check_address,
    check_choice,
    check_count,
    check_flag,
    check_labels,
    check_name,
    check_port,
    check_protocol,
    is_container_port_name,
    is_label,
    is_subdomain,
    special,
)
from clusterdns.cluster.shared import shared
from clusterdns.cluster.validate_service import check_service

MAX_ENDPOINTS, MAX_ADDRESSES = 1000, 100  # per slice; per endpoint


def check(faults: Faults, kind: str, api_version: str, wire: schema.Wire) -> None:
    """Everything that is wrong with one object."""
    check_meta(faults, kind, wire.metadata)
    if isinstance(wire, schema.WireSlice):
        _check_slice(faults, api_version, wire)
    elif isinstance(wire, schema.WirePod):
        _check_pod(faults, wire)
    elif isinstance(wire, schema.WireService):
        check_service(faults, wire)
    elif isinstance(wire, schema.WireEndpoints):
        _check_endpoints(faults, wire)
    elif isinstance(wire, schema.WireWorkload):
        _check_workload(faults, kind, api_version, wire)


def check_meta(faults: Faults, kind: str, meta: schema.Meta | None) -> None:
    if meta is None or not meta.name:
        generated = meta is not None and meta.generate_name
        remedy = "a generated name is known to an API server only: write a name" if generated else "write a name"
        faults.error("CD205", ("metadata", "name"), "required", remedy)
    else:
        rule = is_label if kind in ("Service", "Namespace") else is_subdomain
        check_name(faults, ("metadata", "name"), meta.name, rule)
    if meta and meta.namespace and kind != "Namespace":
        check_name(faults, ("metadata", "namespace"), meta.namespace, is_label)
    if meta:
        check_labels(faults, ("metadata", "labels"), meta.labels)
        for index, owner in enumerate(there(meta.owner_references) if meta.owner_references else ()):
            check_flag(faults, ("metadata", "ownerReferences", index, "controller"), owner.controller)


def _check_slice(faults: Faults, api_version: str, wire: schema.WireSlice) -> None:
    if not wire.address_type and api_version == "discovery.k8s.io/v1":
        faults.error("CD205", ("addressType",), "required", "write IPv4 or IPv6")
    check_choice(faults, ("addressType",), wire.address_type, ("IPv4", "IPv6", "FQDN"))
    if not (wire.metadata and (wire.metadata.labels or {}).get(SERVICE_NAME)):
        remedy = "write the name of the Service there"
        faults.warning("CD233", ("metadata", "labels", SERVICE_NAME), "absent: the slice serves no Service", remedy)
    if not (faults.texts_are_quoted and _are_sound(wire.ports)):
        _check_ports(faults, ("ports",), there(wire.ports), number_required=False)
    endpoints = there(wire.endpoints)
    _check_amount(faults, ("endpoints",), endpoints, MAX_ENDPOINTS, "endpoints")
    if wire.address_type == "FQDN":
        return
    octets = 16 if wire.address_type == "IPv6" else 4
    for index, endpoint in enumerate(endpoints):
        _check_endpoint(faults, ("endpoints", index), endpoint, octets)


def _check_endpoint(faults: Faults, path: Path, endpoint: schema.WireEndpoint, octets: int) -> None:
    addresses = endpoint.addresses or ()
    if not addresses:
        faults.error("CD205", (*path, "addresses"), "required", "write at least one address")
    _check_amount(faults, (*path, "addresses"), addresses, MAX_ADDRESSES, "addresses")
    for index, text in enumerate(addresses):
        _check_endpoint_address(faults, (*path, "addresses", index), text, octets)
    if endpoint.hostname:
        check_name(faults, (*path, "hostname"), endpoint.hostname, is_label, "CD214")
    if endpoint.conditions:
        for name in ("ready", "serving", "terminating"):
            check_flag(faults, (*path, "conditions", name), getattr(endpoint.conditions, name))


def _check_endpoint_address(faults: Faults, path: Path, text: str | None, octets: int = 0) -> None:
    """*octets*: the family that it must have; 0: any."""
    address = check_address(faults, path, text)
    if address is None:
        return
    if octets and len(address) != octets:
        remedy = "put it into a slice of its own family"
        faults.error("CD211", path, f"{text} is no IPv{4 if octets == 4 else 6} address as addressType says", remedy)
    elif why := special(address):
        faults.error("CD211", path, f"{text} is {why}, no endpoint's", "write the address other machines reach it at")


@shared
def _are_sound(ports: tuple[schema.WirePort | None, ...] | None) -> bool:
    """Whether a slice may have them.  Of JSON: in YAML equal texts may be quoted or not, and so right or wrong."""
    faults = Faults(texts_are_quoted=True)
    _check_ports(faults, (), there(ports), number_required=False)
    return not faults


def _check_ports(faults: Faults, path: Path, ports: Sequence[schema.WirePort], *, number_required: bool) -> None:
    """Of endpoints.  A slice's port without a number means all ports."""
    names: set[str] = set()
    for index, port in enumerate(ports):
        at = (*path, index)
        if port.name:
            check_name(faults, (*at, "name"), port.name, is_label, "CD208")
        elif len(ports) > 1 and number_required:
            faults.error("CD205", (*at, "name"), "required when there is more than one port", "write a name")
        if (port.name or "") in names and (port.name or not number_required):
            faults.error("CD209", (*at, "name"), f'"{port.name or ""}" is there twice', "write another name")
        names.add(port.name or "")
        if number_required or port.port is not None:
            check_port(faults, (*at, "port"), port.port)
        check_protocol(faults, (*at, "protocol"), port.protocol)


def _check_amount(faults: Faults, path: Path, items: Sequence[object], most: int, what: str) -> None:
    if len(items) > most:
        faults.error("CD216", path, f"{len(items)} {what}, at most {most} are allowed", "distribute them over several")


def _check_endpoints(faults: Faults, wire: schema.WireEndpoints) -> None:
    for index, subset in enumerate(there(wire.subsets)):
        path = ("subsets", index)
        if not subset.addresses and not subset.not_ready_addresses:
            faults.error("CD205", path, "must have addresses or notReadyAddresses", "write the addresses")
        for field, addresses in (("addresses", subset.addresses), ("notReadyAddresses", subset.not_ready_addresses)):
            for at, address in enumerate(there(addresses)):
                _check_endpoint_address(faults, (*path, field, at, "ip"), address.ip)
                if address.hostname:
                    check_name(faults, (*path, field, at, "hostname"), address.hostname, is_label, "CD214")
        _check_ports(faults, (*path, "ports"), there(subset.ports), number_required=True)


def _check_pod(faults: Faults, wire: schema.WirePod) -> None:
    _check_pod_spec(faults, ("spec",), wire.spec)
    status = wire.status or schema.PodStatus()
    path: Path = ("status", "podIPs") if status.pod_ips else ("status", "podIP")
    addresses = pod_addresses(status)
    found = [
        check_address(faults, (*path, index, "ip") if status.pod_ips else path, text)
        for index, text in enumerate(addresses)
    ]
    families = [len(address) for address in found if address]
    if len(families) != len(set(families)):
        faults.error("CD211", path, "more than one address of a family", "write at most one IPv4 and one IPv6 address")
    if not addresses and status.phase not in ("Succeeded", "Failed"):
        text = "absent: the pod is pending, and no name points to it"
        faults.warning("CD231", path, text, "write the address that the pod has")
    phases = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
    check_choice(faults, ("status", "phase"), status.phase, phases)


def _check_pod_spec(faults: Faults, path: Path, spec: schema.PodSpec | None) -> None:
    if spec is None:
        return
    for name in ("hostname", "subdomain"):
        if text := getattr(spec, name):
            check_name(faults, (*path, name), text, is_label, "CD214")
    for field, containers in (("containers", spec.containers), ("initContainers", spec.init_containers)):
        for index, container in enumerate(there(containers)):
            _check_container_ports(faults, (*path, field, index, "ports"), there(container.ports))


def _check_container_ports(faults: Faults, path: Path, ports: Sequence[schema.ContainerPort]) -> None:
    names: set[str] = set()
    for index, port in enumerate(ports):
        at = (*path, index)
        check_port(faults, (*at, "containerPort"), port.container_port)
        check_protocol(faults, (*at, "protocol"), port.protocol)
        if port.name and not is_container_port_name(port.name):
            remedy = "use at most 15 of a to z, 0 to 9 and single inner hyphens, with a letter among them"
            faults.error("CD208", (*at, "name"), f'"{port.name}" is no valid container port name', remedy)
        if port.name and port.name in names:
            faults.error("CD209", (*at, "name"), f'"{port.name}" is there twice', "write another name")
        names.add(port.name or "")


def _check_workload(faults: Faults, kind: str, api_version: str, wire: schema.WireWorkload) -> None:
    if wire.spec is None:
        faults.error("CD205", ("spec",), "required", f"write the {kind}'s selector and template")
        return
    spec = wire.spec
    check_count(faults, ("spec", "replicas"), spec.replicas)
    if spec.ordinals:
        check_count(faults, ("spec", "ordinals", "start"), spec.ordinals.start)
    if spec.service_name:
        check_name(faults, ("spec", "serviceName"), spec.service_name, is_label)
    if spec.template is None:
        faults.error("CD205", ("spec", "template"), "required", "write the labels and containers of its pods")
        return
    template = spec.template
    _check_pod_spec(faults, ("spec", "template", "spec"), template.spec)
    if template.metadata:
        check_labels(faults, ("spec", "template", "metadata", "labels"), template.metadata.labels)
    _check_selector(faults, kind, api_version, spec)
    _check_real_addresses(faults, ("metadata",), wire.metadata)
    _check_real_addresses(faults, ("spec", "template", "metadata"), template.metadata)


def _check_real_addresses(faults: Faults, path: Path, meta: schema.Meta | None) -> None:
    """Of our own annotation; loopback is fine here: the process may run on this very machine."""
    path = (*path, "annotations", ADDRESS)
    for text in annotation(meta, ADDRESS).split(","):
        address = check_address(faults, path, text.strip()) if text.strip() else None
        if address is not None and not any(address):
            faults.error("CD211", path, f"{text.strip()} is the unspecified address", "write where the process is")


_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def _check_selector(faults: Faults, kind: str, api_version: str, spec: schema.WorkloadSpec) -> None:
    path: Path = ("spec", "selector")
    if spec.selector is None:
        if api_version not in schema.DEFAULTS_SELECTOR:
            remedy = "write matchLabels with labels of the template"
            faults.error("CD205", path, f"required in a {kind} of {api_version}", remedy)
        return
    check_labels(faults, (*path, "matchLabels"), spec.selector.match_labels)
    expressions = there(spec.selector.match_expressions)
    sound = [_check_expression(faults, (*path, "matchExpressions", i), e) for i, e in enumerate(expressions)]
    if not spec.selector.match_labels and not expressions:
        text = "has neither matchLabels nor matchExpressions"
        faults.error("CD205", path, text, "write matchLabels with labels of the template")
    elif all(sound) and not matches(workload_selector(api_version, spec), template_labels(spec)):
        missing = [
            f"{key}: {value or ''}"
            for key, value in (spec.selector.match_labels or {}).items()
            if template_labels(spec).get(key) != (value or "")
        ]
        remedy = f"give the template the label {missing[0]}" if missing else "make matchExpressions match them"
        text = "does not match the labels of spec.template"
        faults.error("CD215", path, text, remedy)


def _check_expression(faults: Faults, path: Path, expression: schema.Expression) -> bool:
    """Whether it can be evaluated."""
    if not expression.operator:
        faults.error("CD205", (*path, "operator"), "required", f"write one of {', '.join(_OPERATORS)}")
        return False
    if expression.operator not in _OPERATORS:
        check_choice(faults, (*path, "operator"), expression.operator, _OPERATORS)
        return False
    if not expression.key:
        faults.error("CD205", (*path, "key"), "required", "write the label's name")
        return False
    if (expression.operator in ("In", "NotIn")) != bool(expression.values):
        needed = "needs values" if not expression.values else "takes no values"
        remedy = "write them" if not expression.values else "remove them"
        faults.error("CD219", (*path, "values"), f"{expression.operator} {needed}", remedy)
        return False
    check_labels(faults, (*path, "key"), {expression.key: None})
    return True
