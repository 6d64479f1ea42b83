"""Kubernetes objects written short, and slices as text, for tests that read as tables."""

from collections.abc import Iterable, Sequence
from typing import Any

from strategies import endpoint, key, port

from clusterdns.cluster.addresses import address_text, parse_address, parse_network
from clusterdns.cluster.events import Event, Upsert
from clusterdns.cluster.labels import equals
from clusterdns.cluster.model import (
    READY,
    SERVING,
    TERMINATING,
    Endpoints,
    EndpointSlice,
    Key,
    Object,
    Place,
    Pod,
    Published,
    Service,
    ServicePort,
    Subset,
    Workload,
)
from clusterdns.cluster.state import State
from clusterdns.controllers.manager import ControllerOptions, Controllers
from clusterdns.controllers.memory import Memory

APP = {"app": "web"}
ONE_STACK = ("10.96.0.0/12",)
TWO_STACKS = ("10.96.0.0/12", "fd00:10:96::/108")


def place(text: str) -> Place:
    """``"a.yaml:7"``."""
    path, line = text.split(":")
    return Place(path, int(line))


def service_port(text: str) -> ServicePort:
    """``"http/tcp/80>8080"``, ``"http/tcp/80>web"``, ``"http/tcp/80>8080@30080"`` with a node port."""
    left, _, right = text.partition(">")
    name, protocol, number = left.split("/")
    target, _, node_port = right.partition("@")
    resolved = int(target) if target.isdigit() else target
    return ServicePort(name, protocol, int(number), resolved or int(number), int(node_port or 0))


def service(name: str, *ports: str, at: str = ":0", ips: Iterable[str] = (), **fields: Any) -> Service:
    return Service(
        key(name),
        place(at),
        ports=tuple(map(service_port, ports)),
        cluster_ips=tuple(map(parse_address, ips)),
        **fields,
    )


def web(*ports: str, **fields: Any) -> Service:
    """``shop/web``, which selects ``app=web``."""
    return service("shop/web", *ports, selector=APP, **fields)


def pod(name: str, *addresses: str, ports: Iterable[str] = (), **fields: Any) -> Pod:
    """Running and ready, ``app=web``, if *fields* do not say otherwise."""
    chosen: dict[str, Any] = {"phase": "Running", "ready": True, "labels": APP} | fields
    return Pod(key(name), addresses=tuple(map(parse_address, addresses)), ports=tuple(map(port, ports)), **chosen)


def workload(name: str, kind: str = "Deployment", ips: Iterable[str] = (), **fields: Any) -> Workload:
    """Selects and makes ``app=web``, if *fields* do not say otherwise."""
    chosen: dict[str, Any] = {"pod_labels": APP, "selector": equals(fields.get("pod_labels", APP))} | fields
    return Workload(key(name), kind, addresses=tuple(map(parse_address, ips)), **chosen)


def subset(ports: Sequence[str], *endpoints: str) -> Subset:
    return Subset(tuple(map(port, ports)), tuple(map(endpoint, endpoints)))


def endpoints_object(name: str, *subsets: Subset, **fields: Any) -> Endpoints:
    return Endpoints(key(name), subsets=subsets, **fields)


def endpoint_slice(
    name: str, of: str, *endpoints: str, managed_by: str = "", ports: Sequence[str] = ()
) -> EndpointSlice:
    made = tuple(map(endpoint, endpoints))
    return EndpointSlice(key(name), key(of), ports=tuple(map(port, ports)), endpoints=made, managed_by=managed_by)


def shown(slices: Iterable[EndpointSlice]) -> list[str]:
    """``IPv4 http/tcp/8080: 10.1.0.1 web-0 ready serving``, a line per endpoint, by family and ports."""
    lines = []
    for one in sorted(slices, key=lambda one: (one.family, [(p.name, p.protocol, p.number) for p in one.ports])):
        ports = ",".join(f"{p.name}/{p.protocol}/{p.number}" for p in one.ports) or "-"
        for each in one.endpoints:
            flags = ((READY, "ready"), (SERVING, "serving"), (TERMINATING, "terminating"))
            words = [address_text(each.address), each.hostname, *(word for bit, word in flags if each.conditions & bit)]
            lines.append(f"IPv{one.family} {ports}: " + " ".join(filter(None, words)))
    return lines


def addresses(published: Published | None) -> list[str]:
    """Its ClusterIPs."""
    return [address_text(address) for address in published.service.cluster_ips] if published else []


class Cluster:
    """A State and its controllers; each call is a round."""

    def __init__(
        self,
        *objects: Object,
        service_cidr: Sequence[str] = ONE_STACK,
        pod_cidr: Sequence[str] = ("10.244.0.0/16",),
        stand_ins: bool = True,
        enabled: bool = True,
        memory: Memory | None = None,
    ) -> None:
        services, pods = (tuple(map(parse_network, texts)) for texts in (service_cidr, pod_cidr))
        self.state = State()
        self.controllers = Controllers(ControllerOptions(services, pods, stand_ins, enabled), memory)
        self.put(*objects)

    def put(self, *objects: Object) -> set[str]:
        return self.round([Upsert(item) for item in objects])

    def round(self, events: Iterable[Event], *, cut: bool = False) -> set[str]:
        """Returns the dirty Services as text.  *cut*: the controllers learn of one change at a time."""
        changes = self.state.apply("test", events)
        if not cut:
            return {str(dirty) for dirty in self.controllers.update(self.state, changes)}
        for change in changes:
            self.controllers.take(self.state, [change])
        for _ in self.controllers.learn(self.state):
            pass
        return {str(dirty) for dirty in self.controllers.settle(self.state)}

    def published(self, name: str) -> Published:
        found = self.controllers.published(self.state, key(name))
        assert found is not None
        return found

    def all(self) -> dict[Key, Published]:
        found = (self.controllers.published(self.state, item.key) for item in self.state.all("Service"))
        return {one.service.key: one for one in found if one}

    def shown(self, name: str) -> list[str]:
        return shown(self.published(name).slices)

    def addresses(self, name: str) -> list[str]:
        return addresses(self.published(name))

    def node_ports(self, name: str) -> list[int]:
        return [one.node_port for one in self.published(name).service.ports]

    def stand_ins(self) -> dict[str, str]:
        """name -> its addresses."""
        return {
            str(made.key): " ".join(map(address_text, made.addresses))
            for made in sorted(self.controllers.stand_ins(), key=lambda made: made.key)
        }

    def problems(self) -> list[str]:
        return [str(problem) for problem in self.controllers.problems()]
