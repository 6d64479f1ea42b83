"""What was allocated, as plain data: whoever keeps it over a restart sees nobody move."""

from collections.abc import Callable, Container, Mapping

from msgspec import Struct

from clusterdns.cluster.addresses import address_text, parse_address
from clusterdns.controllers.allocate import Allocator


class Memory(Struct, frozen=True):
    """``{"cluster_ips": {"4/shop/web": "10.98.7.6"}, "node_ports": {"shop/web/80": 30999}, ...}`` once encoded.

    Entries that no longer fit (another range, taken by somebody's own words) are passed over when it is used.
    """

    cluster_ips: dict[str, str] = {}  # family/namespace/service -> address
    node_ports: dict[str, int] = {}  # namespace/service/port -> node port
    stand_ins: dict[str, str] = {}  # family/namespace/pod -> address


def packed(value: int, version: int) -> bytes:
    return value.to_bytes(4 if version == 4 else 16)


def taken_addresses(addresses: Container[bytes], version: int) -> Callable[[int], bool]:
    """What an Allocator asks, over packed *addresses*."""
    return lambda value: packed(value, version) in addresses


def export_addresses(allocators: Mapping[int, Allocator]) -> dict[str, str]:
    """*allocators*: by address family."""
    return {
        f"{version}/{claimant}": address_text(packed(value, version))
        for version, allocator in allocators.items()
        for claimant, value in allocator.export().items()
    }


def remembered_addresses(exported: Mapping[str, str]) -> dict[int, dict[str, int]]:
    """``export_addresses`` backwards: family -> memory of its allocator.  What is no such entry is left out."""
    found: dict[int, dict[str, int]] = {4: {}, 6: {}}
    for name, text in exported.items():
        version, _, claimant = name.partition("/")
        try:
            found[int(version)][claimant] = int.from_bytes(parse_address(text))
        except (ValueError, KeyError):
            continue
    return found
