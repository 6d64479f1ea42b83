"""What an API server sends -> what happened to which object of the model.

Only the fields that the model has are decoded, and nothing is judged: the server has validated it all.  What it took
in from servers before it (addresses with leading zeros) is read as Kubernetes reads it; an address that is none
costs this address.
"""

from collections.abc import Callable
from functools import partial
from socket import AF_INET, AF_INET6, inet_pton  # a computation only
from sys import intern
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from clusterdns.cluster import schema
from clusterdns.cluster.addresses import parse_address
from clusterdns.cluster.build import FAMILIES, NODE_TOPOLOGY, build, there
from clusterdns.cluster.model import NOWHERE, Endpoint, Key, Object, Pod, Port
from clusterdns.cluster.plain import CONDITIONS
from clusterdns.errors import shortened
from clusterdns.sources.kubernetes.faults import ApiError, Reason

TRIGGERED = "endpoints.kubernetes.io/last-change-trigger-time"  # written by the endpoint slice controller
INITIAL_EVENTS_END = "k8s.io/initial-events-end"

_NO_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # what msgspec raises
_MOST_SHARED = 20_000  # labels of pods, and ports
_CODES = {"Expired": 410, "Gone": 410}  # of who gives the reason alone
_SOCKET_FAMILIES = {"IPv4": AF_INET, "IPv6": AF_INET6}
_NO_CONDITIONS, _NO_TARGET = schema.Conditions(), schema.Target()


class Seen(Struct, frozen=True, gc=False):
    """What one line of a watch or one item of a list says."""

    type: str  # ADDED | MODIFIED | DELETED | BOOKMARK
    key: Key
    version: str  # resourceVersion
    object: Object | None = None  # None where it is deleted or unreadable, and for a bookmark
    problem: str = ""  # why it is unreadable
    ends_list: bool = False  # the bookmark that ends the initial events
    triggered: str = ""  # of an EndpointSlice: RFC 3339, when what it says came about


class Page(Struct, frozen=True):
    version: str
    token: str  # for the next page; "": this is the last one
    items: list[Raw]


class Versions(Struct, frozen=True):
    version: str
    token: str
    entries: list[tuple[Key, str]]  # (key, resourceVersion) of each item


class _Meta(schema.Meta):
    resource_version: str | None = None


class _Service(schema.WireService):
    metadata: _Meta | None = None


class _Slice(schema.WireSlice):
    metadata: _Meta | None = None


class _Pod(schema.WirePod):
    metadata: _Meta | None = None


class _Namespace(schema.WireNamespace):
    metadata: _Meta | None = None


_WIRES: dict[str, type[schema.Wire]] = {
    "Service": _Service,
    "EndpointSlice": _Slice,
    "Pod": _Pod,
    "Namespace": _Namespace,
}
_VERSIONS = {"EndpointSlice": "discovery.k8s.io/v1"}

W = TypeVar("W")


class _Event(Struct, Generic[W], gc=False):
    type: str
    object: W


class _Header(Struct, gc=False):
    metadata: _Meta | None = None


class _Details(Struct, rename="camel"):
    retry_after_seconds: int = 0


class _ListMeta(Struct, rename={"version": "resourceVersion", "token": "continue"}):
    version: str = ""
    token: str | None = ""


class _Status(Struct):
    """meta.v1.Status."""

    code: int = 0
    reason: str = ""
    message: str = ""
    details: _Details | None = None
    metadata: _ListMeta | None = None


class _List(Struct):
    metadata: _ListMeta
    items: list[Raw] | None = None


class _Entry(Struct):
    metadata: _Meta


class _Entries(Struct):
    metadata: _ListMeta
    items: list[_Entry] | None = None


_STATUS = msgspec.json.Decoder(_Status)
_ERROR = msgspec.json.Decoder(_Event[_Status])
_HEADER_EVENT = msgspec.json.Decoder(_Event[_Header])
_HEADER = msgspec.json.Decoder(_Header)
_LIST = msgspec.json.Decoder(_List)
_ENTRIES = msgspec.json.Decoder(_Entries)


