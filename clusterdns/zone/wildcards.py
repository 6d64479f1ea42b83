"""Wildcards of early kube-dns: ``*`` or ``any`` in a question, in the place of a namespace, Service, endpoint, port or
protocol.  ``*.shop.svc.cluster.local.`` has the addresses of all Services of ``shop``.

A name that exists is itself, whatever it is called.  Aliases have no part in this: a CNAME stands alone.
"""

from collections.abc import Iterable, Iterator, Mapping

from clusterdns.cluster.model import Key, Published
from clusterdns.zone.names import Name, child, label, labels
from clusterdns.zone.pods import PodNames
from clusterdns.zone.prepared import Node, entry
from clusterdns.zone.rdata import SRV, RRset, address_rrsets
from clusterdns.zone.records import endpoint_label, service_name, shown

MAX_RECORDS = 1000
MAX_LOOKS = 20_000  # Services and endpoints looked at for one question: some milliseconds

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
    """What a wildcard stands for."""

    def __init__(self, catalogue: Catalogue, apex: Name, *, srv: bool) -> None:
        """*srv*: SRV records are wanted, else addresses."""
        self._catalogue = catalogue
        self._apex = apex
        self._srv = srv
        self._looks = 0
        self.exists = False
        self.addresses: dict[int, set[bytes]] = {4: set(), 16: set()}
        self.targets: dict[tuple[Name, int], None] = {}
        self.hosts: dict[Name, set[bytes]] = {}  # addresses of targets

    @property
    def full(self) -> bool:
        return (
            self._looks > MAX_LOOKS
            or (len(self.targets) if self._srv else min(map(len, self.addresses.values()))) >= MAX_RECORDS
        )

    def services(self, namespace: bytes, name: bytes) -> None:
        for published, base in self._matching(namespace, name):
            if published.service.headless:
                self._endpoints(published, base, b"*")
                continue
            addresses = set(published.service.cluster_ips)
            self._take(addresses)
            if self._srv and addresses:
                for port in published.service.ports:
                    self._aim(base, port.number, addresses)

    def endpoints(self, namespace: bytes, name: bytes, host: bytes) -> None:
        for published, base in self._matching(namespace, name):
            self._endpoints(published, base, host)

    def ports(self, namespace: bytes, name: bytes, protocol: bytes, port: bytes) -> None:
        """*protocol* and *port* with their underscores."""
        for published, base in self._matching(namespace, name):
            if not published.service.headless:
                addresses = set(published.service.cluster_ips)
                for one in published.service.ports if addresses else ():
                    if _is_port(one.name, one.protocol, port, protocol):
                        self._aim(base, one.number, addresses)
                continue
            for piece, endpoint in shown(published):
                self._looks += 1
                for each in piece.ports:
                    if each.number and _is_port(each.name, each.protocol, port, protocol):
                        name_of = _below(endpoint_label(endpoint, published.pod_names), base)
                        self._aim(name_of, each.number, {endpoint.address})

    def _matching(self, namespace: bytes, name: bytes) -> Iterator[tuple[Published, Name]]:
        for published in self._catalogue.matching(namespace, name):
            self._looks += 1
            if self.full:
                self.exists = True  # more than is looked at: nobody may conclude that nothing is there
                return
            if published.service.type != "ExternalName":
                try:
                    yield published, service_name(published.service.key, self._apex)
                except ValueError:
                    continue

    def _endpoints(self, published: Published, base: Name, host: bytes) -> None:
        for piece, endpoint in shown(published):
            self._looks += 1
            own = endpoint_label(endpoint, published.pod_names)
            if host not in _WILD and own.encode() != host:
                continue
            self._take({endpoint.address})
            for port in piece.ports if self._srv else ():
                if port.number:
                    self._aim(_below(own, base), port.number, {endpoint.address})

    def _take(self, addresses: set[bytes]) -> None:
        self.exists |= bool(addresses)
        for address in addresses if not self._srv else ():
            self.addresses[len(address)].add(address)

    def _aim(self, target: Name | None, port: int, addresses: set[bytes]) -> None:
        if target:
            self.exists = True
            self.targets[target, port] = None
            self.hosts.setdefault(target, set()).update(addresses)

    def node(self, qname: Name, zone: int, ttl: int) -> Node | None:
        """None: nothing matches."""
        if not self.exists:
            return None
        entries = {}
        for own in self.addresses.values():
            for rrset in address_rrsets(qname, ttl, set(sorted(own)[:MAX_RECORDS])):
                entries[rrset.rtype] = entry(rrset)
        if self.targets:
            chosen = sorted(self.targets)[:MAX_RECORDS]
            weight = max(1, 100 // len(chosen))
            answer = RRset(qname, ttl, tuple(SRV(0, weight, port, target) for target, port in chosen))
            entries[SRV.rtype] = entry(answer, self._additional(chosen, ttl))
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
    """The node of *qname*, below ``svc`` and with a wildcard in it; None: nothing matches.

    It holds addresses only, or SRV only, as *rtype* asks for.
    """
    parts = labels(qname)[: -len(labels(apex))]
    found = Gathered(catalogue, apex, srv=rtype == SRV.rtype)
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


def _below(host: str, base: Name) -> Name | None:
    try:
        return child(label(host), base)
    except ValueError:
        return None
