"""The Forwarder of the moment: made from settings, and kept over reloads that do not concern it."""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import cast

from msgspec import Struct

from clusterdns.config import Settings
from clusterdns.config_rules import asks_itself
from clusterdns.errors import OperatorError
from clusterdns.forward.admission import Limits
from clusterdns.forward.asking import Prefetch
from clusterdns.forward.cache import Cache
from clusterdns.forward.choosing import Policy
from clusterdns.forward.clock import ageing
from clusterdns.forward.inheriting import Sources, inherit
from clusterdns.forward.inspecting import Inspection
from clusterdns.forward.kept import Bounds
from clusterdns.forward.ledger import Ledger
from clusterdns.forward.membership import Upstreams
from clusterdns.forward.ourselves import Own, places
from clusterdns.forward.servers import Server
from clusterdns.forward.stages import Forwarder, Terms
from clusterdns.forward.totals import Totals
from clusterdns.forward.upstream import Upstream
from clusterdns.options import routes, serves, zone_options
from clusterdns.transports.sockets import local_addresses
from clusterdns.views.status import UpstreamStatus

_MARK = os.urandom(8)  # of this process, whatever is reloaded
_Step = Callable[[], Awaitable[None]]
_NO_PREFETCH = Prefetch(together=0)
_MARGIN = 0.1  # seconds of the time for a question that upstreams do not get: we want to say why there is no answer


class _Plan(Struct, frozen=True):
    """All that a Forwarder is made of: no other setting matters to it."""

    sources: Sources
    bounds: Bounds
    policy: Policy
    tcp: bool
    timeout: float  # seconds
    limits: Limits
    prefetch: bool

    def same_answers(self, other: "_Plan") -> bool:
        """Whether what is kept with one is kept just so with the other."""
        return self.sources == other.sources and self.bounds == other.bounds


