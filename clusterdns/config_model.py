"""What each setting may be.  Importing this imports pydantic: ``config`` does so only while it loads.

Every parser takes the text of one value and raises ValueError with ``problem; remedy``.
"""

import re
from collections.abc import Callable
from ipaddress import ip_network
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, PlainValidator

from clusterdns.cluster.addresses import Network, address_text, parse_address, parse_network
from clusterdns.cluster.labels import Requirement, Selector, parse_selector
from clusterdns.cluster.rules import is_label
from clusterdns.config import ORDERS, PODS, POLICIES, QUERY_CLASSES, QUERY_FORMATS, SOURCES
from clusterdns.config_forward import any_domain, stub_domain, upstream
from clusterdns.zone.names import parse_name, to_text
from clusterdns.zone.reverse import is_reverse, parse_reverse, zones_of

_T = TypeVar("_T")

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)?")
_MAX_DOMAIN = 241  # 255 octets less the longest label of ours, the first length and the root
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
_SIZE = re.compile(r"(\d{1,13})(KiB|MiB|GiB)?")
_LEAST_STALENESS = 120.0  # seconds
_SIZES = {None: 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_LABEL = re.compile(r"[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?")


def _one(parse: Callable[[str], _T]) -> PlainValidator:
    def checked(value: object) -> _T:
        if not isinstance(value, str):
            raise ValueError("takes one value; write it without a list")  # noqa: TRY004 - pydantic collects ValueError
        return parse(value)

    return PlainValidator(checked)


def source(text: str) -> str:
    if text not in SOURCES:
        raise ValueError(f"{text!r} is no source; write {', '.join(SOURCES[:-1])} or {SOURCES[-1]}")
    return text


def path(text: str) -> str:
    if not text:
        raise ValueError("an empty path; name a file or a folder")
    return text


def socket_address(text: str) -> tuple[str, int]:
    """``"127.0.0.1:1053"`` or ``"[::1]:1053"`` -> (address in canonical form, port)."""
    found = re.fullmatch(r"(?:\[([^]]*:[^]]*)\]|([^]:[]+)):(\d{1,5})", text)
    if not found or int(found[3]) > 65535:
        raise ValueError(f"{text!r} is not ADDR:PORT; write it like 127.0.0.1:1053 or [::1]:1053")
    try:
        return address_text(parse_address(found[1] or found[2])), int(found[3])
    except ValueError as error:
        raise ValueError(f"{error}; write 127.0.0.1:1053, or 0.0.0.0:1053 and [::]:1053 for all") from None


def domain(text: str) -> str:
    """``"Cluster.local"`` -> ``"cluster.local."`` (RFC 1035 §2.3.4)."""
    name = text.lower().removesuffix(".")
    if _MAX_DOMAIN < len(name) <= 253:
        raise ValueError(f"{text!r} leaves no room for dns-version before it; write at most {_MAX_DOMAIN} characters")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError(
            f"{text!r} is no domain name; write labels of 1 to 63 letters, digits and hyphens with dots between them"
        )
    return name + "."


def zone(text: str) -> tuple[str, ...]:
    """A zone as ``domain`` gives it, or the reverse zones that cover a network."""
    if "/" in text:
        return tuple(map(to_text, zones_of(network(text))))
    name = domain(text)
    if name.endswith(".arpa.") and is_reverse(parse_name(name)) and parse_reverse(parse_name(name)) is None:
        raise ValueError(f"{text!r} can hold no address; write a network like 10.96.0.0/12, or in-addr.arpa")
    return (name,)


def fallthrough_zone(text: str) -> tuple[str, ...]:
    return (".",) if text == "." else zone(text)


def namespace(text: str) -> str:
    if not is_label(text):
        raise ValueError(f"{text!r} is no name of a namespace; write 1 to 63 of a-z, 0-9 and inner hyphens")
    return text


def selector(text: str) -> Selector:
    try:
        return parse_selector(text)
    except ValueError as error:
        raise ValueError(f"{error}; write it as for kubectl, like app=web,tier in (a,b),!old") from None


def _choice(*known: str) -> Callable[[str], str]:
    def chosen(text: str) -> str:
        if text not in known:
            raise ValueError(f"{text!r} is unknown; write {', '.join(known[:-1])} or {known[-1]}")
        return text

    return chosen


def seconds(text: str) -> float:
    """``"5"``, ``"5s"``, ``"500ms"``, ``"1m"`` or ``"1h"``."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no duration; write seconds, or 500ms, 5s, 1m, 1h")
    return float(found[1]) * _UNITS[found[2]]


def staleness(text: str) -> float:
    found = seconds(text)
    if 0 < found < _LEAST_STALENESS:
        raise ValueError(f"{text!r} is too short; write 2m or more, since an API says once a minute that all is well")
    return found


def octets(text: str) -> int:
    """``"16MiB"``, ``"500KiB"``, ``"1048576"``."""
    found = _SIZE.fullmatch(text)
    if not found or not 1024 <= (size := int(found[1]) * _SIZES[found[2]]) <= 1 << 40:
        raise ValueError(f"{text!r} is no size from 1KiB to 1TiB; write octets, or 500KiB, 16MiB, 1GiB")
    return size


def idle(text: str) -> float:
    duration = seconds(text)
    if not 1 <= duration <= 3600:
        raise ValueError(f"{text!r} is out of range; write 1 to 3600 seconds")
    return duration


def secret(text: str) -> bytes:
    # The text is not repeated: what is nearly right is nearly the secret.
    if not re.fullmatch(r"[0-9A-Fa-f]{32}", text):
        raise ValueError("not 32 hexadecimal digits; make some with `openssl rand -hex 16`")
    return bytes.fromhex(text)


def _count(least: int, most: int) -> Callable[[str], int]:
    def counted(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"{text!r} is out of range; write a number from {least} to {most}")
        return int(text)

    return counted


def _words(most: int) -> Callable[[str], str]:
    def worded(text: str) -> str:
        if len(text) > most or not (text.isascii() and text.isprintable()):
            raise ValueError(f"{text!r} does not fit into an answer; write at most {most} printable ASCII characters")
        return text

    return worded


def ttl(text: str) -> int:
    duration = seconds(text)
    if duration > 3600 or duration % 1:
        raise ValueError(f"{text!r} is out of range; write whole seconds from 0 to 3600")
    return int(duration)


def truth(text: str) -> bool:
    try:
        return {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}[text.lower()]
    except KeyError:
        raise ValueError(f"{text!r} is neither true nor false; write one of them") from None


def network(text: str) -> Network:
    try:
        if "/" in text:
            return parse_network(text)
    except ValueError:
        pass
    raise ValueError(f"{text!r} is no network; {_network_remedy(text)}")


def _network_remedy(text: str) -> str:
    try:
        return f"write {ip_network(text if '/' in text else f'{text}/16', strict=False)}"
    except ValueError:
        return "write ADDRESS/LENGTH like 10.96.0.0/12 or fd00:10:96::/112"


def token(text: str) -> str:
    """What a header can carry (RFC 6750 §2.1).  The text of the error does not show it."""
    if text and not re.fullmatch(r"[-A-Za-z0-9._~+/]+=*", text):
        raise ValueError("not a token; write letters, digits and -._~+/ without blanks")
    return text


def address(text: str) -> bytes:
    try:
        return parse_address(text)
    except ValueError as error:
        raise ValueError(f"{error}; write one like 192.0.2.53 or 2001:db8::53") from None


def _duration(least: int, most: int, words: str) -> Callable[[str], int]:
    """Whole seconds."""

    def timed(text: str) -> int:
        duration = seconds(text)
        if not least <= duration <= most or duration % 1:
            raise ValueError(f"{text!r} is out of range; write {words}")
        return int(duration)

    return timed


def timeout(text: str) -> float:
    duration = seconds(text)
    if not 1 <= duration <= 60:
        raise ValueError(f"{text!r} is out of range; write 1 to 60 seconds")
    return duration


def _listed(value: object) -> object:
    """One value may stand without its list."""
    return [value] if isinstance(value, str) else value


def _not_empty(values: tuple[_T, ...]) -> tuple[_T, ...]:
    if not values:
        raise ValueError("needs at least one value; remove the setting for its default")
    return values


def _flat(values: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """Each once: networks may share zones."""
    return tuple(dict.fromkeys(each for value in values for each in value))


def _distinct(values: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    for at, (host, port) in enumerate(values):
        if port and (host, port) in values[:at]:
            raise ValueError(f"{host} port {port} is listed twice; remove one")
    return values


def _each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _distinct_stubs(values: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    suffixes = [suffix for suffix, _ in values]
    for suffix in suffixes:
        if suffixes.count(suffix) > 1:
            raise ValueError(f"{suffix} is listed twice; write all its servers into one list")
    return values


def _one_per_family(values: tuple[Network, ...]) -> tuple[Network, ...]:
    if len({each.version for each in values}) < len(values):
        raise ValueError("two networks of one family; keep one IPv4 and one IPv6 network")
    return values


_Sockets = Annotated[
    tuple[Annotated[tuple[str, int], _one(socket_address)], ...], BeforeValidator(_listed), AfterValidator(_distinct)
]
_Networks = Annotated[
    tuple[Annotated[Network, _one(network)], ...],
    BeforeValidator(_listed),
    AfterValidator(_one_per_family),
    AfterValidator(_not_empty),
]
_Addresses = Annotated[tuple[Annotated[bytes, _one(address)], ...], BeforeValidator(_listed)]


_Zones = Annotated[tuple[Annotated[tuple[str, ...], _one(zone)], ...], BeforeValidator(_listed), AfterValidator(_flat)]
_Fallthrough = Annotated[
    tuple[Annotated[tuple[str, ...], _one(fallthrough_zone)], ...], BeforeValidator(_listed), AfterValidator(_flat)
]
_Namespaces = Annotated[tuple[Annotated[str, _one(namespace)], ...], BeforeValidator(_listed)]
_Domains = Annotated[tuple[Annotated[str, _one(any_domain)], ...], BeforeValidator(_listed), AfterValidator(_each_once)]
_Upstreams = Annotated[tuple[Annotated[str, _one(upstream)], ...], BeforeValidator(_listed), AfterValidator(_each_once)]
_Stubs = Annotated[
    tuple[Annotated[tuple[str, tuple[str, ...]], _one(stub_domain)], ...],
    BeforeValidator(_listed),
    AfterValidator(_distinct_stubs),
]
_Selector = Annotated[tuple[Requirement, ...], _one(selector)]


class Model(BaseModel):
    """Field by field what ``config.Settings`` holds; every field is given, by its default if by nobody else."""

    source: Annotated[str, _one(source)]
    manifests: Annotated[tuple[Annotated[str, _one(path)], ...], BeforeValidator(_listed)]
    kubeconfig: Annotated[str, _one(str)]
    max_staleness: Annotated[float, _one(staleness)]
    listen: Annotated[_Sockets, AfterValidator(_not_empty)]
    http: _Sockets
    domain: Annotated[str, _one(domain)]
    zones: _Zones
    ttl: Annotated[int, _one(ttl)]
    pods: Annotated[str, _one(_choice(*PODS))]
    namespaces: _Namespaces
    namespace_labels: _Selector
    labels: _Selector
    endpoint_pod_names: Annotated[bool, _one(truth)]
    noendpoints: Annotated[bool, _one(truth)]
    ignore_empty_service: Annotated[bool, _one(truth)]
    fallthrough: _Fallthrough
    wildcards: Annotated[bool, _one(truth)]
    answer_order: Annotated[str, _one(_choice(*ORDERS))]
    max_udp_octets: Annotated[int, _one(_count(512, 4096))]
    cookie_secrets: Annotated[tuple[Annotated[bytes, _one(secret)], ...], BeforeValidator(_listed)]
    server_version: Annotated[str, _one(_words(255))]
    server_id: Annotated[str, _one(_words(63))]
    tcp_idle: Annotated[float, _one(idle)]
    tcp_connections: Annotated[int, _one(_count(1, 1_000_000))]
    tcp_per_client: Annotated[int, _one(_count(1, 1_000_000))]
    query_log: Annotated[tuple[Annotated[str, _one(_choice(*QUERY_CLASSES))], ...], BeforeValidator(_listed)]
    query_log_format: Annotated[str, _one(_choice(*QUERY_FORMATS))]
    query_log_sample: Annotated[int, _one(_count(1, 1_000_000))]
    query_log_rate: Annotated[int, _one(_count(1, 1_000_000))]
    upstream: _Upstreams
    stub_domains: _Stubs
    forward_policy: Annotated[str, _one(_choice(*POLICIES))]
    forward_tcp: Annotated[bool, _one(truth)]
    forward_timeout: Annotated[float, _one(timeout)]
    forward_per_client: Annotated[int, _one(_count(1, 1_000_000))]
    forward_total: Annotated[int, _one(_count(1, 1_000_000))]
    cache_octets: Annotated[int, _one(octets)]
    cache_max_ttl: Annotated[int, _one(_duration(1, 604_800, "1 second to 7 days (168h)"))]
    cache_max_negative_ttl: Annotated[int, _one(_duration(1, 10_800, "1 second to 3 hours (RFC 2308)"))]
    cache_min_ttl: Annotated[int, _one(_duration(0, 3600, "whole seconds from 0 to 3600"))]
    prefetch: Annotated[bool, _one(truth)]
    serve_stale: Annotated[int, _one(_duration(0, 604_800, "at most 7 days (168h), or 0"))]
    kept_home: _Domains
    local_reverse: Annotated[bool, _one(truth)]
    service_cidr: _Networks
    pod_cidr: _Networks
    ns_addresses: _Addresses
    cluster_dns: _Addresses
    stand_ins: Annotated[bool, _one(truth)]
    state_dir: Annotated[str, _one(str)]
    http_token: Annotated[str, _one(token)]
    max_yaml_octets: Annotated[int, _one(octets)]
    max_json_octets: Annotated[int, _one(octets)]
    lameduck: Annotated[float, _one(seconds)]
