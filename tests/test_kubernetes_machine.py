"""Any history of changes and faults: afterwards what was published is what the server has."""

import asyncio
import os
from collections.abc import Coroutine
from typing import Any

from fake_api import PATHS, FakeApi, Refusal, endpoint_slice, event, namespace, service
from following import UNHURRIED, Follower
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from msgspec.structs import replace

from clusterdns.sources.kubernetes.pace import LONGEST

HISTORIES = int(os.environ.get("API_HISTORIES", "30"))
KINDS = ("Namespace", "Service", "EndpointSlice")

kinds = st.sampled_from(KINDS)
names = st.sampled_from(["web", "db", "api"])
numbers = st.integers(1, 250)
items = st.one_of(
    st.builds(lambda name, number: namespace(name, team=f"t{number}"), names, numbers),
    st.builds(lambda name, number: service(f"shop/{name}", f"10.96.0.{number}"), names, numbers),
    st.builds(lambda name, number: endpoint_slice(f"shop/{name}", f"10.1.0.{number}"), names, numbers),
)
refusals = st.builds(
    Refusal,
    st.sampled_from([401, 403, 404, 410, 422, 429, 500, 503]),
    event=st.booleans(),
    message=st.just("drawn"),
    headers=st.just(()),
)
nonsense = st.one_of(
    st.binary(max_size=20).map(lambda text: text + b"\n"),
    st.sampled_from([b"\n", b'{"type":"ADDED","object":', b'{"type":"DELETED","object":{}}\n', b"{}\n"]),
)


class Histories(RuleBasedStateMachine):
    """Rules do not wait for the source: it gets along as it can meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self.api = FakeApi()
        self.follower: Follower | None = None
        self.up = True
        self._backup: tuple[Any, int] | None = None

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self._loop.run_until_complete(work)

    @initialize(how=st.sampled_from(["yes", "refused", "error"]), limit=st.integers(1, 5), first=st.lists(items))
    def begin(self, how: str, limit: int, first: list[Any]) -> None:
        async def work() -> None:
            await self.api.start()
            self.api.streams_lists, self.api.page_limit = how, limit
            for item in first:
                self.api.put(item)
            self.follower = Follower(self.api, timing=replace(UNHURRIED, silence=0.2, initial=0.2))
            await self.follower.__aenter__()

        self.run(work())

    @rule(item=items)
    def put(self, item: Any) -> None:
        self.api.put(item)

    @rule(kind=kinds, number=numbers)
    def delete(self, kind: str, number: int) -> None:
        self._delete(kind, number, told=True)

    @rule(item=items)
    def put_untold(self, item: Any) -> None:
        self.api.put(item, told=False)

    @rule(kind=kinds, number=numbers)
    def delete_untold(self, kind: str, number: int) -> None:
        self._delete(kind, number, told=False)

    @rule()
    def bookmark(self) -> None:
        self.api.bookmark()

    @rule(kind=kinds, number=numbers)
    def say_again(self, kind: str, number: int) -> None:
        if past := self.api.history[kind]:
            again = past[number % len(past)]
            self.api.say(kind, event(again.type, again.object))

    @rule(kind=kinds, line=nonsense)
    def say(self, kind: str, line: bytes) -> None:
        self.api.say(kind, line)

    @rule(kind=kinds, drawn=st.lists(refusals, max_size=4))
    def refuse(self, kind: str, drawn: list[Refusal]) -> None:
        self.api.refuse(kind, *drawn)

    @rule()
    def compact(self) -> None:
        self.api.compact()

    @rule(how=st.sampled_from(["end", "cut", "hush"]))
    def lose(self, how: str) -> None:
        getattr(self.api, how)()

    @rule()
    def stop_or_start(self) -> None:
        self.up = not self.up
        self.run(self.api.start() if self.up else self.api.stop())

    @rule()
    def back_up(self) -> None:
        self._backup = {kind: dict(own) for kind, own in self.api.objects.items()}, self.api.version

    @rule()
    def restore(self) -> None:
        if self._backup:
            self.run(self._restored(*self._backup))

    @rule(seconds=st.floats(0, 500))
    def time_goes_by(self, seconds: float) -> None:
        assert self.follower
        self.follower.hands.advance(seconds)

    @rule(turns=st.integers(1, 20))
    def let_it_work(self, turns: int) -> None:
        async def work() -> None:
            for _ in range(turns):
                await asyncio.sleep(0.001)

        self.run(work())

    @rule()
    def look(self) -> None:
        self.run(self._equal())

    def teardown(self) -> None:
        async def work() -> None:
            if self.follower:
                try:
                    await self._equal()
                finally:
                    await self.follower.__aexit__()
            await self.api.stop()

        try:
            self.run(work())
        finally:
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    def _delete(self, kind: str, number: int, *, told: bool) -> None:
        if keys := sorted(self.api.objects[kind]):
            self.api.delete(kind, keys[number % len(keys)], told=told)

    async def _restored(self, objects: Any, version: int) -> None:
        if self.up:
            await self.api.stop()
        self.api.restore(objects, version)
        await self.api.start()
        self.up = True

    async def _equal(self) -> None:
        """Nothing goes wrong from now on; the next comparison finds what no event has told."""
        if not self.up:
            await self.api.start()
            self.up = True
        for kind in PATHS.values():
            self.api.refusals[kind].clear()
        follower = self.follower
        assert follower
        looked = -1

        def equal() -> bool:
            nonlocal looked
            if follower.held() == follower.served():
                return True
            # Time goes on as long as it takes: a comparison, then its grace.
            if looked != (looked := len(self.api.requests)):
                follower.source.refresh()
            follower.hands.advance(LONGEST + 2)
            return False

        await follower.until(equal)


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=HISTORIES, stateful_step_count=30)
