"""The Forwarder of the moment: made from settings, and kept over reloads that do not concern it."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from typing import cast

from clusterdns.config import Settings
from clusterdns.config_rules import asks_itself
from clusterdns.errors import OperatorError
from clusterdns.forward.admission import Limits
from clusterdns.forward.asking import Prefetch
from clusterdns.forward.cache import Cache
from clusterdns.forward.choosing import Policy
from clusterdns.forward.inspecting import Inspection
from clusterdns.forward.kept import Bounds
from clusterdns.forward.membership import Upstreams
from clusterdns.forward.ourselves import Own, places
from clusterdns.forward.stages import Forwarder, Terms
from clusterdns.options import routes, serves, zone_options
from clusterdns.transports.sockets import local_addresses
from clusterdns.views.status import UpstreamStatus

_MARK = os.urandom(8)  # of this process, whatever is reloaded
_NO_PREFETCH = Prefetch(together=0)
_MARGIN = 0.1  # seconds of the time for a question that upstreams do not get: we want to say why there is no answer

# What answers of others, and whose names are asked for, depend on.
_CONCERNS = (
    *("upstream", "stub_domains", "forward_policy", "forward_tcp", "forward_timeout", "kept_home", "local_reverse"),
    *("cache_octets", "cache_max_ttl", "cache_max_negative_ttl", "cache_min_ttl", "prefetch", "serve_stale"),
    *("forward_per_client", "forward_total", "source", "domain", "zones", "fallthrough"),
    *("service_cidr", "pod_cidr"),
)


class Forwarding:
    """Of one server.  *pressed*: packets come faster than they are answered."""

    def __init__(self, pressed: Callable[[], bool]) -> None:
        self._pressed = pressed
        self._key: tuple[object, ...] = ()
        self.forwarder: Forwarder | None = None
        self._ending: set[asyncio.Task[None]] = set()

    def of(self, settings: Settings) -> Forwarder | None:
        """For these settings: that of the moment where nothing that concerns it differs, None where nobody is asked.

        Within the running loop.
        """
        return self.forwarder if self._key == _key(settings) else _made(settings, self._pressed)

    def turn_to(self, settings: Settings, forwarder: Forwarder | None) -> None:
        """*forwarder*, from ``of``, is asked from now on.  Who waits for the one before is still told."""
        for group in forwarder.groups if forwarder else ():
            if isinstance(group, Upstreams):
                group.membership.own = _own(settings)
        before, self.forwarder, self._key = self.forwarder, forwarder, _key(settings)
        if before and before is not forwarder:
            self._end(before, patient=True)

    def discard(self, forwarder: Forwarder | None) -> None:
        """It will not be asked after all."""
        if forwarder and forwarder is not self.forwarder:
            self._end(forwarder, patient=False)

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
            upstreams = group.upstreams if isinstance(group, Upstreams) else ()
            if upstreams and all(one.state == "down" for one in upstreams):
                found.append(f"forwarding: no upstream answers: {', '.join(map(str, upstreams))}")
        return found

    def inspection(self) -> Inspection | None:
        """Of the cache."""
        one = self.forwarder
        return Inspection(one.cache, one.asker, time.monotonic) if one else None

    async def close(self) -> None:
        """Whoever waits is told that the server ends."""
        for task in self._ending:
            task.cancel()
        await asyncio.gather(*self._ending, return_exceptions=True)
        if self.forwarder:
            await self.forwarder.close()

    def _end(self, forwarder: Forwarder, *, patient: bool) -> None:
        task = asyncio.create_task(_ended(forwarder, patient=patient))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


def sensible(settings: Settings) -> Settings:
    """*settings*, whose upstreams are others.  Raises OperatorError for one that is this server on this machine."""
    if problems := [f"{name}: {problem}" for name, problem in asks_itself(settings, local_addresses)]:
        raise OperatorError("\n".join(problems))
    return settings


async def _ended(forwarder: Forwarder, *, patient: bool) -> None:
    try:
        if patient:
            await forwarder.drain()
    finally:
        await forwarder.close()
    await forwarder.forget()


def _key(settings: Settings) -> tuple[object, ...]:
    return tuple(getattr(settings, name) for name in _CONCERNS)


def _made(settings: Settings, pressed: Callable[[], bool]) -> Forwarder | None:
    own = routes(settings, zone_options(settings, (), serves=serves(settings)))
    if own is None:
        return None
    bounds = Bounds(
        octets=settings.cache_octets,
        max_ttl=settings.cache_max_ttl,
        max_negative_ttl=settings.cache_max_negative_ttl,
        min_ttl=settings.cache_min_ttl,
        serve_stale=settings.serve_stale,
    )
    limits = Limits(settings.forward_per_client, settings.forward_total)
    terms = Terms(_MARK, limits, settings.forward_timeout, None if settings.prefetch else _NO_PREFETCH)
    members = [servers for _, servers in settings.stub_domains] + [settings.upstream]
    budget = settings.forward_timeout - _MARGIN
    policy, ourselves = cast("Policy", settings.forward_policy), _own(settings)
    groups = [Upstreams(servers, policy, budget=budget, tcp=settings.forward_tcp, own=ourselves) for servers in members]
    return Forwarder(own, groups, Cache(bounds), terms, time.monotonic, asyncio.get_running_loop(), pressed)


def _own(settings: Settings) -> Own:
    return places(settings.listen, local_addresses)
