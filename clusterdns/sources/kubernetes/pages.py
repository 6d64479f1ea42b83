"""Objects as the API has them, for who is shown more of them than the model keeps.

Read by lists alone: whoever may list need not be allowed to get.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import CancelledError
from types import TracebackType
from typing import Any, Self

import msgspec
from msgspec import Raw, Struct

from clusterdns.cluster.events import Kind
from clusterdns.cluster.model import Key, Object, list_order
from clusterdns.errors import BackendError
from clusterdns.sources.kubernetes.decoding import page_of
from clusterdns.sources.kubernetes.resources import JSON, Resource

logger = logging.getLogger("clusterdns.kubernetes")

PAGE = 100  # objects
SECONDS = 5.0  # for all pages that one request needs; then the model has to do

Get = Callable[[str, Mapping[str, str], str], Awaitable[bytes]]  # (path, parameters, Accept) -> JSON
Tree = dict[str, Any]


class _Metadata(Struct, frozen=True):
    name: str = ""
    namespace: str = ""


class _Named(Struct):
    metadata: _Metadata = _Metadata()


class Scope(Struct, frozen=True):
    """Of a list.  *namespace*: None for all; *name*: "" for all; *selector*: of labels."""

    namespace: str | None = None
    name: str = ""
    selector: str = ""

    def path(self, resource: Resource) -> str:
        group, _, plural = resource.path.rpartition("/")
        if self.namespace is None or resource.kind == "Namespace":
            return resource.path
        return f"{group}/namespaces/{self.namespace}/{plural}"

    def parameters(self) -> dict[str, str]:
        found = {"limit": str(PAGE), "labelSelector": self.selector}
        if self.name:
            found["fieldSelector"] = f"metadata.name={self.name}"
        return {name: value for name, value in found.items() if value}


class WholeObjects:
    """Asks for pages while somebody walks through objects in the API's order.  Fails by knowing nothing.

    Use as a context manager, and from worker threads, one at a time: the requests are made on *loop*.
    """

    def __init__(
        self, resources: Mapping[Kind, Resource], scope: Scope, get: Get, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._walks = {kind: _Walk(resource, scope) for kind, resource in resources.items()}
        self._get, self._loop = get, loop
        self._left = SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._walks.clear()

    def __call__(self, item: Object) -> Tree | None:
        """As an API server holds it; None where that is not to be had."""
        walk = self._walks.get(item.kind)
        if walk is None:
            return None
        while walk.is_behind(item.key):
            try:
                walk.take(self._page(walk))
            except (BackendError, CancelledError, TimeoutError, msgspec.MsgspecError) as fault:
                logger.warning("%s: shown without what only the API knows of them: %s", item.kind, fault or "no answer")
                walk.end()
        return walk.tree(item.key)

    def _page(self, walk: "_Walk") -> bytes:
        began = time.monotonic()
        asked = asyncio.run_coroutine_threadsafe(_answer(self._get(*walk.request(), JSON)), self._loop)
        try:
            return asked.result(max(0.0, self._left))
        finally:
            asked.cancel()
            self._left -= time.monotonic() - began


async def _answer(asked: Awaitable[bytes]) -> bytes:
    return await asked


class _Walk:
    """Through one kind's pages."""

    def __init__(self, resource: Resource, scope: Scope) -> None:
        self._path, self._parameters = scope.path(resource), scope.parameters()
        self._page: dict[Key, Raw] = {}
        self._last = ""  # how far the pages have come
        self._more = True

    def request(self) -> tuple[str, dict[str, str]]:
        return self._path, self._parameters

    def is_behind(self, key: Key) -> bool:
        """Whether *key* may be on a later page."""
        return self._more and key not in self._page and (not self._last or list_order(key) > self._last)

    def take(self, body: bytes) -> None:
        """Raises ApiError or msgspec.MsgspecError for what is no page."""
        page = page_of(body)
        self._page = {}
        for item in page.items:
            named = msgspec.json.decode(item, type=_Named).metadata
            self._page[Key(named.namespace, named.name)] = item
        self._last = max(map(list_order, self._page), default=self._last)
        self._parameters = self._parameters | {"continue": page.token}
        self._more = bool(page.token)

    def end(self) -> None:
        self._more = False

    def tree(self, key: Key) -> Tree | None:
        found = self._page.get(key)
        if found is None:
            return None
        tree: Tree = msgspec.json.decode(found)
        tree["metadata"].pop("managedFields", None)  # kubectl leaves them out, too
        return tree