class Forwarding:
    """Of one server.  *pressed*: packets come faster than they are answered.

    *ledger*: what its upstreams have done, those of before too.
    """

    def __init__(self, pressed: Callable[[], bool]) -> None:
        self._pressed, self._clock = pressed, ageing()
        self._plan: _Plan | None = None
        self.forwarder: Forwarder | None = None
        self._ending: dict[asyncio.Task[None], Forwarder] = {}
        self.ledger, self._totals = Ledger(), Totals()

    def of(self, settings: Settings) -> Forwarder | None:
        """For these settings: that of the moment where nothing that concerns it differs, None where nobody is asked.

        Another one has the cache of the moment where all its answers are as good.  Within the running loop.
        """
        plan, now = _planned(settings), self._plan
        if plan is None or plan == now:
            return self.forwarder if plan else None
        cache = self.forwarder.cache if self.forwarder and now and plan.same_answers(now) else None
        return self._made(plan, settings, cache)

    def turn_to(self, settings: Settings, forwarder: Forwarder | None) -> None:
        """*forwarder*, from ``of``, is asked from now on.  Who waits for the one before is still told.

        What its cache has is kept as far as it is good for these settings.
        """
        for group in forwarder.groups if forwarder else ():
            if isinstance(group, Upstreams):
                group.membership.own = _own(settings)
        before, plan_before = self.forwarder, self._plan
        self.forwarder, self._plan = forwarder, _planned(settings)
        if before is None or before is forwarder:
            return
        if forwarder is None or self._plan is None or plan_before is None:
            self._end(before, before.forget)
        elif forwarder.cache is before.cache:
            forwarder.cache.forgive()
            self._end(before)
        else:
            sources, former = self._plan.sources, plan_before.sources
            self._end(before, before.forget, partial(inherit, forwarder.cache, sources, before.cache, former))

    def discard(self, forwarder: Forwarder | None) -> None:
        """It will not be asked after all."""
        if forwarder and forwarder is not self.forwarder:
            self._end(forwarder)

    def upstreams(self, stubs: Sequence[str]) -> tuple[UpstreamStatus, ...]:
        """Of the stub domains *stubs*, and then those of all other names."""
        one = self.forwarder
        if one is None:
            return ()
        return tuple(
            UpstreamStatus(
                str(upstream),
                zone,
                upstream.state,
                upstream.times.median,
                upstream.times.p95,
                upstream.figures.queries,
                upstream.figures.failures.total(),
            )
            for zone, group in zip((*stubs, "."), one.groups, strict=True)
            if isinstance(group, Upstreams)
            for upstream in group.upstreams
        )

    def notes(self) -> list[str]:
        """What an operator should know, a line each."""
        found = []
        for group in self.forwarder.groups if self.forwarder else ():
            if not isinstance(group, Upstreams):
                continue
            upstreams, files = group.upstreams, [file.path for file in group.membership.files]
            if files and not upstreams:
                found.append(f"forwarding: no upstream is named by {', '.join(files)}")
            elif upstreams and all(one.state == "down" for one in upstreams):
                found.append(f"forwarding: no upstream answers: {', '.join(map(str, upstreams))}")
        return found

    def inspection(self) -> Inspection | None:
        """Of the cache."""
        one, leaving = self.forwarder, [(before.cache, before.asker) for before in self._ending.values()]
        return Inspection(one.cache, one.asker, self._clock, leaving) if one else None

    @property
    def waiting(self) -> int:
        """Queries."""
        return sum(one.admission.inside for one in self._all())

    def counted(self) -> Counter[str]:
        """By all that there have been, see ``Totals.of``."""
        return self._totals.of(self._all())

    async def close(self) -> None:
        """Whoever waits is told that the server ends."""
        for task in self._ending:
            task.cancel()
        await asyncio.gather(*self._ending, return_exceptions=True)
        if self.forwarder:
            await self.forwarder.close()

    def _end(self, forwarder: Forwarder, last: _Step | None = None, first: _Step | None = None) -> None:
        task = asyncio.create_task(_ended(forwarder, first, last))
        self._ending[task] = forwarder
        task.add_done_callback(self._has_ended)

    def _has_ended(self, task: asyncio.Task[None]) -> None:
        self._totals.end(self._ending.pop(task), self._all())

    def _all(self) -> list[Forwarder]:
        return [*self._ending.values(), *([self.forwarder] if self.forwarder else [])]

    def _made(self, plan: _Plan, settings: Settings, cache: Cache | None) -> Forwarder:
        """*cache*: to be used further; None: a new one."""
        terms = Terms(_MARK, plan.limits, plan.timeout, None if plan.prefetch else _NO_PREFETCH)
        own, domains = _own(settings), (*(name for name, _ in settings.stub_domains), ".")
        groups = [
            Upstreams(
                servers,
                plan.policy,
                budget=plan.timeout - _MARGIN,
                tcp=plan.tcp,
                own=own,
                make=partial(self._upstream, domain),
            )
            for domain, servers in zip(domains, plan.sources.groups, strict=True)
        ]
        cache = cache or Cache(plan.bounds)
        return Forwarder(
            plan.sources.routes, groups, cache, terms, self._clock, asyncio.get_running_loop(), self._pressed
        )

    def _upstream(self, domain: str, server: Server) -> Upstream:
        return Upstream(server, figures=self.ledger.of(domain, server))


def sensible(settings: Settings) -> Settings:
    """*settings*, whose upstreams are others.  Raises OperatorError for one that is this server on this machine."""
    if problems := [f"{name}: {problem}" for name, problem in asks_itself(settings, local_addresses)]:
        raise OperatorError("\n".join(problems))
    return settings


async def _ended(forwarder: Forwarder, first: _Step | None, last: _Step | None) -> None:
    """Nobody waits for one that was never asked."""
    try:
        if first:
            await first()
        await forwarder.drain()
    finally:
        await forwarder.close()
    if last:
        await last()


def _planned(settings: Settings) -> _Plan | None:
    """None where nobody is asked."""
    own = routes(settings, zone_options(settings, (), serves=serves(settings)))
    if own is None:
        return None
    bounds = Bounds(
        octets=settings.cache_octets,
        max_ttl=settings.cache_max_ttl,
        max_negative_ttl=min(settings.cache_max_ttl, settings.cache_max_negative_ttl),
        min_ttl=settings.cache_min_ttl,
        serve_stale=settings.serve_stale,
    )
    return _Plan(
        Sources(own, (*(servers for _, servers in settings.stub_domains), settings.upstream)),
        bounds,
        cast("Policy", settings.forward_policy),
        settings.forward_tcp,
        settings.forward_timeout,
        Limits(settings.forward_per_client, settings.forward_total),
        settings.prefetch,
    )


def _own(settings: Settings) -> Own:
    return places(settings.listen, local_addresses)
