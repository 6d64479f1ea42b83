"""One upstream, over UDP and TCP, and whatever it sends."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

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
    bare_with_opt,
    drop,
    hold,
    lower_case,
    no_edns,
    no_options,
    nonsense,
    over,
    poison,
    referral,
    refuse,
    saying,
    script,
    then,
    truncate,
    upper_case,
    wrong_case,
)
from farm import Behaviour, Fake, Farm, Transport, dead_port, running
from packets import with_ipv6
from replies import SOA, asked, told

from clusterdns.engine.edns import option
from clusterdns.forward.answers import Foreign
from clusterdns.forward.servers import Server
from clusterdns.forward.stream_exchange import StreamLimits
from clusterdns.forward.tries import TryError
from clusterdns.forward.udp_exchange import looks_random
from clusterdns.forward.upstream import Patience, Upstream
from clusterdns.steps import Steps

# So many letters that no random case of them is by chance the one that a test has its server write.
WWW = "www.an-upstream-that-is-asked-over-datagrams.example.com."
QUESTION = asked(WWW)
# Where silence is expected, and where it is not.
SHORT, LONG = Patience(reply=0.05), Patience(reply=600, streams=StreamLimits(connect=600, stalled=600))


@asynccontextmanager
async def upstream(server: Server, *, patience: Patience = LONG, **options: Any) -> AsyncIterator[Upstream]:
    made = Upstream(server, patience=patience, **options)
    try:
        yield made
    finally:
        await made.close()


def addresses(foreign: Foreign, name: str = WWW) -> list[str]:
    return [line.split()[-1] for line in told(foreign, name)]


def test_an_answer() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(answer)
        async with upstream(fake.server()) as one:
            assert addresses(await one.exchange(QUESTION)) == ["192.0.2.1"]
            assert one.figures.queries == 1
            assert one.times.p95 is not None

    running(scenario)


@with_ipv6
def test_over_ipv6() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(over(udp=truncate, tcp=answer), "::1")
        async with upstream(fake.server()) as one:
            assert addresses(await one.exchange(QUESTION)) == ["192.0.2.1"]

    running(scenario)


def test_ports_ids_and_letter_cases_are_fresh_for_every_query() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(answer)
        async with upstream(fake.server()) as one:
            for _ in range(100):
                await one.exchange(QUESTION)
        assert len({seen.port for seen in fake.asked}) > 90
        assert len({seen.wire[:2] for seen in fake.asked}) > 90
        assert len({seen.name for seen in fake.asked}) > 95
        assert {seen.name.lower() for seen in fake.asked} == {WWW}
        assert not looks_random(list(range(32768, 32800)))
        assert looks_random([seen.port for seen in fake.asked])

    running(scenario)


def test_where_the_kernel_counts_ports_up_we_choose_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusterdns.forward.udp_exchange.kernel_is_random", lambda family: False)

    async def scenario(farm: Farm) -> None:
        fake = await farm.add(answer)
        async with upstream(fake.server()) as one:
            for _ in range(100):
                assert addresses(await one.exchange(QUESTION)) == ["192.0.2.1"]
        assert any(seen.port < 30000 for seen in fake.asked)

    running(scenario)


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
def test_wrong_packets_are_ignored_and_the_wait_goes_on(forgery: Behaviour) -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(then(*[forgery] * 40, hold))
        async with upstream(fake.server()) as one:
            asking = asyncio.create_task(one.exchange(QUESTION))
            await fake.until(lambda: bool(fake.held))
            fake.release()
            assert addresses(await asking) == ["192.0.2.1"]
            # The kernel keeps those from another port from us.
            assert one.figures.stray == (0 if forgery is FORGERIES["another port"] else 40)

    running(scenario)


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
def test_wrong_packets_alone_are_silence(forgery: Behaviour) -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(forgery)
        async with upstream(fake.server(), patience=SHORT) as one:
            assert await fault(one) == ("silence", "no reply")

    running(scenario)


async def fault(one: Upstream) -> tuple[str, str]:
    with pytest.raises(TryError) as raised:
        await one.exchange(QUESTION)
    return raised.value.why, raised.value.text


@pytest.mark.parametrize("udp", [wrong_case, lower_case])
def test_another_letter_case_is_asked_again_over_tcp(udp: Behaviour) -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(over(udp=udp, tcp=answer))
        async with upstream(fake.server()) as one:
            assert addresses(await one.exchange(QUESTION)) == ["192.0.2.1"]
            assert one.figures.near_misses == 1
        assert [seen.transport for seen in fake.asked] == ["udp", "tcp"]

    running(scenario)


@pytest.mark.parametrize("does", [lower_case, upper_case])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_server_that_writes_names_anew_is_understood_over_tcp(does: Behaviour, transport: Transport) -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(does)
        async with upstream(fake.server(transport)) as one:
            assert addresses(await one.exchange(QUESTION)) == ["192.0.2.1"]
        assert fake.asked[-1].transport == "tcp"

    running(scenario)


def test_truncated_over_udp_is_whole_over_tcp() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(over(udp=truncate, tcp=answer))
        async with upstream(fake.server()) as one:
            for _ in range(3):
                assert addresses(await one.exchange(QUESTION)) == ["192.0.2.1"]
            assert (one.figures.opened, one.figures.reused) == (1, 2)
        assert fake.connections == 1

    running(scenario)


def test_a_large_reply_is_walked_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """4,000 addresses take 15 ms, for which nobody else should wait."""
    sliced: list[int] = []

    async def counted(steps: Steps[Foreign]) -> Foreign:
        sliced.append(0)
        try:
            while True:
                next(steps)
                sliced[-1] += 1
        except StopIteration as end:
            found: Foreign = end.value
            return found

    monkeypatch.setattr("clusterdns.forward.upstream.in_slices", counted)

    async def scenario(farm: Farm) -> None:
        many = [f"{WWW} 60 A 10.{n >> 8 & 255}.{n & 255}.1" for n in range(2000)]
        fake = await farm.add(script(over(udp=truncate), over(tcp=saying(answer=many)), answer))
        async with upstream(fake.server()) as one:
            assert len(addresses(await one.exchange(QUESTION))) == 2000
            await one.exchange(QUESTION)

    running(scenario)
    assert len(sliced) == 1, "a small one is not worth it"
    assert sliced[0] > 10


def test_truncated_over_tcp_too_is_of_no_use() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(truncate)
        async with upstream(fake.server()) as one:
            assert (await fault(one))[0] == "bad"
            assert one.state == "healthy"

    running(scenario)


def test_only_the_answer_to_the_question_is_taken() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(poison)
        async with upstream(fake.server()) as one:
            assert addresses(await one.exchange(QUESTION)) == ["192.0.2.1"]

    running(scenario)


@pytest.mark.parametrize("rcode", [FORMERR, SERVFAIL, NOTIMP, REFUSED])
def test_rcodes_are_told_as_they_are(rcode: int) -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(refuse(rcode, "so it is"))
        async with upstream(fake.server()) as one:
            foreign = await one.exchange(QUESTION)
            assert (foreign.rcode, foreign.error) == (rcode, (22, "so it is"))
            assert one.state == "healthy"
            assert one.figures.replies[rcode].count == 1
        assert len(fake.asked) == 1

    running(scenario)


def test_no_such_name() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(saying(rcode=NXDOMAIN, answer=[], authority=[SOA]))
        async with upstream(fake.server()) as one:
            foreign = await one.exchange(QUESTION)
            assert (foreign.rcode, foreign.ttl) == (NXDOMAIN, 60)

    running(scenario)


def test_a_server_without_edns_is_asked_once_more_and_remembered() -> None:
    now = 0.0

    async def scenario(farm: Farm) -> None:
        nonlocal now
        fake = await farm.add(no_edns)
        async with upstream(fake.server(), clock=lambda: now) as one:
            for _ in range(3):
                assert addresses(await one.exchange(QUESTION)) == ["192.0.2.1"]
            assert [seen.edns for seen in fake.asked] == [True, False, False, False]
            now = 601.0
            fake.does = answer
            await one.exchange(QUESTION)
            assert fake.asked[-1].edns

    running(scenario)


def test_a_server_that_refuses_options_is_asked_without_them() -> None:
    now = 0.0

    async def scenario(farm: Farm) -> None:
        nonlocal now
        fake = await farm.add(no_options)
        async with upstream(fake.server(), clock=lambda: now) as one:
            for _ in range(3):
                assert addresses(await one.exchange(QUESTION, option(65313, b"12345678"))) == ["192.0.2.1"]
            assert [seen.has_options for seen in fake.asked] == [True, False, False, False]
            assert all(seen.edns for seen in fake.asked)
            now = 601.0
            await one.exchange(QUESTION, option(65313, b"12345678"))
            assert [seen.has_options for seen in fake.asked[-2:]] == [True, False]

    running(scenario)


@pytest.mark.parametrize("does", [bare(FORMERR), bare(NOTIMP), bare_with_opt(FORMERR)])
@pytest.mark.parametrize("options", [b"", option(65313, b"12345678")])
def test_a_header_alone_takes_edns_away_for_this_once(does: Behaviour, options: bytes) -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(script(does, answer))
        async with upstream(fake.server()) as one:
            for _ in range(2):
                assert addresses(await one.exchange(QUESTION, options)) == ["192.0.2.1"]
        assert [seen.edns for seen in fake.asked] == [True, False, True]

    running(scenario)


@pytest.mark.parametrize("does", [bare(FORMERR), bare_with_opt(FORMERR)])
def test_an_answer_that_a_header_alone_took_the_signatures_from_is_not_kept(does: Behaviour) -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(script(does, answer, does, answer, answer, no_edns))
        async with upstream(fake.server()) as one:
            signed, plain = asked(WWW, do=True), QUESTION
            cacheable = [(await one.exchange(question)).cacheable for question in (signed, plain, signed, signed)]
            assert cacheable == [False, True, True, True]

    running(scenario)


BAD: dict[str, tuple[Behaviour, str, str]] = {
    "a referral": (referral, "bad", "a referral"),
    "neither authority nor recursion": (
        saying(answer=[], flags=0x8000),
        "bad",
        "neither authority nor recursion",
    ),
    "cut": (nonsense, "bad", "it ends too early"),
    "a header alone": (bare(SERVFAIL), "silence", "an error without the question"),
    "a header with an OPT": (bare_with_opt(REFUSED), "silence", "an error without the question"),
    "silence": (drop, "silence", "no reply"),
}


@pytest.mark.parametrize(("does", "why", "text"), BAD.values(), ids=BAD)
def test_replies_that_say_nothing(does: Behaviour, why: str, text: str) -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(does)
        async with upstream(fake.server(), patience=SHORT if does is drop else LONG) as one:
            assert await fault(one) == (why, text)
            assert one.figures.failures == {why: 1}
            assert one.state == ("healthy" if why == "bad" else "suspect")

    running(scenario)


def test_a_dead_port_ends_the_try_at_once() -> None:
    async def scenario(farm: Farm) -> None:
        async with upstream(Server("127.0.0.1", dead_port())) as one:
            assert await fault(one) == ("network", "connection refused")

    running(scenario)


def test_want_of_files_is_not_the_upstreams_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_socket(*_: object) -> socket.socket:
        raise OSError(24, "Too many open files")

    async def scenario(farm: Farm) -> None:
        fake = await farm.add(answer)
        async with upstream(fake.server()) as one:
            await one.exchange(QUESTION)
            with monkeypatch.context() as patched:
                patched.setattr("clusterdns.forward.udp_exchange.socket.socket", no_socket)
                assert await fault(one) == ("local", "too many open files")
            assert one.state == "healthy"

    running(scenario)


def test_a_cancelled_query_leaves_nothing() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(hold)
        async with upstream(fake.server()) as one:
            tasks = [asyncio.create_task(one.exchange(QUESTION)) for _ in range(50)]
            await fake.seen(50)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            fake.release()  # to nobody
            fake.does = answer
            assert addresses(await one.exchange(QUESTION)) == ["192.0.2.1"]

    running(scenario)


class Bell:
    """A sleep that ends when it is told to."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[float] = asyncio.Queue()
        self._over: asyncio.Queue[None] = asyncio.Queue()

    async def sleep(self, seconds: float) -> None:
        self.asked.put_nowait(seconds)
        await self._over.get()

    def ring(self) -> None:
        self._over.put_nowait(None)


