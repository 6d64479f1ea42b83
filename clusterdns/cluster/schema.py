"""The API's JSON and YAML as it is written: only the fields that can change an answer or break a rule.

Everything may be absent or null, as in Go.  Numbers and booleans may be text here: a YAML tree has nothing else,
and ``cluster.validate`` says better than a type error what is wrong with ``port: "80"``.
"""

from typing import Any, TypeAlias, TypeVar

import msgspec
from msgspec import Raw, Struct

from clusterdns.cluster.raw_json import list_items

Number: TypeAlias = int | str | None
Flag: TypeAlias = bool | str | None
Texts: TypeAlias = list[str | None] | None
Pairs: TypeAlias = dict[str, str | None] | None

T = TypeVar("T")


class _Wire(Struct, rename="camel", gc=False):
    pass


class _Value(Struct, rename="camel", gc=False, frozen=True):
    """What is the same in many objects, and is then looked at once."""


class _Document(_Wire):
    """What may stand alone says what it is."""

    api_version: Any = None
    kind: Any = None


class Owner(_Wire):
    controller: Flag = None


class Meta(_Wire):
    name: str | None = None
    namespace: str | None = None
    generate_name: str | None = None
    labels: Pairs = None
    annotations: Pairs = None
    deletion_timestamp: str | None = None
    owner_references: list[Owner | None] | None = None


class WireServicePort(_Value, frozen=True):
    name: str | None = None
    protocol: str | None = None
    port: Number = None
    target_port: Number = None
    node_port: Number = None


class WireServiceSpec(_Wire):
    type: str | None = None
    cluster_ip: str | None = msgspec.field(default=None, name="clusterIP")
    cluster_ips: Texts = msgspec.field(default=None, name="clusterIPs")
    external_name: str | None = None
    external_ips: Texts = msgspec.field(default=None, name="externalIPs")
    selector: Pairs = None
    ports: tuple[WireServicePort | None, ...] | None = None
    publish_not_ready_addresses: Flag = None
    ip_families: Texts = None
    ip_family_policy: str | None = None
    allocate_load_balancer_node_ports: Flag = None


class WireIngress(_Wire):
    ip: str | None = None
    hostname: str | None = None


class WireLoadBalancer(_Wire):
    ingress: list[WireIngress | None] | None = None


class WireServiceStatus(_Wire):
    load_balancer: WireLoadBalancer | None = None


class WireService(_Document):
    metadata: Meta | None = None
    spec: WireServiceSpec | None = None
    status: WireServiceStatus | None = None


class Target(_Wire):
    kind: str | None = None
    name: str | None = None


class WirePort(_Value, frozen=True):
    name: str | None = None
    protocol: str | None = None
    port: Number = None


class Conditions(_Wire):
    ready: Flag = None
    serving: Flag = None
    terminating: Flag = None


class WireEndpoint(_Wire):
    addresses: Texts = None
    conditions: Conditions | None = None
    hostname: str | None = None
    node_name: str | None = None
    target_ref: Target | None = None
    topology: Pairs = None  # v1beta1: the node under kubernetes.io/hostname


class WireSlice(_Document):
    metadata: Meta | None = None
    address_type: str | None = None
    ports: tuple[WirePort | None, ...] | None = None
    endpoints: list[WireEndpoint | None] | None = None


class WireAddress(_Wire):
    ip: str | None = None
    hostname: str | None = None
    node_name: str | None = None
    target_ref: Target | None = None


class WireSubset(_Wire):
    addresses: list[WireAddress | None] | None = None
    not_ready_addresses: list[WireAddress | None] | None = None
    ports: tuple[WirePort | None, ...] | None = None


class WireEndpoints(_Document):
    metadata: Meta | None = None
    subsets: list[WireSubset | None] | None = None


class ContainerPort(_Wire):
    name: str | None = None
    protocol: str | None = None
    container_port: Number = None


class Container(_Wire):
    name: str | None = None
    ports: list[ContainerPort | None] | None = None
    restart_policy: str | None = None


class PodSpec(_Wire):
    hostname: str | None = None
    subdomain: str | None = None
    node_name: str | None = None
    containers: list[Container | None] | None = None
    init_containers: list[Container | None] | None = None


class PodIP(_Wire):
    ip: str | None = None


class PodCondition(_Wire):
    type: str | None = None
    status: str | None = None


