"""A server in this process whose page of metrics is read over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from fronting import Running, wait_long
from in_process import started
from prometheus_client.parser import text_string_to_metric_families
from support import PATIENCE

from clusterdns import forwarding as forwarding_module
from clusterdns.forward.membership import Upstreams

# Sample -> value; its labels are in the order of their names: name{a="b",c="d"}
Lines = Mapping[str, float]


class Clock:
    """That answers of others age by."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Metered(Running):
    clock: Clock

    def write(self, **settings: Any) -> None:
        super().write(**{"http": ["127.0.0.1:0"]} | settings)

    async def lines(self) -> Lines:
        (sock,) = self.server._http._sockets.values()
        url = f"http://127.0.0.1:{sock.getsockname()[1]}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            assert response.status == 200
            text = await response.text()
        found = [one for family in text_string_to_metric_families(text) for one in family.samples]
        return {one.name + _written(one.labels): one.value for one in found}

    async def until(self, condition: Callable[[Lines], bool]) -> Lines:
        """The page that fulfils it; the last one where patience ends, so that the test says what is missing."""
        end = asyncio.get_running_loop().time() + PATIENCE / 2
        while not condition(lines := await self.lines()) and asyncio.get_running_loop().time() < end:
            pass  # it has asked the server something, and waited for that
        return lines

    def groups(self) -> list[Upstreams]:
        forwarder = self.server._forwarding.forwarder
        return [group for group in forwarder.groups if isinstance(group, Upstreams)] if forwarder else []

    def upstreams(self) -> list[str]:
        return [str(one) for group in self.groups() for one in group.upstreams]

    @property
    def drained(self) -> bool:
        """Nobody waits for whom settings of before named."""
        return not self.server._forwarding._ending


def sum_of(lines: Lines, name: str, *labels: str) -> float | None:
    """Of all samples of *name* with *labels*, each written like ``a=b``; None: there is none."""
    wanted = ['{}="{}"'.format(*label.split("=", 1)) for label in labels]
    values = [
        value for line, value in lines.items() if line.startswith(f"{name}{{") and all(one in line for one in wanted)
    ]
    return sum(values) if values else None


@asynccontextmanager
async def metered(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> AsyncIterator[Metered]:
    """Its upstreams are asked each question once, however slow this machine is: no query is taken for lost."""
    clock = Clock()
    monkeypatch.setattr(forwarding_module, "ageing", lambda: clock)
    wait_long(monkeypatch)
    one = Metered(folder, **settings)
    one.clock = clock
    async with started(one):
        yield one


def _written(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{label}="{value}"' for label, value in sorted(labels.items())) + "}"
