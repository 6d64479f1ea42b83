"""A source that follows a FakeApi, by a clock that the test holds."""

import asyncio
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Self

from fake_api import PATHS, FakeApi
from msgspec.structs import replace

from clusterdns.cluster.decode import DocumentCache, decode_file
from clusterdns.cluster.events import Event, KindStatus, Replace
from clusterdns.cluster.model import NOWHERE, Key, Object, identity
from clusterdns.cluster.state import State
from clusterdns.errors import BackendError
from clusterdns.sources.kubernetes.access import Access
from clusterdns.sources.kubernetes.pace import LONGEST, Clock
from clusterdns.sources.kubernetes.reflector import Timing
from clusterdns.sources.kubernetes.source import Kubernetes

PATIENCE = 60.0  # seconds; only a fault ever waits so long
UNHURRIED = Timing(grace=LONGEST + 1)  # so that whoever compares waits for the test


class Hands:
    """A clock: short sleeps (between tries) are over at once, long ones when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self._alarms: list[tuple[float, asyncio.Event]] = []
        self.clock = Clock(lambda: self.now, lambda: 1e9 + self.now, self._sleep)

    def advance(self, seconds: float) -> None:
        self.now += seconds
        for due, alarm in self._alarms:
            if due <= self.now:
                alarm.set()

    @property
    def sleepers(self) -> int:
        return len(self._alarms)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if seconds <= LONGEST:
            await asyncio.sleep(0)
            return
        alarm = (self.now + seconds, asyncio.Event())
        self._alarms.append(alarm)
        try:
            await alarm[1].wait()
        finally:
            self._alarms.remove(alarm)


class At:
    """Credentials for a FakeApi."""

    origin = "the test"

    def __init__(self, api: FakeApi, *tokens: str) -> None:
        """*tokens*: as they are renewed, one after the other."""
        self._api, self._tokens, self.asked = api, list(tokens), 0

    async def access(self, *, renew: bool = False) -> Access:
        self.asked += 1
        if renew:
            if len(self._tokens) < 2:
                raise BackendError("no newer token")
            del self._tokens[0]
        headers = (("Authorization", f"Bearer {self._tokens[0]}"),) if self._tokens else ()
        return Access(self._api.url, headers=headers)


class Follower:
    """Runs a source and applies its rounds to a State, as a server does."""

    def __init__(
        self, api: FakeApi, *, pods: bool = False, timing: Timing = UNHURRIED, credentials: At | None = None
    ) -> None:
        self.api, self.hands, self.credentials = api, Hands(), credentials or At(api)
        self.source = Kubernetes(
            self.credentials, pods=pods, clock=self.hands.clock, random=Random(1).random, timing=timing
        )
        self.state = State()
        self.rounds: list[Sequence[Event]] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        rounds = self.source.rounds()
        try:
            async for events in rounds:
                self.rounds.append(events)
                self.state.apply("kubernetes", events)
                self.after_round()
        finally:
            await rounds.aclose()  # type: ignore[attr-defined]

    def after_round(self) -> None:
        """For tests that look at each."""

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                assert self._task
                if self._task.done():
                    self._task.result()
                await asyncio.sleep(0.001)

    async def first(self) -> None:
        """All is listed, and watched."""
        await self.until(lambda: bool(self.rounds) and self.watching())

    def watching(self) -> bool:
        return all(self.api.watching(one.kind) for one in self.source.status().kinds)

    async def equal(self) -> None:
        """What was made of the rounds is what the server has."""
        await self.until(lambda: self.held() == self.served())

    def held(self) -> dict[tuple[str, Key], Object]:
        return {identity(one): one for kind in PATHS.values() for one in self.state.all(kind)}

    def served(self) -> dict[tuple[str, Key], Object]:
        """As the reader of manifests understands the server's objects."""
        kinds = {one.kind for one in self.source.status().kinds}
        items = [item for kind in kinds for item in self.api.objects[kind].values()]
        return {identity(one): one for one in manifest_objects(items)}

    def kind(self, name: str) -> KindStatus:
        (found,) = (one for one in self.source.status().kinds if one.kind == name)
        return found

    def restarts(self, reason: str) -> int:
        return sum(one.restarts.get(reason, 0) for one in self.source.status().kinds)

    def relists(self, reason: str) -> int:
        return sum(one.relists.get(reason, 0) for one in self.source.status().kinds)


def manifest_objects(items: Sequence[object]) -> list[Object]:
    """Without their places."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).encode()
    decoded = decode_file(text, "dump.json", DocumentCache())
    assert not [one for one in decoded.problems if one.severity == "error"], decoded.problems
    return [replace(one, place=NOWHERE) for one in decoded.objects]


def shown(events: Sequence[Event]) -> list[str]:
    """``+Service shop/web`` and ``-Service shop/web``; a Replace shows its objects."""
    lines = []
    for event in events:
        if isinstance(event, Replace):
            lines += [f"={one.kind} {one.key}" for one in event.objects]
        elif hasattr(event, "object"):
            lines.append(f"+{event.object.kind} {event.object.key}")
        else:
            lines.append(f"-{event.kind} {event.key}")
    return sorted(lines)
