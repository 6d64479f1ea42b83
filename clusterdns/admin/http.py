"""The HTTP address: ``/health`` while the process lives, ``/ready`` once it can answer; ``/api`` for the commands."""

import errno
import os
from collections.abc import Sequence
from typing import Protocol

from aiohttp import web

from clusterdns.admin import env
from clusterdns.errors import OperatorError

Address = tuple[str, int]  # an IP address as text, and a port


class State(env.State, Protocol):
    def ready_reasons(self) -> Sequence[str]:
        """Why queries cannot be answered yet, a line each; nothing when they can."""


class HttpServer:
    """Serves on any number of addresses from ``start`` to ``stop``."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._runner: web.AppRunner | None = None

    async def start(self, addresses: Sequence[Address]) -> list[Address]:
        """The addresses that were bound, in order, with the ports that port 0 became.

        Raises OperatorError for the first that cannot be bound; nothing is left open then.
        """
        bound: list[Address] = []
        self._runner = web.AppRunner(self._application(), access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        for host, port in addresses:
            try:
                await web.TCPSite(self._runner, host, port).start()
            except OSError as error:
                await self.stop()
                raise OperatorError(_refusal(host, port, error)) from None
            bound.append(self._runner.addresses[-1][:2])
        return bound

    async def stop(self) -> None:
        """Lets requests under way finish, for a second at most.  Any number of times, also without ``start``."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    def _application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/health", self._health)
        application.router.add_get("/ready", self._ready)
        application.router.add_get("/api/v1/env", env.EnvApi(self._state).get)
        application.on_response_prepare.append(_without_server)
        return application

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def _ready(self, _: web.Request) -> web.Response:
        reasons = self._state.ready_reasons()
        return web.Response(status=503 if reasons else 200, text="\n".join(reasons) or "OK")


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
