"""Requests to one API server: whom they come from, how they fail, and that nobody waits for ever."""

import asyncio
import math
import os
import socket
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from errno import ECONNRESET
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from clusterdns import __version__
from clusterdns.errors import BackendError, OperatorError, printable, shortened
from clusterdns.histogram import DEFAULT, Histogram
from clusterdns.sources.kubernetes.access import Access, Credentials, tls_context
from clusterdns.sources.kubernetes.decoding import message_of, reason_of, token_of
from clusterdns.sources.kubernetes.faults import ApiError, Reason
from clusterdns.sources.kubernetes.resources import right

NO_REPLY = "<error>"  # as client-go counts it
CONNECT, ANSWER = 5.0, 30.0  # seconds: to connect; to begin to answer, and between two pieces of a page
MOST_OCTETS = 256 << 20  # of a page
_BUFFER = 1 << 18  # octets of a stream that may wait for us
_REFUSAL = 1 << 16  # octets of a refusal that are read
_DEAD = 15  # seconds without acknowledgement after which the system gives a connection up

Parameters = Mapping[str, str]


class Stream:
    """A watch that is open."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._loop = asyncio.get_running_loop()
        self._due = math.inf  # when who reads has waited for long enough; inf: nobody does
        self._timer: asyncio.TimerHandle | None = None  # goes off then, or before: an event shall not cost a timer
        self._silent = False

    async def read(self, within: float) -> bytes:
        """What has come, at least one octet; b"": the server has ended it.  Raises ApiError, also after *within* s."""
        self._due = self._loop.time() + within
        if self._timer is None or self._timer.when() > self._due:
            self._watch()
        try:
            with _told("the watch"):
                return await self._response.content.readany()
        except ApiError:
            if self._silent:
                raise ApiError(Reason.SILENT, f"nothing came for {within:g} s, not even a bookmark") from None
            raise
        finally:
            self._due = math.inf

    def _watch(self) -> None:
        """Looks again when it is due, and so once in a while for all that has been read since."""
        if self._timer:
            self._timer.cancel()
        self._timer = None if self._due == math.inf else self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        if self._loop.time() >= self._due:
            self._silent = True
            self._response.close()
        else:
            self._watch()

    def abort(self) -> None:
        """Whoever reads gets an ApiError."""
        self._response.close()

    def close(self) -> None:
        """There may be more to come, which nobody is to wait for."""
        if self._timer:
            self._timer.cancel()
        self._response.close()


class Client:
    """Use it on one loop."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._session: aiohttp.ClientSession | None = None
        self._connection: tuple[object, ...] = ()  # what the session is made for
        self._opening = asyncio.Lock()
        self._headers: tuple[tuple[str, str], ...] = ()  # of the last access
        self._renew = False
        self.server = ""  # URL, once it is known
        self.requests: Counter[str] = Counter()  # by HTTP status, or NO_REPLY
        self.seconds = Histogram(DEFAULT)  # until replies began

    @property
    def origin(self) -> str:
        return self._credentials.origin

    async def prepare(self) -> None:
        """Looks at the credentials; whether the server is there does not matter.

        Raises OperatorError where only a person can mend them, ApiError where they may mend themselves.  Afterwards
        both are the latter: what can go wrong at a start must not end a server that runs.
        """
        async with self._opening:
            await self._context(await self._access())

    async def close(self) -> None:
        session, self._session = self._session, None
        if session:
            await session.close()

    async def get(self, path: str, parameters: Parameters, accept: str) -> bytes:
        """The whole answer.  Raises ApiError."""
        async with self._request(path, parameters, accept, ANSWER) as response:
            pieces, octets = [], 0
            with _told(self.server):
                while piece := await response.content.readany():
                    pieces.append(piece)
                    octets += len(piece)
                    if octets > MOST_OCTETS:
                        raise ApiError(Reason.GARBLED, f"an answer of more than {MOST_OCTETS >> 20} MiB")
            return b"".join(pieces)

    @asynccontextmanager
    async def watch(self, path: str, parameters: Parameters, accept: str) -> AsyncIterator[Stream]:
        """Raises ApiError."""
        async with self._request(path, parameters, accept) as response:
            stream = Stream(response)
            try:
                yield stream
            finally:
                stream.close()

    @asynccontextmanager
    async def _request(
        self, path: str, parameters: Parameters, accept: str, between: float | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """*between*: seconds between two pieces of the answer."""
        try:
            access, session = await self._enter()
        except OperatorError as error:  # it was in order at the start
            raise ApiError(Reason.CREDENTIALS, str(error)) from None
        began, code = time.monotonic(), NO_REPLY
        with _told(access.server, Reason.CLOSED):
            try:
                async with asyncio.timeout(CONNECT + ANSWER):
                    response = await session.get(
                        access.server + path,
                        params=parameters,
                        headers=[("Accept", accept), *access.headers],
                        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=between),
                        server_hostname=access.server_name or None,
                        proxy=access.proxy or proxy_for(access.server),
                        allow_redirects=False,  # they would get the token
                    )
                code = str(response.status)
            except aiohttp.ServerTimeoutError:
                raise
            except TimeoutError:
                text = f"{access.server}: no answer within {CONNECT + ANSWER:g} s; {_WAY}"
                raise ApiError(Reason.SILENT, text) from None
            finally:
                self.requests[code] += 1
                self.seconds.observe(time.monotonic() - began)
        async with response:
            if response.status != 200:
                raise await self._refusal(access, response)
            yield response

    async def _refusal(self, access: Access, response: aiohttp.ClientResponse) -> ApiError:
        reason = reason_of(response.status)
        if reason is Reason.UNAUTHORIZED and access.headers == self._headers:  # else they are renewed already
            self._renew = True
        try:
            async with asyncio.timeout(CONNECT):
                body = await response.content.read(_REFUSAL)
        except TimeoutError:
            body = b""
        response.close()  # there may be more of it
        text = f"{access.server}: {response.status} {response.reason or ''}".rstrip()
        if said := message_of(body):
            text += f": {said}"
        if reason is Reason.FORBIDDEN:
            text += f"; {right(response.url.path)}"
        if reason is Reason.UNAUTHORIZED:
            text += f"; renew {self.origin}"
        wait = response.headers.get("Retry-After", "")
        seconds = float(wait) if wait.isascii() and wait.isdecimal() and len(wait) < 6 else 0.0
        fault = ApiError(reason, printable(text), retry_after=seconds)
        fault.code, fault.token = response.status, token_of(body)
        return fault

    async def _enter(self) -> tuple[Access, aiohttp.ClientSession]:
        """Raises OperatorError or ApiError."""
        async with self._opening:
            access = await self._access()
            self._headers = access.headers
            self.server = access.server
            session = self._session
            if session is None or self._connection != access.connection:
                session = await self._open(access)
            return access, session

    async def _access(self) -> Access:
        """Raises OperatorError or ApiError."""
        renew, self._renew = self._renew, False  # where that fails, those that we have may do all the same
        try:
            return await self._credentials.access(renew=renew)
        except BackendError as error:
            raise ApiError(Reason.CREDENTIALS, str(error)) from None

    async def _context(self, access: Access) -> ssl.SSLContext:
        """Raises OperatorError."""
        try:
            return await asyncio.to_thread(tls_context, access)
        except (OSError, ValueError) as error:
            told = shortened(str(error))
            raise OperatorError(
                f"{self.origin}: its certificates or its key cannot be used: {told}; write them as PEM, not encrypted"
            ) from None

    async def _open(self, access: Access) -> aiohttp.ClientSession:
        context = await self._context(access)
        await self.close()
        connector = aiohttp.TCPConnector(limit=0, ssl=context, socket_factory=_socket)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"clusterdns/{__version__}", "Accept-Encoding": "gzip"},
            read_bufsize=_BUFFER,
        )
        self._connection = access.connection
        return self._session


