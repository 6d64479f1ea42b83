"""A TCP proxy that fails as networks and load balancers do."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

from ports import free_port

from live.processes import PATIENCE

_BUFFER = 1 << 16


class Proxy:
    """From a port of 127.0.0.1 to another one, in a thread of its own.  Use as a context manager.

    Where nobody listens on the other one, connections are accepted and closed at once.  While it refuses them, its port
    stays free for it: the kernel gives it to nobody.
    """

    def __init__(self, target: int) -> None:
        self.port, self._target = free_port(), target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._server: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()
        self._flows = asyncio.Event()  # cleared: what comes is kept
        self._flows.set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def connections(self) -> int:
        """That are not abandoned."""
        return sum(not pair.abandoned for pair in set(self._pairs))

    def stall(self) -> None:
        """Nothing gets through any more, by no connection, and nobody is told."""
        self._call(self._flows.clear)

    def resume(self) -> None:
        """What was kept gets through."""
        self._call(self._flows.set)

    def abandon(self) -> None:
        """The connections of now are silent for ever; new ones work."""

        def abandon() -> None:
            for pair in self._pairs:
                pair.abandon()

        self._call(abandon)

    def refuse(self) -> None:
        """Connections are cut, new ones refused."""
        self._run(self._end())

    def accept(self) -> None:
        """New ones again."""
        self._run(self._listen())

    def _call(self, what: Callable[[], object]) -> None:
        async def called() -> None:
            what()

        self._run(called())

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)

    async def _end(self) -> None:
        server, self._server = self._server, None
        if server:
            server.close()
        tasks = [pair.task for pair in self._pairs if pair.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if server:
            await server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = _Pair(self._flows)
        pair.task = asyncio.current_task()
        self._pairs.add(pair)
        try:
            await pair.serve(reader, writer, self._target)
        except (OSError, asyncio.CancelledError):
            pass  # one of both has gone, or the test ends it
        finally:
            self._pairs.discard(pair)
            writer.transport.abort()


class _Pair:
    """One connection from its client to its target."""

    def __init__(self, flows: asyncio.Event) -> None:
        self.task: asyncio.Task[None] | None = None
        self._flows, self.abandoned = flows, False

    def abandon(self) -> None:
        self.abandoned = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: int) -> None:
        await self._flows.wait()
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        ways = [
            asyncio.ensure_future(self._forward(reader, far_writer)),
            asyncio.ensure_future(self._answer(far_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            far_writer.transport.abort()  # before anything that may be cancelled
            await asyncio.gather(*ways, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._forward(reader, writer)
        if self.abandoned:
            await asyncio.Event().wait()  # not even the end gets through

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_BUFFER):
            await self._flows.wait()
            if not self.abandoned:
                writer.write(data)
                await writer.drain()
