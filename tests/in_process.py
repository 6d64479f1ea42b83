"""A Server in this process, and the file that its settings come from."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from support import PATIENCE

from clusterdns.config import Settings, load_settings
from clusterdns.server import Server
from clusterdns.transports.sockets import Address


class InProcess:
    def __init__(self, path: Path, **settings: Any) -> None:
        """*path*: of the file."""
        self.path = path
        self.write(**settings)
        self.server = Server(self.load, str(path))

    def write(self, **settings: Any) -> None:
        lines = {"listen": ["127.0.0.1:0"], "http": [], "lameduck": 0} | settings
        draft = self.path.with_suffix(".draft")
        draft.write_text("".join(f"{name}: {value}\n" for name, value in lines.items()))
        draft.replace(self.path)

    def load(self) -> Settings:
        return load_settings({}, {}, str(self.path))

    @property
    def bound(self) -> list[Address]:
        return self.server._listeners.bound


One = TypeVar("One", bound=InProcess)


@asynccontextmanager
async def started(one: One) -> AsyncIterator[One]:
    """It listens until the end."""
    running = asyncio.create_task(one.server.run())
    try:
        async with asyncio.timeout(PATIENCE):
            while not one.bound:
                assert not running.done(), running.result()
                await asyncio.sleep(0)
        yield one
    finally:
        one.server._end(patient=False)
        assert await running == 0