async def until(fake: Fake, condition: Callable[[], bool]) -> None:
    for _ in iter(condition, True):
        await asyncio.sleep(0)


def test_one_that_is_down_is_probed_until_it_is_up() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(drop)
        bell = Bell()
        async with upstream(fake.server(), patience=SHORT, sleep=bell.sleep) as one:
            for _ in range(3):
                await fault(one)
            assert one.state == "down"
            for pause in (0, 1, 2, 4):
                assert await bell.asked.get() == pause
                await fault(one)  # questions do not begin another probe
                bell.ring()
            assert await bell.asked.get() == 8
            assert (one.figures.probes, one.figures.probe_failures) == (4, 4)
            one._patience, fake.does = LONG, answer
            bell.ring()
            await until(fake, lambda: one.state == "healthy")
            assert bell.asked.empty()

    running(scenario)


def test_an_answer_ends_the_probing() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(drop)
        bell = Bell()
        async with upstream(fake.server(), patience=SHORT, sleep=bell.sleep) as one:
            for _ in range(3):
                await fault(one)
            assert await bell.asked.get() == 0
            one._patience, fake.does = LONG, answer
            await one.exchange(QUESTION)
            one._patience, fake.does = SHORT, drop
            for _ in range(3):
                await fault(one)
            assert await bell.asked.get() == 0  # another one
            assert one.figures.probes == 0

    running(scenario)


def test_one_that_has_left_is_not_probed_for_what_it_still_owes() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(drop)
        bell = Bell()
        async with upstream(fake.server(), patience=SHORT, sleep=bell.sleep) as one:
            one.retire()
            for _ in range(3):
                await fault(one)
            assert one.state == "down"
            await asyncio.sleep(0)
            assert bell.asked.empty()

    running(scenario)
