"""Requests over TLS: whom is trusted, who we are, and what failures are called."""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import Callable, Coroutine
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from fake_api import FakeApi, service

from clusterdns.errors import OperatorError
from clusterdns.sources.kubernetes.access import Access
from clusterdns.sources.kubernetes.client import Client, Stream, proxy_for
from clusterdns.sources.kubernetes.decoding import page_of
from clusterdns.sources.kubernetes.faults import ApiError, Reason
from clusterdns.sources.kubernetes.resources import JSON, SERVICES

NOWHERE = "https://127.0.0.1:1"

pytestmark = pytest.mark.skipif(not which("openssl"), reason="no openssl to make certificates with")


class Fixed:
    origin = "the test"

    def __init__(self, access: Access) -> None:
        self.access_now = access

    async def access(self, *, renew: bool = False) -> Access:
        return self.access_now


class Pair:
    """A certificate that signs itself, for one name."""

    def __init__(self, folder: Path, name: str) -> None:
        self.certificate, self.key = folder / f"{name}.crt", folder / f"{name}.key"
        kind = "IP" if name[0].isdigit() else "DNS"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={kind}:{name}"]
        command += ["-keyout", str(self.key), "-out", str(self.certificate)]
        subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Pair]:
    folder = tmp_path_factory.mktemp("certificates")
    made: dict[str, Pair] = {}

    def pair(name: str) -> Pair:
        return made.setdefault(name, made.get(name) or Pair(folder, name))

    return pair


def serving(pair: Pair, clients: Pair | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients.certificate)
    return context


