"""Who is asked: the upstreams that settings name, and those that a resolv.conf names, as long as it says so."""

import asyncio
import logging
import os
import stat
from collections.abc import Awaitable, Callable, Sequence

from clusterdns.errors import printable
from clusterdns.forward.choosing import Group, Policy
from clusterdns.forward.ourselves import Own, reached
from clusterdns.forward.servers import Server, is_file, nameservers, parse_server, with_transport
from clusterdns.forward.upstream import Upstream

logger = logging.getLogger("clusterdns.forward")

LOOK_SECONDS = 1.0  # between two looks at a file
MAX_FILE_OCTETS = 64 << 10

_Stamp = tuple[int, int, int]


class ResolvFile:
    """The nameservers of a file: the last good ones while it is empty or cannot be read."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.servers: list[Server] = []
        self._stamp: _Stamp | None = None
        self._told = ""
        self._left_out: list[Server] = []

    def look(self) -> bool:
        """Reads it if it is another than at the last look; whether it names others now.  Says what is wrong once."""
        try:
            status = os.stat(self.path)
            stamp = status.st_mtime_ns, status.st_ino, status.st_size
            if stamp == self._stamp:
                return False
            servers, wrong = nameservers(_read(self.path))
        except OSError as fault:
            self._stamp = None
            return self._keep((fault.strerror or str(fault)).lower())
        self._stamp = stamp
        if not servers:
            return self._keep("it names no nameserver")
        self._tell("; ".join(f"{line!r} is no address; it is left out" for line in wrong))
        changed, self.servers = servers != self.servers, servers
        return changed

    def others(self, own: Own) -> list[Server]:
        """Without this server itself.  A daemon on every node finds itself in the node's file; this is said once."""
        found = [one for one in self.servers if reached(one) not in own]
        left_out = [one for one in self.servers if one not in found]
        if left_out and left_out != self._left_out:
            rest = "" if found else "; nobody else is named, write other servers into upstream"
            listed = ", ".join(map(str, left_out))
            logger.warning("%s", printable(f"{self.path}: {listed} is this server, and left out{rest}"))
        self._left_out = left_out
        return found

    def _keep(self, why: str) -> bool:
        kept = ", ".join(map(str, self.servers))
        self._tell(f"{why}; {f'{kept} stay in use' if kept else 'write a line like: nameserver 10.0.0.1'}")
        return False

    def _tell(self, text: str) -> None:
        if text and text != self._told:
            logger.warning("%s", printable(f"{self.path}: {text}"))
        self._told = text


class Membership:
    """Keeps the upstreams of a Group as *servers* have it: texts as ``parse_server`` takes them, and paths of files.

    An upstream that stays keeps what is known of it.
    """

    def __init__(
        self,
        group: Group,
        servers: Sequence[str],
        make: Callable[[Server], Upstream],
        *,
        tcp: bool = False,
        own: Own = (),
    ) -> None:
        """*tcp*: never over UDP.  *own*: not taken from files.  Raises ValueError for a text that is no server."""
        self._group, self._make, self._tcp = group, make, tcp
        self.own = self._left_out = own  # the first may be replaced, which counts from the next look on
        self.files = [ResolvFile(text) for text in servers if is_file(text)]
        paths = iter(self.files)
        self._parts = [next(paths) if is_file(text) else parse_server(text) for text in servers]
        self.look()

    def look(self) -> bool:
        """Whether anything has changed."""
        looks = [file.look() for file in self.files]  # at each of them
        changed = any(looks) or self.own != self._left_out
        if not changed and self._group.upstreams:
            return False
        self._left_out = self.own
        known = {one.server: one for one in self._group.upstreams}
        wanted = self._wanted()
        if wanted == [*known]:
            return False
        self._group.replace([known.get(server) or self._make(server) for server in wanted])
        if changed:
            logger.info("upstreams: %s", ", ".join(map(str, wanted)) or "none")
        return True

    async def follow(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """For ever, if there are files."""
        while self.files:
            await sleep(LOOK_SECONDS)
            self.look()

    def _wanted(self) -> list[Server]:
        own = self.own
        listed = [one for part in self._parts for one in ([part] if isinstance(part, Server) else part.others(own))]
        return list(dict.fromkeys(with_transport(listed, "tcp") if self._tcp else listed))


class Upstreams(Group):
    """A Group that follows its files."""

    def __init__(
        self,
        servers: Sequence[str],
        policy: Policy = "random",
        *,
        budget: float = 5.0,
        tcp: bool = False,
        own: Own = (),
        make: Callable[[Server], Upstream] = Upstream,
    ) -> None:
        """On a running loop.  *tcp*, *own*: see ``Membership``.  Raises ValueError for a text that is no server."""
        super().__init__((), policy, budget=budget)
        self.membership = Membership(self, servers, make, tcp=tcp, own=own)
        self._following = asyncio.get_running_loop().create_task(self.membership.follow())

    def shown(self) -> list[str]:
        """The files where these name nobody."""
        return super().shown() or [file.path for file in self.membership.files]

    async def close(self) -> None:
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)
        await super().close()


def _read(path: str) -> str:
    """A regular file's text.  Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not hold us up
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is no regular file")
        return os.read(descriptor, MAX_FILE_OCTETS).decode("utf-8", "replace")
    finally:
        os.close(descriptor)
