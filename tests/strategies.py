"""Small clusters: written by hand for tests that read like dig, and drawn by hypothesis."""

from collections.abc import Iterable, Mapping

from hypothesis import strategies as st

from clusterdns.cluster.addresses import parse_address
from clusterdns.cluster.model import READY, Endpoint, EndpointSlice, Key, Port, Published, Service, ServicePort
from clusterdns.engine import answer
from clusterdns.engine.elsewhere import Later, Resolve
from clusterdns.engine.manners import NOBODY, Peer
from clusterdns.engine.reply import Reply
from clusterdns.engine.table import Table
from clusterdns.steps import at_once
from clusterdns.zone.names import Name, parse_name
from clusterdns.zone.prepared import REFUSED
from clusterdns.zone.tree import Prepared, ZoneOptions

OPTIONS = ZoneOptions((parse_name("cluster.local"),))
Services = Mapping[Key, Published | None]


def key(text: str) -> Key:
    """``"shop/web"``."""
    return Key(*text.split("/"))


def port(text: str) -> Port:
    """``"http/tcp/80"``; ``"/udp/53"`` has no name."""
    name, protocol, number = text.split("/")
    return Port(name, protocol, int(number))


def endpoint(text: str) -> Endpoint:
    """``"10.1.0.7"``, ``"10.1.0.7 db-0"`` with a hostname, ``"!10.1.0.7"`` when not ready."""
    address, _, hostname = text.removeprefix("!").partition(" ")
    return Endpoint(parse_address(address), 0 if text.startswith("!") else READY, hostname)


def slices(of: Key, endpoints: Iterable[str], ports: Iterable[str]) -> tuple[EndpointSlice, ...]:
    """One per family that has endpoints."""
    drawn = [endpoint(text) for text in endpoints]
    found = []
    for family, octets in ((4, 4), (6, 16)):
        own = tuple(one for one in drawn if len(one.address) == octets)
        if own:
            made = tuple(map(port, ports))
            found.append(EndpointSlice(Key(of.namespace, f"{of.name}-{family}"), of, ports=made, endpoints=own))
    return tuple(found)


def cluster_ip(name: str, *addresses: str, ports: Iterable[str] = (), endpoints: Iterable[str] = ()) -> Published:
    numbered = tuple(ServicePort(one.name, one.protocol, one.number, one.number) for one in map(port, ports))
    service = Service(key(name), cluster_ips=tuple(map(parse_address, addresses)), ports=numbered)
    return Published(service, slices(key(name), endpoints, ports))


def headless(name: str, *endpoints: str, ports: Iterable[str] = (), not_ready_too: bool = False) -> Published:
    service = Service(key(name), headless=True, publish_not_ready=not_ready_too)
    return Published(service, slices(key(name), endpoints, ports))


def alias(name: str, target: str) -> Published:
    return Published(Service(key(name), type="ExternalName", external_name=target))


def by_key(services: Iterable[Published]) -> dict[Key, Published]:
    return {published.service.key: published for published in services}


Addresses = tuple[bytes, ...]


def apply(
    table: Table, services: Services, namespaces: Iterable[str], serial: int = 1, pods: Mapping[Key, Addresses] = {}
) -> Prepared:
    """One round."""
    prepared = at_once(table.tree.prepare(services, frozenset(namespaces), pods))
    for _ in table.stage(prepared):
        pass
    table.apply(prepared, serial)
    return prepared


def table_of(*services: Published, namespaces: Iterable[str] = (), options: ZoneOptions = OPTIONS) -> Table:
    """Published in one round; the namespaces are those of the Services and *namespaces*."""
    table = Table(options)
    apply(table, by_key(services), {one.service.key.namespace for one in services} | set(namespaces))
    return table


class Responder(answer.Responder):
    """One whose answers are at hand: nobody is waited for."""

    def answer(self, packet: bytes, transport: str = "udp", peer: Peer = NOBODY) -> bytes | None:
        return at_hand(super().answer(packet, transport, peer))

    def _slow(self, packet: bytes, transport: str, peer: Peer) -> bytes | None:
        return at_hand(super()._slow(packet, transport, peer))


def at_hand(response: bytes | Later | None) -> bytes | None:
    assert response is None or isinstance(response, bytes), "somebody is asked"
    return response


class Refusing:
    """An Elsewhere that asks nobody."""

    def takes(self, name: Name) -> bool:
        return False

    def tells(self, name: Name) -> bool:
        return self.takes(name)

    def known(
        self, packet: bytes, end: int, name: bytes, rtype: int, limit: int, opt: bytes, address: str
    ) -> bytes | None:
        return None

    def ask(self, resolve: Resolve) -> bytes | Later:
        return resolve.inside.finish(resolve, Reply(REFUSED, resolve.flags))


def responder(*services: Published, recursion: bool = False, options: ZoneOptions = OPTIONS) -> Responder:
    return Responder(table_of(*services, options=options), elsewhere=Refusing() if recursion else None)


def many(count: int, network: str = "10.9.0.0") -> list[str]:
    """That many IPv4 addresses, one after the other."""
    first = int.from_bytes(parse_address(network))
    return [".".join(map(str, (first + number).to_bytes(4))) for number in range(count)]


