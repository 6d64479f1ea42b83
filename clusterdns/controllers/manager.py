"""The controllers together: from what sources say to the Services that records are made of."""

from collections.abc import Generator, Iterable, Mapping, Sequence

from msgspec import Struct

from clusterdns.cluster.addresses import Network
from clusterdns.cluster.model import Endpoints, EndpointSlice, Key, Object, Pod, Published, Service
from clusterdns.cluster.state import Changed, State
from clusterdns.controllers.cluster_ips import ClusterIPs
from clusterdns.controllers.endpoints import MANAGED_BY, slices_for
from clusterdns.controllers.index import ANY, LabelIndex, Pair
from clusterdns.controllers.memory import Memory
from clusterdns.controllers.mirroring import mirror
from clusterdns.controllers.node_ports import NodePorts
from clusterdns.controllers.stand_ins import StandIns
from clusterdns.errors import Problem
from clusterdns.steps import at_once

# A dump's slices of these are the truth about their Service, so nobody here makes it again.
SLICE_CONTROLLER = "endpointslice-controller.k8s.io"
MIRRORING_CONTROLLER = "endpointslicemirroring-controller.k8s.io"


class ControllerOptions(Struct, frozen=True):
    """Ranges: at most one network of each family, the cluster's default family first."""

    service_cidr: tuple[Network, ...] = ()
    pod_cidr: tuple[Network, ...] = ()
    stand_ins: bool = True
    enabled: bool = True  # False with a live API, whose controllers have done it all


