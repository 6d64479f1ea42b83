"""Wildcards of early kube-dns: ``*`` or ``any`` in a question, in the place of a namespace, Service, endpoint, port or
protocol.  ``*.shop.svc.cluster.local.`` has the addresses of all Services of ``shop``.

A name that exists is itself, whatever it is called.  Aliases have no part in this: a CNAME stands alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile

from clusterdns.cluster.model import Endpoint, EndpointSlice, Key, Published
from clusterdns.zone.names import Name, child, label, labels
from clusterdns.zone.pods import PodNames
from clusterdns.zone.prepared import ANY, Node, entry
from clusterdns.zone.rdata import AAAA, SRV, A, RRset, address_rrsets
from clusterdns.zone.records import endpoint_label, service_name, shown

MAX_RECORDS = 1000
MAX_LOOKS = 10_000  # Services and endpoints looked at for one question: some milliseconds

_WILD = frozenset((b"*", b"any"))


def is_wild(qname: bytes) -> bool:
    return not _WILD.isdisjoint(labels(qname))


class Catalogue:
    """The published Services by namespace and name, and by name and namespace."""

    def __init__(self) -> None:
        self._by_namespace: dict[bytes, dict[bytes, Published]] = {}
        self._by_name: dict[bytes, dict[bytes, Published]] = {}

    def note(self, changes: Mapping[Key, Published | None]) -> None:
        for key, published in changes.items():
            namespace, name = key.namespace.encode(), key.name.encode()
            _assign(self._by_namespace, namespace, name, published)
            _assign(self._by_name, name, namespace, published)

    def matching(self, namespace: bytes, name: bytes) -> Iterator[Published]:
        """In the order of namespaces and names."""
        if namespace in _WILD and name in _WILD:
            for one in sorted(self._by_namespace):
                yield from self.matching(one, name)
        elif namespace in _WILD:
            yield from _in_order(self._by_name.get(name, {}))
        elif name in _WILD:
            yield from _in_order(self._by_namespace.get(namespace, {}))
        elif published := self._by_namespace.get(namespace, {}).get(name):
            yield published


def _assign(index: dict[bytes, dict[bytes, Published]], one: bytes, two: bytes, published: Published | None) -> None:
    if published:
        index.setdefault(one, {})[two] = published
    elif one in index:
        index[one].pop(two, None)
        if not index[one]:
            del index[one]


def _in_order(found: dict[bytes, Published]) -> Iterator[Published]:
    return (found[part] for part in sorted(found))


class Gathered:
    """What a wildcard stands for, as far as the question wants to know it."""

    def __init__(self, catalogue: Catalogue, apex: Name, rtype: int) -> None:
        self._catalogue = catalogue
        self._apex = apex
        self._srv = rtype == SRV.rtype
        self._octets = {A.rtype: (4,), AAAA.rtype: (16,), ANY: (4, 16)}.get(rtype, ())  # of addresses that are wanted
        self._looks = 0
        self._full = False
        self.exists = False
        self.addresses: set[bytes] = set()
        self.targets: dict[tuple[Name, int], None] = {}
        self.hosts: dict[Name, set[bytes]] = {}  # addresses of targets

    def services(self, namespace: bytes, name: bytes) -> None:
        for published in self._matching(namespace, name):
            service = published.service
            if service.headless:
                self._endpoints(published, b"*")
                continue
            self._take(service.cluster_ips)
            for port in service.ports if self._srv and service.cluster_ips else ():
                self._aim(published, "", port.number, service.cluster_ips)

    def endpoints(self, namespace: bytes, name: bytes, host: bytes) -> None:
        for published in self._matching(namespace, name):
            self._endpoints(published, host)

    def ports(self, namespace: bytes, name: bytes, protocol: bytes, port: bytes) -> None:
        """*protocol* and *port* with their underscores."""
        for published in self._matching(namespace, name):
            service = published.service
            if not service.headless:
                for one in service.ports if service.cluster_ips else ():
                    if _is_port(one.name, one.protocol, port, protocol):
                        self._aim(published, "", one.number, service.cluster_ips)
                continue
            wanted = {
                id(piece): [
                    each.number
                    for each in piece.ports
                    if each.number and _is_port(each.name, each.protocol, port, protocol)
                ]
                for piece in published.slices
            }
            for piece, endpoint in self._shown(published) if any(wanted.values()) else ():
                for number in wanted[id(piece)]:
                    label_of = endpoint_label(endpoint, published.pod_names)
                    self._aim(published, label_of, number, (endpoint.address,))

    def _matching(self, namespace: bytes, name: bytes) -> Iterator[Published]:
        for published in self._catalogue.matching(namespace, name):
            if not self._look():
                return
            if published.service.type != "ExternalName":
                yield published

    def _shown(self, published: Published) -> Iterator[tuple[EndpointSlice, Endpoint]]:
        return takewhile(lambda _: self._look(), shown(published))

    def _look(self) -> bool:
        """Whether one more Service or endpoint is looked at."""
        self._looks += 1
        if self._looks > MAX_LOOKS:
            self.exists = True  # who has not looked at everything must not deny
        return self._looks <= MAX_LOOKS and not self._full

    def _endpoints(self, published: Published, host: bytes) -> None:
        for piece, endpoint in self._shown(published):
            own = endpoint_label(endpoint, published.pod_names)
            if host not in _WILD and own.encode() != host:
                continue
            self._take((endpoint.address,))
            for port in piece.ports if self._srv else ():
                if port.number:
                    self._aim(published, own, port.number, (endpoint.address,))

    def _take(self, addresses: tuple[bytes, ...]) -> None:
        if not addresses:
            return
        self.exists = True
        self.addresses.update(address for address in addresses if len(address) in self._octets)
        self._full = len(self.addresses) >= MAX_RECORDS if self._octets else not self._srv

    def _aim(self, published: Published, host: str, port: int, addresses: tuple[bytes, ...]) -> None:
        """At the Service, or at an endpoint of it."""
        try:
            base = service_name(published.service.key, self._apex)
            target = child(label(host), base) if host else base
        except ValueError:
            return
        self.exists = True
        self.targets[target, port] = None
        self.hosts.setdefault(target, set()).update(addresses)
        self._full = len(self.targets) >= MAX_RECORDS if self._srv else not self._octets

    def node(self, qname: Name, zone: int, ttl: int) -> Node | None:
        """None: nothing matches."""
        if not self.exists:
            return None
        own = set(sorted(self.addresses)[:MAX_RECORDS])
        entries = {rrset.rtype: entry(rrset) for rrset in address_rrsets(qname, ttl, own)}
        if self.targets and self._srv:
            chosen = sorted(self.targets)[:MAX_RECORDS]
            weight = max(1, 100 // len(chosen))
            answer = RRset(qname, ttl, tuple(SRV(0, weight, port, target) for target, port in chosen))
            entries[SRV.rtype] = entry(answer, list(self._additional(chosen, ttl)))
        return Node(zone, entries)

    def _additional(self, chosen: list[tuple[Name, int]], ttl: int) -> Iterator[RRset]:
        room = MAX_RECORDS - len(chosen)
        for target in dict.fromkeys(target for target, _ in chosen):
            for rrset in address_rrsets(target, ttl, self.hosts[target]):
                room -= len(rrset.rdatas)
                if room < 0:
                    return
                yield rrset


def wild_node(qname: Name, rtype: int, zone: int, apex: Name, ttl: int, catalogue: Catalogue) -> Node | None:
    """The node of *qname*, below ``svc`` and a wildcard in it, and what it has of *rtype*; None: nothing matches."""
    parts = labels(qname)[: -len(labels(apex))]
    found = Gathered(catalogue, apex, rtype)
    match parts:
        case [namespace, b"svc"] if namespace in _WILD:
            found.exists = True  # svc.Z itself exists always
        case [name, namespace, b"svc"]:
            found.services(namespace, name)
        case [protocol, name, namespace, b"svc"] if protocol.startswith(b"_"):
            found.ports(namespace, name, protocol, b"*")
            found.targets.clear()  # it exists because of what is below it
        case [host, name, namespace, b"svc"]:
            found.endpoints(namespace, name, host)
        case [port, protocol, name, namespace, b"svc"]:
            found.ports(namespace, name, protocol, port)
    return found.node(qname, zone, ttl)


def wild_pod(qname: Name, apex: Name, pods: Iterable[PodNames]) -> bytes | None:
    """The address that a pod's name with a wildcard as its namespace stands for; *pods* of all namespaces served.

    b"": the name exists, but has no records.  None: it does not exist.
    """
    match labels(qname)[: -len(labels(apex))]:
        case [namespace, b"pod"] if namespace in _WILD:
            return b""
        case [host, namespace, b"pod"] if namespace in _WILD:
            return next((address for names in pods if (address := names.address(host))), None)
    return None


def _is_port(name: str, protocol: str, port: bytes, wanted: bytes) -> bool:
    """A port without a name has no such names."""
    return bool(name) and _is(port, name) and _is(wanted, protocol)


def _is(part: bytes, text: str) -> bool:
    return part in _WILD or part == b"_" + text.encode()