SHOP = (
    cluster_ip("shop/web", "10.96.0.10", "fd00::10", ports=["http/tcp/80", "/tcp/9"],
               endpoints=["10.1.0.1", "10.1.0.2 w-1"]),
    cluster_ip("shop/bare", "10.96.0.11"),
    headless("shop/db", "10.1.1.1 db-0", "10.1.1.2 db-1", "!10.1.1.3 db-2", "fd00:1::1 db-0", ports=["sql/tcp/3306"]),
    headless("shop/idle", "!10.1.2.1"),
    headless("shop/empty"),
    alias("shop/docs", "docs.example.org"),
    alias("shop/front", "web.shop.svc.cluster.local"),
    alias("shop/gone", "nothing.shop.svc.cluster.local"),
    alias("shop/self", "self.shop.svc.cluster.local"),
    cluster_ip("ops/web", "10.96.0.20", ports=["http/tcp/80", "dns/udp/53"], endpoints=["10.1.0.1"]),
)  # fmt: skip

label_octets = st.binary(min_size=1, max_size=20)

# The pools are small, so that Services often share addresses, hosts and names.
NAMESPACES = ("shop", "ops")
NAMES = ("web", "db", "a")
KEYS = [Key(namespace, name) for namespace in NAMESPACES for name in NAMES]
ADDRESSES = [parse_address(text) for text in ("10.1.0.1", "10.1.0.2", "10.1.1.1", "10.200.0.1", "fd00::1", "fd00::2:0")]
CLUSTER_IPS = [parse_address(text) for text in ("10.96.0.1", "10.96.0.2", "10.1.0.1", "fd00:10::1")]
HOSTNAMES = ("", "", "h-0", "h-1", "x" * 63)
TARGETS = [f"{name}.{namespace}.svc.cluster.local" for namespace in NAMESPACES for name in NAMES]
TARGETS += ["h-0.db.shop.svc.cluster.local", "1.0.1.10.in-addr.arpa", "example.org", "1.2.3.4", "cluster.local"]
TARGETS += ["svc.cluster.local", "absent.shop.svc.cluster.local"]

ports = st.builds(
    Port, st.sampled_from(["http", "sql", "", "y" * 63]), st.sampled_from(["tcp", "udp"]), st.sampled_from([0, 53, 80])
)
endpoints = st.builds(
    Endpoint,
    st.sampled_from(ADDRESSES),
    st.sampled_from([0, READY]),
    st.sampled_from(HOSTNAMES),
    node=st.sampled_from("nm"),
)


def _unique_ports(drawn: list[Port]) -> tuple[Port, ...]:
    return tuple({(one.name, one.protocol): one for one in drawn}.values())


@st.composite
def published(draw: st.DrawFn, of: Key) -> Published:
    own_ports = _unique_ports(draw(st.lists(ports, max_size=3)))
    own_slices = tuple(
        EndpointSlice(Key(of.namespace, f"{of.name}-{number}"), of, ports=own_ports, endpoints=tuple(own))
        for number, own in enumerate(draw(st.lists(st.lists(endpoints, max_size=4), max_size=2)))
    )
    kind = draw(st.sampled_from(["ClusterIP", "headless", "ExternalName"]))
    addresses = draw(st.lists(st.sampled_from(CLUSTER_IPS), max_size=2, unique=True)) if kind == "ClusterIP" else []
    service = Service(
        of,
        type="ExternalName" if kind == "ExternalName" else "ClusterIP",
        headless=kind == "headless",
        cluster_ips=tuple(addresses),
        external_name=draw(st.sampled_from(TARGETS)) if kind == "ExternalName" else "",
        ports=tuple(ServicePort(one.name, one.protocol, one.number or 1, one.number) for one in own_ports),
        publish_not_ready=draw(st.booleans()),
        labels=draw(st.sampled_from([{}, {"app": "x"}])),  # which no record depends on
    )
    return Published(service, own_slices)


@st.composite
def changes(draw: st.DrawFn) -> dict[Key, Published | None]:
    """What one round is told: some Services new or otherwise, some gone."""
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True, max_size=4))
    return {of: draw(st.none() | published(of)) for of in keys}


rounds = st.lists(st.tuples(changes(), st.frozensets(st.sampled_from([*NAMESPACES, "idle"]))), min_size=1, max_size=5)


@st.composite
def clusters(draw: st.DrawFn) -> Table:
    table = Table(OPTIONS)
    apply(table, draw(changes()), draw(st.frozensets(st.sampled_from(NAMESPACES))))
    return table


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """What may become of a file: its beginning, or with one bit or octet of it otherwise, or with more behind it."""
    at = draw(st.integers(0, len(whole) - 1))
    flipped = bytes((whole[at] ^ 1 << draw(st.integers(0, 7)),))
    torn = [whole[:at], whole[:at] + flipped + whole[at + 1 :], whole + whole[at:], whole[:at] + whole[at + 1 :]]
    return draw(st.sampled_from(torn))
