"""``/api/v1/cache``: a look at the cache of answers of others, and flushing it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Protocol, TypeVar

import msgspec
from aiohttp import web

from clusterdns.admin.api import SLICE_SECONDS
from clusterdns.views.explain_names import question_name
from clusterdns.zone.names import Name, is_below

T = TypeVar("T")
Matches = Callable[[Name], bool]

PATH = "/api/v1/cache"
LIMIT, MAX_LIMIT = 100, 10_000  # entries in one answer

_JSON = "application/json"
_USE = "write name=NAME, suffix=NAME or all=true, and one of them only"


class Caching(Protocol):
    """The cache.  Iterators look at one thing in each step."""

    def counts(self) -> object: ...

    def entries(self, matches: Matches, /) -> Iterator[object | None]: ...

    def flush(self, matches: Matches, /) -> Iterator[bool]:
        """True for each that went."""


class CacheApi:
    """*caching* gives the cache of the moment, None where nothing is forwarded."""

    def __init__(self, caching: Callable[[], Caching | None]) -> None:
        self._caching = caching

    def add_to(self, application: web.Application) -> None:
        application.router.add_get(PATH, self._get)
        application.router.add_post(f"{PATH}/flush", self._flush)

    async def _get(self, request: web.Request) -> web.Response:
        cache = self._present()
        try:
            matches = _matches(request.query, _every)
            limit = _limit(request.query.get("limit", ""))
        except ValueError as fault:
            return web.Response(status=400, text=f"{fault}\n")
        found: list[bytes] = []
        more = False
        async for entry in _in_slices(cache.entries(matches) if limit else iter(())):
            if entry is None:
                continue
            if len(found) == limit:
                more = True
                break
            found.append(msgspec.json.encode(entry))
        body = b'{"counts":%b,"entries":[%b],"more":%b}\n'
        counts = msgspec.json.encode(cache.counts())
        return web.Response(body=body % (counts, b",".join(found), msgspec.json.encode(more)), content_type=_JSON)

    async def _flush(self, request: web.Request) -> web.Response:
        cache = self._present()
        try:
            matches = _matches(request.query, None)
        except ValueError as fault:
            return web.Response(status=400, text=f"{fault}\n")
        flushed = 0
        async for went in _in_slices(cache.flush(matches)):
            flushed += went
        return web.Response(body=b'{"flushed":%d}\n' % flushed, content_type=_JSON)

    def _present(self) -> Caching:
        cache = self._caching()
        if cache is None:
            raise web.HTTPNotFound(text="there is no cache: names of others are not forwarded; set `upstream`\n")
        return cache


def _every(_: Name) -> bool:
    return True


def _matches(query: Mapping[str, str], otherwise: Matches | None) -> Matches:
    """*otherwise*: where nothing is named.  Raises ValueError."""
    given = {key: value for key in ("name", "suffix", "all") if (value := query.get(key))}
    if len(given) > 1 or given.get("all", "true") != "true":
        raise ValueError(_USE)
    if "name" in given:
        return question_name(given["name"]).__eq__
    if "suffix" in given:
        apex = question_name(given["suffix"])
        return lambda name: is_below(name, apex)
    if given:
        return _every
    if otherwise is None:
        raise ValueError(f"nothing is named; {_USE}")
    return otherwise


def _limit(text: str) -> int:
    if not text:
        return LIMIT
    if not (text.isascii() and text.isdigit()) or len(text) > 5 or int(text) > MAX_LIMIT:
        raise ValueError(f"limit={text}: not a number from 0 to {MAX_LIMIT}")
    return int(text)


async def _in_slices(found: Iterator[T]) -> AsyncIterator[T]:
    until = time.monotonic() + SLICE_SECONDS
    for one in found:
        yield one
        if time.monotonic() >= until:
            await asyncio.sleep(0)
            until = time.monotonic() + SLICE_SECONDS
