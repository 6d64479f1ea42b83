"""A question to the servers that know, and the rest of its alias chain to those that know on."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from clusterdns.errors import PeerError
from clusterdns.forward.answers import Foreign, Question, Unresolved
from clusterdns.forward.placing import continued
from clusterdns.forward.routing import Routes
from clusterdns.forward.trail import trail_option
from clusterdns.zone.names import Name

NOT_ALLOWED, NETWORK_ERROR = 18, 23  # Extended DNS Errors (RFC 8914)
MAX_PARTS = 8  # servers that one alias chain leads through, none of which follows it further


class Group(Protocol):
    """Servers that know the same names."""

    async def resolve(self, question: Question, options: bytes = b"") -> Foreign:
        """*options*: of the OPT of what is sent.  Raises Unresolved."""

    async def close(self) -> None: ...


class Resolver:
    """An ``asking.Resolving``.  *groups*: as *routes* number them.  *mark*: ours.  *timeout*: seconds.

    *trails*: how those questions came here that did not begin here; to be set before they are asked.
    """

    def __init__(self, routes: Routes, groups: Sequence[Group], mark: bytes, timeout: float) -> None:
        self._routes, self._groups, self._mark, self._timeout = routes, groups, mark, timeout
        self.trails: dict[Question, bytes] = {}

    async def __call__(self, question: Question, /) -> Foreign:
        options = trail_option(self.trails.pop(question, b""), self._mark)
        try:
            async with asyncio.timeout(self._timeout):
                return await self._whole(question, options)
        except TimeoutError:
            raise Unresolved(NETWORK_ERROR, "no answer in time") from None
        except PeerError as fault:
            raise Unresolved(NETWORK_ERROR, str(fault)) from None

    async def _whole(self, question: Question, options: bytes) -> Foreign:
        foreign = await self._group(question.name).resolve(question, options)
        for _ in range(MAX_PARTS):
            end = foreign.end
            if not foreign.partial or not self._routes.takes(end) or self._routes.is_ours(end):
                break
            further = await self._group(end).resolve(question._replace(name=end), options)
            foreign = continued(foreign, question.name, further)
        return foreign

    def _group(self, name: Name) -> Group:
        index = self._routes.of(name).group
        if index is None:
            raise Unresolved(NOT_ALLOWED, "nobody is asked for this name")
        return self._groups[index]
