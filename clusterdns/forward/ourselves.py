"""Which servers are this one: whoever asks them asks itself."""

from collections.abc import Callable, Collection, Iterable
from ipaddress import ip_address

from clusterdns.forward.servers import Server

Place = tuple[str, int]  # an address in canonical form, and a port
Own = Collection[Place]  # where this server listens

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # where packets to the unspecified address go


def places(listen: Iterable[Place], local: Callable[[str], Iterable[str]]) -> frozenset[Place]:
    """*local*: the addresses that one of *listen* stands for.  Nobody can name port 0 before it is another one."""
    return frozenset((address, port) for host, port in listen if port for address in local(host))


def certain(host: str) -> list[str]:
    """What a wildcard stands for on every machine; others stay as they are."""
    return [_LOOPBACK.get(host, host)]


def reached(server: Server) -> Place:
    """Where packets to it arrive, over whatever transport: where we listen, nobody else does."""
    address = ip_address(server.address)
    text = str(getattr(address, "ipv4_mapped", None) or address)
    return _LOOPBACK.get(text, text), server.port
