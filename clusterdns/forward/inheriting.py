"""What one cache leaves to another that is for other settings: the answers that would be the same."""

import asyncio
from collections.abc import Hashable

from msgspec import Struct

from clusterdns.forward.answers import Foreign, Question
from clusterdns.forward.cache import Cache
from clusterdns.forward.resolving import links
from clusterdns.forward.routing import Routes
from clusterdns.zone.names import Name

_AT_A_TIME = 64  # answers, in half a millisecond


class Sources(Struct, frozen=True):
    """All that an answer depends on beside the question: who is asked for which names, and which ones are ours."""

    routes: Routes
    groups: tuple[tuple[str, ...], ...]  # the servers of each, as *routes* number them

    def of(self, name: Name, rtype: int) -> Hashable:
        """Equal where the same servers are asked for *name*, whatever their order, and as much of it is ours."""
        routes, route = self.routes, self.routes.of(name, rtype)
        servers = None if route.group is None else frozenset(self.groups[route.group])
        return servers, route.home, routes.is_ours(name), routes.is_only_ours(name), routes.is_above(name)

    def agree(self, other: "Sources", question: Question, foreign: Foreign) -> bool:
        """Whether both have the same for all names that the answer *foreign* leads through."""
        names = [question.name]
        if foreign.end != question.name:
            names += [target for _, target in links(foreign, question.name)]
        rtype = question.rtype
        return all(self.of(name, rtype) == other.of(name, rtype) for name in names)


async def inherit(heir: Cache, sources: Sources, before: Cache, sources_before: Sources) -> None:
    """*heir*, of *sources*, gets the answers of *before* that are good there, a few at a time.

    Failures are not among them: with other settings it may be different.
    """
    same = sources == sources_before
    for number, kept in enumerate([*before.entries.values()]):
        # It may have gone meanwhile.
        if before.entries.get(kept.question) is kept and (
            same or sources.agree(sources_before, kept.question, kept.foreign)
        ):
            heir.adopt(kept, before)
        if not number % _AT_A_TIME:
            await asyncio.sleep(0)