class Decoder:
    """Of one kind."""

    def __init__(self, kind: str) -> None:
        wire = _WIRES[kind]
        self._build: Callable[[Any], Object] = _PodBuilder() if kind == "Pod" else partial(model_of, kind)
        self._event: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_Event[wire])  # type: ignore[valid-type]
        self._item: msgspec.json.Decoder[Any] = msgspec.json.Decoder(wire)

    def line(self, text: bytes) -> Seen:
        """One line of a watch.  Raises ApiError for an ERROR event, and for what is none of all these."""
        try:
            event = self._event.decode(text)
        except (msgspec.ValidationError, UnicodeDecodeError) as error:
            return _unreadable_event(text, error)
        except _NO_JSON as error:
            raise ApiError(Reason.GARBLED, f"a line that is no JSON: {error}") from None
        if event.type == "BOOKMARK":
            return _bookmark(event.object.metadata or _Meta())
        if event.type not in ("ADDED", "MODIFIED", "DELETED"):
            raise _error_of(text, event.type)
        return self._seen(event.type, event.object)

    def item(self, text: Raw) -> Seen:
        """One item of a list.  Raises ApiError for what has no name."""
        try:
            wire = self._item.decode(text)
        except _NO_JSON as error:
            return _unreadable(_HEADER, text, "ADDED", error)
        return self._seen("ADDED", wire)

    def _seen(self, action: str, wire: Any) -> Seen:
        meta = wire.metadata or _Meta()
        key = Key(intern(meta.namespace or ""), meta.name or "")
        version = meta.resource_version or ""
        if not key.name:
            raise ApiError(Reason.GARBLED, "an object without a name")
        if action == "DELETED":
            return Seen(action, key, version)
        try:
            made = self._build(wire)
        except (ValueError, KeyError) as error:
            return Seen(action, key, version, problem=shortened(str(error)))
        return Seen(action, made.key, version, made, triggered=(meta.annotations or {}).get(TRIGGERED) or "")


def page_of(text: bytes) -> Page:
    """One page of a list.  Raises ApiError."""
    try:
        found = _LIST.decode(text)
    except _NO_JSON as error:
        raise ApiError(Reason.GARBLED, f"a list that cannot be read: {error}") from None
    return Page(found.metadata.version, found.metadata.token or "", found.items or [])


def versions_of(text: bytes) -> Versions:
    """A page of which only that matters.  Raises ApiError."""
    try:
        found = _ENTRIES.decode(text)
    except _NO_JSON as error:
        raise ApiError(Reason.GARBLED, f"a list that cannot be read: {error}") from None
    metas = [entry.metadata for entry in found.items or ()]
    entries = [(Key(meta.namespace or "", meta.name or ""), meta.resource_version or "") for meta in metas]
    return Versions(found.metadata.version, found.metadata.token or "", entries)


def message_of(body: bytes) -> str:
    """What a refusal says."""
    try:
        return shortened(_STATUS.decode(body).message)
    except _NO_JSON:
        return shortened(body.decode(errors="replace").strip())


def token_of(body: bytes) -> str:
    """What a refusal offers to go on with; "": nothing."""
    try:
        found = _STATUS.decode(body).metadata
    except _NO_JSON:
        return ""
    return found.token or "" if found else ""


def number(version: str) -> int:
    """A resourceVersion to compare (KEP-5504: they are decimal numbers that grow); 0 where it is none."""
    return int(version) if version.isascii() and version.isdecimal() else 0


def model_of(kind: str, wire: schema.Wire) -> Object:
    """Raises ValueError or KeyError for what no API server would have accepted."""
    version = _VERSIONS.get(kind, "v1")
    if isinstance(wire, schema.WireSlice):
        if wire.address_type not in FAMILIES:
            wire.address_type = "FQDN"  # of a time to come, and not for us
        return build(kind, version, wire, NOWHERE, endpoints_of(wire))
    try:
        return build(kind, version, wire, NOWHERE)
    except (ValueError, KeyError):
        _tidy(wire)
        return build(kind, version, wire, NOWHERE)


class _PodBuilder:
    """The pods of a workload share their labels and ports: two thirds of what 150,000 of them take."""

    def __init__(self) -> None:
        self._labels: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
        self._ports: dict[tuple[Port, ...], tuple[Port, ...]] = {}

    def __call__(self, wire: schema.Wire) -> Object:
        pod = model_of("Pod", wire)
        if not isinstance(pod, Pod):
            return pod
        if len(self._labels) > _MOST_SHARED or len(self._ports) > _MOST_SHARED:
            self._labels.clear()
            self._ports.clear()
        labels = self._labels.setdefault(tuple(pod.labels.items()), pod.labels)
        return replace(pod, labels=labels, ports=self._ports.setdefault(pod.ports, pod.ports))


