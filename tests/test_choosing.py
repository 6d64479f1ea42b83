"""Several upstreams: who is asked first, who next, and that some answer comes of it if there is one."""

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import get_args

import pytest
from behaviours import (
    FORGERIES,
    FORMERR,
    NOTIMP,
    NXDOMAIN,
    REFUSED,
    SERVFAIL,
    answer,
    bare,
    drop,
    half,
    hold,
    lower_case,
    nonsense,
    over,
    poison,
    referral,
    refuse,
    saying,
    script,
    then,
    truncate,
    wrong_case,
)
from farm import PATIENCE, Asked, Behaviour, Farm, Transport, dead_port, running
from hypothesis import given, settings
from hypothesis import strategies as st
from replies import SOA, asked, told

from clusterdns.forward.answers import Foreign, Unresolved
from clusterdns.forward.choosing import FINDING_OUT, Group, Policy
from clusterdns.forward.servers import Server
from clusterdns.forward.upstream import Patience, Upstream

WWW = "www.example.com."
QUESTION = asked(WWW)
POLICIES: tuple[Policy, ...] = get_args(Policy)


@asynccontextmanager
async def group(
    servers: Sequence[Server],
    policy: Policy = "sequential",
    *,
    budget: float = PATIENCE / 2,
    reply: float = 10.0,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[Group]:
    upstreams = [Upstream(one, patience=Patience(reply), sleep=sleep) for one in servers]
    made = Group(upstreams, policy, budget=budget, random=Random(1))
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def several(
    farm: Farm, *does: Behaviour, policy: Policy = "sequential", budget: float = PATIENCE / 2
) -> AsyncIterator[Group]:
    servers = [(await farm.add(one)).server() for one in does]
    async with group(servers, policy, budget=budget) as made:
        yield made


def who(foreign: Foreign, name: str = WWW) -> int:
    """The number of the upstream that gave this answer."""
    (line,) = told(foreign, name)
    return int(line.rpartition(".")[2])


def leave(made: Group) -> None:
    """Nobody is there, and it is known: so a try without a reply ends."""
    for upstream in made.upstreams:
        for _ in range(3):
            upstream.health.failed(asyncio.get_running_loop().time())
        upstream.health.probe_failed()


@pytest.fixture
def nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked again for a reply that is late, however long the machine holds this test up."""
    monkeypatch.setattr(Upstream, "retry_wait", lambda *_: 600.0)


async def unresolved(made: Group) -> tuple[int, str]:
    with pytest.raises(Unresolved) as raised:
        await made.resolve(QUESTION)
    return raised.value.code, raised.value.text


# Who is asked first.


def test_sequential_asks_the_first() -> None:
    async def scenario(farm: Farm) -> None:
        async with several(farm, answer, answer, answer) as made:
            assert [who(await made.resolve(QUESTION)) for _ in range(6)] == [1] * 6

    running(scenario)


def test_round_robin_asks_each_in_turn() -> None:
    async def scenario(farm: Farm) -> None:
        async with several(farm, answer, answer, answer, policy="round_robin") as made:
            assert [who(await made.resolve(QUESTION)) for _ in range(6)] == [1, 2, 3] * 2

    running(scenario)


def test_random_asks_all_of_them() -> None:
    async def scenario(farm: Farm) -> None:
        async with several(farm, answer, answer, answer, policy="random") as made:
            asked_first = Counter([who(await made.resolve(QUESTION)) for _ in range(90)])
            assert set(asked_first) == {1, 2, 3}
            assert min(asked_first.values()) > 10

    running(scenario)


def test_fastest_asks_the_fastest_and_now_and_then_another() -> None:
    async def scenario(farm: Farm) -> None:
        async with several(farm, answer, answer, policy="fastest") as made:
            for one, seconds in zip(made.upstreams, (5.0, 1e-9), strict=True):
                for _ in range(1000):
                    one.times.observe(seconds)
            asked_first = Counter([who(await made.resolve(QUESTION)) for _ in range(300)])
            assert asked_first[2] > 250
            assert asked_first[1] > 0

    running(scenario)


# Who is asked next.

NEXT: dict[str, Behaviour] = {
    "SERVFAIL": refuse(SERVFAIL),
    "REFUSED": refuse(REFUSED),
    "NOTIMP": refuse(NOTIMP),
    "FORMERR": refuse(FORMERR),
    "a header alone": bare(SERVFAIL),
    "silence": drop,
    "a referral": referral,
    "neither authority nor recursion": saying(answer=[], flags=0x8000),
    "malformed": nonsense,
    "truncated everywhere": truncate,
    "truncated, and half a message over TCP": over(udp=truncate, tcp=half),
    "truncated, and silence over TCP": over(udp=truncate, tcp=drop),
    "wrong case, and silence over TCP": over(udp=wrong_case, tcp=drop),
    **FORGERIES,
}


@pytest.mark.parametrize("does", NEXT.values(), ids=NEXT)
def test_the_next_one_is_asked_after(does: Behaviour) -> None:
    async def scenario(farm: Farm) -> None:
        async with several(farm, does, answer) as made:
            assert who(await made.resolve(QUESTION)) == 2

    running(scenario)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_the_next_one_is_asked_after_a_dead_port(transport: Transport) -> None:
    async def scenario(farm: Farm) -> None:
        good = await farm.add(answer)
        async with group([Server("127.0.0.1", dead_port(), transport), good.server()]) as made:
            assert who(await made.resolve(QUESTION)) == 1

    running(scenario)


FINAL: dict[str, Behaviour] = {
    "NXDOMAIN": saying(rcode=NXDOMAIN, answer=[], authority=[SOA]),
    "no such record": saying(answer=[], authority=[SOA]),
    "poison": poison,
    "truncated": over(udp=truncate, tcp=answer),
    "another case": lower_case,
}


@pytest.mark.usefixtures("nothing_is_lost")
@pytest.mark.parametrize("does", FINAL.values(), ids=FINAL)
def test_nobody_else_is_asked_after(does: Behaviour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Upstream, "hedge_wait", 600.0)

    async def scenario(farm: Farm) -> None:
        async with several(farm, does, answer) as made:
            await made.resolve(QUESTION)
        assert not farm.all[1].asked

    running(scenario)


@pytest.mark.usefixtures("nothing_is_lost")
def test_a_slow_one_is_not_waited_for() -> None:
    async def scenario(farm: Farm) -> None:
        async with several(farm, hold, answer) as made:
            assert who(await made.resolve(QUESTION)) == 2
            assert len(farm.all[0].held) == 1
            farm.all[0].release()  # nobody is there any more

    running(scenario)


def test_a_slow_one_that_answers_after_all() -> None:
    async def scenario(farm: Farm) -> None:
        async with several(farm, hold, lambda _: farm.all[0].release()) as made:
            assert who(await made.resolve(QUESTION)) == 1

    running(scenario)


def test_a_lost_packet_is_sent_again() -> None:
    async def scenario(farm: Farm) -> None:
        async with several(farm, script(drop, answer)) as made:
            assert who(await made.resolve(QUESTION)) == 1
        assert [seen.transport for seen in farm.all[0].asked] == ["udp", "udp"]

    running(scenario)


def test_where_udp_is_lost_tcp_may_pass() -> None:
    async def scenario(farm: Farm) -> None:
        async with several(farm, over(udp=drop, tcp=answer)) as made:
            assert who(await made.resolve(QUESTION)) == 1
        assert [seen.transport for seen in farm.all[0].asked] == ["udp", "udp", "tcp"]

    running(scenario)


def test_a_refusal_of_tcp_does_not_end_a_query_under_way_over_udp() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(over(udp=hold, tcp=drop))
        fake.closes_at_accept = True
        async with group([fake.server()]) as made:
            asking = asyncio.create_task(made.resolve(QUESTION))
            await fake.until(lambda: fake.connections > 0 and not fake.open)
            await until_failed(made.upstreams[0])
            fake.release()
            assert who(await asking) == 1

    running(scenario)


async def until_failed(upstream: Upstream) -> None:
    for _ in iter(lambda: bool(upstream.figures.failures), True):
        await asyncio.sleep(0)


def test_a_flapping_one_answers_every_question() -> None:
    async def scenario(farm: Farm) -> None:
        turns = [drop, answer, refuse(SERVFAIL), answer, hold, answer]
        async with several(farm, script(*turns * 20), answer) as made:
            for _ in range(40):
                assert who(await made.resolve(QUESTION)) in (1, 2)

    running(scenario)


async def no_probe(_: float) -> None:
    await asyncio.get_running_loop().create_future()


SLOW: dict[str, tuple[Transport, ...]] = {
    "the first query": ("udp",),
    "the second one": ("udp", "udp"),
    "the one over TCP": ("udp", "udp", "tcp"),
}


@pytest.mark.parametrize("answered", SLOW.values(), ids=SLOW)
def test_a_name_that_takes_a_server_longer_than_a_failure(
    answered: tuple[Transport, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each query is listened to until the time for the question is over; they are failures meanwhile."""
    monkeypatch.setattr("clusterdns.forward.health.LEAST_RETRY", 0.01)

    async def scenario(farm: Farm) -> None:
        fake = await farm.add(script(*[hold if one == answered else drop for one in SLOW.values()]))
        async with group([fake.server()], reply=0.001, sleep=no_probe) as made:
            made.upstreams[0].times.observe(0.0)
            asking = asyncio.create_task(made.resolve(QUESTION))
            await fake.seen(3)
            assert tuple(seen.transport for seen in fake.asked) == SLOW["the one over TCP"]
            for _ in iter(lambda: made.upstreams[0].state == "down", True):
                await asyncio.sleep(0)
            fake.does = answer
            fake.release()
            assert who(await asking) == 1
            assert made.upstreams[0].state == "healthy"

    running(scenario)


# When nobody knows.


@pytest.mark.usefixtures("nothing_is_lost")
@pytest.mark.parametrize("rcode", [SERVFAIL, REFUSED, NOTIMP])
def test_what_all_say_is_said(rcode: int) -> None:
    async def scenario(farm: Farm) -> None:
        async with several(farm, refuse(rcode, "so it is"), refuse(rcode, "no"), refuse(rcode)) as made:
            foreign = await made.resolve(QUESTION)
            assert (foreign.rcode, foreign.error) == (rcode, (22, "so it is"))
        assert farm.queries == 3  # each of them once

    running(scenario)


def test_servfail_says_more_than_refused() -> None:
    async def scenario(farm: Farm) -> None:
        async with several(farm, refuse(REFUSED), refuse(SERVFAIL), refuse(NOTIMP)) as made:
            assert (await made.resolve(QUESTION)).rcode == SERVFAIL

    running(scenario)


def test_an_rcode_says_more_than_silence() -> None:
    async def scenario(farm: Farm) -> None:
        async with several(farm, drop, refuse(SERVFAIL), budget=3.0) as made:
            assert (await made.resolve(QUESTION)).rcode == SERVFAIL

    running(scenario)


def test_silence_of_all_names_them_within_the_budget() -> None:
    async def scenario(farm: Farm) -> None:
        async with several(farm, drop, drop, budget=2.0) as made:
            first, second = made.upstreams
            assert await unresolved(made) == (22, f"{first}: no reply; {second}: no reply")

    running(scenario)


def test_dead_ports() -> None:
    async def scenario(farm: Farm) -> None:
        servers = [Server("127.0.0.1", dead_port(), transport) for transport in ("udp", "tcp", "tls")]
        async with group(servers) as made:
            text = "; ".join(f"{one}: connection refused" for one in servers)
            assert await unresolved(made) == (23, text)

    running(scenario)


def test_lame_ones() -> None:
    async def scenario(farm: Farm) -> None:
        async with several(farm, referral, nonsense) as made:
            first, second = made.upstreams
            assert await unresolved(made) == (22, f"{first}: a referral; {second}: it ends too early")

    running(scenario)


def test_no_upstream_at_all() -> None:
    async def scenario(farm: Farm) -> None:
        async with group([]) as made:
            assert await unresolved(made) == (22, "no upstream")

    running(scenario)


@pytest.mark.parametrize("does", [drop, then(*FORGERIES.values()), bare(FORMERR), bare(SERVFAIL)])
def test_no_server_gets_more_than_three_queries_over_a_transport(does: Behaviour) -> None:
    async def scenario(farm: Farm) -> None:
        servers = [(await farm.add(does)).server() for _ in range(2)]
        async with group(servers, reply=0.02) as made:
            leave(made)
            assert (await unresolved(made))[0] == 22
            made.upstreams = ()
        for fake in farm.all:
            counts = Counter(seen.transport for seen in fake.asked if seen.name != ".")
            assert counts
            assert all(count <= 3 for count in counts.values())

    running(scenario)


# Who is down.


def test_one_that_is_down_is_asked_no_more_while_another_works() -> None:
    async def scenario(farm: Farm) -> None:
        bad, good = await farm.add(drop), await farm.add(answer)
        async with group([bad.server(), good.server()], reply=600.0) as made:
            for _ in range(20):
                assert who(await made.resolve(QUESTION)) == 2
            assert made.upstreams[0].state == "down"
            assert made.broken == 0
            # The fourth was sent before the third was found to have failed; on a busy machine a hedge may be answered
            # before the first try has been under way for as long as one takes.
            assert sum(seen.name != "." for seen in bad.asked) < 10
            await bad.until(lambda: any(seen.name == "." for seen in bad.asked))  # the probe

    running(scenario)


def test_all_down_are_asked_all_the_same() -> None:
    async def scenario(farm: Farm) -> None:
        async with several(farm, drop, drop, budget=0.3) as made:
            for upstream in made.upstreams:
                for _ in range(3):
                    upstream.health.failed(0.0)
            await unresolved(made)
            assert made.broken == 1
            made._budget, farm.all[1].does = PATIENCE / 2, answer
            assert who(await made.resolve(QUESTION)) == 2
            assert made.upstreams[1].state == "healthy"

    running(scenario)


def test_a_name_that_nobody_can_resolve_makes_no_server_look_dead() -> None:
    def unless_bad(seen: Asked) -> None:
        if "bad" not in seen.name.lower():
            answer(seen)

    async def scenario(farm: Farm) -> None:
        async with several(farm, unless_bad) as made:
            for number in range(5):
                made._budget = 1.0  # of what nobody answers
                lost = asyncio.create_task(made.resolve(asked(f"bad{number}.example.com.")))
                await farm.all[0].seen(len(farm.all[0].asked) + 1)
                made._budget = PATIENCE / 2
                await made.resolve(QUESTION)
                with pytest.raises(Unresolved):
                    await lost
                await made.resolve(QUESTION)
            assert made.upstreams[0].state == "healthy"

    running(scenario)


# Any of them together.


@given(st.lists(st.sampled_from(sorted(NEXT)), max_size=3), st.booleans(), st.sampled_from(POLICIES), st.randoms())
@settings(max_examples=30)
def test_one_who_knows_is_enough(names: list[str], known: bool, policy: Policy, random: Random) -> None:
    does = [NEXT[name] for name in names]
    random.shuffle(does)
    if known:
        does.insert(random.randint(0, len(does)), answer)

    async def scenario(farm: Farm) -> None:
        servers = [(await farm.add(one)).server() for one in does]
        async with group(servers, policy, budget=PATIENCE / 2 if known else 0.5, reply=0.5) as made:
            if known:
                assert does[who(await made.resolve(QUESTION)) - 1] is answer
            else:
                with suppress(Unresolved):
                    assert (await made.resolve(QUESTION)).rcode in (FORMERR, SERVFAIL, NOTIMP, REFUSED)
        for fake in farm.all:
            counts = Counter(seen.transport for seen in fake.asked if seen.name != ".")
            assert all(count <= 3 for count in counts.values())

    running(scenario)


# Many at a time.


def test_many_at_a_time_beside_silent_ones() -> None:
    async def scenario(farm: Farm) -> None:
        async with several(farm, drop, answer, hold, policy="random") as made:
            names = [f"host-{number}.example.com." for number in range(300)]
            foreigns = await asyncio.gather(*[made.resolve(asked(name)) for name in names])
            assert {who(one, name) for one, name in zip(foreigns, names, strict=True)} == {2}

    running(scenario)


def test_given_up_questions_leave_nothing() -> None:
    async def scenario(farm: Farm) -> None:
        async with several(farm, drop, hold) as made:
            tasks = [asyncio.create_task(made.resolve(QUESTION)) for _ in range(50)]
            await farm.all[1].seen(50)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    running(scenario)


def test_an_upstream_that_leaves_ends_what_it_has_begun() -> None:
    async def scenario(farm: Farm) -> None:
        old, new = await farm.add(hold), await farm.add(answer)
        async with group([old.server("tcp")]) as made:
            asking = asyncio.create_task(made.resolve(QUESTION))
            await old.seen(1)
            made.replace([Upstream(new.server())])
            assert who(await made.resolve(QUESTION)) == 2
            old.release()
            assert who(await asking) == 1

    running(scenario)


def test_few_questions_find_out_whether_somebody_is_back() -> None:
    async def scenario(farm: Farm) -> None:
        silent = await farm.add(hold)
        async with group([silent.server()]) as made:
            (upstream,) = made.upstreams
            under_way = [asyncio.create_task(made.resolve(asked(f"n{number}."))) for number in range(FINDING_OUT)]
            await silent.seen(FINDING_OUT)
            assert not made.in_vain, "it is not known to be down"
            while upstream.state != "down":
                upstream.health.failed(asyncio.get_running_loop().time())
            assert made.in_vain
            silent.does = answer
            silent.release()
            await asyncio.gather(*under_way)
            assert upstream.state == "healthy"
            assert not made.in_vain

    running(scenario)


@pytest.mark.parametrize("ends", ["all fail", "cut short", "all are gone"])
def test_failures_leave_nothing_for_the_collector(ends: str) -> None:
    """It would hold up everything else while upstreams are dead: circles of tasks, errors and their tracebacks."""

    async def scenario(farm: Farm) -> None:
        silent = await farm.add(drop)
        silent.closes_at_accept = True
        servers = [silent.server(), Server("127.0.0.1", dead_port(), "udp", None)]
        if ends == "all fail":
            silent.does = bare(SERVFAIL)
        async with group(servers, budget=0.05 if ends == "cut short" else PATIENCE / 2, reply=0.1) as made:
            for collecting in (True, False):
                if ends == "all are gone":
                    leave(made)
                gc.collect()
                gc.disable()
                await asyncio.gather(*(made.resolve(QUESTION) for _ in range(20)), return_exceptions=True)
                # What ends after the question does so in the next turns of the loop.
                for _ in range(10):
                    await asyncio.sleep(0)
                if collecting:  # what is made once is there now
                    continue
                gc.set_debug(gc.DEBUG_SAVEALL)
                gc.collect()
                left = Counter(type(one).__name__ for one in gc.garbage)
                assert not left.keys() & {"Task", "TryError", "Race", "frame", "traceback"}, left

    try:
        running(scenario)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
