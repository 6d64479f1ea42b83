"""Which node ports a Service gets (Kubernetes v1.36.3, service/portallocator and service/storage/alloc.go)."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from clusterdns.cluster.model import Key, Service
from clusterdns.cluster.state import State
from clusterdns.controllers.allocate import Allocator, Band, Claimant, Written
from clusterdns.controllers.complaints import ServiceChange, complain, first_and_later
from clusterdns.errors import Problem

# Dynamic ones come from above the static band of min(max(16, 2768/32), 128) = 86 ports while there are any.
BANDS = (Band(30086, 32767), Band(30000, 30085))


class NodePorts:
    """The node ports of all NodePort and LoadBalancer Services.

    A number belongs to one Service, where it may serve the same port over TCP and UDP, as in Kubernetes.  Two Services
    that write the same one both keep it and the later document is reported.
    """

    def __init__(self, memory: Mapping[str, int]) -> None:
        """*memory*: from ``export``."""
        self._written: Written[int] = Written()
        self._allocator = Allocator(BANDS, self._written.__contains__, memory)
        self._outside: set[tuple[int, Key]] = set()

    def take(self, changes: Sequence[ServiceChange]) -> None:
        """Notes who writes and who wants ports; ``settle`` allocates them, for a whole round in one order."""
        changes = [each for each in changes if any(one and has_node_ports(one) for one in each)]  # of most: none
        for old, _ in changes:
            for port, owner in _written(old):
                self._written.remove(port, owner)
                self._allocator.freed()
                self._outside.discard((port, owner))
        for old, new in changes:
            wanted = _wanted(new)
            for claimant in _wanted(old).keys() - wanted.keys():
                self._allocator.drop(claimant)
            for claimant in wanted:
                self._allocator.want(claimant)
        for _, new in changes:
            self._note(new)

    def settle(self) -> set[Key]:
        """Returns the Services whose allocated ports are new."""
        return {Key(*claimant[:2]) for claimant in self._allocator.settle()}

    def fill(self, service: Service) -> Service:
        """*service* with its node ports; 0 stays where there is none left."""
        if not has_node_ports(service):
            return service
        numbers = {port.number: port.node_port for port in service.ports if port.node_port}
        numbers |= {int(claimant[2]): self._allocator[claimant] or 0 for claimant in _wanted(service)}
        ports = tuple(
            port if port.node_port or not numbers.get(port.number) else replace(port, node_port=numbers[port.number])
            for port in service.ports
        )
        return service if ports == service.ports else replace(service, ports=ports)

    def export(self) -> dict[str, int]:
        """``{"shop/web/80": 30999}``."""
        return self._allocator.export()

    def problems(self, state: State) -> Iterator[Problem]:
        for port, owners in self._written.shared():
            for first, service in first_and_later(state, owners):
                text = f"node port {port} is already that of {first.key} ({first.place.path})"
                yield complain(service, "error", "CD405", text, "give it another one, or none")
        for namespace, name, port_text in sorted(self._allocator.refused):
            if found := state.get("Service", Key(namespace, name)):
                text = f"no node port is left for its port {port_text}"
                yield complain(
                    found, "error", "CD406", text, "set allocateLoadBalancerNodePorts: false where it will do"
                )
        for port, owner in sorted(self._outside):
            if found := state.get("Service", owner):
                text = f"node port {port} is outside 30000-32767"
                yield complain(found, "warning", "CD407", text, "it is kept; most clusters refuse it")

    def _note(self, service: Service | None) -> None:
        for port, owner in _written(service):
            self._written.add(port, owner)
            self._allocator.evict(port)
            if not any(port in band for band in BANDS):
                self._outside.add((port, owner))


def has_node_ports(service: Service) -> bool:
    return service.type in ("NodePort", "LoadBalancer")


def _written(service: Service | None) -> list[tuple[int, Key]]:
    """(node port, its owner), each port once."""
    if service is None or not has_node_ports(service):
        return []
    return [(port, service.key) for port in dict.fromkeys(port.node_port for port in service.ports) if port]


def _wanted(service: Service | None) -> dict[Claimant, None]:
    """A claimant for each port number without a written node port: TCP and UDP of one number share theirs."""
    if service is None or not has_node_ports(service):
        return {}
    if service.type == "LoadBalancer" and not service.allocate_node_ports:
        return {}
    written = {port.number for port in service.ports if port.node_port}
    return dict.fromkeys((*service.key, str(port.number)) for port in service.ports if port.number not in written)
