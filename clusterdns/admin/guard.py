"""Who may use ``/api``: what runs in a cluster is nobody else's business."""

from collections.abc import Awaitable, Callable
from hmac import compare_digest
from ipaddress import ip_address

from aiohttp import web
from aiohttp.typedefs import Middleware

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_READING = ("GET", "HEAD")


class Guard:
    """*token* gives what callers must show as ``Authorization: Bearer``, on every address.

    "": nobody is asked; the paths are there on loopback addresses only.

    Whatever changes something is refused to pages of the web: a browser sends their forms to any address, and cannot
    help saying with ``Origin`` that it does.
    """

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    def middleware(self) -> Middleware:
        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path.startswith("/api/"):
                self._check(request)
            return await handler(request)

        return guarded

    def is_verbose(self, request: web.Request) -> bool:
        """Whether more is wanted, and theirs to have; elsewhere than on loopback the plain answer has to do.

        Raises HTTPUnauthorized for who has to show a token and does not.
        """
        if "verbose" not in request.query or not (self._token() or _is_near(request)):
            return False
        self._check(request)
        return True

    def _check(self, request: web.Request) -> None:
        if token := self._token():
            given = request.headers.get("Authorization", "").encode(errors="replace")
            if not compare_digest(given, f"Bearer {token}".encode()):
                raise web.HTTPUnauthorized(text="a token is needed\n", headers={"WWW-Authenticate": "Bearer"})
        elif not _is_near(request):
            raise web.HTTPNotFound
        if request.method not in _READING and "Origin" in request.headers:
            raise web.HTTPForbidden(text="not for pages of the web\n")


def _is_near(request: web.Request) -> bool:
    return _is_loopback(request) and _is_address(request.host)


def _is_loopback(request: web.Request) -> bool:
    """The address that was connected to."""
    if request.transport is None:  # it has hung up
        return False
    return ip_address(request.transport.get_extra_info("sockname")[0].partition("%")[0]).is_loopback


def _is_address(host: str) -> bool:
    """``127.0.0.1:9153``, ``[::1]:9153`` or ``localhost:9153``.

    A page of the web may have a browser on this machine ask here under a name of its own, which leads to 127.0.0.1.
    """
    bare = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    try:
        ip_address(bare)
    except ValueError:
        return bare == "localhost"
    return True
