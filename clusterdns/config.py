"""Settings: a flag beats a ``CLUSTERDNS_<NAME>`` variable beats the file beats the default.

All problems are told at once, each where it was written: ``clusterdns.yaml:7:3: problem; remedy``,
``CLUSTERDNS_TTL: problem; remedy`` or ``--ttl: problem; remedy``.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from clusterdns.cluster.addresses import Network, parse_network
from clusterdns.cluster.labels import Selector
from clusterdns.errors import OperatorError, Problem

# The code of problems in files of settings.  Codes are never given a second meaning.
CODES: dict[str, str] = {"CD900": "a setting is unknown, or its value wrong"}

PREFIX = "CLUSTERDNS_"  # of variables

SocketAddress = tuple[str, int]  # an IP address as text, and a port; port 0: any free one


class Settings(Struct, frozen=True):
    """What the rest of the program sees: parsed, checked, complete.

    The defaults are those of SETTINGS, parsed: a command that is given nothing need not import what parses.
    """

    source: str = "manifests"
    manifests: tuple[str, ...] = ()
    kubeconfig: str = ""  # a path; "": the service account of the pod
    max_staleness: float = 0.0  # seconds; 0: however old, what is known is served as ready
    listen: tuple[SocketAddress, ...] = (("127.0.0.1", 1053),)
    http: tuple[SocketAddress, ...] = (("127.0.0.1", 9153),)
    metrics_deprecated: bool = False
    domain: str = "cluster.local."  # lower case, with the final dot; the first forward zone
    zones: tuple[str, ...] = ()  # like the domain, networks as the zones that cover them; (): domain, in-addr, ip6
    ttl: int = 5  # seconds
    pods: str = "disabled"  # disabled | insecure | verified
    namespaces: tuple[str, ...] = ()  # (): all
    namespace_labels: Selector = ()
    labels: Selector = ()
    endpoint_pod_names: bool = False
    noendpoints: bool = False
    ignore_empty_service: bool = False
    fallthrough: tuple[str, ...] = ("in-addr.arpa.", "ip6.arpa.")  # like zones; "." stands for all
    wildcards: bool = False
    answer_order: str = "rotate"  # rotate | random | fixed
    max_udp_octets: int = 1232
    cookie_secrets: tuple[bytes, ...] = ()  # 16 octets each; (): a random one
    server_version: str = ""
    server_id: str = ""
    tcp_idle: float = 10.0  # seconds
    tcp_connections: int = 4096
    tcp_per_client: int = 256
    query_log: tuple[str, ...] = ()  # of QUERY_CLASSES; (): off
    query_log_format: str = "common"  # common | json
    query_log_sample: int = 1  # one query of so many
    query_log_rate: int = 1000  # lines a second
    upstream: tuple[str, ...] = ()  # "10.0.0.1:53", "tls://9.9.9.9:853#dns.quad9.net", "/etc/resolv.conf"
    stub_domains: tuple[tuple[str, tuple[str, ...]], ...] = ()  # (suffix like domain, servers like upstream)
    forward_policy: str = "random"  # random | round_robin | sequential | fastest
    forward_tcp: bool = False
    forward_timeout: float = 5.0  # seconds
    forward_per_client: int = 1000
    forward_total: int = 4096
    cache_octets: int = 32 << 20
    cache_max_ttl: int = 86400  # seconds
    cache_max_negative_ttl: int = 3600  # seconds
    cache_min_ttl: int = 0  # seconds
    prefetch: bool = True
    serve_stale: int = 86400  # seconds; 0: nothing stale
    kept_home: tuple[str, ...] = (
        "localhost.",
        "local.",
        "invalid.",
        "test.",
        "onion.",
        "alt.",
        "home.arpa.",
        "resolver.arpa.",
        "service.arpa.",
    )
    local_reverse: bool = False
    # At most one of each family; the first is the default one.
    service_cidr: tuple[Network, ...] = (parse_network("10.96.0.0/12"), parse_network("fd00:10:96::/112"))
    # At most one of each family.
    pod_cidr: tuple[Network, ...] = (parse_network("10.244.0.0/16"), parse_network("fd00:10:244::/64"))
    ns_addresses: tuple[bytes, ...] = ()  # packed; (): the listen addresses
    cluster_dns: tuple[bytes, ...] = (b"\x0a\x60\x00\x0a",)  # packed
    stand_ins: bool = True
    state_dir: str = ""  # "": nothing is written
    http_token: str = ""  # "": /api is there on loopback addresses only, and asks nobody
    max_yaml_octets: int = 16 << 20
    max_json_octets: int = 256 << 20
    lameduck: float = 5.0  # seconds


SECRET = ("cookie_secrets", "http_token")  # told to nobody


class Setting(NamedTuple):
    """A row of the reference: configs/clusterdns.yaml is checked against it."""

    name: str
    default: str | list[str]  # as a file would give it
    help: str
    choices: tuple[str, ...] = ()  # all there are
    mapping: bool = False  # in a file: key -> value or values; elsewhere a list of ``key=value value``


SOURCES = ("manifests", "kubernetes", "none")
PODS = ("disabled", "insecure", "verified")
ORDERS = ("rotate", "random", "fixed")
QUERY_CLASSES = ("all", "success", "denial", "error")
QUERY_FORMATS = ("common", "json")
POLICIES = ("random", "round_robin", "sequential", "fastest")

SETTINGS = {
    setting.name: setting
    for setting in (
        Setting(
            "source",
            "manifests",
            "where objects come from: manifests, kubernetes (a live API), or none: no zones, only forwarding",
            SOURCES,
        ),
        Setting("manifests", [], "files and folders to serve, watched; PATH... on the command line"),
        Setting("kubeconfig", "", "file that says how to reach the Kubernetes API; the pod's service account if empty"),
        Setting(
            "max_staleness",
            "0",
            "seconds, or 5m, without word from the Kubernetes API after which /ready is 503; 0 means never",
        ),
        Setting("listen", ["127.0.0.1:1053"], "ADDR:PORT or [ADDR]:PORT, UDP and TCP; 0.0.0.0 and [::] mean all"),
        Setting("http", ["127.0.0.1:9153"], "ADDR:PORT of /metrics, /health and /ready; [] turns them off"),
        Setting("metrics_deprecated", "false", "also metrics that CoreDNS has given up, for old alerts: true or false"),
        Setting("domain", "cluster.local", "the zone of the cluster"),
        Setting("zones", [], "forward and reverse zones, networks too; [] means the domain, in-addr.arpa and ip6.arpa"),
        Setting("ttl", "5", "of every record: seconds from 0 to 3600, or 30s, 1m"),
        Setting("pods", "disabled", "names like 10-1-0-7.NS.pod.Z: disabled, insecure (unchecked) or verified", PODS),
        Setting("namespaces", [], "serve these only; [] means all"),
        Setting("namespace_labels", "", "serve namespaces only that this label selector matches"),
        Setting("labels", "", "serve Services, EndpointSlices and Pods only that this label selector matches"),
        Setting("endpoint_pod_names", "false", "endpoints without hostname get the names of their pods: true or false"),
        Setting("noendpoints", "false", "leave out headless Services and endpoint names: true or false"),
        Setting(
            "ignore_empty_service", "false", "NXDOMAIN for a ClusterIP Service without ready endpoint: true or false"
        ),
        Setting(
            "fallthrough",
            ["in-addr.arpa", "ip6.arpa"],
            "zones whose absent names an upstream is asked for; [.] means all, [] none",
        ),
        Setting(
            "wildcards", "false", "* or any may stand for namespace, Service, endpoint, port or protocol: true or false"
        ),
        Setting("answer_order", "rotate", "which of several addresses comes first: rotate, random or fixed", ORDERS),
        Setting("max_udp_octets", "1232", "no answer over UDP is longer, whatever the client takes: 512 to 4096"),
        Setting(
            "cookie_secrets",
            [],
            "of DNS cookies: 32 hexadecimal digits each, the first signs, all verify; [] means a random one",
        ),
        Setting("server_version", "", "text of version.bind and version.server (class CH, TXT); REFUSED if empty"),
        Setting("server_id", "", "text of id.server and hostname.bind (class CH, TXT) and of NSID; none if empty"),
        Setting("tcp_idle", "10", "seconds from 1 to 3600 after which a silent TCP connection is closed, or 1m"),
        Setting(
            "tcp_connections", "4096", "open TCP connections; over it the longest silent one of the largest client goes"
        ),
        Setting(
            "tcp_per_client",
            "256",
            "open TCP connections of one address, or global IPv6 /64; over it its longest silent one goes",
        ),
        Setting("query_log", [], "log queries by their answers: all, or some of success, denial, error; [] means none"),
        Setting("query_log_format", "common", "of lines on standard output: common (CoreDNS's) or json", QUERY_FORMATS),
        Setting("query_log_sample", "1", "log one query of so many: 1 to 1000000"),
        Setting("query_log_rate", "1000", "lines a second at most: 1 to 1000000; what is left out is counted"),
        Setting(
            "upstream",
            [],
            "who is asked for names of others: ADDR, ADDR:PORT, tls://ADDR#NAME, /etc/resolv.conf; [] REFUSES them",
        ),
        Setting(
            "stub_domains",
            [],
            "servers of single domains, like corp.example: [10.0.0.1]; the longest suffix decides",
            mapping=True,
        ),
        Setting(
            "forward_policy",
            "random",
            "which upstream is asked first: random, round_robin, sequential or fastest",
            POLICIES,
        ),
        Setting("forward_tcp", "false", "ask over TCP always, not only for what UDP truncates: true or false"),
        Setting("forward_timeout", "5", "seconds from 1 to 60 after which a question to upstreams is given up, or 2s"),
        Setting(
            "forward_per_client",
            "1000",
            "questions of one address, or global IPv6 /64, that may wait for upstreams; others get SERVFAIL",
        ),
        Setting("forward_total", "4096", "questions of all clients that may wait for upstreams; others get SERVFAIL"),
        Setting("cache_octets", "32MiB", "memory for answers of others; or 500KiB, 1GiB"),
        Setting("cache_max_ttl", "24h", "no answer of others is kept for longer: 1s to 7 days (168h)"),
        Setting("cache_max_negative_ttl", "1h", "nor NXDOMAIN and NODATA for longer than this: 1s to 3h"),
        Setting("cache_min_ttl", "0", "answers of others are kept at least so long: 0 to 1h"),
        Setting("prefetch", "true", "ask again for popular names shortly before they expire: true or false"),
        Setting(
            "serve_stale", "24h", "while upstreams fail, serve what expired less than so long ago: up to 168h; 0: never"
        ),
        Setting(
            "kept_home",
            ["localhost", "local", "invalid", "test", "onion", "alt", "home.arpa", "resolver.arpa", "service.arpa"],
            "domains that upstreams are never asked for; localhost means the client itself",
        ),
        Setting("local_reverse", "false", "keep reverse names of private networks home, too (RFC 6303): true or false"),
        Setting(
            "service_cidr",
            ["10.96.0.0/12", "fd00:10:96::/112"],
            "ClusterIPs are allocated here; one network of each family, the first is the default one",
        ),
        Setting("pod_cidr", ["10.244.0.0/16", "fd00:10:244::/64"], "addresses of stand-in pods"),
        Setting("ns_addresses", [], "addresses of the zones' name server; [] means the listen addresses"),
        Setting("cluster_dns", ["10.96.0.10"], "nameservers in the resolv.conf of pods, for `clusterdns resolvconf`"),
        Setting("stand_ins", "true", "make stand-in pods for workloads without pods: true or false"),
        Setting(
            "state_dir",
            "",
            "folder for what is kept over a restart: allocations, or the last state of a Kubernetes API; none if empty",
        ),
        Setting("http_token", "", "who reads /api must show it; if empty, /api is on loopback addresses only"),
        Setting("max_yaml_octets", "16MiB", "a file with more YAML than this is not read to its end; or 500KiB, 1GiB"),
        Setting("max_json_octets", "256MiB", "a file larger than this is not read; or 500KiB, 1GiB"),
        Setting("lameduck", "5", "seconds that answering goes on after SIGTERM, or 500ms, 1m; sooner when it is quiet"),
    )
}


class Where(NamedTuple):
    """The place of a value: a file with line and column from 1, or a variable or a flag with 0 and 0."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