def endpoints_of(wire: schema.WireSlice) -> tuple[Endpoint, ...]:
    """As ``cluster.build`` makes them, for 150,000 of them."""
    family = _SOCKET_FAMILIES.get(wire.address_type or "")
    if family is None:
        return ()
    found = []
    for one in there(wire.endpoints):
        flags, target = one.conditions or _NO_CONDITIONS, one.target_ref or _NO_TARGET
        conditions = CONDITIONS[flags.ready, flags.serving, flags.terminating]
        node = intern(one.node_name or (one.topology or {}).get(NODE_TOPOLOGY) or "")
        name = (target.name or "") if target.kind == "Pod" else ""
        for text in one.addresses or ():
            try:
                address = inet_pton(family, text or "")
            except (OSError, ValueError):
                if (mended := _legacy(text or "", family)) is None:
                    continue
                address = mended
            found.append(Endpoint(address, conditions, one.hostname or "", node, name))
    return tuple(found)


def _legacy(text: str, family: int) -> bytes | None:
    """``010.1.002.3`` -> ``10.1.2.3``, and IPv4 in IPv6's clothes, as Go reads them (``ParseIPSloppy``)."""
    if family == AF_INET:
        text = ".".join(part.lstrip("0") or "0" if part.isdecimal() else part for part in _unmapped(text).split("."))
    try:
        return inet_pton(family, text)
    except (OSError, ValueError):
        return None


def _unmapped(text: str) -> str:
    return text[7:] if text.lower().startswith("::ffff:") and "." in text else text


def _tidy(wire: schema.Wire) -> None:
    """Takes out what cannot be read, so that the rest can serve."""
    if isinstance(wire, schema.WireService) and (spec := wire.spec):
        spec.cluster_ips = [mended for text in spec.cluster_ips or () if (mended := _tidy_address(text))]
        spec.cluster_ip = _tidy_address(spec.cluster_ip)
        spec.ip_families = [text for text in spec.ip_families or () if text in FAMILIES]
    elif isinstance(wire, schema.WirePod) and (status := wire.status):
        status.pod_ip = _tidy_address(status.pod_ip)
        for entry in there(status.pod_ips):
            entry.ip = _tidy_address(entry.ip)


def _tidy_address(text: str | None) -> str | None:
    if not text or text == "None":
        return text
    try:
        parse_address(text)
    except ValueError:
        mended = _legacy(text, AF_INET)
        return ".".join(map(str, mended)) if mended else None
    return text


def _bookmark(meta: _Meta) -> Seen:
    ends = (meta.annotations or {}).get(INITIAL_EVENTS_END) == "true"
    return Seen("BOOKMARK", Key("", ""), meta.resource_version or "", ends_list=ends)


def _error_of(text: bytes, action: str) -> ApiError:
    """An ERROR event, which carries a Status."""
    try:
        status = _ERROR.decode(text).object
    except _NO_JSON:
        status = _Status()
    if action != "ERROR":
        return ApiError(Reason.GARBLED, f"an event of the unknown type {shortened(action, 40)!r}")
    wait = status.details.retry_after_seconds if status.details else 0
    told = shortened(status.message) or "no reason given"
    code = status.code or _CODES.get(status.reason, 0)
    fault = ApiError(reason_of(code), f"the watch ended with error {code}: {told}", retry_after=wait)
    fault.streamed = True
    return fault


def reason_of(code: int) -> Reason:
    """By HTTP status."""
    named = {401: Reason.UNAUTHORIZED, 403: Reason.FORBIDDEN, 410: Reason.EXPIRED, 429: Reason.BUSY}
    return named.get(code, Reason.FAILED)


def _unreadable_event(text: bytes, error: Exception) -> Seen:
    try:
        action = _HEADER_EVENT.decode(text).type
    except _NO_JSON:
        raise ApiError(Reason.GARBLED, f"a line that is no event: {error}") from None
    if action == "ERROR":
        raise _error_of(text, action)
    return _unreadable(_HEADER_EVENT, text, action, error)


def _unreadable(decoder: msgspec.json.Decoder[Any], text: bytes | Raw, action: str, error: Exception) -> Seen:
    """An object of which only the name can be read.  Raises ApiError where not even that."""
    try:
        found = decoder.decode(text)
    except _NO_JSON:
        raise ApiError(Reason.GARBLED, f"an object that cannot be read: {error}") from None
    meta = (found.object if isinstance(found, _Event) else found).metadata or _Meta()
    if not meta.name:
        raise ApiError(Reason.GARBLED, f"an object that cannot be read: {error}")
    key = Key(intern(meta.namespace or ""), meta.name)
    return Seen(action, key, meta.resource_version or "", problem=shortened(str(error)))
