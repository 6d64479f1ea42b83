"""The life of ``clusterdns serve``: start, signals, changes of its settings, end."""

import asyncio
import gc
import hashlib
import logging
import os
import signal
import time
from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import asdict

from clusterdns import __version__
from clusterdns.admin.http import HttpServer
from clusterdns.announce import announce_ready, announce_start, texts, what
from clusterdns.backend import Backend
from clusterdns.background import in_background
from clusterdns.changes import differences, inside
from clusterdns.cluster.model import Key, Service
from clusterdns.config import SECRET, Settings
from clusterdns.controllers.memory import Memory
from clusterdns.errors import BackendError, OperatorError
from clusterdns.forwarding import Forwarding, sensible
from clusterdns.lame_duck import lame_duck
from clusterdns.metrics import Sample
from clusterdns.pauses import Pauses
from clusterdns.query_log import QueryLogs, Wanted, to_standard_output
from clusterdns.readings import Readings
from clusterdns.standing import Refused, Staleness
from clusterdns.supervisor import Supervisor
from clusterdns.transports.crowd import Limits
from clusterdns.transports.inherited import Pairs
from clusterdns.transports.listeners import Listeners, discard
from clusterdns.transports.sockets import address_text, local_addresses
from clusterdns.views.status import Status
from clusterdns.window import Scene, Window
from clusterdns.zone.names import to_text

logger = logging.getLogger("clusterdns")

QUIET_SECONDS = 1.0  # without a query: nobody sends any more
WATCH_SECONDS = 1.0  # between looks at the file of settings, and at how old is what is served

RELOAD_SECONDS = 10.0  # that other settings wait for a live source before they are given up

Load = Callable[[], Settings]


