"""The resolv.conf of a pod, by kubelet's rules (v1.36 ``pkg/kubelet/network/dns/dns.go``)."""

from collections.abc import Iterable
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

CLUSTER_FIRST, WITH_HOST_NET, DEFAULT, NONE = "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"
POLICIES = (CLUSTER_FIRST, WITH_HOST_NET, DEFAULT, NONE)
MAX_FILE_OCTETS = 10 << 20  # of a host's file
# What kubelet passes on; resolvers that know fewer ignore the rest.
MAX_NAMESERVERS, MAX_SEARCHES, MAX_SEARCH_CHARACTERS = 3, 32, 2048
# glibc 2.28 aborts the process over a longer one.
MAX_DOMAIN_CHARACTERS = 253
# So that _port._proto.service.namespace.svc is searched before it is asked as it stands.
NDOTS = "ndots:5"

T = TypeVar("T")


class ResolvConf(Struct, frozen=True):
    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()  # "ndots:5" or "rotate"

    def text(self) -> str:
        """As containerd and CRI-O write it."""
        lines = [f"search {' '.join(self.searches)}\n"] if self.searches else []
        lines += [f"nameserver {address}\n" for address in self.nameservers]
        lines += [f"options {' '.join(self.options)}\n"] if self.options else []
        return "".join(lines)


class PodDns(Struct, frozen=True):
    """What a Pod says about its DNS."""

    namespace: str = "default"
    policy: str = CLUSTER_FIRST  # one of POLICIES
    host_network: bool = False
    config: ResolvConf | None = None  # dnsConfig; "" and no value are the same for an option


class Node(Struct, frozen=True):
    """What kubelet has been told."""

    cluster_dns: tuple[str, ...]
    domain: str  # without the final dot; "": none
    host: ResolvConf | None  # the file of --resolv-conf; None: the flag is empty
    families: tuple[int, ...] = (4,)  # of the node's addresses


def pod_resolv_conf(pod: PodDns, node: Node) -> tuple[ResolvConf, list[str]]:
    """The file, and what kubelet would warn of, a line each."""
    warnings: list[str] = []
    base = _base(pod, node, warnings)
    if pod.config is not None:
        base = ResolvConf(
            _distinct((*base.nameservers, *pod.config.nameservers)),
            _distinct((*base.searches, *pod.config.searches)),
            _merged(base.options, pod.config.options),
        )
    return _limited(base, warnings), warnings


def _base(pod: PodDns, node: Node, warnings: list[str]) -> ResolvConf:
    """By the pod's policy alone."""
    if pod.policy == NONE:
        return ResolvConf()
    if pod.policy == WITH_HOST_NET or (pod.policy == CLUSTER_FIRST and not pod.host_network):
        if node.cluster_dns:
            return ResolvConf(node.cluster_dns, _cluster_searches(pod.namespace, node), (NDOTS,))
        warnings.append(f"MissingClusterDNS: no cluster_dns is set, so {pod.policy} falls back to {DEFAULT}")
    if node.host is None:
        # Nothing but this machine: resolvers ask it anyway where no server is named.
        loopback = tuple("::1" if family == 6 else "127.0.0.1" for family in node.families)
        return ResolvConf(loopback or ("127.0.0.1",), (".",))
    return node.host


def _cluster_searches(namespace: str, node: Node) -> tuple[str, ...]:
    host = node.host.searches if node.host else ()
    if not node.domain:
        return host
    return _distinct((f"{namespace}.svc.{node.domain}", f"svc.{node.domain}", node.domain, *host))


def _distinct(values: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))


def _merged(base: Iterable[str], added: Iterable[str]) -> tuple[str, ...]:
    """One of each name: the later value at the earlier place.  Kubelet's own order is chance."""
    options: dict[str, str] = {}
    for option in (*base, *added):
        name, _, value = option.partition(":")
        options[name] = value
    return tuple(f"{name}:{value}" if value else name for name, value in options.items())


def _limited(conf: ResolvConf, warnings: list[str]) -> ResolvConf:
    servers, searches = conf.nameservers[:MAX_NAMESERVERS], _fitting(conf.searches)
    if len(servers) < len(conf.nameservers):
        warnings.append(
            f"DNSConfigForming: more than {MAX_NAMESERVERS} nameservers; left out: "
            f"{' '.join(conf.nameservers[MAX_NAMESERVERS:])}"
        )
    if len(searches) < len(conf.searches):
        left_out = " ".join(domain for domain in conf.searches if domain not in searches)
        warnings.append(
            f"DNSConfigForming: more than {MAX_SEARCHES} search domains, {MAX_SEARCH_CHARACTERS} characters of them, "
            f"or {MAX_DOMAIN_CHARACTERS} of one; left out: {left_out}"
        )
    return replace(conf, nameservers=servers, searches=searches)


def _fitting(searches: tuple[str, ...]) -> tuple[str, ...]:
    """First the number is cut, then over-long domains go, then the last ones until the line is short enough."""
    kept = [domain for domain in searches[:MAX_SEARCHES] if len(domain) <= MAX_DOMAIN_CHARACTERS]
    while len(" ".join(kept)) > MAX_SEARCH_CHARACTERS:
        kept.pop()
    return tuple(kept)


def parse_resolv_conf(text: str) -> ResolvConf:
    """A host's file as kubelet reads it: nameservers and options add up, the last search line wins.

    Raises ValueError with ``line: problem``, the line counted from 1.
    """
    nameservers: list[str] = []
    searches: tuple[str, ...] = ()
    options: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        word, *values = line.split() or [""]
        if word == "nameserver":
            if not values:
                raise ValueError(f"{number}: nameserver without an address; write one, or remove the line")
            nameservers.append(values[0])
        elif word == "search":
            searches = tuple(domain.removesuffix(".") for domain in values if domain != ".")
        elif word == "options":
            options |= {option.split(":")[0]: option for option in values}
    return ResolvConf(tuple(nameservers), searches, tuple(options.values()))
