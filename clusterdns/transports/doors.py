"""A Tally for each door: a listening address as configured, a transport, an address family."""

import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import NamedTuple

from clusterdns.engine.tally import Tally
from clusterdns.transports.sockets import Address, address_text


class Door(NamedTuple):
    """As metrics name it."""

    server: str  # "dns://10.96.0.10:53"; "dns://:53" for a wildcard
    proto: str  # udp | tcp
    family: str  # "1": IPv4, "2": IPv6


def server_of(address: Address) -> str:
    """How metrics name a listening address."""
    host, port = address
    return f"dns://:{port}" if ip_address(host).is_unspecified else f"dns://{address_text(address)}"


class Doors:
    """They stay for the life of the process, whatever is reloaded: counters never fall."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """*clock*: seconds, from any beginning."""
        self._clock = clock
        self.tallies: dict[Door, Tally] = {}

    def tally(self, address: Address, proto: str) -> Tally:
        """*address*: as configured, with the port that it became."""
        door = Door(server_of(address), proto, "2" if ":" in address[0] else "1")
        if door not in self.tallies:
            self.tallies[door] = Tally(self._clock)
        return self.tallies[door]
