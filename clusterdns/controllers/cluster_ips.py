"""Which ClusterIPs a Service gets (Kubernetes v1.36.3, pkg/registry/core/service/storage/alloc.go)."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from clusterdns.cluster.addresses import Network, address_text, family
from clusterdns.cluster.model import Key, Service
from clusterdns.cluster.state import State
from clusterdns.controllers.allocate import Allocator, Written, service_bands
from clusterdns.controllers.complaints import ServiceChange, complain, first_and_later
from clusterdns.controllers.memory import export_addresses, packed, remembered_addresses, taken_addresses
from clusterdns.errors import Problem


def families(service: Service, cluster: Sequence[int]) -> tuple[int, ...]:
    """The address families of *service*, the first one first; *cluster*: those of its ranges, the default first.

    What is written stands, also where the cluster has no range for it.  The policy only ever adds the other family.
    """
    if service.type == "ExternalName":
        return ()
    if len(service.cluster_ips) == 1 and not (service.ip_families or service.ip_family_policy or service.headless):
        return (family(service.cluster_ips[0]),)  # as most are
    written = dict.fromkeys((*service.ip_families, *map(family, service.cluster_ips)))
    found = tuple(written) or tuple(cluster[:1]) or (4,)
    other = 4 if found[0] == 6 else 6
    if service.ip_family_policy:
        dual = service.ip_family_policy == "RequireDualStack" or (
            service.ip_family_policy == "PreferDualStack" and other in cluster
        )
    else:  # alloc.go: headless without selector defaults to RequireDualStack, on any cluster
        dual = service.headless and not service.selector
    return (found[0], other) if dual else found


def has_cluster_ips(service: Service) -> bool:
    return service.type != "ExternalName" and not service.headless


class ClusterIPs:
    """The ClusterIPs of all Services.

    Written ones are answered as written, inside the ranges or not, and by every Service that writes them.  One that
    is written anew while another Service holds it by allocation is taken from that one, which gets another: a user
    who names an address means it, and Kubernetes could only refuse.
    """

    def __init__(self, ranges: Sequence[Network], memory: Mapping[str, str]) -> None:
        """*ranges*: at most one of each family, the default first.  *memory*: from ``export``."""
        self._cluster = tuple(network.version for network in ranges)
        self._bounds = [(one.network_address.packed, one.broadcast_address.packed) for one in ranges]
        remembered = remembered_addresses(memory)
        self._written: Written[bytes] = Written()
        self._allocators: dict[int, Allocator] = {}
        for network in ranges:
            taken = taken_addresses(self._written, network.version)
            self._allocators[network.version] = Allocator(service_bands(network), taken, remembered[network.version])
        self._mismatched: set[Key] = set()  # Services that service_cidr does not suit

    def take(self, changes: Sequence[ServiceChange]) -> None:
        """Notes who writes and who wants addresses; ``settle`` allocates them, for a whole round in one order."""
        for old, _ in changes:
            if old:
                self._forget(old)
        for old, new in changes:
            self._want(old, new)
        for _, new in changes:
            if new:
                self._note(new)

    def settle(self) -> set[Key]:
        """Returns the Services whose allocated addresses are new."""
        return {Key(*key) for allocator in self._allocators.values() for key in allocator.settle()}

    def fill(self, service: Service) -> Service:
        """*service* with its families and ClusterIPs; fewer than families where a range is missing or exhausted."""
        found = families(service, self._cluster)
        if not has_cluster_ips(service):
            return service if service.ip_families == found else replace(service, ip_families=found)
        addresses = tuple([address for version in found if (address := self._address(service, version))])
        if (addresses, found) == (service.cluster_ips, service.ip_families):
            return service
        return replace(service, cluster_ips=addresses, ip_families=found)

    def displaced(self) -> list[Key]:
        return sorted({Key(*name) for one in self._allocators.values() for name in one.displaced})

    def export(self) -> dict[str, str]:
        return export_addresses(self._allocators)

    def problems(self, state: State) -> Iterator[Problem]:
        for address, owners in self._written.shared():
            for first, service in first_and_later(state, owners):
                text = f"ClusterIP {address_text(address)} is already that of {first.key} ({first.place.path})"
                yield complain(service, "error", "CD401", text, "give it another one, or none")
        for allocator in self._allocators.values():
            for key in sorted(allocator.refused):
                if unserved := state.get("Service", Key(*key)):
                    text = "service_cidr has no free address left for it"
                    yield complain(unserved, "error", "CD402", text, "set a larger service_cidr")
        for key in self._mismatched:
            if mismatched := state.get("Service", key):
                yield from self._mismatches(mismatched)

    def _suits(self, service: Service) -> bool:
        """Whether it plainly has no mismatches, as most: it writes one address, inside of a range."""
        written, named = service.cluster_ips, service.ip_families
        return (
            len(written) == 1
            and service.ip_family_policy in ("", "SingleStack")
            and (not named or named == (family(written[0]),))
            and self._covers(written[0])
        )

    def _mismatches(self, service: Service) -> Iterator[Problem]:
        if not has_cluster_ips(service):
            return
        for address in service.cluster_ips:
            if not self._covers(address):
                text = f"ClusterIP {address_text(address)} is outside service_cidr"
                yield complain(service, "warning", "CD403", text, "it is answered as written; check service_cidr")
        for version in families(service, self._cluster):
            if version not in self._cluster and not _written_of(service, version):
                text = f"it asks for IPv{version}, but service_cidr has no IPv{version} range"
                yield complain(service, "error", "CD404", text, f"add an IPv{version} range to service_cidr")

    def _covers(self, address: bytes) -> bool:
        return any(first <= address <= last and len(address) == len(first) for first, last in self._bounds)

    def _address(self, service: Service, version: int) -> bytes | None:
        if written := _written_of(service, version):
            return written
        value = self._allocators[version][service.key] if version in self._allocators else None
        return None if value is None else packed(value, version)

    def _want(self, old: Service | None, new: Service | None) -> None:
        """Wants an address of every family that *new* does not write, drops the others of *old*."""
        wanted = families(new, self._cluster) if new and has_cluster_ips(new) else ()
        for version, allocator in self._allocators.items():
            if new and version in wanted and not _written_of(new, version):
                allocator.want(new.key)
            elif item := new or old:
                allocator.drop(item.key)

    def _note(self, service: Service) -> None:
        if not self._suits(service) and any(self._mismatches(service)):
            self._mismatched.add(service.key)
        for address in _written(service):
            self._written.add(address, service.key)
            if allocator := self._allocators.get(family(address)):
                allocator.evict(int.from_bytes(address))

    def _forget(self, service: Service) -> None:
        self._mismatched.discard(service.key)
        for address in _written(service):
            self._written.remove(address, service.key)
            if allocator := self._allocators.get(family(address)):
                allocator.freed()


def _written(service: Service) -> tuple[bytes, ...]:
    written = service.cluster_ips if has_cluster_ips(service) else ()
    return tuple(dict.fromkeys(written)) if len(written) > 1 else written


def _written_of(service: Service, version: int) -> bytes | None:
    octets = 4 if version == 4 else 16
    for address in service.cluster_ips:
        if len(address) == octets:
            return address
    return None
