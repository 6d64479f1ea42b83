"""The HTTP address: ``/health`` while the process lives, ``/ready`` once it can answer; ``/api`` for the commands."""

import errno
import os
from collections.abc import Callable, Sequence
from typing import Protocol

from aiohttp import web

from clusterdns.admin import env
from clusterdns.admin.api import Api, Shows
from clusterdns.admin.guard import Guard
from clusterdns.errors import OperatorError

Address = tuple[str, int]  # an IP address as text, and a port


VERBOSE = 100  # problems in one answer


class State(env.State, Protocol):
    def ready_reasons(self) -> Sequence[str]:
        """Why queries cannot be answered yet, a line each; nothing when they can."""


class HttpServer:
    """Serves on any number of addresses from ``start`` to ``stop``."""

    def __init__(self, state: State, shows: Shows | None = None, token: Callable[[], str] = str) -> None:
        """*shows*: what ``/api`` tells besides the variables; *token* as in Guard."""
        self._state, self._shows, self._token = state, shows, token
        self._runner: web.AppRunner | None = None
        self._sites: dict[Address, tuple[web.TCPSite, Address]] = {}  # as asked for -> with the port it became

    async def start(self, addresses: Sequence[Address]) -> list[Address]:
        """The addresses that were bound, in order, with the ports that port 0 became.

        Raises OperatorError for the first that cannot be bound; nothing is left open then.
        """
        self._runner = web.AppRunner(self._application(), access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            return await self.move(addresses)
        except OperatorError:
            await self.stop()
            raise

    async def move(self, addresses: Sequence[Address]) -> list[Address]:
        """Serves on *addresses* and on no others; those that stay are not touched.

        Raises OperatorError for the first that cannot be bound; nothing has changed then.
        """
        new: dict[Address, tuple[web.TCPSite, Address]] = {}
        for host, port in addresses:
            if (host, port) in self._sites or (host, port) in new:
                continue
            try:
                new[host, port] = await self._open(host, port)
            except OSError as error:
                for site, _ in new.values():
                    await site.stop()
                raise OperatorError(_refusal(host, port, error)) from None
        for gone in [address for address in self._sites if address not in addresses]:
            await self._sites.pop(gone)[0].stop()
        self._sites |= new
        return [self._sites[address][1] for address in addresses]

    async def _open(self, host: str, port: int) -> tuple[web.TCPSite, Address]:
        if self._runner is None:
            raise RuntimeError("not started")
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        return site, self._runner.addresses[-1][:2]

    async def stop(self) -> None:
        """Lets requests under way finish, for a second at most.  Any number of times, also without ``start``."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            self._sites.clear()
            await runner.cleanup()

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[Guard(self._token).middleware()])
        application.router.add_get("/health", self._health)
        application.router.add_get("/ready", self._ready)
        application.router.add_get("/api/v1/env", env.EnvApi(self._state).get)
        if self._shows:
            Api(self._shows).add_to(application)
        application.on_response_prepare.append(_without_server)
        return application

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def _ready(self, request: web.Request) -> web.Response:
        """With ``?verbose``, as in Kubernetes, problems too; they never make it fail: the last good state serves."""
        reasons = self._state.ready_reasons()
        lines = reasons or ["OK"]
        if "verbose" in request.query and self._shows and self._shows.ready():
            problems = self._shows.problems()
            lines = [*lines, *map(str, problems[:VERBOSE])]
            if len(problems) > VERBOSE:
                lines.append(f"and {len(problems) - VERBOSE} more problems: /api/v1/problems has them")
        return web.Response(status=503 if reasons else 200, text="\n".join(lines))


async def _without_server(_: web.Request, response: web.StreamResponse) -> None:
    """Versions help nobody but those who look for old ones."""
    response.headers.pop("Server", None)


_REMEDIES = {
    errno.EADDRINUSE: "end the process that has it, or choose another with --http (port 0: any free one)",
    errno.EADDRNOTAVAIL: "choose an address of this machine with --http, or 0.0.0.0 or [::] for all",
    errno.EACCES: "choose a port from 1024 on with --http, or allow this one (CAP_NET_BIND_SERVICE)",
}


def _refusal(host: str, port: int, error: OSError) -> str:
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"http {shown}: {reason}; {_REMEDIES.get(error.errno or 0, 'choose another with --http')}"
