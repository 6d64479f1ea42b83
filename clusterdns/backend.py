"""One generation of the server: a source, the world that is made from it, and what keeps it up to date."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial

from clusterdns.cluster.model import Service
from clusterdns.config import Settings
from clusterdns.controllers.memory import Memory
from clusterdns.engine.answer import Responder
from clusterdns.errors import Problem
from clusterdns.options import controller_options, file_limits, manners, zone_options
from clusterdns.problem_log import log_news
from clusterdns.publish import Publisher
from clusterdns.sources.allocations import AllocationFile, Keeper
from clusterdns.sources.manifests import Manifests
from clusterdns.world import World

logger = logging.getLogger("clusterdns")

_NAMED = 3  # Services in a line of the log


class Backend:
    """Knows no socket and no signal.  A change of settings makes a new one beside the old one, and then swaps."""

    def __init__(
        self, settings: Settings, hosts: Sequence[str], turned: Callable[[], None], memory: Memory | None = None
    ) -> None:
        """*hosts*: the addresses that are listened on.  *turned* is called behind every round.

        *memory*: what the generation before allocated; without one it is read from ``state_dir``.
        """
        self._turned = turned
        file = AllocationFile(settings.state_dir) if settings.state_dir else None
        if memory is None and file:
            memory = file.load()
        self.world = World(zone_options(settings, hosts), controller_options(settings), memory)
        self.source = Manifests(settings.manifests, limits=file_limits(settings))
        self.publisher = Publisher(self.world, after=self._after_round)
        self._keeper = Keeper(file, self.world.controllers.export) if file else None
        self._tasks: list[asyncio.Task[None]] = []
        self._told: tuple[Problem, ...] = ()  # problems between objects, as last logged
        self.answer = Responder(self.world.table, order=settings.answer_order, manners=manners(settings)).answer

    async def start(self, failed: Callable[[BaseException], None]) -> None:
        """Returns after the first round: what is published then is whole.  Raises what the source raises till then.

        *failed* gets what it raises later.
        """
        publishing = asyncio.create_task(self.publisher.run(self.source))
        self._tasks = [publishing]
        first = asyncio.create_task(self.publisher.first_round.wait())
        await asyncio.wait([first, publishing], return_when=asyncio.FIRST_COMPLETED)
        first.cancel()
        if publishing.done():
            publishing.result()
        publishing.add_done_callback(partial(_tell_failure, failed))
        if self._keeper:
            self._tasks.append(asyncio.create_task(self._keeper.run()))

    async def stop(self) -> None:
        """Any number of times.  What was allocated is on disk afterwards."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._keeper and self.ready:
            self._keeper.save()
        # Without this circle the whole world goes with its last reference; what is frozen no collector finds.
        self.publisher.after = _nothing

    @property
    def ready(self) -> bool:
        return self.publisher.first_round.is_set()

    def problems(self) -> list[Problem]:
        """Of documents and between objects, by path and line."""
        return sorted((*self.source.problems, *self._told))

    def services(self) -> list[Service] | None:
        """As they are published; None before the first round."""
        return [one.service for one in self.world.table.tree.published.values()] if self.ready else None

    def _after_round(self) -> None:
        problems = self.world.controllers.problems()
        log_news(logger, self._told, problems)
        self._told = problems
        self._turned()
        if self._keeper:
            self._keeper.note()
        elif self.publisher.rounds == 1:
            self._tell_displaced()

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


def _tell_failure(failed: Callable[[BaseException], None], task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (fault := task.exception()):
        failed(fault)


def _nothing() -> None:
    """Nobody is told any more."""
