"""A server in this process, in front of upstreams that do what a test says."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import dns.message
import pytest
from farm import Fake, Farm
from in_process import InProcess, started
from packets import opt, query, read
from support import PATIENCE, write_manifests

from clusterdns.forward.upstream import Patience

MANIFESTS = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.9, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: docs, namespace: shop}
spec: {type: ExternalName, externalName: docs.example.com}
"""
WEB, DOCS = "web.shop.svc.cluster.local", "docs.shop.svc.cluster.local"
SOA = "example.com. 300 SOA ns.example.com. admin.example.com. 1 7200 3600 86400 60"


def wait_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the replies of upstreams: a slow machine is no dead upstream, nor one that a query to was lost on its way,
    which would be sent again and seen twice."""
    monkeypatch.setattr("clusterdns.forward.upstream.Patience", partial(Patience, reply=PATIENCE))
    monkeypatch.setattr("clusterdns.forward.upstream.retry_wait", lambda *_: PATIENCE)


class Running(InProcess):
    def __init__(self, folder: Path, **settings: Any) -> None:
        manifests = folder / "manifests"
        if not manifests.exists():
            manifests.mkdir()
            write_manifests(manifests, MANIFESTS)
        self.own: dict[str, Any] = {"manifests": [str(manifests)]} if settings.get("source") != "none" else {}
        super().__init__(folder / f"{len([*folder.iterdir()])}.yaml", **settings)

    def write(self, **settings: Any) -> None:
        super().write(**{"forward_timeout": "60s"} | self.own | settings)

    @property
    def port(self) -> int:
        return self.bound[0][1]

    async def dig(self, *words: str) -> str:
        """Standard output of ``dig``, one line for each line that says something."""
        command = ["dig", "@127.0.0.1", "-p", str(self.port), "+tries=1", "+timeout=30", "+nocookie", *words]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        return out.decode()

    async def said(self, *words: str) -> str:
        """``"NOERROR qr rd ra | www.example.com. 300 IN A 192.0.2.1"``: status, flags, answers, authority owners."""
        out = await self.dig("+noall", "+comments", "+answer", "+authority", *words)
        status, flags = re.search(r"status: (\w+)", out), re.search(r"flags: ([\w ]+);", out)
        assert status, out
        assert flags, out
        lines = [" ".join(line.split()) for line in out.splitlines() if line and not line.startswith(";")]
        shown = [line if " SOA " not in line else f"{line.split()[0]} SOA" for line in lines]
        return " | ".join([f"{status[1]} {flags[1]}", *shown])

    async def ask(self, name: str, **how: Any) -> dns.message.Message:
        """Over UDP, with a socket of its own."""
        loop = asyncio.get_running_loop()
        got: asyncio.Future[bytes] = loop.create_future()
        transport, _ = await loop.create_datagram_endpoint(lambda: Client(got), remote_addr=("127.0.0.1", self.port))
        transport.sendto(query(name, edns=opt(), **how))
        try:
            return read(await got)
        finally:
            transport.close()


class Client(asyncio.DatagramProtocol):
    def __init__(self, got: "asyncio.Future[bytes]") -> None:
        self._got = got

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self._got.done():
            self._got.set_result(data)


def serving(folder: Path, **settings: Any) -> AbstractAsyncContextManager[Running]:
    return started(Running(folder, **settings))


def story(told: Callable[[Farm], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(PATIENCE), Farm() as farm:
            await told(farm)

    asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    """For what nobody tells."""
    for _ in iter(condition, True):
        await asyncio.sleep(0.001)


def at(fake: Fake) -> str:
    return f"127.0.0.1:{fake.port}"