class Controllers:
    """Keeps what was allocated and finds out which Services a change concerns; everything else is in the State."""

    def __init__(self, options: ControllerOptions, memory: Memory | None = None) -> None:
        """*memory*: from the ``export`` of an earlier life."""
        memory = memory or Memory()
        self._enabled = options.enabled
        self._state = State()
        self._cluster_ips = ClusterIPs(options.service_cidr, memory.cluster_ips)
        self._node_ports = NodePorts(memory.node_ports)
        self._stand_ins = StandIns(options.pod_cidr, memory.stand_ins) if options.stand_ins else None
        self._pods: LabelIndex[Key] = LabelIndex()  # the real ones under each of their labels, and ANY
        self._stood_in: LabelIndex[Key] = LabelIndex()  # stand-ins likewise
        self._selectors: LabelIndex[Key] = LabelIndex()  # Services under one pair of their selector
        self._anchors: dict[Key, Pair] = {}  # which pair that is
        self._dirty: set[Key] = set()
        self.stood: frozenset[Key] = frozenset()  # stand-ins that came, went or changed in the last round

    @property
    def enabled(self) -> bool:
        """False: others have done it all."""
        return self._enabled

    def update(self, state: State, changes: Sequence[Changed]) -> set[Key]:
        """Takes in a round's *changes*, which *state* already has; returns the Services whose Published may be new."""
        self.take(state, changes)
        at_once(self.learn(state))
        return self.settle(state)

    def take(self, state: State, changes: Sequence[Changed]) -> None:
        """A part of a round, for who must pause between parts.  After the last one come ``learn`` and ``settle``.

        Nothing is allocated before: who gets which address must not depend on how a round was cut.
        """
        self._state = state
        for change in changes:
            self._note(state, change)
        if self._enabled:
            services = [(_service(old), _service(new)) for old, new in changes if isinstance(old or new, Service)]
            self._cluster_ips.take(services)
            self._node_ports.take(services)
            if self._stand_ins:
                self._stand_ins.take(state, changes)

    def learn(self, state: State) -> Generator[None, None, None]:
        """Looks at all of *state* where that has become necessary, a little at a time."""
        if self._enabled and self._stand_ins:
            yield from self._stand_ins.learn(state)

    def settle(self, state: State) -> set[Key]:
        """Ends a round: allocates, makes stand-ins, and returns the Services whose Published may be new."""
        if self._enabled:
            self._dirty |= self._cluster_ips.settle() | self._node_ports.settle()
            stood = self._stand_ins.settle(state, self._pods) if self._stand_ins else []
            for old, new in stood:
                self._note_pod(state, self._stood_in, old, new)
            self.stood = frozenset(one.key for change in stood for one in change if one)
        dirty, self._dirty = self._dirty, set()
        return dirty

    def service(self, state: State, key: Key) -> Service | None:
        """With what was allocated to it."""
        service = state.get("Service", key)
        return self._node_ports.fill(self._cluster_ips.fill(service)) if service and self._enabled else service

    def published(self, state: State, key: Key) -> Published | None:
        """The Service as its zone shows it; None where there is none."""
        service = self.service(state, key)
        if service is None:
            return None
        given = state.slices(key)
        if not self._enabled:
            return Published(service, given)
        made = self._make(state, service, given)
        if made is None:
            return Published(service, given)
        slices = [*made, *(one for one in given if one.managed_by != MANAGED_BY)]
        return Published(service, tuple(sorted(slices, key=lambda one: one.key)))

    def selected(self, state: State, service: Service) -> list[Pod]:
        """The pods that its selector matches, stand-ins among them, in no particular order."""
        selector, namespace = service.selector, service.key.namespace
        if not selector:
            return []
        real = self._pods.under(namespace, self._pods.fewest(namespace, selector.items()))
        pods = [state.get("Pod", key) for key in real]
        if self._stand_ins:
            others = self._stood_in.under(namespace, self._stood_in.fewest(namespace, selector.items()))
            pods += [self._stand_ins.get(key) for key in others]
        return [pod for pod in pods if pod and selects(selector, pod.labels)]

    def pod(self, state: State, key: Key) -> Pod | None:
        """The one of that name, a stand-in where no real one is."""
        return state.get("Pod", key) or (self._stand_ins.get(key) if self._stand_ins else None)

    def stand_ins(self) -> Iterable[Pod]:
        return self._stand_ins.all() if self._stand_ins else ()

    def problems(self) -> tuple[Problem, ...]:
        """What is wrong between objects as of the last round, at their places of now; sorted."""
        found = [*self._cluster_ips.problems(self._state), *self._node_ports.problems(self._state)]
        if self._stand_ins:
            found += self._stand_ins.problems(self._state)
        return tuple(sorted(found))

    def displaced(self) -> list[Key]:
        """Services whose ClusterIP was somebody else's first choice, too: without memory a restart may move them."""
        return self._cluster_ips.displaced()

    def export(self) -> Memory:
        return Memory(
            self._cluster_ips.export(),
            self._node_ports.export(),
            self._stand_ins.export() if self._stand_ins else {},
        )

    def _make(self, state: State, service: Service, given: Iterable[EndpointSlice]) -> tuple[EndpointSlice, ...] | None:
        """The slices of *service* that nobody wrote; None: none are to be made."""
        managers = {one.managed_by for one in given}
        if service.type == "ExternalName":
            return None
        if service.selector:
            if SLICE_CONTROLLER in managers:
                return None
            if pods := self.selected(state, service):
                return slices_for(service, pods, service.ip_families)
        endpoints = state.get("Endpoints", service.key)
        if endpoints is None or MIRRORING_CONTROLLER in managers:
            return None
        return mirror(endpoints)

    def _note(self, state: State, change: Changed) -> None:
        """Indexes *change* and marks whom it concerns."""
        old, new = change
        match old or new:
            case Service(key=key):
                self._dirty.add(key)
                self._note_selector(key, _service(new))
            case EndpointSlice():
                for one in (old, new):
                    if isinstance(one, EndpointSlice) and one.service.name:
                        self._mark(state, one.service)
            case Endpoints(key=key) if self._enabled:
                self._mark(state, key)
            case Pod() if self._enabled:
                self._note_pod(state, self._pods, old, new)

    def _mark(self, state: State, service: Key) -> None:
        # A Service that is not there is marked when it comes, or was when it went.
        if service not in self._dirty and state.get("Service", service):
            self._dirty.add(service)

    def _note_selector(self, key: Key, new: Service | None) -> None:
        if anchor := self._anchors.pop(key, None):
            self._selectors.remove(key.namespace, [anchor], key)
        if self._enabled and new and new.selector and new.type != "ExternalName":
            anchor = self._selectors.fewest(key.namespace, new.selector.items())
            self._anchors[key] = anchor
            self._selectors.add(key.namespace, [anchor], key)

    def _note_pod(self, state: State, index: LabelIndex[Key], old: Object | None, new: Object | None) -> None:
        relabelled = old is None or new is None or old.labels != new.labels
        if old and relabelled:
            index.remove(old.key.namespace, (*old.labels.items(), ANY), old.key)
            self._mark_selecting(state, old)
        if new:
            self._mark_selecting(state, new)
            if relabelled:
                index.add(new.key.namespace, (*new.labels.items(), ANY), new.key)

    def _mark_selecting(self, state: State, pod: Object) -> None:
        for key in self._selectors.near(pod.key.namespace, pod.labels):
            service = state.get("Service", key)
            if service and service.selector and selects(service.selector, pod.labels):
                self._dirty.add(key)


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """A Service's selector; the empty one is none and is not asked here."""
    return selector.items() <= labels.items()


def _service(item: Object | None) -> Service | None:
    return item if isinstance(item, Service) else None
