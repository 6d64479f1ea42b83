"""What each setting may be: from the text of its values to what ``config.Settings`` holds.

Every parser takes the text of one value and raises ValueError with ``problem; remedy``.
"""

import re
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from typing import Any, NamedTuple, TypeVar

from msgspec import Struct

from clusterdns.cluster.addresses import Network, address_text, parse_address, parse_network, wildcard_of
from clusterdns.cluster.labels import SELECTOR_REMEDY, Selector, parse_selector
from clusterdns.cluster.rules import is_label
from clusterdns.config import ORDERS, PODS, POLICIES, QUERY_CLASSES, QUERY_FORMATS, SOURCES
from clusterdns.config_forward import any_domain, stub_domain, upstream
from clusterdns.zone.names import parse_name, to_text
from clusterdns.zone.reverse import is_reverse, parse_reverse, zones_of

_T = TypeVar("_T")

DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)?")
MAX_DOMAIN = 241  # 255 octets less the longest label of ours, the first length and the root
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
SIZE = re.compile(r"(\d{1,13})(KiB|MiB|GiB)?")
LEAST_STALENESS = 120.0  # seconds
LEAST_SIZE, MOST_SIZE = 1024, 1 << 40  # octets
MOST_DIGITS = 9
TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
LEAST_LENGTH = {4: 8, 6: 32}  # bits of the largest range of Services or pods
UNITS_OF_SIZE = {None: 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_LABEL = re.compile(r"[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?")


class Choice(Struct, frozen=True):
    known: tuple[str, ...]
    lack: str = "is unknown"

    def __call__(self, text: str) -> str:
        if text not in self.known:
            raise ValueError(f"{text!r} {self.lack}; write {', '.join(self.known[:-1])} or {self.known[-1]}")
        return text


class Count(Struct, frozen=True):
    least: int
    most: int

    def __call__(self, text: str) -> int:
        if not re.fullmatch(r"[0-9]+", text):
            raise ValueError(f"{text!r} is no number; write one from {self.least} to {self.most}")
        if len(text) > MOST_DIGITS or not self.least <= int(text) <= self.most:
            raise ValueError(f"{text!r} is out of range; write a number from {self.least} to {self.most}")
        return int(text)


class Words(Struct, frozen=True):
    most: int  # characters

    def __call__(self, text: str) -> str:
        if len(text) > self.most or not (text.isascii() and text.isprintable()):
            remedy = f"write at most {self.most} printable ASCII characters"
            raise ValueError(f"{text!r} does not fit into an answer; {remedy}")
        return text


class Duration(Struct, frozen=True):
    """Seconds."""

    least: int
    most: int
    words: str
    whole: bool = True

    def __call__(self, text: str) -> float:
        duration = seconds(text)
        if not self.least <= duration <= self.most or (self.whole and duration % 1):
            raise ValueError(f"{text!r} is out of range; write {self.words}")
        return int(duration) if self.whole else duration


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
    if MAX_DOMAIN < len(name) <= 253:
        raise ValueError(f"{text!r} leaves no room for dns-version before it; write at most {MAX_DOMAIN} characters")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError(
            f"{text!r} is no domain name; write labels of 1 to 63 letters, digits and hyphens with dots between them"
        )
    return name + "."


def cluster_domain(text: str) -> str:
    name = domain(text)
    if is_reverse(parse_name(name)):
        raise ValueError(f"{text!r} is a reverse zone; write a forward zone, such as cluster.local")
    return name


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
        raise ValueError(f"{error}; {SELECTOR_REMEDY}") from None


def seconds(text: str) -> float:
    """``"5"``, ``"5s"``, ``"500ms"``, ``"1m"`` or ``"1h"``."""
    found = DURATION.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no duration; write seconds, or 500ms, 5s, 1m, 1h")
    return float(found[1]) * _UNITS[found[2]]


def staleness(text: str) -> float:
    found = seconds(text)
    if 0 < found < LEAST_STALENESS:
        raise ValueError(f"{text!r} is too short; write 2m or more, since an API says once a minute that all is well")
    return found


def octets(text: str) -> int:
    """``"16MiB"``, ``"500KiB"``, ``"1048576"``."""
    found = SIZE.fullmatch(text)
    if not found or not LEAST_SIZE <= (size := int(found[1]) * UNITS_OF_SIZE[found[2]]) <= MOST_SIZE:
        raise ValueError(f"{text!r} is no size from 1KiB to 1TiB; write octets, or 500KiB, 16MiB, 1GiB")
    return size


def secret(text: str) -> bytes:
    # The text is not repeated: what is nearly right is nearly the secret.
    if not re.fullmatch(r"[0-9A-Fa-f]{32}", text):
        raise ValueError("not 32 hexadecimal digits; make some with `openssl rand -hex 16`")
    return bytes.fromhex(text)


def truth(text: str) -> bool:
    try:
        return TRUTHS[text.lower()]
    except KeyError:
        raise ValueError(f"{text!r} is neither true nor false; write one of them") from None


def network(text: str) -> Network:
    try:
        if "/" in text:
            return parse_network(text)
    except ValueError:
        pass
    raise ValueError(f"{text!r} is no network; {_network_remedy(text)}")


def address_range(text: str) -> Network:
    """Where addresses are allocated: a range of the whole world would make everybody's addresses ours."""
    found = network(text)
    if found.prefixlen < LEAST_LENGTH[found.version]:
        least = ", ".join(f"/{length} for IPv{version}" for version, length in LEAST_LENGTH.items())
        raise ValueError(f"{text!r} is too large; write a smaller network, at most {least}")
    return found


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


def not_empty(values: tuple[_T, ...]) -> tuple[_T, ...]:
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


def _not_covered(values: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    """A wildcard is opened as one socket for each local address (IPv6 ones are V6ONLY)."""
    for host, port in values:
        wildcard = wildcard_of(host)
        if port and host != wildcard and (wildcard, port) in values:
            raise ValueError(f"{host} port {port} is covered by {wildcard}; remove one")
    return values


def one_per_family(values: tuple[Network, ...]) -> tuple[Network, ...]:
    if len({each.version for each in values}) < len(values):
        raise ValueError("two networks of one family; keep one IPv4 and one IPv6 network")
    return values


class Form(NamedTuple):
    """How a setting is read."""

    parse: Callable[[str], Any]  # one value
    listed: bool = False  # several values, of which one may stand without its list
    then: tuple[Callable[[Any], Any], ...] = ()  # what the tuple of all values goes through

    def read(self, value: str | Sequence[str]) -> Any:
        """Raises ValueError for the first thing wrong, for whoever only wants to know that something is."""
        if not self.listed:
            return self.parse(one_text(value))
        values = tuple(self.parse(one_text(each)) for each in ([value] if isinstance(value, str) else value))
        for step in self.then:
            values = step(values)
        return values


def one_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("takes one value; write it without a list")  # noqa: TRY004 - pydantic collects ValueError
    return value


FORMS: dict[str, Form] = {
    "source": Form(Choice(SOURCES, "is no source")),
    "manifests": Form(path, listed=True),
    "kubeconfig": Form(str),
    "max_staleness": Form(staleness),
    "listen": Form(socket_address, listed=True, then=(_distinct, _not_covered, not_empty)),
    "http": Form(socket_address, listed=True, then=(_distinct, _not_covered)),
    "metrics_deprecated": Form(truth),
    "domain": Form(cluster_domain),
    "zones": Form(zone, listed=True, then=(_flat,)),
    "ttl": Form(Duration(0, 3600, "whole seconds from 0 to 3600")),
    "pods": Form(Choice(PODS)),
    "namespaces": Form(namespace, listed=True),
    "namespace_labels": Form(selector),
    "labels": Form(selector),
    "endpoint_pod_names": Form(truth),
    "noendpoints": Form(truth),
    "ignore_empty_service": Form(truth),
    "fallthrough": Form(fallthrough_zone, listed=True, then=(_flat,)),
    "wildcards": Form(truth),
    "answer_order": Form(Choice(ORDERS)),
    "max_udp_octets": Form(Count(512, 4096)),
    "cookie_secrets": Form(secret, listed=True),
    "server_version": Form(Words(255)),
    "server_id": Form(Words(63)),
    "tcp_idle": Form(Duration(1, 3600, "1 to 3600 seconds", whole=False)),
    "tcp_connections": Form(Count(1, 1_000_000)),
    "tcp_per_client": Form(Count(1, 1_000_000)),
    "query_log": Form(Choice(QUERY_CLASSES), listed=True),
    "query_log_format": Form(Choice(QUERY_FORMATS)),
    "query_log_sample": Form(Count(1, 1_000_000)),
    "query_log_rate": Form(Count(1, 1_000_000)),
    "upstream": Form(upstream, listed=True, then=(_each_once,)),
    "stub_domains": Form(stub_domain, listed=True, then=(_distinct_stubs,)),
    "forward_policy": Form(Choice(POLICIES)),
    "forward_tcp": Form(truth),
    "forward_timeout": Form(Duration(1, 60, "1 to 60 seconds", whole=False)),
    "forward_per_client": Form(Count(1, 1_000_000)),
    "forward_total": Form(Count(1, 1_000_000)),
    "cache_octets": Form(octets),
    "cache_max_ttl": Form(Duration(1, 604_800, "1 second to 7 days (168h)")),
    "cache_max_negative_ttl": Form(Duration(1, 10_800, "1 second to 3 hours (RFC 2308)")),
    "cache_min_ttl": Form(Duration(0, 3600, "whole seconds from 0 to 3600")),
    "prefetch": Form(truth),
    "serve_stale": Form(Duration(0, 604_800, "at most 7 days (168h), or 0")),
    "kept_home": Form(any_domain, listed=True, then=(_each_once,)),
    "local_reverse": Form(truth),
    "service_cidr": Form(address_range, listed=True, then=(one_per_family, not_empty)),
    "pod_cidr": Form(address_range, listed=True, then=(one_per_family, not_empty)),
    "ns_addresses": Form(address, listed=True),
    "cluster_dns": Form(address, listed=True),
    "stand_ins": Form(truth),
    "state_dir": Form(str),
    "http_token": Form(token),
    "max_yaml_octets": Form(octets),
    "max_json_octets": Form(octets),
    "lameduck": Form(seconds),
}
