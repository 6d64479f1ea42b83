"""The composition root: settings -> parts, and the life of the server."""

import asyncio
import gc
import logging
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial

from msgspec import Struct

from clusterdns import __version__
from clusterdns.admin.http import HttpServer
from clusterdns.cluster.model import Published, Service
from clusterdns.config import Settings
from clusterdns.engine.answer import TCP, Responder
from clusterdns.errors import BackendError, OperatorError, Problem
from clusterdns.options import controller_options, file_limits, zone_options
from clusterdns.problem_log import log_news
from clusterdns.publish import Publisher
from clusterdns.sources.allocations import AllocationFile, Keeper
from clusterdns.sources.manifests import Manifests
from clusterdns.sources.reading import load
from clusterdns.transports.sockets import Address, address_text, bind_pairs, local_addresses
from clusterdns.transports.stream import StreamListener
from clusterdns.transports.udp import UdpListener
from clusterdns.window import Window
from clusterdns.world import World, build
from clusterdns.zone.names import parse_name, to_text
from clusterdns.zone.records import service_name
from clusterdns.zone.zonefile import zone_text

logger = logging.getLogger("clusterdns")

QUIET_SECONDS = 1.0  # without a query: nobody sends any more
_LOOK_SECONDS = 0.1  # between looks at whether it is quiet


class Report(Struct, frozen=True):
    """What ``check`` found."""

    problems: tuple[Problem, ...]  # by path and line
    summary: str


