"""Questions made up from a seed and from what an API server lists: names that exist, nearly exist, or do not."""

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import NamedTuple

import dns.reversename

from live.api import Manifest
from live.asking import Question, flip
from live.clusters import DOMAIN, QUIET
from live.endpoints import SERVICE_NAME

# A name's own types are asked for more often than the ones that nothing has.
_TYPES = ("A",) * 6 + ("AAAA",) * 5 + ("SRV",) * 5 + ("PTR", "CNAME", "TXT", "NS", "SOA", "ANY")
_RARE = ("MX", "HTTPS", "SVCB", "CAA", "DS", "DNSKEY", "HINFO", "NAPTR", "TYPE65280")
_WORDS = ("svc", "pod", "dns-version", "ns.dns", "dns", "x.dns", "ns", "x.dns-version", "nope", "x.nope")
# Names that are there, or not, whatever the objects are.
_FIXED = (DOMAIN, "in-addr.arpa", "ip6.arpa", *(f"{word}.{DOMAIN}" for word in _WORDS))
_PROTOCOLS = ("tcp", "udp", "sctp")
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-"


class Known(NamedTuple):
    """The words that names are made of."""

    services: list[str]  # "web.shop"
    namespaces: list[str]
    ports: list[str]
    own_ports: list[str]  # "_http._tcp.web.shop"
    hosts: dict[str, list[str]]  # of a Service's endpoints: hostnames, dashed addresses, names of their targets
    addresses: list[str]
    pods: list[str]  # "10-1-2-3.shop", of pods


def known(lists: dict[str, Manifest]) -> Known:
    services, own_ports, addresses = [], set(), set()
    for service in lists["Service"]["items"]:
        spec = service["spec"]
        owner = f"{service['metadata']['name']}.{service['metadata']['namespace']}"
        services.append(owner)
        if spec.get("clusterIP") != "None":
            own_ports |= {f"{_port_name(port)}.{owner}" for port in spec.get("ports", []) if port.get("name")}
            addresses |= set(spec.get("clusterIPs", []))
    hosts: dict[str, list[str]] = {}
    for piece in lists["EndpointSlice"]["items"]:
        owner = piece["metadata"]["labels"][SERVICE_NAME] + "." + piece["metadata"]["namespace"]
        own_ports |= {f"{_port_name(port)}.{owner}" for port in piece.get("ports") or [] if port.get("name")}
        for endpoint in piece.get("endpoints") or []:
            hosts.setdefault(owner, []).extend(_labels(endpoint))
            addresses |= {one for one in endpoint["addresses"] if piece["addressType"] != "FQDN"}
    pods = []
    for pod in lists["Pod"]["items"]:
        for address in pod.get("status", {}).get("podIPs", []):
            addresses.add(address["ip"])
            pods.append(f"{_dashed(address['ip'])}.{pod['metadata']['namespace']}")
    namespaces = [one["metadata"]["name"] for one in lists["Namespace"]["items"]]
    ports = {own.split(".")[0].removeprefix("_") for own in own_ports}
    return Known(
        services,
        namespaces,
        sorted(ports),
        sorted(own_ports),
        {owner: sorted(hosts[owner]) for owner in sorted(hosts)},
        sorted(addresses),
        pods,
    )


def _labels(endpoint: Manifest) -> list[str]:
    """The likely one, and the others that options or other servers give it."""
    dashed, target = _dashed(endpoint["addresses"][0]), endpoint.get("targetRef", {}).get("name")
    return [endpoint.get("hostname") or dashed] * 4 + [dashed] + ([target, target] if target else [])


def _port_name(port: Mapping[str, str]) -> str:
    return f"_{port['name']}._{port['protocol'].lower()}"


def questions(seed: str, words: Known, count: int) -> Iterator[Question]:
    """*count* of them, each another."""
    rng = Random(seed)
    seen = {Question(f"{name}.", rtype) for name in _FIXED for rtype in (*_TYPES, *_RARE)}
    yield from sorted(seen)
    while len(seen) < count:
        name = _name(rng, words)
        rtype = rng.choice(_TYPES)
        if name.endswith(".arpa") and rng.random() < 0.7:
            rtype = "PTR"
        elif name.startswith("_") and rng.random() < 0.5:
            rtype = "SRV"
        if rng.random() < 0.1:
            rtype = rng.choice(_RARE)
        if rng.random() < 0.1:
            name = flip(rng, name)
        question = Question(name + ".", rtype)
        if question not in seen and _is_name(name):
            seen.add(question)
            yield question


def _is_name(name: str) -> bool:
    return len(name) < 254 and all(0 < len(label) < 64 for label in name.split("."))


def _name(rng: Random, words: Known) -> str:
    make = rng.choices(list(_SHAPES), list(_SHAPES.values()))[0]
    name = make(rng, words)
    return _nearly(rng, name) if rng.random() < 0.12 else name


def _service(rng: Random, words: Known) -> str:
    return f"{rng.choice(words.services)}.svc.{DOMAIN}"


