"""An API server of a few lines that does what real ones do on bad days, when a test says so."""

import asyncio
import json
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, Self

from aiohttp import web
from ports import free_port

Json = dict[str, Any]

PATHS = {
    "/api/v1/namespaces": "Namespace",
    "/api/v1/services": "Service",
    "/api/v1/pods": "Pod",
    "/apis/discovery.k8s.io/v1/endpointslices": "EndpointSlice",
}


class Change(NamedTuple):
    version: int
    type: str
    object: Json


class Refusal(NamedTuple):
    """How a request is answered instead."""

    status: int
    message: str = "as the test has it"
    headers: tuple[tuple[str, str], ...] = ()
    event: bool = False  # 200, and an ERROR event; else by the HTTP status


class Watcher:
    """One open watch."""

    def __init__(self, kind: str, since: int, request: web.Request) -> None:
        self.kind, self.since, self.request = kind, since, request
        self.mute = False
        self.lines: asyncio.Queue[bytes | None] = asyncio.Queue()  # None: the end

    def tell(self, line: bytes, version: int) -> None:
        """As a watch cache: who claims to know more than it gets nothing."""
        if version > self.since and not self.mute:
            self.lines.put_nowait(line)

    def cut(self) -> None:
        """As when a server is killed."""
        if self.request.transport:
            self.request.transport.abort()


