"""What the HTTP address answers: ``/health``, ``/ready``, and ``/api`` for the commands."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec
from aiohttp import web

from clusterdns.admin import env
from clusterdns.admin.api import Api, Shows
from clusterdns.admin.cache import CacheApi, Caching
from clusterdns.admin.guard import Guard
from clusterdns.admin.scrape import Scrape
from clusterdns.errors import foremost
from clusterdns.metrics import Sample

VERBOSE = 100  # problems in one answer


class State(env.State, Protocol):
    def ready_reasons(self) -> Sequence[str]:
        """Why queries cannot be answered yet, a line each; nothing when they can."""

    def stale(self) -> str:
        """What is served instead of the truth, in a line; "" where nothing is."""

    def ready_notes(self) -> Sequence[str]:
        """What is wrong all the same, a line each."""

    def status(self) -> object:
        """How the server is, for JSON."""

    def samples(self) -> Callable[[], Iterable[Sample]]:
        """For the page of metrics, see ``scrape``."""


def runner(
    state: State, shows: Shows | None, token: Callable[[], str], caching: Callable[[], Caching | None]
) -> web.AppRunner:
    """*shows*: what ``/api`` tells besides the variables; *token* as in Guard, *caching* as in CacheApi."""
    guard = Guard(token)
    application = web.Application(middlewares=[guard.middleware()])
    health = _Health(state, shows, guard)
    application.router.add_get("/health", health.health)
    application.router.add_get("/ready", health.ready)
    application.router.add_get("/metrics", _Metrics(state).metrics)
    application.router.add_get("/api/v1/env", env.EnvApi(state).get)
    application.router.add_get("/api/v1/status", health.status)
    CacheApi(caching).add_to(application)
    if shows:
        Api(shows).add_to(application)
    application.on_response_prepare.append(_without_server)
    return web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)


class _Health:
    def __init__(self, state: State, shows: Shows | None, guard: Guard) -> None:
        self._state, self._shows, self._guard = state, shows, guard

    async def health(self, _: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def ready(self, request: web.Request) -> web.Response:
        """With ``?verbose``, as in Kubernetes, problems too; they never make it fail: the last good state serves."""
        verbose = self._guard.is_verbose(request)
        reasons = self._state.ready_reasons()
        lines = reasons or ["OK"]
        if stale := self._state.stale():
            lines = [*lines, stale]
        if verbose:
            lines = [*lines, *self._state.ready_notes()]
        if verbose and self._shows and self._shows.ready():
            problems = self._shows.problems()
            lines = [*lines, *map(str, foremost(problems, VERBOSE))]
            if len(problems) > VERBOSE:
                lines.append(f"and {len(problems) - VERBOSE} more problems: /api/v1/problems has them")
        return web.Response(status=503 if reasons else 200, text="\n".join(lines))

    async def status(self, _: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(self._state.status()), content_type="application/json")


class _Metrics:
    def __init__(self, state: State) -> None:
        self._scrape = Scrape(state.samples)

    async def metrics(self, request: web.Request) -> web.Response:
        wanted = (", ".join(request.headers.getall(name, ())) for name in ("Accept", "Accept-Encoding"))
        page = await self._scrape.page(*wanted)
        return web.Response(body=page.body, headers=page.headers)


async def _without_server(_: web.Request, response: web.StreamResponse) -> None:
    """Versions help nobody but those who look for old ones."""
    response.headers.pop("Server", None)
