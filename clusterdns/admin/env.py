"""``GET /api/v1/env?namespace=NS&links=true``: the service variables of a namespace as one JSON object."""

from collections.abc import Callable, Iterable
from typing import Protocol

from aiohttp import web

from clusterdns.cluster.model import Key, Service
from clusterdns.workload.service_env import as_json, service_variables, told_in


class State(Protocol):
    def services(self, wanted: Callable[[Key], bool]) -> Iterable[Service] | None:
        """With their ClusterIPs, in any order; None before the first round."""


class EnvApi:
    def __init__(self, state: State) -> None:
        self._state = state

    async def get(self, request: web.Request) -> web.Response:
        namespace = request.query.get("namespace", "default")
        services = self._state.services(told_in(namespace))
        if services is None:
            raise web.HTTPServiceUnavailable(text="nothing has been read yet: `clusterdns status` tells why")
        links = request.query.get("links", "true") == "true"
        variables = service_variables(services, namespace, links=links)
        return web.Response(text=as_json(variables), content_type="application/json")