DEFAULT = Where("default")


class Given(NamedTuple):
    """A setting as somebody wrote it: scalars are still text."""

    value: str | list[str]
    where: Where
    items: tuple[Where, ...] = ()  # of each item of a list
    unknown: bool = False  # a fault is told of it, and *value* not all that was meant


class Fault(NamedTuple):
    """*text* reads ``problem; remedy``."""

    where: Where
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


def load_settings(flags: Mapping[str, object], environ: Mapping[str, str], config_path: str | None = None) -> Settings:
    """*flags*: by setting name; None and () mean not given, ``("",)`` an empty list.

    Raises OperatorError with one line per problem.  A wrong value that a stronger source overrides does no harm.
    """
    faults: list[Fault] = []
    given = _defaults()
    if path := config_path or environ.get("CLUSTERDNS_CONFIG"):
        given |= _from_file(path, faults)
    given |= dict(_from_environ(environ))
    given |= dict(_from_flags(flags))
    if given == _defaults() and not faults:
        return Settings()
    settings = _validated(given, faults)
    if faults:
        raise OperatorError("\n".join(str(fault) for fault in sorted(faults)))
    return settings


def effective_settings(
    flags: Mapping[str, object], environ: Mapping[str, str], config_path: str | None = None
) -> tuple[Settings, dict[str, Where]]:
    """The settings, and where each was written, in the order of SETTINGS.  Raises OperatorError like load_settings."""
    settings = load_settings(flags, environ, config_path)
    path = config_path or environ.get("CLUSTERDNS_CONFIG")
    given = _defaults() | (_from_file(path, []) if path else {})
    given |= dict(_from_environ(environ))
    given |= dict(_from_flags(flags))
    return settings, {name: one.where for name, one in given.items()}


