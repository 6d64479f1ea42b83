"""One generation of the server: a source, the world that is made from it, and what keeps it up to date."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from functools import partial

from clusterdns.background import in_background, tell_failure
from clusterdns.cluster.events import LiveSource, Source
from clusterdns.cluster.model import Key, Service
from clusterdns.config import Settings
from clusterdns.controllers.memory import Memory
from clusterdns.engine.answer import Responder
from clusterdns.engine.responders import Responders
from clusterdns.errors import BackendError, Problem
from clusterdns.forward.stages import Forwarder
from clusterdns.histogram import PROGRAMMING, Histogram
from clusterdns.lean_aiohttp import import_aiohttp
from clusterdns.live import Known, Live, Reach
from clusterdns.options import controller_options, file_limits, manners, plugins, serves, telling, zone_options
from clusterdns.problem_log import log_news
from clusterdns.publish import Publisher
from clusterdns.sources.allocations import AllocationFile, Keeper
from clusterdns.sources.manifests import Manifests
from clusterdns.sources.nothing import Nothing
from clusterdns.world import World

logger = logging.getLogger("clusterdns")

CREDENTIALS_SECONDS = 5.0  # that a start waits to find out whether they are good
_NAMED = 3  # Services in a line of the log


class Backend:
    """Knows no socket and no signal.  A change of settings makes a new one beside the old one, and then swaps."""

    def __init__(
        self,
        settings: Settings,
        hosts: Sequence[str],
        turned: Callable[[], None],
        memory: Memory | None = None,
        forwarder: Forwarder | None = None,
    ) -> None:
        """*hosts*: the addresses that are listened on.  *turned* is called behind every round.

        *memory*: what the generation before allocated; without one it is read from ``state_dir``.  *forwarder* is asked
        for names of others.
        """
        self._turned, self._namespaces = turned, settings.namespaces
        live = settings.source == "kubernetes"
        file = AllocationFile(settings.state_dir) if settings.state_dir and not live else None
        if memory is None and file:
            memory = file.load()
        zones = zone_options(settings, hosts, serves=serves(settings))
        self.world = World(zones, controller_options(settings, live=live), memory)
        self.publisher = Publisher(self.world, after=self._after_round, tells=not live)
        self._keeper = Keeper(file, self.world.controllers.export) if file else None
        self._tasks: list[asyncio.Task[None]] = []
        self._keeps = False
        self.told: tuple[Problem, ...] = ()  # problems between objects, as last logged
        self.forwarder = forwarder
        make = partial(
            Responder,
            self.world.table,
            elsewhere=forwarder,
            order=settings.answer_order,
            manners=manners(settings),
        )
        self.responders = Responders(make)
        self.others = telling(settings, zones, forwarder.servers if forwarder else None)
        self.plugins = plugins(settings)
        self.programming = Histogram(PROGRAMMING)
        self.source: Source
        self.live: Live | None = None
        if live:
            source, reach = kubernetes_source(settings)
            self.live = Live(
                source,
                self.publisher,
                self.world.state.snapshot,
                self.responders.mark_stale,
                reach=reach,
                domain=settings.domain,
                state_dir=settings.state_dir,
            )
            self.source = source
        elif settings.source == "none":
            self.source = Nothing()
        else:
            self.source = Manifests(settings.manifests, limits=file_limits(settings))

    def follow(self, before: "Backend") -> None:
        """Before ``start``: the objects of files that both read are shared."""
        if isinstance(self.source, Manifests) and isinstance(before.source, Manifests):
            self.source.follow(before.source)

    async def start(
        self, failed: Callable[[BaseException], None], known: Known | None = None, patience: float = 0.0
    ) -> None:
        """Returns after the first round: what is published then is whole.  Raises what the source raises till then.

        Of a live source after *patience* seconds at the latest: it may be away for long, and then ``ready`` says no.
        *known*: as the generation before had it.

        *failed* gets what the source raises later.
        """
        if self.live:
            await self.live.begin(known)
        publishing = asyncio.create_task(self.publisher.run(self.source))
        self._tasks = [publishing]
        first = asyncio.create_task((self.live.synced if self.live else self.publisher.first_round).wait())
        limit = patience if self.live else None
        await asyncio.wait([first, publishing], return_when=asyncio.FIRST_COMPLETED, timeout=limit)
        first.cancel()
        if publishing.done():
            publishing.result()
        publishing.add_done_callback(partial(tell_failure, failed))

    def keep(self) -> None:
        """From now on this generation is the one whose state is on disk, and no other is: they have stopped."""
        self._keeps = True
        for keeper in (self._keeper, self.live):
            if keeper:
                self._tasks.append(in_background(keeper.run()))

    async def stop(self) -> None:
        """Any number of times.  What is to be kept is on disk afterwards, and nothing comes later."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.live:
            await self.live.stop(keep=self._keeps)
        if self._keeper and self._keeps and self.ready:
            await self._keeper.save()
        # Without this circle the whole world goes with its last reference; what is frozen no collector finds.
        self.publisher.after = _nothing

    @property
    def ready(self) -> bool:
        return self.publisher.first_round.is_set()

    def reasons(self, max_staleness: float) -> list[str]:
        """Why nobody should rely on the answers, a line each.  *max_staleness*: seconds; 0: however old they are."""
        if not self.ready:
            return [f"{self.source.name}: {self.source.status().unsynced()}"]
        return self.live.too_old(max_staleness) if self.live else []

    def notes(self) -> list[str]:
        """What is wrong with the source while the answers are to be relied on, a line each."""
        return self.live.notes() if self.live else []

    def memory(self) -> Memory | None:
        """What was allocated; None where nobody allocates."""
        return None if self.live else self.world.controllers.export()

    def problems(self) -> list[Problem]:
        """Of documents and between objects, by path and line."""
        return sorted((*self.source.problems, *self.told))

    def services(self, wanted: Callable[[Key], bool]) -> list[Service] | None:
        """None before the first round."""
        return self.world.services(wanted) if self.ready else None

    def _after_round(self) -> None:
        problems = self.world.controllers.problems()
        log_news(logger, self.told, problems)
        self.told = problems
        self._turned()
        if self.publisher.rounds == 1:
            self._tell_absent()
        if self.live:
            self._observe(self.live.triggers)
            self.live.after_round()
        elif self._keeper:
            self._keeper.note()
        elif self.publisher.rounds == 1:
            self._tell_displaced()

    def _observe(self, triggers: Sequence[tuple[Key, float]]) -> None:
        """As CoreDNS: of headless Services only, since the answers of others do not depend on their endpoints."""
        now = time.time()
        for key, at in triggers:
            published = self.world.table.tree.published.get(key)
            if published and published.service.headless:
                self.programming.observe(max(0.0, now - at))

    def _tell_absent(self) -> None:
        """Each may still come; but nobody should have to find a misspelt one by its missing answers."""
        absent = [name for name in self._namespaces if not self.world.state.has_namespace(name)]
        if absent:
            logger.warning("namespaces: there is no %s yet; names in it do not exist until there is", ", ".join(absent))

    def _tell_displaced(self) -> None:
        displaced = self.world.controllers.displaced()
        if displaced:
            logger.warning(
                "%d of the Services got another ClusterIP than their names' first choice, which was taken (%s%s): "
                "a restart may change it; set state_dir to keep it",
                len(displaced),
                ", ".join(map(str, displaced[:_NAMED])),
                ", ..." if len(displaced) > _NAMED else "",
            )


def kubernetes_source(settings: Settings) -> tuple[LiveSource, Reach]:
    """Asks nobody yet."""
    # A tenth of a second to import, which only a server of a cluster has to take.
    import_aiohttp()
    from clusterdns.sources.kubernetes.in_cluster import InCluster  # noqa: PLC0415
    from clusterdns.sources.kubernetes.kubeconfig import Kubeconfig  # noqa: PLC0415
    from clusterdns.sources.kubernetes.source import Kubernetes  # noqa: PLC0415

    credentials = Kubeconfig(settings.kubeconfig) if settings.kubeconfig else InCluster(os.environ)
    source = Kubernetes(credentials, pods=settings.pods == "verified")

    async def check() -> None:
        try:
            async with asyncio.timeout(CREDENTIALS_SECONDS):
                await source.client.prepare()
        except (BackendError, TimeoutError) as fault:  # it may mend itself, and the source goes on trying
            logger.warning("kubernetes: %s", str(fault) or f"{credentials.origin}: no credentials yet")

    return source, Reach(credentials.place, check)


def _nothing() -> None:
    """Nobody is told any more."""