class PodStatus(_Wire):
    phase: str | None = None
    pod_ip: str | None = msgspec.field(default=None, name="podIP")
    pod_ips: list[PodIP | None] | None = msgspec.field(default=None, name="podIPs")
    conditions: list[PodCondition | None] | None = None


class WirePod(_Document):
    metadata: Meta | None = None
    spec: PodSpec | None = None
    status: PodStatus | None = None


class WireNamespace(_Document):
    metadata: Meta | None = None


class Expression(_Wire):
    key: str | None = None
    operator: str | None = None
    values: Texts = None


class WireSelector(_Wire):
    match_labels: Pairs = None
    match_expressions: list[Expression | None] | None = None


class Template(_Wire):
    metadata: Meta | None = None
    spec: PodSpec | None = None


class Ordinals(_Wire):
    start: Number = None


class WorkloadSpec(_Wire):
    replicas: Number = None
    selector: WireSelector | None = None
    template: Template | None = None
    service_name: str | None = None
    ordinals: Ordinals | None = None


class WireWorkload(_Document):
    metadata: Meta | None = None
    spec: WorkloadSpec | None = None


Wire: TypeAlias = WireService | WireSlice | WireEndpoints | WirePod | WireNamespace | WireWorkload

# Before apps/v1beta2 an absent selector meant the labels of the template.
DEFAULTS_SELECTOR = frozenset(("apps/v1beta1", "extensions/v1beta1"))
_WORKLOADS = {
    "apps/v1": ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"),
    "apps/v1beta2": ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"),
    "apps/v1beta1": ("Deployment", "StatefulSet"),
    "extensions/v1beta1": ("Deployment", "DaemonSet", "ReplicaSet"),
}
KINDS: dict[tuple[str, str], type[Wire]] = {
    ("v1", "Service"): WireService,
    ("v1", "Endpoints"): WireEndpoints,
    ("v1", "Pod"): WirePod,
    ("v1", "Namespace"): WireNamespace,
    ("discovery.k8s.io/v1", "EndpointSlice"): WireSlice,
    ("discovery.k8s.io/v1beta1", "EndpointSlice"): WireSlice,
    **{(version, kind): WireWorkload for version, kinds in _WORKLOADS.items() for kind in kinds},
}


class Header(_Wire):
    """What every document says of itself; read first, because the kind decides how to read the rest."""

    api_version: Any = None
    kind: Any = None
    metadata: Any = None
    items: Any = None


class _RawHeader(_Wire):
    api_version: Any = None
    kind: Any = None
    metadata: Raw = Raw()
    items: Raw = Raw()


_RAW_HEADER = msgspec.json.Decoder(_RawHeader)
_ANY = msgspec.json.Decoder()
_DECODERS: dict[type[Any], msgspec.json.Decoder[Any]] = {wire: msgspec.json.Decoder(wire) for wire in KINDS.values()}
DECODERS = {which: _DECODERS[wire] for which, wire in KINDS.items()}


def read(source: Any, wire: type[T]) -> T:
    """*source*: a tree of ``cluster.compose``, or Raw for JSON.  Raises msgspec.ValidationError at the first misfit."""
    if type(source) is Raw:
        decoded: T = _DECODERS[wire].decode(source)
        return decoded
    return msgspec.convert(source, wire, strict=False)


def read_header(source: Any) -> Header | None:
    """None where *source* is no mapping.  ``items`` is a list of trees or of Raw, else None."""
    if type(source) is dict:
        items = source.get("items")
        return Header(
            source.get("apiVersion"), source.get("kind"), source.get("metadata"), items if type(items) is list else None
        )
    if type(source) is not Raw:
        return None
    try:
        raw = _RAW_HEADER.decode(source)
    except msgspec.ValidationError:
        return None
    return Header(raw.api_version, raw.kind, raw.metadata, read_list(raw.items))


def read_list(source: Any) -> list[Any] | None:
    """A list of trees or of Raw, of the latter as many as ``list_items`` gives; None where *source* is no list."""
    if type(source) is not Raw:
        return source if type(source) is list else None
    return list_items(source) if bytes(memoryview(source)[:1]) == b"[" else None


def plain(source: Any) -> Any:
    """*source* as a tree."""
    if type(source) is not Raw:
        return source
    return _ANY.decode(source) if memoryview(source).nbytes else None