def check_config(path: str) -> list[Problem]:
    """Every problem of a configuration file that does not depend on flags and variables."""
    faults: list[Fault] = []
    _validated(_defaults() | _from_file(path, faults), faults)
    problems = []
    for where, text in sorted(faults):
        problem, _, remedy = text.partition("; ")
        subject = f"column {where.column}" if where.line else ""
        problems.append(Problem(path, where.line, "error", "CD900", subject, problem, remedy))
    return problems


def _defaults() -> dict[str, Given]:
    return {name: Given(setting.default, DEFAULT) for name, setting in SETTINGS.items()}


def _from_file(path: str, faults: list[Fault]) -> dict[str, Given]:
    from clusterdns.config_file import all_unknown, read_settings  # noqa: PLC0415 - most commands read no file

    try:
        data = Path(path).read_bytes()
    except OSError as error:
        faults.append(Fault(Where(path), f"cannot be read: {error.strerror}; name a readable file with --config"))
        return all_unknown(path)
    return read_settings(data, path, faults)


def _from_environ(environ: Mapping[str, str]) -> Iterator[tuple[str, Given]]:
    """Unknown names are warned of elsewhere: see ``config_names``."""
    for name, setting in SETTINGS.items():
        variable = PREFIX + name.upper()
        if (text := environ.get(variable)) is not None:
            values = [item for item in map(str.strip, text.split(",")) if item]
            value = values if isinstance(setting.default, list) else text.strip()
            yield name, Given(value, Where(variable), (Where(variable),) * len(values))


