"""What the server says of itself: its cookie, its identity, how long a connection may be silent."""

import struct
from collections.abc import Callable

from msgspec import Struct

from clusterdns.engine.cookies import CLIENT_OCTETS, Cookies
from clusterdns.engine.edns import KEEPALIVE, NSID, SERVER_OCTETS, Edns, option
from clusterdns.zone.names import Name, parse_name
from clusterdns.zone.prepared import OWNER
from clusterdns.zone.rdata import TXT

UDP, TCP = "udp", "tcp"
CH = 3  # the class of questions about servers (RFC 4892)

Peer = tuple[str, int] | tuple[str, int, int, int]  # a client's address and port, as sockets give them
NOBODY: Peer = ("0.0.0.0", 0)  # a client that has none

_VERSION = frozenset(map(parse_name, ("version.bind", "version.server")))
_IDENTITY = frozenset(map(parse_name, ("hostname.bind", "id.server")))


class Manners(Struct, frozen=True):
    """What is "" or None is not told.  *tcp_idle*: seconds.  *clock*: Unix seconds, for cookies only."""

    udp_octets: int = SERVER_OCTETS  # of a response over UDP, whatever the client takes
    version: str = ""
    server_id: str = ""
    tcp_idle: float | None = None
    cookies: Cookies | None = None
    clock: Callable[[], float] = lambda: 0.0

    def limit(self, edns: Edns | None, transport: str) -> int:
        """Octets of a response."""
        if transport != UDP:
            return 65535
        return min(edns.octets, self.udp_octets) if edns else 512

    def options(self, edns: Edns, transport: str, address: str) -> bytes:
        """Of the response to a query with *edns* from *address*: what was asked for, and is told."""
        found = b""
        if edns.cookie and self.cookies:
            found += self.cookies.option(edns.cookie, address, self.clock())
        if edns.nsid and self.server_id:
            found += option(NSID, self.server_id.encode())
        if edns.keepalive is not None and transport == TCP and self.tcp_idle is not None:
            found += option(KEEPALIVE, min(int(self.tcp_idle * 10), 0xFFFF).to_bytes(2))  # in units of 100 ms
        return found

    def distrusts(self, edns: Edns, address: str) -> bool:
        """Whether a query shows a server cookie that is not ours for *address*."""
        if self.cookies is None or len(edns.cookie) == CLIENT_OCTETS:
            return False
        return not self.cookies.is_valid(edns.cookie, address, int(self.clock()))

    def chaos(self, qname: Name) -> bytes | None:
        """The TXT record of class CH behind a question for *qname*; None: it is not told."""
        text = self.version if qname in _VERSION else self.server_id if qname in _IDENTITY else ""
        if not text:
            return None
        content = text.encode()
        rdata = bytes((len(content),)) + content
        return OWNER + struct.pack("!HHIH", TXT.rtype, CH, 0, len(rdata)) + rdata