def serve(settings: Settings) -> int:
    """Runs the server until a signal ends it.  Returns the exit status; raises OperatorError."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    return asyncio.run(Server(settings).run())


def check(paths: Sequence[str], settings: Settings) -> Report:
    """Everything wrong with the manifests of *paths*, read once.  Raises OperatorError where one cannot be read."""
    loaded = load(paths, limits=file_limits(settings))
    world = build(loaded.objects, zone_options(settings, ("127.0.0.1",)), controller_options(settings))
    problems = tuple(sorted((*loaded.report.problems, *world.controllers.problems())))
    errors = sum(problem.severity == "error" for problem in problems)
    skipped = sum(loaded.report.skipped.values())
    summary = (
        f"{_some(loaded.report.files, 'file')}, {_some(len(loaded.objects), 'object')}, "
        f"{_some(skipped, 'document')} of other kinds, {_some(_stand_ins(world), 'stand-in pod')}: "
        f"{_some(errors, 'error')}, {_some(len(problems) - errors, 'warning')}"
    )
    return Report(problems, summary)


def export(paths: Sequence[str], settings: Settings, zone: str | None, serial: int | None) -> tuple[str, Report]:
    """A zone as master-file text, and what was wrong with the manifests.

    *zone* defaults to the domain.  Raises OperatorError for an unreadable path or a zone that is not served.
    """
    loaded = load(paths, limits=file_limits(settings))
    options = zone_options(settings, ("127.0.0.1",))
    world = build(loaded.objects, options, controller_options(settings), serial=serial or 1)
    try:
        apex = parse_name(zone or settings.domain)
    except ValueError as fault:
        raise OperatorError(f"--zone {zone}: {fault}") from None
    for candidate in world.table.zones:
        if candidate.apex == apex:
            text = "".join(zone_text(world.table.tree, candidate))
            return text, Report(loaded.report.problems, "")
    served = ", ".join(to_text(candidate.apex) for candidate in world.table.zones)
    raise OperatorError(f"--zone {zone}: not one of the zones served: {served}")


class Server:
    """One life of ``clusterdns serve``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        hosts = [address for host, _ in settings.listen for address in local_addresses(host)]
        file = AllocationFile(settings.state_dir) if settings.state_dir else None
        memory = file.load() if file else None
        self._world = World(zone_options(settings, hosts), controller_options(settings), memory)
        self._keeper = Keeper(file, self._world.controllers.export) if file else None
        self._source = Manifests(settings.manifests, limits=file_limits(settings))
        self._publisher = Publisher(self._world, after=self._after_round)
        self._told: tuple[Problem, ...] = ()  # problems between objects, as last logged
        self._udp: list[UdpListener] = []
        self._streams: list[StreamListener] = []
        self._window = Window(self._world, self._publisher, self._problems, f"{time.time_ns():x}")
        self._http = HttpServer(self, self._window, settings.http_token)
        self._ending = asyncio.Event()
        self._patient = True  # SIGTERM; SIGINT is not

    def ready_reasons(self) -> list[str]:
        """Why ``/ready`` is 503; [] when it is 200."""
        if self._ending.is_set():
            return ["shutting down"]
        return [] if self._udp else ["manifests: the first scan is not finished"]

    def _problems(self) -> list[Problem]:
        """Of documents and between objects, by path and line."""
        return sorted((*self._source.problems, *self._told))

    def services(self) -> list[Service] | None:
        """As they are published; None before the first round."""
        if not self._publisher.first_round.is_set():
            return None
        return [one.service for one in self._world.table.tree.published.values()]

    async def run(self) -> int:
        self._handle_signals()
        publishing = asyncio.create_task(self._publisher.run(self._source))
        keeping = asyncio.create_task(self._keeper.run()) if self._keeper else None
        try:
            http = await self._http.start(self._settings.http)
            await self._first_round(publishing)
            bound = await self._listen()
            self._announce(bound, http)
            await self._until_ended(publishing)
        except BackendError as fault:
            logger.error("%s", fault)
            return 1
        finally:
            for task in filter(None, (publishing, keeping)):
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            if self._keeper and self._publisher.rounds:
                self._keeper.save()
            await self._close()
        return 0

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._end, True)
        loop.add_signal_handler(signal.SIGINT, self._end, False)
        loop.add_signal_handler(signal.SIGHUP, self._source.request_scan)

    def _after_round(self) -> None:
        problems = self._world.controllers.problems()
        log_news(logger, self._told, problems)
        self._told = problems
        self._window.turned()
        if self._keeper:
            self._keeper.note()
        elif self._publisher.rounds == 1 and (displaced := self._world.controllers.displaced()):
            logger.warning(
                "%s got another ClusterIP than its name's first choice, which was taken (%s%s): "
                "a restart may change it; set state_dir to keep it",
                _some(len(displaced), "Service"),
                ", ".join(map(str, displaced[:3])),
                ", ..." if len(displaced) > 3 else "",
            )

    def _end(self, patient: bool) -> None:
        self._patient = patient
        self._ending.set()

    async def _first_round(self, publishing: asyncio.Task[None]) -> None:
        """Sockets are bound after it: half an answer is a wrong one."""
        waits = [asyncio.create_task(event.wait()) for event in (self._publisher.first_round, self._ending)]
        await asyncio.wait([publishing, *waits], return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if publishing.done():
            publishing.result()
        # What is loaded stays for long: the collector need not walk it again and again.
        gc.collect()
        gc.freeze()

    async def _listen(self) -> list[Address]:
        if self._ending.is_set():
            return []
        responder = Responder(self._world.table, order=self._settings.answer_order)
        over_tcp = partial(responder.answer, transport=TCP)
        bound = []
        for listen in self._settings.listen:
            for udp, tcp in bind_pairs(listen):
                bound.append(udp.getsockname()[:2])
                self._udp.append(UdpListener(udp, responder.answer))
                self._streams.append(StreamListener(tcp, over_tcp))
        for listener in self._udp:
            listener.start()
        for stream in self._streams:
            await stream.start()
        return bound

    def _announce(self, bound: Sequence[Address], http: Sequence[Address]) -> None:
        """What is served and where, for a person; the ready line is the last and for programs, too."""
        if not bound:
            return
        table, report = self._world.table, self._source.report
        print(f"clusterdns {__version__}")
        print(
            f"serving  {', '.join(self._settings.manifests)}: {_some(report.files, 'file')}, "
            f"{_some(len(table.tree.published), 'Service')}, {_some(_stand_ins(self._world), 'stand-in pod')}, "
            f"{_some(len(report.problems), 'problem')} (`clusterdns check` lists them)"
        )
        for address in http:
            print(f"http     http://{address_text(address)}/health and /ready")
        host, port = bound[0]
        name = _example(list(table.tree.published.values()), table.zones[0].apex)
        print(f"try      dig @{host} -p {port} {name}")
        print(f"         {_own_command()} query {name} @{address_text((host, port))}")
        print(
            f"ready: {to_text(table.zones[0].apex)} on {' '.join(map(address_text, bound))} (UDP and TCP)", flush=True
        )

    async def _until_ended(self, publishing: asyncio.Task[None]) -> None:
        ending = asyncio.create_task(self._ending.wait())
        await asyncio.wait([publishing, ending], return_when=asyncio.FIRST_COMPLETED)
        if publishing.done():
            ending.cancel()
            publishing.result()
        if self._patient:
            await self._lame_duck()

    async def _lame_duck(self) -> None:
        """Clients learn late that we go: answers go on until nobody asks, at most ``lameduck`` seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._settings.lameduck
        seen, quiet_since = self._queries(), loop.time()
        while (now := loop.time()) < end and now - quiet_since < QUIET_SECONDS:
            await asyncio.sleep(min(_LOOK_SECONDS, end - now))
            if (queries := self._queries()) != seen:
                seen, quiet_since = queries, loop.time()

    def _queries(self) -> int:
        return sum(udp.queries for udp in self._udp) + sum(stream.queries for stream in self._streams)

    async def _close(self) -> None:
        for listener in self._udp:
            listener.close()
        for stream in self._streams:
            await stream.close()
        await self._http.stop()


def _stand_ins(world: World) -> int:
    return sum(1 for _ in world.controllers.stand_ins())


def _own_command() -> str:
    """How to start this program again from a shell: it may be installed where no shell looks."""
    return "clusterdns" if shutil.which("clusterdns") else sys.argv[0]


def _some(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _example(published: list[Published], apex: bytes) -> str:
    """A name that has an address, to try; the zone's version where nothing has."""
    for one in sorted(published, key=lambda one: one.service.key):
        if one.service.cluster_ips:
            return to_text(service_name(one.service.key, parse_name(to_text(apex)))).removesuffix(".")
    return f"dns-version.{to_text(apex)} TXT"