def _endpoint(rng: Random, words: Known) -> str:
    owner, hosts = rng.choice(list(words.hosts.items()))
    return f"{rng.choice(hosts)}.{owner}.svc.{DOMAIN}"


def _own_port(rng: Random, words: Known) -> str:
    return f"{rng.choice(words.own_ports)}.svc.{DOMAIN}"


def _port(rng: Random, words: Known) -> str:
    """Of some Service, hardly of this one."""
    return f"{rng.choice(('_', '_', '__'))}{rng.choice(words.ports)}._{rng.choice(_PROTOCOLS)}.{_service(rng, words)}"


def _bare_underscore(rng: Random, words: Known) -> str:
    port, protocol, rest = rng.choice(words.own_ports).split(".", 2)
    return f"{rng.choice((port, '_'))}.{rng.choice((protocol, '_'))}.{rest}.svc.{DOMAIN}"


def _no_underscore(rng: Random, words: Known) -> str:
    port, protocol, rest = rng.choice(words.own_ports).split(".", 2)
    first, second = rng.choice(((port, protocol[1:]), (port[1:], protocol), (port[1:], protocol[1:])))
    return f"{first}.{second}.{rest}.svc.{DOMAIN}"


def _protocol(rng: Random, words: Known) -> str:
    """What lies between a port's name and its Service."""
    return f"{rng.choice(('_', ''))}{rng.choice(_PROTOCOLS)}.{_service(rng, words)}"


def _deep(rng: Random, words: Known) -> str:
    below = rng.choice(("a.b.c", "x._http._tcp", "zone.pin._zone", "a.b.c.d"))
    return f"{below}.{_service(rng, words)}"


def _of_the_schema(rng: Random, words: Known) -> str:
    return rng.choice(_FIXED)


def _namespace(rng: Random, words: Known) -> str:
    namespace = rng.choice([*words.namespaces, "nowhere", QUIET])
    return f"{rng.choice(('', '', 'nobody.', '*.', 'any.'))}{namespace}.{rng.choice(('svc', 'svc', 'pod'))}.{DOMAIN}"


def _other_namespace(rng: Random, words: Known) -> str:
    service = rng.choice(words.services).split(".")[0]
    return f"{service}.{rng.choice([*words.namespaces, 'nowhere'])}.svc.{DOMAIN}"


def _pod(rng: Random, words: Known) -> str:
    name = rng.choice(words.pods)
    if rng.random() < 0.3:
        label = rng.choice(
            ("1-2-3-4", "1-2-3", "256-1-1-1", "01-2-3-4", "p-0", "--1", "2001-db8--7", "1-2-3-4-5", "a--b--c")
        )
        name = f"{label}.{rng.choice(words.namespaces)}"
    return f"{rng.choice(('', '', '', '', 'x.', '_http._tcp.'))}{name}.pod.{DOMAIN}"


def _reverse(rng: Random, words: Known) -> str:
    return dns.reversename.from_address(rng.choice(words.addresses)).to_text(omit_final_dot=True)


def _reverse_prefix(rng: Random, words: Known) -> str:
    labels = _reverse(rng, words).split(".")
    return ".".join(labels[rng.randint(1, len(labels) - 2) :])


def _reverse_near(rng: Random, words: Known) -> str:
    """Another address, a name below one, and labels that no address has."""
    name = _reverse(rng, words)
    first, rest = name.split(".", 1)
    return rng.choice((f"9.{rest}", f"0{name}", f"x.{name}", f"x.{rest}", f"{first}.{name}", f"254.{rest}"))


def _outside(rng: Random, words: Known) -> str:
    names = ("example.com", "local", f"not{DOMAIN}", "www.example.com", "arpa", "1.home.arpa", f"{DOMAIN}.example.com")
    return rng.choice(names)


_SHAPES: dict[Callable[[Random, Known], str], float] = {
    _service: 34,
    _endpoint: 24,
    _own_port: 16,
    _port: 4,
    _bare_underscore: 2,
    _no_underscore: 2,
    _protocol: 3,
    _deep: 2,
    _of_the_schema: 3,
    _namespace: 5,
    _other_namespace: 5,
    _pod: 9,
    _reverse: 16,
    _reverse_prefix: 4,
    _reverse_near: 3,
    _outside: 1,
}


def _nearly(rng: Random, name: str) -> str:
    """One letter or one label more, less or other."""
    labels = name.split(".")
    at = rng.randrange(len(labels))
    where = rng.randrange(len(labels[at]))
    label = labels[at]
    change = rng.randrange(5)
    if change == 0:
        labels[at] = label[:where] + label[where + 1 :]
    elif change == 1:
        labels[at] = label[:where] + rng.choice(_LETTERS) + label[where:]
    elif change == 2:
        labels[at] = label[:where] + rng.choice(_LETTERS) + label[where + 1 :]
    elif change == 3:
        del labels[at]
    else:
        labels.insert(at, label)
    return ".".join(labels)


def _dashed(address: str) -> str:
    text = address.replace(".", "-").replace(":", "-")
    return text + "0" if text.endswith("-") else text
