"""Pod names: ``10-244-1-7.shop.pod.cluster.local.``, as CoreDNS has them beyond the schema."""

import re

from msgspec import Struct

from clusterdns.cluster.addresses import parse_address
from clusterdns.zone.reverse import Addresses

_LABEL = re.compile(rb"[-0-9a-f]{2,39}")


class PodNames(Struct, frozen=True):
    """What the names below ``NS.pod.Z`` may stand for."""

    namespace: str
    addresses: Addresses | None  # of the pods in it; None: any (``pods: insecure``)

    def address(self, label: bytes) -> bytes | None:
        """The address that *label*, in lower case, stands for here; None: there is no such name."""
        address = pod_address(label)
        if address is None or self.addresses is None:
            return address
        return address if self.addresses.of(address).holders(address) else None


def pod_address(label: bytes) -> bytes | None:
    """``b"10-1-0-7"`` and ``b"2001-db8--7"`` as packed octets; None where *label* is no address with dashes.

    Three single dashes make an IPv4 address, as in CoreDNS; everything else can only be an IPv6 one.
    """
    if not _LABEL.fullmatch(label):
        return None
    text = label.decode()
    dots = text.count("-") == 3 and "--" not in text
    try:
        return parse_address(text.replace("-", "." if dots else ":"))
    except ValueError:
        return None
