"""An API that is away for hours, by a clock that the test holds: what was known stays, and then all is known at once.

HISTORIES=10000 tries so many random histories of outages instead of a few.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from random import Random

import pytest
from fake_api import FakeApi, Refusal, endpoint_slice, namespace, service
from following import UNHURRIED, Follower, manifest_objects
from msgspec.structs import replace

from clusterdns.sources.kubernetes.pace import GENTLE, LONGEST, SOON

HISTORIES = int(os.environ.get("HISTORIES", "20"))
DAY = 86400.0
SOME = 12  # tries of each kind in an outage
TRIES = 4 * GENTLE  # of all kinds together, where nobody is there: more than those that come soon after one another
TIMING = replace(UNHURRIED, silence=0.3, initial=0.3)

Outage = Callable[[FakeApi, Follower, Callable[[], None]], Awaitable[None]]  # the last argument: what happens meanwhile


async def refused(api: FakeApi, follower: Follower, meanwhile: Callable[[], None]) -> None:
    await api.stop()
    meanwhile()
    await many_tries(follower)
    await api.start()


async def closed(api: FakeApi, follower: Follower, meanwhile: Callable[[], None]) -> None:
    """Behind a load balancer that goes on accepting connections, and closes them."""
    await api.close_at_once()
    meanwhile()
    await many_tries(follower, "closed")
    await api.start()


async def forgotten(api: FakeApi, follower: Follower, meanwhile: Callable[[], None]) -> None:
    """Away, and then its history begins behind what happened."""
    await api.stop()
    meanwhile()
    await many_tries(follower)
    api.compact()
    await api.start()


async def failing(api: FakeApi, follower: Follower, meanwhile: Callable[[], None]) -> None:
    for kind in api.refusals:
        api.refuse(kind, *[Refusal(503, "no leader")] * SOME)
    api.cut()
    meanwhile()
    await follower.until(lambda: not any(api.refusals[one.kind] for one in follower.source.status().kinds))
    follower.hands.advance(DAY)


async def silent(api: FakeApi, follower: Follower, meanwhile: Callable[[], None]) -> None:
    """The connections of before are dead."""
    api.hush()
    follower.hands.advance(DAY)
    meanwhile()


async def at_once(api: FakeApi, follower: Follower, meanwhile: Callable[[], None]) -> None:
    """Cut and back, with events on the way."""
    meanwhile()
    api.cut()


OUTAGES: list[Outage] = [refused, closed, forgotten, failing, silent, at_once]


async def many_tries(follower: Follower, reason: str = "refused") -> None:
    before, held = follower.restarts(reason), follower.held()
    await follower.until(lambda: follower.restarts(reason) >= before + SOME)
    follower.hands.advance(DAY)
    await follower.until(lambda: follower.restarts(reason) >= before + TRIES)
    assert follower.held() == held, "what is known stays"
    lag = follower.source.status().lag
    assert lag is not None
    assert lag >= DAY


class Judged(Follower):
    """What it holds of a kind after each round is what the server held at some time, and never before the last time."""

    def __init__(self, api: FakeApi) -> None:
        super().__init__(api, timing=TIMING)
        self._held: dict[str, list[frozenset[str]]] = {kind: [] for kind in api.objects}
        self._reached = dict.fromkeys(api.objects, 0)
        self.record()

    def record(self) -> None:
        """What the server holds now; to be called behind each change."""
        for kind, items in self.api.objects.items():
            self._held[kind].append(frozenset(map(repr, manifest_objects([*items.values()]))))

    def after_round(self) -> None:
        for kind, held in self._held.items():
            now = frozenset(map(repr, self.state.all(kind)))
            times = [number for number, one in enumerate(held) if one == now]
            assert times, f"{kind}: {sorted(now)} was never held"
            later = [number for number in times if number >= self._reached[kind]]
            assert later, f"{kind}: {sorted(now)} was held before what was known already"
            self._reached[kind] = later[0]


def change(api: FakeApi, rng: Random, record: Callable[[], None]) -> None:
    """A few Services and slices come, go and become others."""
    for _ in range(rng.randrange(8)):
        name = f"shop/s{rng.randrange(6)}"
        kind, make = rng.choice((("Service", service), ("EndpointSlice", endpoint_slice)))
        if rng.random() < 0.4:
            key = ("shop", name.partition("/")[2])
            if key in api.objects[kind]:
                api.delete(kind, key)
        else:
            api.put(make(name, f"10.96.0.{rng.randrange(1, 250)}"))
        record()


async def follow(api: FakeApi, follower: Judged, rng: Random, outages: int) -> None:
    await follower.first()
    for _ in range(outages):
        change(api, rng, follower.record)
        if rng.random() < 0.5:
            await follower.equal()
        await rng.choice(OUTAGES)(api, follower, lambda: change(api, rng, follower.record))
        await follower.equal()


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.__name__)
@pytest.mark.parametrize("how", ["yes", "refused"])
def test_a_day_without_the_api(outage: Outage, how: str) -> None:
    async def main() -> None:
        async with FakeApi() as api:
            api.streams_lists = how
            for item in (namespace("shop"), service("shop/web"), endpoint_slice("shop/web", "10.1.0.1")):
                api.put(item)
            async with Follower(api, timing=TIMING) as follower:
                await follower.first()

                def meanwhile() -> None:
                    api.delete("Service", ("shop", "web"))
                    api.put(service("shop/api", "10.96.0.11"))

                await outage(api, follower, meanwhile)
                await follower.equal()
                assert len(follower.rounds) <= 1 + 3, "all at once, each kind by itself"

    asyncio.run(main())


@pytest.mark.parametrize("outage", [refused, closed], ids=lambda outage: outage.__name__)
def test_however_long_it_is_away_it_is_looked_for_often(outage: Outage) -> None:
    async def main() -> None:
        async with FakeApi() as api:
            api.put(namespace("shop"))
            async with Follower(api) as follower:
                await follower.first()
                follower.hands.slept.clear()
                await outage(api, follower, lambda: None)
                tries = [seconds for seconds in follower.hands.slept if seconds <= LONGEST]
                assert len(tries) >= TRIES
                assert max(tries) <= SOON[1]

    asyncio.run(main())


@pytest.mark.parametrize("part", range(4))
def test_random_histories(part: int) -> None:
    async def main() -> None:
        for seed in range(part, HISTORIES, 4):
            rng = Random(seed)
            async with FakeApi() as api:
                api.streams_lists = rng.choice(("yes", "refused"))
                api.put(namespace("shop"))
                async with Judged(api) as follower:
                    await follow(api, follower, rng, outages=4)

    asyncio.run(main())
