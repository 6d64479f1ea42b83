"""``/api/v1/…``: what commands read from a running server, as JSON.

Objects come as Lists in Kubernetes' own form.  Whoever names the version it has seen with ``after`` is answered when
there is another one, or with 204 after PATIENCE.  Nothing here holds the loop for long: what is found is found in
slices between rounds, and what is written is read and encoded in a worker, a few objects at a time.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

import msgspec
from aiohttp import web

from clusterdns.errors import Problem

T = TypeVar("T")

Written = Callable[[Any], Any]
Finding = Iterator[Callable[[Written], object] | None]

PATIENCE = 25.0  # seconds that a request waits for news
SLICE_SECONDS = 0.002  # of finding, after which waiting queries have their turn
_TOGETHER = 16  # objects that a worker reads and encodes at a time
_JSON = "application/json"


class Shows(Protocol):
    """What there is to be shown.  Iterators yield None where others may have their turn."""

    @property
    def kinds(self) -> Sequence[str]: ...

    def ready(self) -> bool:
        """Whether there is anything to be shown yet."""

    def version(self) -> str:
        """Another one after every round, and in every life of the server."""

    async def news(self, version: str) -> None:
        """Returns once there is another version."""

    async def quiet(self) -> None:
        """Returns when no round is under way."""

    def find(self, kind: str, parameters: Mapping[str, str]) -> Finding:
        """The objects of one of *kinds*.  Raises ValueError for a selector that is none."""

    def records(self, parameters: Mapping[str, str]) -> Iterator[object]: ...

    def names(self) -> Iterator[str | None]: ...

    def explanation(self, parameters: Mapping[str, str]) -> Iterator[object | None]:
        """Of one name; it comes last.  Raises ValueError where a parameter is wrong."""

    def problems(self) -> Sequence[Problem]: ...

    def reader(self, parameters: Mapping[str, str]) -> AbstractContextManager[Written]:
        """Reads what was written of the objects that *parameters* find; blocks."""


class Api:
    def __init__(self, shows: Shows) -> None:
        self._shows = shows

    def add_to(self, application: web.Application) -> None:
        routes = {kind: self._objects(kind) for kind in self._shows.kinds}
        routes |= {
            "records": self._records,
            "explain": self._explain,
            "problems": self._problems,
        }
        for name, answer in routes.items():
            application.router.add_get(f"/api/v1/{name}", self._guarded(answer))

    def _guarded(self, answer: "Handler") -> "Handler":
        async def guarded(request: web.Request) -> web.StreamResponse:
            if not self._shows.ready():
                raise web.HTTPServiceUnavailable(text="nothing has been read yet: `clusterdns status` tells why")
            if (after := request.query.get("after")) is not None and not await self._news(after):
                return web.Response(status=204)
            await self._shows.quiet()
            try:
                return await answer(request)
            except ValueError as fault:
                return web.Response(status=400, text=f"{fault}\n")

        return guarded

    async def _news(self, after: str) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._shows.news(after)
        except TimeoutError:
            return False
        return True

    def _objects(self, kind: str) -> "Handler":
        async def objects(request: web.Request) -> web.StreamResponse:
            finding = self._shows.find(kind, request.query)
            version = msgspec.json.encode({"resourceVersion": self._shows.version()})
            response = web.StreamResponse(headers={"Content-Type": _JSON})
            await response.prepare(request)
            await response.write(b'{"apiVersion":"v1","kind":"List","metadata":%b,"items":[' % version)
            with self._shows.reader(request.query) as written:
                await _write(response, self._encoded(finding, written))
            await response.write_eof(b"]}\n")
            return response

        return objects

    async def _encoded(self, finding: Finding, written: Written) -> AsyncIterator[bytes]:
        """Pieces of the list, each of a few objects."""
        batch: list[Callable[[Written], object]] = []
        async for shown in self._in_slices(finding):
            batch.append(shown)
            if len(batch) == _TOGETHER:
                yield await asyncio.to_thread(_encode, batch, written)
                batch = []
        if batch:
            yield await asyncio.to_thread(_encode, batch, written)

    async def _records(self, request: web.Request) -> web.StreamResponse:
        """With ``names=true`` the names too that exist and may hold none.  A round may come while it is told: then
        ``until`` is another version than ``version``."""
        records = self._plain(self._shows.records(request.query))
        names = self._plain(self._shows.names()) if request.query.get("names") == "true" else _nothing()
        response = web.StreamResponse(headers={"Content-Type": _JSON})
        await response.prepare(request)
        await response.write(b'{"version":%b,"records":[' % msgspec.json.encode(self._shows.version()))
        await _write(response, records)
        await response.write(b'],"names":[')
        await _write(response, names)
        await response.write_eof(b'],"until":%b}\n' % msgspec.json.encode(self._shows.version()))
        return response

    async def _plain(self, found: Iterator[object]) -> AsyncIterator[bytes]:
        batch: list[bytes] = []
        async for one in self._in_slices(found):
            batch.append(msgspec.json.encode(one))
            if len(batch) == _TOGETHER * _TOGETHER:
                yield b",".join(batch)
                batch = []
        if batch:
            yield b",".join(batch)

    async def _problems(self, _: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode({"problems": self._shows.problems()}), content_type=_JSON)

    async def _explain(self, request: web.Request) -> web.Response:
        found = [one async for one in self._in_slices(self._shows.explanation(request.query))]
        return web.Response(body=msgspec.json.encode(found[-1]), content_type=_JSON)

    async def _in_slices(self, found: Iterator[T | None]) -> AsyncIterator[T]:
        until = time.monotonic() + SLICE_SECONDS
        for one in found:
            if one is not None:
                yield one
            if time.monotonic() >= until:
                await asyncio.sleep(0)
                await self._shows.quiet()
                until = time.monotonic() + SLICE_SECONDS


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def _write(response: web.StreamResponse, pieces: AsyncIterator[bytes]) -> None:
    """With commas between them."""
    comma = b""
    async for piece in pieces:
        await response.write(comma + piece)
        comma = b","


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


def _encode(batch: Sequence[Callable[[Written], object]], written: Written) -> bytes:
    return b",".join(msgspec.json.encode(shown(written)) for shown in batch)