class FakeApi:
    """Holds objects, their history, and who watches.  Faults are attributes and methods."""

    def __init__(self, tls: ssl.SSLContext | None = None, prefix: str = "") -> None:
        """*prefix*: of every path, as behind a proxy."""
        self._tls, self._prefix = tls, prefix
        self.version = 100
        self.objects: dict[str, dict[tuple[str, str], Json]] = {kind: {} for kind in PATHS.values()}
        self.history: dict[str, list[Change]] = {kind: [] for kind in PATHS.values()}
        self._ever: set[tuple[str, tuple[str, str], int]] = set()  # no two contents have the same version
        self.compacted = 100  # who watches from an older version gets 410
        self.streams_lists: str = "yes"  # yes | refused (4xx) | error (ERROR event 500, as with etcd 3.4) | silent
        self.refusals: dict[str, deque[Refusal]] = {kind: deque() for kind in PATHS.values()}
        self.breaks_watches = False  # they begin well, and then all that comes is an ERROR event
        self.authorization = ""  # that requests must carry; "": any
        self.page_limit = 1000  # objects; a server may give less than was asked for
        self.offers_rest = False  # a list whose beginning is compacted gets a token for the rest
        self.paged: Callable[[], None] = lambda: None  # called behind every page that is not the last
        self.watchers: list[Watcher] = []
        self.requests: list[tuple[str, str]] = []  # (kind, "list" | "compare" | "watch" | "streaming list")
        self.gzip = False
        self._port = free_port()  # none that others are given while this server is stopped
        self._runner: web.AppRunner | None = None
        self._closing: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        return f"http{'s' * bool(self._tls)}://127.0.0.1:{self._port}{self._prefix}"

    async def start(self) -> None:
        """Again on the port of before."""
        await self._stop_closing()
        application = web.Application()
        application.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.01)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True, ssl_context=self._tls).start()

    async def stop(self) -> None:
        """Connections break, and new ones are refused."""
        await self._stop_closing()
        for watcher in self.watchers:
            watcher.cut()
        runner, self._runner = self._runner, None
        if runner:
            await runner.cleanup()

    async def close_at_once(self) -> None:
        """As a load balancer without a server behind it: connections are accepted, and closed without a word."""
        await self.stop()
        self._closing = await asyncio.start_server(
            lambda _, writer: writer.close(), "127.0.0.1", self._port, reuse_address=True
        )

    async def _stop_closing(self) -> None:
        closing, self._closing = self._closing, None
        if closing:
            closing.close()
            await closing.wait_closed()

    def put(self, item: Json, *, told: bool = True) -> None:
        """*told*: whether watchers get to know, now or ever."""
        kind, key = item["kind"], key_of(item)
        action = "MODIFIED" if key in self.objects[kind] else "ADDED"
        self.version += 1
        while (kind, key, self.version) in self._ever:  # after a restored backup
            self.version += 1
        self._ever.add((kind, key, self.version))
        item["metadata"]["resourceVersion"] = str(self.version)
        self.objects[kind][key] = item
        self._happened(kind, Change(self.version, action, item), told=told)

    def delete(self, kind: str, key: tuple[str, str], *, told: bool = True) -> None:
        item = self.objects[kind].pop(key)
        self.version += 1
        last = item | {"metadata": item["metadata"] | {"resourceVersion": str(self.version)}}
        self._happened(kind, Change(self.version, "DELETED", last), told=told)

    def compact(self) -> None:
        """What happened up to now can be listed and no more watched."""
        self.compacted = self.version + 1
        self.version += 1

    def restore(self, objects: dict[str, dict[tuple[str, str], Json]], version: int) -> None:
        """The etcd of a backup: everything is as it was, the versions too."""
        self.objects = {kind: dict(own) for kind, own in objects.items()}
        self.version, self.compacted = version, 0
        self.history = {kind: [one for one in own if one.version <= version] for kind, own in self.history.items()}

    def refuse(self, kind: str, *refusals: Refusal) -> None:
        """Of the next requests, one each."""
        self.refusals[kind].extend(refusals)

    def bookmark(self, version: int = 0) -> None:
        for watcher in self.watchers:
            watcher.tell(_bookmark(version or self.version), version or self.version)

    def say(self, kind: str, line: bytes) -> None:
        """Whatever it is, to those who watch *kind*."""
        for watcher in self.watchers:
            if watcher.kind == kind:
                watcher.lines.put_nowait(line)

    def end(self) -> None:
        """All watches, in order."""
        for watcher in self.watchers:
            watcher.lines.put_nowait(None)

    def cut(self) -> None:
        for watcher in self.watchers:
            watcher.cut()

    def hush(self) -> None:
        """Nothing comes any more by the connections of now, not even their end."""
        for watcher in self.watchers:
            watcher.mute = True

    def watching(self, kind: str) -> bool:
        return any(watcher.kind == kind for watcher in self.watchers)

    def _happened(self, kind: str, change: Change, *, told: bool) -> None:
        if not told:
            return
        self.history[kind].append(change)
        for watcher in self.watchers:
            if watcher.kind == kind:
                watcher.tell(event(change.type, change.object), change.version)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        kind, query = PATHS[_place(self._path(request))[0]], request.query
        watch, streaming = query.get("watch") == "true", query.get("sendInitialEvents") == "true"
        what = "list" if "limit" in query else "streaming list" if streaming else "watch"
        if what == "list" and kind != "Namespace" and "PartialObjectMetadataList" in request.headers["Accept"]:
            what = "compare"
        self.requests.append((kind, what))
        if self.authorization and request.headers.get("Authorization") != self.authorization:
            return refused(Refusal(401, "Unauthorized"))
        if self.refusals[kind]:
            refusal = self.refusals[kind].popleft()
            return await self._stream(request, [error(refusal)]) if refusal.event else refused(refusal)
        if not watch:
            return self._list(kind, request)
        if self.breaks_watches:
            return await self._stream(request, [error(Refusal(500, "etcd is away"))])
        if streaming and self.streams_lists == "refused":
            return refused(Refusal(422, "sendInitialEvents is forbidden for watch unless the WatchList feature gate"))
        if streaming and self.streams_lists == "error":
            return await self._stream(request, [error(Refusal(500, "the required storage feature is disabled"))])
        return await self._watch(kind, request, streaming=streaming)

    def _path(self, request: web.Request) -> str:
        return request.path.removeprefix(self._prefix)

    def _list(self, kind: str, request: web.Request) -> web.Response:
        """A page; the token says of which version it is, and which object was the last one."""
        at, _, behind = request.query.get("continue", "").partition(" ")
        if at and int(at) < self.compacted:
            offer = {"continue": f" {behind}"} if self.offers_rest else {}
            return refused(Refusal(410, "The provided continue parameter is too old"), offer)
        own, named = (
            _place(self._path(request))[1],
            request.query.get("fieldSelector", "").partition("metadata.name=")[2],
        )
        items = sorted(self.objects[kind].values(), key=lambda one: "/".join(key_of(one)))
        items = [one for one in items if key_of(one)[0] == (own or key_of(one)[0]) and named in ("", key_of(one)[1])]
        items = [one for one in items if not behind or "/".join(key_of(one)) > behind]
        page = items[: min(int(request.query["limit"]), self.page_limit)]
        token = f"{at or self.version} {'/'.join(key_of(page[-1]))}" if len(page) < len(items) else ""
        meta = {"resourceVersion": at or str(self.version)} | ({"continue": token} if token else {})
        body = {"kind": f"{kind}List", "apiVersion": "v1", "metadata": meta, "items": page}
        if token:
            self.paged()
        response = web.Response(body=json.dumps(body).encode(), content_type="application/json")
        if self.gzip:
            response.enable_compression(web.ContentCoding.gzip)
        return response

    async def _watch(self, kind: str, request: web.Request, *, streaming: bool) -> web.StreamResponse:
        since = self.version
        if streaming:
            lines = [event("ADDED", item) for item in self.objects[kind].values()]
            lines += [_bookmark(self.version, ends=True)]
            if self.streams_lists == "silent":
                lines = []
        else:
            since = int(request.query["resourceVersion"])
            if since < self.compacted and since < self.version:
                return await self._stream(request, [error(Refusal(410, "too old resource version"))])
            lines = [event(one.type, one.object) for one in self.history[kind] if one.version > since]
        return await self._stream(request, lines, Watcher(kind, since, request))

    async def _stream(
        self, request: web.Request, lines: list[bytes], watcher: Watcher | None = None
    ) -> web.StreamResponse:
        if watcher:
            self.watchers.append(watcher)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        try:
            await response.prepare(request)
            for line in lines:
                await response.write(line)
            while watcher and (more := await watcher.lines.get()) is not None:
                await response.write(more)
        except ConnectionError:
            pass
        finally:
            if watcher:
                self.watchers.remove(watcher)
        return response