class Server:
    """Listens, holds the Backend that answers, and replaces it as a whole when settings change."""

    def __init__(
        self,
        load: Load,
        config_path: str | None = None,
        inherited: Pairs | None = None,
        supervisor: Supervisor | None = None,
        started: Callable[[], None] = lambda: None,
    ) -> None:
        """*load* reads the settings, now and at every reload; *config_path* is looked at for changes.

        *inherited*: sockets of the parent for what the settings say is listened on.  *supervisor* is told how we are.
        *started* is called when the first round is over, or is not waited for.

        Raises OperatorError for wrong settings.
        """
        self._started_at = time.time()
        self._supervisor = supervisor or Supervisor({}, 0)
        self._load, self._config_path, self._after_start = load, config_path, started
        self._read = _signature(config_path)  # of the file as it was when it was last read, or is about to be
        self._settings = self._loaded()
        self._listeners = Listeners(inherited)
        self._forwarding = Forwarding(lambda: self._listeners.pressed)
        self._backend = self._made(self._settings)
        self._forwarding.turn_to(self._settings, self._backend.forwarder)
        self._window = Window(_shown(self._backend))
        self._http = HttpServer(
            self, self._window, lambda: self._settings.http_token, caching=self._forwarding.inspection
        )
        self.panics = 0
        self._refused, self._staleness = Refused(), Staleness()
        self._pauses, self._query_logs = Pauses(), QueryLogs(to_standard_output)
        self._readings = Readings(
            self,
            self._listeners,
            lambda: self._backend,
            self._forwarding,
            self._pauses,
            self._query_logs,
            lambda: self._settings.metrics_deprecated,
        )
        self._ending = asyncio.Event()
        self._patient = True  # SIGTERM; SIGINT is not
        self._failure: BaseException | None = None  # what ended the source
        self._reloading = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._retiring: asyncio.Task[None] | None = None  # of a generation that answers no more

    def _loaded(self) -> Settings:
        return sensible(self._load())

    def _made(self, settings: Settings, memory: Memory | None = None) -> Backend:
        return Backend(settings, _hosts(settings), self._turned, memory, self._forwarding.of(settings))

    def ready_reasons(self) -> list[str]:
        """Why ``/ready`` is 503; [] when it is 200."""
        if self._ending.is_set():
            return ["shutting down"]
        reasons = self._backend.reasons(self._settings.max_staleness)
        return reasons or ([] if self._listeners.bound else ["no socket is bound yet"])

    def stale(self) -> str:
        """That a snapshot is served, if one is."""
        live = self._backend.live
        return f"{self._backend.source.name}: serving the snapshot of {live.snapshot}" if live and live.snapshot else ""

    def ready_notes(self) -> list[str]:
        """What an operator should know all the same."""
        return [*self._refused.notes(), *self._backend.notes(), *self._forwarding.notes()]

    def status(self) -> Status:
        backend, world, reasons = self._backend, self._backend.world, self.ready_reasons()
        source = backend.source.status()
        return Status(
            version=__version__,
            started=self._started_at,
            now=time.time(),
            ready=not reasons,
            reasons=tuple(reasons),
            notes=tuple(self.ready_notes()),
            source=source,
            snapshot=backend.live.snapshot if backend.live else "",
            lag=backend.live.lag() if backend.live else source.lag,
            rounds=backend.publisher.rounds,
            serial=world.serial,
            names=len(world.table.nodes),
            services=len(world.table.tree.published),
            zones=tuple(to_text(zone.apex) for zone in world.table.zones),
            listen=tuple(map(address_text, self._listeners.bound)),
            queries=self._listeners.queries,
            problems=len(backend.problems()),
            upstreams=self._forwarding.upstreams([suffix for suffix, _ in self._settings.stub_domains]),
        )

    def samples(self) -> Callable[[], Iterable[Sample]]:
        """For the page of metrics."""
        return self._readings.take()

    @property
    def reloads_failed(self) -> int:
        return self._refused.count

    @property
    def settings_hash(self) -> str:
        """SHA-512 of the settings in use, in hexadecimal; of secrets it tells nothing, since they might be guessed."""
        told = {name: value for name, value in asdict(self._settings).items() if name not in SECRET}
        return hashlib.sha512(repr(told).encode()).hexdigest()

    def services(self, wanted: Callable[[Key], bool]) -> list[Service] | None:
        """With their ClusterIPs, also those that no zone shows; None before the first round."""
        return self._backend.services(wanted)

    async def run(self) -> int:
        """The exit status.  Raises OperatorError for what keeps it from starting."""
        self._handle_signals()
        asyncio.get_running_loop().set_exception_handler(self._count_panic)
        self._pauses.start()
        try:
            http = await self._http.start(self._settings.http)
            if await self._started():
                await self._listen(self._settings, self._backend)
                self._backend.keep()
                announce_start(self._backend, self._settings, http, self._listeners.bound)
                await self._until_ended()
            if self._failure:
                raise self._failure
        except BackendError as fault:
            logger.error("%s", fault)
            return 1
        finally:
            await self._close()
        return 0

    def _turned(self) -> None:
        self._window.turned()

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._end, True)
        loop.add_signal_handler(signal.SIGINT, self._end, False)
        loop.add_signal_handler(signal.SIGHUP, self._spawn_reload)

    def _count_panic(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Nothing that escapes ends the process; it is told with its traceback."""
        self.panics += 1
        loop.default_exception_handler(context)

    def _end(self, patient: bool) -> None:
        self._patient = patient
        self._ending.set()

    def _fail(self, fault: BaseException) -> None:
        self._failure = fault
        self._end(False)

    async def _started(self) -> bool:
        """Sockets are bound after the first round: half an answer is a wrong one.  False: ended before.

        A live source may be away for long, and whoever comes back to a server wants to find it: there they are bound
        at once, and the answer is SERVFAIL.
        """
        starting, ending = (
            asyncio.create_task(self._backend.start(self._fail)),
            asyncio.create_task(self._ending.wait()),
        )
        await asyncio.wait([starting, ending], return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if not starting.done():
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            return False
        starting.result()
        if self._backend.ready:
            # What is loaded stays for long: the collector need not walk it again and again.  Nor now: for 50 ms, while
            # the first queries wait.
            gc.freeze()
        self._after_start()
        return True

    async def _tell_ready(self) -> None:
        waited = not self._backend.ready
        while not self._backend.ready:
            await self._window.news(self._window.version())
        gc.freeze()  # without a collection: that would keep queries waiting
        announce_ready(self._backend, self._listeners.bound)
        if waited:  # the supervisor was told that sockets are open; now it is told what is behind them
            self._supervisor.ready(self._status())

    async def _listen(self, settings: Settings, backend: Backend) -> None:
        self._query_logs.want(_logged(settings))
        new = self._listeners.bind(settings.listen, self._query_logs.around(backend.responders.at))
        self._listeners.limit(_limits(settings), _sockets(settings))
        await self._listeners.serve(settings.listen, new)

    async def _until_ended(self) -> None:
        works = (self._watch_config(), self._watch_staleness(), self._supervisor.run(), self._tell_ready())
        background = [in_background(work) for work in works]
        self._supervisor.ready(self._status())
        await self._http.serve()
        await self._ending.wait()
        self._supervisor.stopping()
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        if self._patient:
            await lame_duck(self._listeners, self._settings.lameduck, QUIET_SECONDS)
        elif not self._failure:
            logger.info("SIGINT: ending at once")

    async def _close(self) -> None:
        self._pauses.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._retiring:
            await self._retiring
        await self._backend.stop()
        await self._forwarding.close()
        await self._listeners.close()
        await asyncio.to_thread(self._query_logs.close)
        await self._http.stop()

    # Reload: validated first, swapped whole, and on any error nothing changes.

    def _spawn_reload(self) -> None:
        if self._ending.is_set():
            return
        task = asyncio.create_task(self.reload())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch_config(self) -> None:
        while self._config_path:
            await asyncio.sleep(WATCH_SECONDS)
            now = _signature(self._config_path)
            # A file that is gone for a moment is being replaced.
            if now not in (self._read, None):
                self._read = now
                self._spawn_reload()

    async def _watch_staleness(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            self._staleness.look(self._backend.reasons(self._settings.max_staleness) if self._backend.ready else [])

    async def reload(self) -> None:
        """Reads settings and files again.  The log says what changed, or why nothing did."""
        async with self._reloading:
            self._supervisor.reloading()
            self._read = _signature(self._config_path)
            try:
                settings = await asyncio.to_thread(self._loaded)
                if settings != self._settings:
                    await self._change(settings)
                else:
                    logger.info("settings read again: they are as they were; all objects are looked at again")
                self._refused.accept()
                self._backend.source.refresh()
            except (OperatorError, BackendError) as fault:
                self._refused.refuse(str(fault))
            finally:
                self._supervisor.ready(self._status())

    async def _change(self, settings: Settings) -> None:
        """Everything that can fail comes first: reading, binding; then nothing can."""
        before, old = self._settings, self._backend
        new_world = inside(settings, _hosts(settings)) != inside(before, _hosts(before))
        backend = old
        if new_world:
            backend = self._made(settings, old.memory())
            backend.follow(old)
        bound = None
        try:
            if new_world:
                known = await old.live.known() if old.live else None
                await backend.start(self._fail, known, RELOAD_SECONDS)
                _check_ready(backend, old)
            bound = self._listeners.bind(settings.listen, backend.responders.at)
            await self._http.move(settings.http)
        except BaseException:
            if bound:
                discard(bound)
            if new_world:
                await backend.stop()
            self._forwarding.discard(backend.forwarder)
            raise
        self._settings, self._backend = settings, backend
        self._forwarding.turn_to(settings, backend.forwarder)
        self._window.turn_to(_shown(backend))
        self._query_logs.want(_logged(settings))
        self._listeners.answer_with(self._query_logs.around(backend.responders.at), bound)
        self._listeners.limit(_limits(settings), _sockets(settings))
        if new_world:
            self._retiring = asyncio.create_task(_hand_over(old, backend))
        await self._listeners.serve(settings.listen, bound, before.forward_timeout)
        if self._retiring:
            await asyncio.shield(self._retiring)  # whoever ends the server ends it behind that
        if new_world:
            gc.freeze()  # without a collection: that would keep queries waiting
        logger.info("settings reloaded: %s", ", ".join(differences(before, settings)))

    def _status(self) -> str:
        waiting = [] if self._backend.ready else self._backend.reasons(0.0)
        serving = f"serving {what(self._backend)} on {texts(self._listeners.bound)}"
        return "; ".join([serving, *waiting, *self._refused.notes()])


async def _hand_over(old: Backend, new: Backend) -> None:
    """What is on disk is *old*'s last state and then *new*'s, in that order: both write the same files."""
    try:
        await old.stop()
    finally:
        new.keep()


def _check_ready(new: Backend, old: Backend) -> None:
    """Raises BackendError where *new* would answer with less than *old*."""
    if old.ready and not new.ready:
        raise BackendError(f"{new.reasons(0.0)[0]}, after {RELOAD_SECONDS:g} s")


def _shown(backend: Backend) -> Scene:
    """The time tells this generation from others."""
    life = f"{time.time_ns():x}"
    return Scene(backend.world, backend.publisher, backend.problems, life, backend.source, backend.others)


def _hosts(settings: Settings) -> list[str]:
    return [address for host, _ in settings.listen for address in local_addresses(host)]


def _limits(settings: Settings) -> Limits:
    return Limits(settings.tcp_idle, settings.tcp_per_client, settings.tcp_connections)


def _logged(settings: Settings) -> Wanted:
    classes = frozenset(settings.query_log)
    return Wanted(classes, settings.query_log_format, settings.query_log_sample, settings.query_log_rate)


def _sockets(settings: Settings) -> int:
    """To upstreams: a question has one, and a second one where the first takes long."""
    return 2 * settings.forward_total if settings.upstream or settings.stub_domains else 0


def _signature(path: str | None) -> tuple[int, int, int] | None:
    """Another one after every change of the file; None where there is none."""
    if path is None:
        return None
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