_TRUST = "check certificate-authority and the server's name"
_WAY = "look whether the API server runs, and whether its address and the way to it are right"
_NAME = "look whether its name is right, and whether this machine's resolver knows it"


def _fault_of(error: OSError) -> str:
    """In the words of the system, without those of libraries on the way."""
    if isinstance(error, socket.gaierror):
        return error.strerror or "its name is not known"
    if error.errno:
        return os.strerror(error.errno)
    return str(error) or (os.strerror(ECONNRESET) if isinstance(error, ConnectionResetError) else type(error).__name__)


def _tls_fault(error: aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError) -> str:
    cause = error.certificate_error if isinstance(error, aiohttp.ClientConnectorCertificateError) else error.os_error
    return getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or str(cause)


@contextmanager
def _told(where: str, broken: Reason = Reason.CUT) -> Iterator[None]:
    """What aiohttp raises, in words of ours.  *broken*: what a connection is that breaks without another word."""
    try:
        yield
    except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
        text = f"{where}: its certificate is not trusted: {_tls_fault(error)}; {_TRUST}"
        raise ApiError(Reason.UNTRUSTED, printable(shortened(text))) from None
    except aiohttp.ConnectionTimeoutError:
        raise ApiError(
            Reason.REFUSED, f"{where} cannot be reached: no connection within {CONNECT:g} s; {_WAY}"
        ) from None
    except aiohttp.ClientConnectorError as error:
        who = f"the proxy {error.host}:{error.port}" if isinstance(error, aiohttp.ClientProxyConnectionError) else where
        named = isinstance(error, aiohttp.ClientConnectorDNSError)
        text = f"{who} cannot be reached: {_fault_of(error.os_error)}; {_NAME if named else _WAY}"
        raise ApiError(Reason.REFUSED, printable(shortened(text))) from None
    except aiohttp.ServerTimeoutError as error:
        raise ApiError(Reason.SILENT, printable(f"{where}: {error}; {_WAY}")) from None
    except aiohttp.ServerDisconnectedError:
        raise ApiError(broken, f"{where}: the connection was closed without an answer; {_WAY}") from None
    except OSError as error:
        raise ApiError(broken, printable(f"{shortened(f'{where}: {_fault_of(error)}')}; {_WAY}")) from None
    except aiohttp.ClientError as error:  # somebody has spoken, though not as an API server does
        told = str(error) or type(error).__name__
        raise ApiError(Reason.CUT, printable(f"{shortened(f'{where}: {told}')}; {_WAY}")) from None
    except ValueError as error:  # a URL or a header that is none
        raise ApiError(Reason.FAILED, printable(shortened(f"{where}: {error}"))) from None


def _socket(info: aiohttp.AddrInfoType) -> socket.socket:
    """One of which the system finds out soon when the other end is gone."""
    family, kind, protocol, _, _ = info
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    seconds = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 2, "TCP_USER_TIMEOUT": 1000 * _DEAD}
    for name, value in seconds.items():
        if option := getattr(socket, name, None):  # not every system has all of them
            made.setsockopt(socket.IPPROTO_TCP, option, value)
    return made


def proxy_for(server: str) -> str | None:
    """As the environment says.  aiohttp's own way would mix in passwords of ~/.netrc."""
    parts, proxies = urlsplit(server), getproxies()
    host, proxy = parts.hostname or "", proxies.get(parts.scheme)
    return proxy if proxy and not proxy_bypass(host) and not _is_direct(host, proxies.get("no", "")) else None


def _is_direct(host: str, networks: str) -> bool:
    """What ``proxy_bypass`` does not know: this machine, and networks, as which clusters stand in NO_PROXY."""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost"
    if address.is_loopback:
        return True
    for text in networks.split(","):
        with suppress(ValueError):  # names
            if address in ip_network(text.strip(), strict=False):
                return True
    return False
