"""The HTTP address: its sockets are there at once, what answers on them is imported when somebody asks.

aiohttp takes a quarter of a second to import, as long as a cluster of 2,000 Services to load.  So who connects waits
for that, and queries do not.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from clusterdns.cluster.addresses import host_port
from clusterdns.errors import OperatorError
from clusterdns.lean_aiohttp import import_aiohttp

if TYPE_CHECKING:
    from aiohttp import web

    from clusterdns.admin.api import Shows
    from clusterdns.admin.application import State
    from clusterdns.admin.cache import Caching

Address = tuple[str, int]  # an IP address as text, and a port

_BACKLOG = 128


class HttpServer:
    """Serves on any number of addresses from ``start`` to ``stop``."""

    def __init__(
        self,
        state: "State",
        shows: "Shows | None" = None,
        token: Callable[[], str] = str,
        caching: "Callable[[], Caching | None]" = lambda: None,
    ) -> None:
        """*shows*: what ``/api`` tells besides the variables; *token* as in Guard, *caching* as in CacheApi."""
        self._state, self._shows, self._token, self._caching = state, shows, token, caching
        self._sockets: dict[Address, socket.socket] = {}  # by what was asked for, where port 0 stays 0
        self._sites: dict[Address, web.SockSite] = {}
        self._opening: asyncio.Task[web.AppRunner] | None = None  # its result serves

    async def start(self, addresses: Sequence[Address]) -> list[Address]:
        """The addresses that were bound, in order, with the ports that port 0 became.

        Raises OperatorError for the first that cannot be bound; nothing is left open then.
        """
        return await self.move(addresses)

    async def move(self, addresses: Sequence[Address]) -> list[Address]:
        """Serves on *addresses* and on no others; those that stay are not touched.

        Raises OperatorError for the first that cannot be bound; nothing has changed then.
        """
        if self._opening:
            await self._opening
        new = _bound([address for address in dict.fromkeys(addresses) if address not in self._sockets])
        for gone in [address for address in self._sockets if address not in addresses]:
            await self._leave(gone)
        self._sockets |= new
        for address, sock in new.items():
            if self._opening:
                await self._serve(address, await self._opening)
            else:
                asyncio.get_running_loop().add_reader(sock, self._open)
        return [self._sockets[address].getsockname()[:2] for address in addresses]

    async def serve(self) -> None:
        """Returns when whoever asks is answered at once."""
        if self._sockets:
            await self._open()

    def _open(self) -> "asyncio.Task[web.AppRunner]":
        """Somebody has connected, or will."""
        if self._opening is None:
            for sock in self._sockets.values():
                asyncio.get_running_loop().remove_reader(sock)
            self._opening = asyncio.create_task(self._opened())
        return self._opening

    async def _opened(self) -> "web.AppRunner":
        application = await asyncio.to_thread(_application)
        runner: web.AppRunner = application.runner(self._state, self._shows, self._token, self._caching)
        await runner.setup()
        for address in self._sockets:
            await self._serve(address, runner)
        return runner

    async def _serve(self, address: Address, runner: "web.AppRunner") -> None:
        from aiohttp import web  # noqa: PLC0415 - imported already where there is a runner

        self._sites[address] = web.SockSite(runner, self._sockets[address], backlog=_BACKLOG)
        await self._sites[address].start()

    async def _leave(self, address: Address) -> None:
        sock = self._sockets.pop(address)
        if site := self._sites.pop(address, None):
            await site.stop()
        else:
            asyncio.get_running_loop().remove_reader(sock)
        sock.close()

    async def stop(self) -> None:
        """Lets requests under way finish, for a second at most.  Any number of times, also without ``start``."""
        opening = self._opening
        if opening:
            await asyncio.wait([opening])
        for address in list(self._sockets):
            await self._leave(address)
        if opening and not opening.cancelled() and not opening.exception():
            await opening.result().cleanup()
        self._opening = None


def _application() -> ModuleType:
    import_aiohttp()
    return import_module("clusterdns.admin.application")


def _bound(addresses: Sequence[Address]) -> dict[Address, socket.socket]:
    """Listening sockets.  Raises OperatorError for the first that cannot be had; none is left open then."""
    found: dict[Address, socket.socket] = {}
    for host, port in addresses:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            found[host, port] = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        except OSError as error:
            for sock in found.values():
                sock.close()
            raise OperatorError(_refusal(host, port, error)) from None
    for sock in found.values():
        sock.setblocking(False)
    return found


_REMEDIES = {
    errno.EADDRINUSE: "end the process that has it, or choose another with --http (port 0: any free one)",
    errno.EADDRNOTAVAIL: "choose an address of this machine with --http, or 0.0.0.0 or [::] for all",
    errno.EACCES: "choose a port from 1024 on with --http, or allow this one (CAP_NET_BIND_SERVICE)",
}


def _refusal(host: str, port: int, error: OSError) -> str:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"http {host_port(host, port)}: {reason}; {_REMEDIES.get(error.errno or 0, 'choose another with --http')}"
