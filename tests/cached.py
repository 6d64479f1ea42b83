"""A cache with something in it, and the HTTP address that tells of it, on a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from foreign import AAAA, A, asked, foreign, nodata, nxdomain

from clusterdns.admin.cache import Caching
from clusterdns.admin.http import HttpServer
from clusterdns.cluster.model import Key, Service
from clusterdns.forward.answers import Foreign, Question, Unresolved
from clusterdns.forward.asking import Asker
from clusterdns.forward.cache import Cache
from clusterdns.forward.inspecting import Inspection
from clusterdns.forward.kept import Bounds, Outcome
from clusterdns.metrics import Sample


async def _nobody(_: Question) -> Foreign:
    raise Unresolved(22, "nobody is there")


class Filled:
    """100 seconds after these were stored:

    web.example. A for 200 s more, twice asked for; its AAAA, NODATA, stale for 40 s; with DO once more; NXDOMAIN of
    nix.web.example.; a failure of bad.example.; two names elsewhere.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.cache = Cache(Bounds(1 << 20))
        loop = asyncio.new_event_loop()
        loop.close()  # nobody is asked
        self.asker = Asker(_nobody, self.cache, lambda: self.now, loop)
        web, six = asked("web.example."), asked("web.example.", AAAA)
        signed = asked("web.example.", dnssec_ok=True)
        nix, bad = asked("nix.web.example."), asked("bad.example.")
        self.cache.put(web, foreign(web, [(A, 300)]), 1000.0)
        self.cache.put(six, nodata(six, 60), 1000.0)
        self.cache.put(signed, foreign(signed, [(A, 300)]), 1000.0)
        self.cache.put(nix, nxdomain(nix, 150), 1000.0)
        for name in ("a.other.", "b.other."):
            self.cache.put(asked(name), foreign(asked(name), [(A, 500)]), 1000.0)
        self.now += 100
        for _ in range(8):
            self.cache.fail(bad, Outcome(2, None, error=(22, "nobody is there")), self.now)
        assert self.asker.get(web)
        assert self.asker.get(web)
        assert self.asker.get(asked("missing.example.")) is None
        self.inspection = Inspection(self.cache, self.asker, lambda: self.now)


class _State:
    def ready_reasons(self) -> Sequence[str]:
        return ()

    ready_notes = ready_reasons

    def stale(self) -> str:
        return ""

    def services(self, _: Callable[[Key], bool]) -> Sequence[Service] | None:
        return None

    def status(self) -> object:
        return {}

    def samples(self) -> Callable[[], Iterable[Sample]]:
        return tuple


@contextmanager
def telling(caching: Caching | None, token: str = "") -> Iterator[str]:
    """The URL of an HTTP address that tells of *caching*."""
    started: list[str] = []
    ready, loops = threading.Event(), list[tuple[asyncio.AbstractEventLoop, Callable[[], None]]]()

    async def life() -> None:
        server, end = HttpServer(_State(), None, lambda: token, lambda: caching), asyncio.Event()
        try:
            bound = await server.start([("127.0.0.1", 0)])
            loops.append((asyncio.get_running_loop(), end.set))
            started.append(f"http://127.0.0.1:{bound[0][1]}")
            ready.set()
            await end.wait()
        finally:
            await server.stop()
            ready.set()

    thread = threading.Thread(target=lambda: asyncio.run(life()))
    thread.start()
    ready.wait()
    try:
        yield started[0]
    finally:
        for loop, end in loops:
            loop.call_soon_threadsafe(end)
        thread.join()
