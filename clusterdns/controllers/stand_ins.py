"""Which workloads have stand-in pods at the moment, and with which addresses."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

from clusterdns.cluster.addresses import Network, family
from clusterdns.cluster.events import Kind
from clusterdns.cluster.labels import matches
from clusterdns.cluster.model import Endpoints, EndpointSlice, Key, Object, Pod, Service, Workload, identity
from clusterdns.cluster.state import WORKLOADS, Changed, State
from clusterdns.controllers.allocate import Allocator, usable
from clusterdns.controllers.complaints import complain
from clusterdns.controllers.endpoints import MANAGED_BY
from clusterdns.controllers.index import LabelIndex, anchors
from clusterdns.controllers.memory import export_addresses, packed, remembered_addresses, taken_addresses
from clusterdns.controllers.workloads import (
    MAX_STAND_INS,
    annotated_addresses,
    pod_names,
    runs_pods,
    selector_of,
    stand_in,
)
from clusterdns.errors import Problem

Identity = tuple[Kind, Key]

_ADDRESSED: tuple[Kind, ...] = ("EndpointSlice", "Service", "Pod", "Endpoints", *WORKLOADS)  # kinds with addresses
_OBJECTS_AT_ONCE = 64  # whose addresses are noted without a pause


class StandIns:
    """The stand-ins of every workload that has no pod in the manifests.

    A ReplicaSet with a controller has none: its Deployment has them.  One whose name a real Pod has is not made;
    Kubernetes could not make it either.  Their addresses are none that an object of the manifests has: where one
    comes to have it, the stand-in moves.
    """

    def __init__(self, ranges: Sequence[Network], memory: Mapping[str, str]) -> None:
        """*ranges*: at most one of each family.  *memory*: from ``export``."""
        remembered = remembered_addresses(memory)
        self._used: dict[bytes, int] = {}  # addresses of our ranges -> how often objects have them
        self._knows_used = False  # nobody need know before the first workload comes, and many clusters show us none
        self._allocators: dict[int, Allocator] = {}
        self._bounds: dict[int, tuple[bytes, bytes]] = {}  # octets of an address -> first and last, packed
        for network in ranges:
            if band := usable(network):
                taken = taken_addresses(self._used, network.version)
                self._allocators[network.version] = Allocator([band], taken, remembered[network.version])
                first, last = (packed(value, network.version) for value in band)
                self._bounds[len(first)] = (first, last)
        self._selectors: LabelIndex[Identity] = LabelIndex()
        self._names: dict[Identity, list[Key]] = {}  # of the stand-ins it should have
        self._workloads: dict[Key, Identity] = {}  # _names backwards
        self._made: dict[Key, Pod] = {}
        self._touched: set[Identity] = set()

    def take(self, state: State, changes: Sequence[Changed]) -> None:
        """Notes what *changes* mean for whom; ``settle`` acts on it."""
        for old, new in changes:
            if isinstance(old, Workload) or isinstance(new, Workload):
                self._note_workload(old, new)
            elif isinstance(old, Pod) or isinstance(new, Pod):
                self._note_pod(state, old, new)
            if self._knows_used:
                self._note_addresses(old, new)

    def learn(self, state: State) -> Generator[None, None, None]:
        """Comes before ``settle``: notes all addresses of *state* once there is a workload.  Yields often."""
        if self._knows_used or not self._touched:
            return
        self._knows_used = True
        for kind in _ADDRESSED:
            for number, item in enumerate(state.snapshot(kind), 1):
                self._note_addresses(None, item)
                if not number % _OBJECTS_AT_ONCE:
                    yield

    def settle(self, state: State, pods: LabelIndex[Key]) -> list[Changed]:
        """Returns the changes of stand-ins.  *pods*: the real ones by their labels."""
        touched, self._touched = self._touched, set()
        gone: list[Key] = []
        for workload in touched:
            gone += self._rename(state, workload, pods)
        for allocator in self._allocators.values():
            touched |= {self._workloads[Key(*name)] for name in allocator.settle()}
        changes = [Changed(self._made.pop(name), None) for name in gone if name in self._made]
        for workload in touched:
            changes += self._make(state, workload)
        return changes

    def get(self, key: Key) -> Pod | None:
        return self._made.get(key)

    def all(self) -> Iterable[Pod]:
        return self._made.values()

    def export(self) -> dict[str, str]:
        return export_addresses(self._allocators)

    def problems(self, state: State) -> Iterator[Problem]:
        refused = {self._workloads[Key(*name)] for one in self._allocators.values() for name in one.refused}
        for which in sorted(refused):
            if item := state.get(*which):
                text = "pod_cidr has no free address left for its stand-in pods"
                yield complain(item, "error", "CD408", text, "set a larger pod_cidr")
        for which in self._names:
            workload = _workload(state, which)
            if workload and workload.kind != "DaemonSet" and workload.replicas > MAX_STAND_INS:
                text = f"only {MAX_STAND_INS} of its {workload.replicas} replicas get stand-in pods"
                yield complain(workload, "warning", "CD409", text, "write down the pods that must be found")

    def _note_workload(self, old: Object | None, new: Object | None) -> None:
        if isinstance(old, Workload):
            self._selectors.remove(old.key.namespace, anchors(selector_of(old)), identity(old))
            self._touched.add(identity(old))
        if isinstance(new, Workload):
            self._selectors.add(new.key.namespace, anchors(selector_of(new)), identity(new))
            self._touched.add(identity(new))

    def _note_pod(self, state: State, old: Object | None, new: Object | None) -> None:
        """A pod that comes, goes or is relabelled decides whether its workload needs stand-ins."""
        if old and new and old.labels == new.labels:
            return
        for pod in (old, new):
            if pod is None:
                continue
            if pod.key in self._workloads:
                self._touched.add(self._workloads[pod.key])
            for kind, key in self._selectors.near(pod.key.namespace, pod.labels):
                workload = _workload(state, (kind, key))
                if workload and matches(selector_of(workload), pod.labels):
                    self._touched.add((kind, key))

    def _note_addresses(self, old: Object | None, new: Object | None) -> None:
        used = self._used
        for address in self._in_ranges(old) if old else ():
            used[address] -= 1
            if not used[address]:
                del used[address]
                self._allocators[family(address)].freed()
        for address in self._in_ranges(new) if new else ():
            used[address] = used.get(address, 0) + 1
            if self._names and (loser := self._allocators[family(address)].evict(int.from_bytes(address))):
                self._touched.add(self._workloads[Key(*loser)])

    def _in_ranges(self, item: Object) -> list[bytes]:
        """The addresses of *item* that a stand-in could have."""
        addresses = _addresses(item) if self._bounds else ()
        if not addresses:
            return []
        low, high = min(addresses), max(addresses)  # of most of 150,000 endpoints this is all that is looked at
        return [
            address
            for octets, (first, last) in self._bounds.items()
            if low <= last and first <= high
            for address in addresses
            if first <= address <= last and len(address) == octets
        ]

    def _rename(self, state: State, which: Identity, pods: LabelIndex[Key]) -> list[Key]:
        """Decides which stand-ins it should have and which of them need an address; returns those it has no more."""
        workload = _workload(state, which)
        names = pod_names(workload) if workload and not _represented(state, workload, pods) else []
        kept = set(names)
        gone = [name for name in self._names.pop(which, []) if name not in kept]
        for name in gone:
            del self._workloads[name]
            self._want(name, wanted=False)
        if workload and names:
            self._names[which] = names
            for name in names:
                self._workloads[name] = which
                self._want(name, wanted=not workload.addresses and state.get("Pod", name) is None)
        return gone

    def _want(self, name: Key, *, wanted: bool) -> None:
        for allocator in self._allocators.values():
            if wanted:
                allocator.want(name)
            else:
                allocator.drop(name)

    def _make(self, state: State, which: Identity) -> Iterator[Changed]:
        workload = _workload(state, which)
        for number, name in enumerate(self._names.get(which, ()) if workload else ()):
            old, new = self._made.get(name), self._pod(state, workload, number, name) if workload else None
            if new == old:
                continue
            if new:
                self._made[name] = new
            else:
                del self._made[name]
            yield Changed(old, new)

    def _pod(self, state: State, workload: Workload, number: int, name: Key) -> Pod | None:
        if state.get("Pod", name):
            return None
        addresses = annotated_addresses(workload, number) if workload.addresses else self._allocated(name)
        return stand_in(workload, number, name, addresses) if addresses else None

    def _allocated(self, name: Key) -> tuple[bytes, ...]:
        found = ((version, allocator[name]) for version, allocator in self._allocators.items())
        return tuple(packed(value, version) for version, value in found if value is not None)


def _workload(state: State, which: Identity) -> Workload | None:
    item = state.get(*which)
    return item if isinstance(item, Workload) and runs_pods(item) else None


def _represented(state: State, workload: Workload, pods: LabelIndex[Key]) -> bool:
    """Whether a Pod of its namespace is one of its own."""
    selector = selector_of(workload)
    near = pods.candidates(workload.key.namespace, selector)
    return any((pod := state.get("Pod", key)) and matches(selector, pod.labels) for key in near)


def _addresses(item: Object) -> Sequence[bytes]:
    """Which addresses *item* has by what is written in it."""
    match item:
        case EndpointSlice():
            if item.managed_by == MANAGED_BY:  # ours, dumped: they are the stand-ins' own
                return ()
            return [endpoint.address for endpoint in item.endpoints]
        case Service():
            return item.cluster_ips
        case Pod() | Workload():
            return item.addresses
        case Endpoints():
            return [endpoint.address for subset in item.subsets for endpoint in subset.endpoints]
    return ()
