"""``GET /api/v1/env?namespace=NS&links=true``: the service variables of a namespace as one JSON object."""

from collections.abc import Iterable
from typing import Protocol

from aiohttp import web

from clusterdns.cluster.model import Service
from clusterdns.workload.service_env import as_json, service_variables


class State(Protocol):
    def services(self) -> Iterable[Service] | None:
        """As they are published, in any order; None before the first round."""


class EnvApi:
    def __init__(self, state: State) -> None:
        self._state = state

    async def get(self, request: web.Request) -> web.Response:
        services = self._state.services()
        if services is None:
            raise web.HTTPServiceUnavailable(text="nothing has been read yet: `clusterdns status` tells why")
        links = request.query.get("links", "true") == "true"
        variables = service_variables(services, request.query.get("namespace", "default"), links=links)
        return web.Response(text=as_json(variables), content_type="application/json")