def _from_flags(flags: Mapping[str, object]) -> Iterator[tuple[str, Given]]:
    for name, value in flags.items():
        where = Where("PATH" if name == "manifests" else "--" + name.replace("_", "-"))
        if isinstance(value, list | tuple):
            if value:
                values = [str(item) for item in value if item != ""]
                yield name, Given(values, where, (where,) * len(values))
        elif value is not None:
            yield name, Given(str(value).lower() if isinstance(value, bool) else str(value), where)


def _validated(given: Mapping[str, Given], faults: list[Fault]) -> Settings:
    """Adds all that is wrong to *faults*; what is wrong by itself has its default then."""
    from clusterdns.config_rules import disagreements, first_forward  # noqa: PLC0415 - a command without settings

    unknown = {name for name, each in given.items() if each.unknown}
    try:
        settings = _read(given)
    except ValueError:
        unknown |= _wrong_values(given, faults)
        settings = _read({name: each for name, each in given.items() if name not in unknown})
    named = frozenset(name for name, each in given.items() if each.where != DEFAULT)
    for name, text in disagreements(settings, named, unknown):
        where = given[name].where
        faults.append(Fault(where, f"{name}: {text}" if where.line else text))
    return settings if settings.domain == first_forward(settings) else replace(settings, domain=first_forward(settings))


def _read(given: Mapping[str, Given]) -> Settings:
    """The defaults are known to be right, and what was given is read one by one.  Raises ValueError for the first wrong
    one.
    """
    from clusterdns.config_values import FORMS  # noqa: PLC0415

    return Settings(**{name: FORMS[name].read(one.value) for name, one in given.items() if one.where != DEFAULT})


def _wrong_values(given: Mapping[str, Given], faults: list[Fault]) -> set[str]:
    """The settings whose values are wrong; *faults* is told of each."""
    from pydantic import ValidationError  # noqa: PLC0415 - 100 ms that only a mistake has to pay

    from clusterdns.config_model import Model  # noqa: PLC0415

    wrong: set[str] = set()
    try:
        Model.model_validate({name: each.value for name, each in given.items()})
    except ValidationError as error:
        for detail in error.errors():
            name, *item = map(str, detail["loc"])
            wrong.add(name)
            one = given[name]
            where = one.items[int(item[0])] if item and one.items else one.where
            text = str(detail["ctx"]["error"]) if "ctx" in detail and "error" in detail["ctx"] else detail["msg"]
            faults.append(Fault(where, f"{name}: {text}" if where.line else text))
    return wrong