def _place(path: str) -> tuple[str, str]:
    """The path as PATHS has it, and the namespace in it."""
    group, inside, rest = path.partition("/namespaces/")
    own, _, plural = rest.partition("/")
    return (f"{group}/{plural}", own) if inside and plural else (path, "")


def key_of(item: Json) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def event(action: str, item: Json) -> bytes:
    return json.dumps({"type": action, "object": item}).encode() + b"\n"


def refused(refusal: Refusal, offer: Json | None = None) -> web.Response:
    """*offer*: its metadata."""
    status: Json = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": refusal.message}
    status["metadata"] = offer or {}
    return web.json_response(status, status=refusal.status, headers=dict(refusal.headers))


def error(refusal: Refusal) -> bytes:
    return event("ERROR", {"kind": "Status", "code": refusal.status, "message": refusal.message})


def _bookmark(version: int, *, ends: bool = False) -> bytes:
    annotations = {"annotations": {"k8s.io/initial-events-end": "true"}} if ends else {}
    return event("BOOKMARK", {"metadata": {"resourceVersion": str(version)} | annotations})


def namespace(name: str, **labels: str) -> Json:
    return {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name, "labels": labels}}


def service(name: str, address: str = "10.96.0.10", **spec: Any) -> Json:
    """*name*: ``"shop/web"``."""
    own, _, short = name.partition("/")
    ports = [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080}]
    spec = {"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address], "ports": ports} | spec
    return {"kind": "Service", "apiVersion": "v1", "metadata": {"namespace": own, "name": short}, "spec": spec}


def endpoint_slice(name: str, *addresses: str, of: str = "") -> Json:
    own, _, short = name.partition("/")
    meta = {"namespace": own, "name": short, "labels": {"kubernetes.io/service-name": of or short}}
    endpoints = [{"addresses": [one], "conditions": {"ready": True}} for one in addresses]
    slice_: Json = {"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "metadata": meta}
    return slice_ | {"addressType": "IPv4", "endpoints": endpoints, "ports": [{"name": "http", "port": 8080}]}


def pod(name: str, address: str) -> Json:
    own, _, short = name.partition("/")
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": {"namespace": own, "name": short}, "status": status}