def run(api: FakeApi, test: Callable[[FakeApi], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        async with api:
            api.put(service("shop/web"))
            await test(api)

    asyncio.run(main())


async def listed(access: Access) -> int:
    """How many Services there are."""
    client = Client(Fixed(access))
    try:
        await client.prepare()
        return len(page_of(await client.get(SERVICES.path, {"limit": "500"}, JSON)).items)
    finally:
        await client.close()


def test_authority_and_prefix(pairs: Callable[[str], Pair]) -> None:
    pair = pairs("127.0.0.1")

    async def main(api: FakeApi) -> None:
        assert api.url.endswith("/k8s/clusters/a")
        assert await listed(Access(api.url, pair.certificate.read_bytes())) == 1

    run(FakeApi(serving(pair), "/k8s/clusters/a"), main)


def test_who_is_not_trusted(pairs: Callable[[str], Pair]) -> None:
    pair, other = pairs("127.0.0.1"), pairs("other.example")

    async def main(api: FakeApi) -> None:
        for access in (Access(api.url), Access(api.url, other.certificate.read_bytes())):
            with pytest.raises(ApiError, match=r"certificate is not trusted.*check certificate-authority") as caught:
                await listed(access)
            assert caught.value.reason is Reason.UNTRUSTED
        assert await listed(Access(api.url, insecure=True)) == 1

    run(FakeApi(serving(pair)), main)


def unknown(*_: object, **__: object) -> None:
    """In the place of a resolver, which may take longer to say so where the network drops packets."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize(
    ("server", "proxy", "said"),
    [
        (NOWHERE, "", f"{NOWHERE} cannot be reached: Connection refused; look whether the API server runs"),
        (NOWHERE, "http://127.0.0.1:2", "the proxy 127.0.0.1:2 cannot be reached: Connection refused; look"),
        (
            "https://nobody.invalid:6443",
            "",
            "https://nobody.invalid:6443 cannot be reached: Name or service not known; look",
        ),
    ],
)
def test_who_cannot_be_reached_is_told_in_words_of_ours(
    monkeypatch: pytest.MonkeyPatch, server: str, proxy: str, said: str
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ApiError) as caught:
        asyncio.run(listed(Access(server, proxy=proxy)))
    assert caught.value.reason is Reason.REFUSED
    assert str(caught.value).startswith(said)
    assert "ssl:" not in str(caught.value)
    assert "Errno" not in str(caught.value)


Words = tuple[bytes | None, Reason, str]

WAY = "; look whether the API server runs, and whether its address and the way to it are right"
SPOKEN: dict[str, Words] = {  # what comes behind the beginning of a request; None: the connection is closed at once
    "closed at once": (None, Reason.CLOSED, ""),
    "closed without a word": (b"", Reason.CLOSED, ": the connection was closed without an answer"),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Le", Reason.CLOSED, ": the connection was closed without an answer"),
    "half a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", Reason.CUT, ""),
    "another protocol": (b"SSH-2.0-x\r\n", Reason.CUT, ""),
}


async def answered(words: bytes | None, access: Callable[[int], Access]) -> ApiError:
    """How a list fails where *words* are all that is said."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if words is not None:
            await reader.read(10)
            writer.write(words)
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        with pytest.raises(ApiError) as caught:
            await listed(access(server.sockets[0].getsockname()[1]))
    return caught.value


@pytest.mark.parametrize(("words", "reason", "said"), SPOKEN.values(), ids=SPOKEN)
def test_connections_that_break(words: bytes | None, reason: Reason, said: str) -> None:
    fault = asyncio.run(answered(words, lambda port: Access(f"http://127.0.0.1:{port}")))
    assert fault.reason is reason
    assert str(fault).startswith("http://127.0.0.1:")
    assert said in str(fault)
    assert str(fault).endswith(WAY)
    assert "Errno" not in str(fault)
    assert "RawResponseMessage" not in str(fault)


@pytest.mark.parametrize("words", [None, b""], ids=["closed at once", "closed in the handshake"])
def test_connections_that_break_before_there_is_tls(words: bytes | None) -> None:
    fault = asyncio.run(answered(words, lambda port: Access(f"https://127.0.0.1:{port}")))
    assert fault.reason is Reason.REFUSED
    assert str(fault).endswith(f" cannot be reached: Connection reset by peer{WAY}")


@pytest.mark.parametrize(
    ("words", "reason"), [(b"", Reason.CLOSED), (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", Reason.CUT)]
)
def test_a_proxy_that_cannot_connect(words: bytes, reason: Reason) -> None:
    fault = asyncio.run(answered(words, lambda port: Access(NOWHERE, proxy=f"http://127.0.0.1:{port}")))
    assert fault.reason is reason
    assert str(fault).endswith(WAY)


def test_silence_ends_a_watch_and_what_comes_before_costs_no_timers(monkeypatch: pytest.MonkeyPatch) -> None:
    timers: list[int] = []
    watch = Stream._watch

    def counting(stream: Stream) -> None:
        timers.append(1)
        watch(stream)

    monkeypatch.setattr(Stream, "_watch", counting)

    async def main(api: FakeApi) -> None:
        client = Client(Fixed(Access(api.url)))
        await client.prepare()
        try:
            asked = {"watch": "true", "resourceVersion": str(api.version)}
            async with client.watch(SERVICES.path, asked, JSON) as stream:
                for number in range(20):
                    api.put(service(f"shop/new-{number}"))
                    assert f"new-{number}".encode() in await stream.read(60)
                assert len(timers) == 1
                for _ in range(2):  # it stays over
                    with pytest.raises(ApiError, match=r"nothing came for 0.01 s") as caught:
                        await stream.read(0.01)
                    assert caught.value.reason is Reason.SILENT
        finally:
            await client.close()

    run(FakeApi(), main)


def test_the_name_that_is_expected(pairs: Callable[[str], Pair]) -> None:
    pair = pairs("kubernetes.example")

    async def main(api: FakeApi) -> None:
        authority = pair.certificate.read_bytes()
        with pytest.raises(ApiError, match="not trusted"):
            await listed(Access(api.url, authority))
        assert await listed(Access(api.url, authority, server_name="kubernetes.example")) == 1

    run(FakeApi(serving(pair)), main)


def test_a_client_certificate(pairs: Callable[[str], Pair]) -> None:
    pair, client = pairs("127.0.0.1"), pairs("client.example")

    async def main(api: FakeApi) -> None:
        access = Access(
            api.url, pair.certificate.read_bytes(), client.certificate.read_bytes(), client.key.read_bytes()
        )
        assert await listed(access) == 1
        with pytest.raises(ApiError):
            await listed(Access(api.url, pair.certificate.read_bytes()))

    run(FakeApi(serving(pair, client)), main)


@pytest.mark.parametrize(
    "odd",
    [
        Access(NOWHERE, b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"),
        Access(NOWHERE, certificate=b"-----BEGIN CERTIFICATE-----\nnonsense\n", key=b"-----BEGIN"),
        Access(NOWHERE, b"\xff"),
    ],
)
def test_certificates_that_are_none(odd: Access) -> None:
    with pytest.raises(OperatorError, match="the test: its certificates or its key cannot be used"):
        asyncio.run(listed(odd))


def test_credentials_that_changed_are_used(pairs: Callable[[str], Pair]) -> None:
    pair, other = pairs("127.0.0.1"), pairs("other.example")

    async def main(api: FakeApi) -> None:
        credentials = Fixed(Access(api.url, other.certificate.read_bytes()))
        client = Client(credentials)
        with pytest.raises(ApiError):
            await client.get(SERVICES.path, {"limit": "1"}, JSON)
        credentials.access_now = Access(api.url, pair.certificate.read_bytes())
        await client.get(SERVICES.path, {"limit": "1"}, JSON)
        await client.close()

    run(FakeApi(serving(pair)), main)


@pytest.mark.parametrize(
    ("server", "direct", "proxy"),
    [
        ("https://10.96.0.1:443", "", "http://proxy:3128"),
        ("http://10.96.0.1:443", "", None),
        ("https://10.96.0.1:443", "10.96.0.1", None),
        ("https://10.96.0.1:443", "localhost, 10.0.0.0/8,.svc", None),
        ("https://10.96.0.1:443", "192.168.0.0/16,fd00::/8", "http://proxy:3128"),
        ("https://[fd00::1]:443", "10.0.0.0/8,fd00::/8", None),
        ("https://api.example:6443", "10.0.0.0/8,.example", None),
        ("https://api.example:6443", "10.0.0.0/8,nonsense/99", "http://proxy:3128"),
        ("https://127.0.0.1:6443", "", None),
        ("https://[::1]:6443", "", None),
        ("https://localhost:6443", "", None),
    ],
)
def test_who_is_asked_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch, server: str, direct: str, proxy: str | None
) -> None:
    """As client-go understands the environment: networks count, and this machine never needs one."""
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", direct)
    assert proxy_for(server) == proxy


def test_a_proxy_that_is_not_there() -> None:
    async def main(api: FakeApi) -> None:
        with pytest.raises(ApiError) as caught:
            await listed(Access(api.url, proxy="http://127.0.0.1:1"))
        assert caught.value.reason is Reason.REFUSED

    run(FakeApi(), main)
