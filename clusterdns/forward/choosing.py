"""Several upstreams that know the same names: which is asked first, and who after it."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Literal

from clusterdns.forward.answers import Foreign, Question
from clusterdns.forward.hedging import Hedges
from clusterdns.forward.race import Race
from clusterdns.forward.upstream import Upstream

Policy = Literal["random", "round_robin", "sequential", "fastest"]

EXPLORE = 1 / 32  # of the questions go to any of them first, lest nobody knows that another has become the fastest

# Questions at a time that are asked while every upstream is down.  Each costs a few tries, milliseconds in all: without
# a bound they would take from our own names' answers what is needed for these.
FINDING_OUT = 8


class Group:
    """*broken*: how many questions found every upstream down."""

    def __init__(
        self,
        upstreams: Sequence[Upstream],
        policy: Policy = "random",
        *,
        budget: float = 5.0,
        random: Random | None = None,
    ) -> None:
        """*budget*: seconds for one question."""
        self.upstreams: Sequence[Upstream] = tuple(upstreams)
        self.broken = self._under_way = 0
        self._policy, self._budget, self._random = policy, budget, random or Random()  # noqa: S311 - load, no secret
        self.hedges = Hedges()
        self._turn = -1
        self._left: list[Upstream] = []  # that are asked nothing more, with connections that may still be in use

    async def resolve(self, question: Question, options: bytes = b"") -> Foreign:
        """The first answer that says something, else an rcode that tells why not.  Raises Unresolved.

        *options*: of the OPT of the queries.
        """
        self.hedges.earn()
        race = Race(question, options, self._plan(), self.hedges)
        self._under_way += 1
        try:
            async with asyncio.timeout(self._budget):
                return await race.run()
        except TimeoutError:
            pass
        finally:
            self._under_way -= 1
            race.cancel()
        return race.rest()

    @property
    def in_vain(self) -> bool:
        """Every upstream is down, and enough questions find out whether that is still so."""
        return self._under_way >= FINDING_OUT and all(one.state == "down" for one in self.upstreams)

    def shown(self) -> list[str]:
        """Who is asked, and who of them is known not to answer."""
        return [f"{one} (down)" if one.state == "down" else str(one) for one in self.upstreams]

    def replace(self, upstreams: Sequence[Upstream]) -> None:
        """From the next question on.  Those that leave end what they have begun."""
        leaving = [one for one in self.upstreams if one not in upstreams]
        for one in leaving:
            one.retire()
        self._left = [one for one in (*self._left, *leaving) if len(one.streams)]
        self.upstreams = tuple(upstreams)

    async def close(self) -> None:
        """What is under way fails."""
        upstreams = (*self.upstreams, *self._left)
        self.upstreams, self._left = (), []
        for one in upstreams:
            await one.close()

    def _plan(self) -> list[tuple[Upstream, bool]]:
        """Whom to ask in which order as long as nobody answers, each with whether it is not to be over UDP.

        What was lost twice may be lost by UDP as such, so that the last try of each is over TCP.
        """
        order = self._order()
        usable = [one for one in order if one.state != "down"]
        down = [one for one in order if one.state == "down"]
        self.broken += not usable and bool(down)
        rounds = ((usable, False), (usable, False), (down, False), (usable or down, True))
        return [(one, stream) for members, stream in rounds for one in members]

    def _order(self) -> list[Upstream]:
        order = [*self.upstreams]
        if len(order) < 2 or self._policy == "sequential":
            return order
        if self._policy == "round_robin":
            self._turn = (self._turn + 1) % len(order)
            return order[self._turn :] + order[: self._turn]
        self._random.shuffle(order)
        if self._policy == "fastest" and self._random.random() >= EXPLORE:
            order.sort(key=_median)
        return order


def _median(upstream: Upstream) -> float:
    """Whom nothing is known of is tried first."""
    return upstream.times.median or 0.0
