"""Connections to upstreams: kept, shared, given up and made anew."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import dns.edns
import pytest
from behaviours import (
    FORGERIES,
    SERVFAIL,
    answer,
    bare,
    drop,
    half,
    hang_up,
    hold,
    no_edns,
    nonsense,
    script,
    then,
)
from farm import CERTIFICATE, Asked, Behaviour, Farm, Transport, dead_port, running
from replies import asked, told

from clusterdns.engine.framing import frame
from clusterdns.forward.answers import Foreign, Question
from clusterdns.forward.connection import Connection
from clusterdns.forward.figures import Figures
from clusterdns.forward.message import query
from clusterdns.forward.servers import Server
from clusterdns.forward.stream_exchange import StreamLimits
from clusterdns.forward.tries import Tries, TryError
from clusterdns.forward.upstream import Patience, Upstream

WWW = "www.example.com."
QUESTION = asked(WWW)
OVER = pytest.mark.parametrize("transport", ["tcp", "tls"])


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=CERTIFICATE)


@asynccontextmanager
async def upstream(
    server: Server, *, reply: float = 20.0, tls: ssl.SSLContext | None = None, **limits: float
) -> AsyncIterator[Upstream]:
    """No clock of *limits* runs out unless a test says so, however long this machine is busy with something else."""
    streams = StreamLimits(**{"connect": 600.0, "idle": 600.0, "stalled": 600.0, **limits})  # type: ignore[arg-type]
    made = Upstream(server, tls=tls or trusting(), patience=Patience(reply, streams))
    try:
        yield made
    finally:
        await made.close()


def answered(foreign: Foreign, name: str = WWW) -> bool:
    return told(foreign, name) == [f"{name} 300 A 192.0.2.1"]


async def fault(one: Upstream) -> tuple[str, str]:
    with pytest.raises(TryError) as raised:
        await one.exchange(QUESTION)
    return raised.value.why, raised.value.text


def names(count: int) -> dict[str, Question]:
    return {name: asked(name) for name in (f"host-{number}.example.com." for number in range(count))}


@OVER
def test_a_connection_is_kept(transport: Transport) -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(answer)
        async with upstream(fake.server(transport, "dns.test" if transport == "tls" else None)) as one:
            for _ in range(5):
                assert answered(await one.exchange(QUESTION))
            assert (one.figures.opened, one.figures.reused, fake.connections) == (1, 4, 1)

    running(scenario)


@OVER
def test_answers_come_in_any_order(transport: Transport) -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(hold)
        async with upstream(fake.server(transport)) as one:
            tasks = {name: asyncio.create_task(one.exchange(question)) for name, question in names(50).items()}
            await fake.seen(50)
            assert fake.connections == 1
            fake.held.reverse()
            fake.release()
            for name, task in tasks.items():
                assert answered(await task, name)

    running(scenario)


def test_beyond_so_many_queries_there_is_another_connection() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(hold)
        async with upstream(fake.server("tcp"), together=10) as one:
            tasks = [asyncio.create_task(one.exchange(question)) for question in names(25).values()]
            await fake.seen(25)
            assert fake.connections == 3
            fake.release()
            await asyncio.gather(*tasks)
            fake.does = answer
            await one.exchange(QUESTION)
            assert fake.connections == 3

    running(scenario)


@OVER
def test_an_idle_connection_is_closed(transport: Transport) -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(answer)
        async with upstream(fake.server(transport), idle=0.001) as one:
            assert answered(await one.exchange(QUESTION))
            await fake.until(lambda: not fake.open)
            assert answered(await one.exchange(QUESTION))
        assert fake.connections == 2

    running(scenario)


def test_one_that_waits_is_not_idle() -> None:
    async def scenario(farm: Farm) -> None:
        def after_several_looks(seen: Asked) -> None:
            hold(seen)
            asyncio.get_running_loop().call_later(0.02, fake.release)

        fake = await farm.add(after_several_looks)
        async with upstream(fake.server("tcp"), idle=0.001) as one:
            assert answered(await one.exchange(QUESTION))
        assert fake.connections == 1

    running(scenario)


@OVER
def test_a_broken_connection_is_replaced_once(transport: Transport) -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(script(answer, hang_up, answer))
        async with upstream(fake.server(transport)) as one:
            assert answered(await one.exchange(QUESTION))
            assert answered(await one.exchange(QUESTION))
        assert fake.connections == 2

    running(scenario)


def test_and_not_twice() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(script(answer, hang_up))
        async with upstream(fake.server("tcp")) as one:
            assert answered(await one.exchange(QUESTION))
            assert await fault(one) == ("network", "it closed the connection")
        assert len(fake.asked) == 3

    running(scenario)


def test_one_that_was_closed_while_nobody_asked_is_not_noticed() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(answer)
        async with upstream(fake.server("tcp")) as one:
            for _ in range(3):
                assert answered(await one.exchange(QUESTION))
                fake.hang_up()

    running(scenario)


def test_a_server_that_answers_once_per_connection() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(then(answer, hang_up))
        async with upstream(fake.server("tcp")) as one:
            for burst in range(3):
                asking = [one.exchange(question) for question in names(20).values()]
                results = await asyncio.gather(*asking, return_exceptions=True)
                assert burst == 0 or not [one for one in results if isinstance(one, BaseException)]
                for _ in iter(one.streams.__len__, 0):  # a query over one that is being closed is sent again only once
                    await asyncio.sleep(0)

    running(scenario)


@OVER
def test_closing_at_accept(transport: Transport) -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(answer)
        fake.closes_at_accept = True
        async with upstream(fake.server(transport)) as one:
            assert (await fault(one))[0] == "network"
            fake.closes_at_accept = False
            assert answered(await one.exchange(QUESTION))

    running(scenario)


@OVER
def test_half_a_message(transport: Transport) -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(half)
        async with upstream(fake.server(transport)) as one:
            assert await fault(one) == ("network", "it closed the connection")
        assert len(fake.asked) == 1

    running(scenario)


def test_a_dead_port() -> None:
    async def scenario(farm: Farm) -> None:
        async with upstream(Server("127.0.0.1", dead_port(), "tcp")) as one:
            assert await fault(one) == ("network", "connection refused")
            assert len(one.streams) == 0

    running(scenario)


@pytest.mark.parametrize("forgery", [each for name, each in FORGERIES.items() if "port" not in name])
def test_messages_that_nobody_waits_for_are_ignored(forgery: Behaviour) -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(then(forgery, answer))
        async with upstream(fake.server("tcp")) as one:
            assert answered(await one.exchange(QUESTION))
        assert one.figures.stray == 1

    running(scenario)


def test_a_reply_to_who_has_given_up_is_no_stray(monkeypatch: pytest.MonkeyPatch) -> None:
    # Else one time in 65,536 the second query has the ID of the first, and the reply to that is its own.
    idents = count()
    monkeypatch.setattr(
        "clusterdns.forward.connection.secrets.token_bytes", lambda octets: next(idents).to_bytes(octets)
    )

    async def scenario(farm: Farm) -> None:
        fake = await farm.add(hold)
        async with upstream(fake.server("tcp")) as one:
            asking = asyncio.create_task(one.exchange(QUESTION))
            await fake.seen(1)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            fake.does = answer
            fake.release()
            assert answered(await one.exchange(QUESTION))  # behind it
            assert (one.figures.stray, one.figures.reused) == (0, 1)

    running(scenario)


@pytest.mark.parametrize(("does", "why"), [(drop, "silence"), (nonsense, "bad"), (bare(SERVFAIL), "silence")])
def test_replies_that_say_nothing(does: Behaviour, why: str) -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(does)
        async with upstream(fake.server("tcp"), reply=0.05 if does is drop else 20.0) as one:
            assert (await fault(one))[0] == why

    running(scenario)


def test_a_stalled_connection_gets_no_more_queries() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(drop)
        async with upstream(fake.server("tcp"), reply=0.05, stalled=0.01) as one:
            assert (await fault(one))[0] == "silence"
            one._patience, fake.does = Patience(20.0, one._patience.streams), answer
            assert answered(await one.exchange(QUESTION))
        assert fake.connections == 2

    running(scenario)


def dribble(asked: Asked) -> None:
    """A message that is announced as long as one can be, and begun."""
    asked.write(b"\xff\xff" + asked.reply())


def test_octets_of_a_message_that_does_not_end_are_no_life_sign() -> None:
    async def scenario() -> None:
        connection, later = Connection(1, 10.0, lambda _: None, Figures()), asyncio.get_running_loop().time() + 100
        sent = query(QUESTION, bytes(2), QUESTION.name)
        asking = [asyncio.create_task(connection.ask(sent)) for _ in range(2)]
        await asyncio.sleep(0)
        silence = connection.silence(later)
        framed = frame(b"another message")
        connection.data_received(b"\0\0")
        for at in range(len(framed)):
            assert connection.silence(later) == silence
            connection.data_received(framed[at : at + 1])
        assert connection.silence(later) < silence
        connection.fail("network", "closed")
        await asyncio.gather(*asking, return_exceptions=True)

    asyncio.run(scenario())


def test_the_same_question_takes_another_connection() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(script(answer, dribble, answer))
        async with upstream(fake.server("tcp")) as one:
            assert answered(await one.exchange(QUESTION))
            tries, patience = Tries(), one._patience
            one._patience = Patience(reply=0.05)
            with pytest.raises(TryError, match="no reply"):
                await one.exchange(QUESTION, b"", tries)
            one._patience = patience
            assert answered(await one.exchange(QUESTION, b"", tries))
            assert fake.connections == 2
            assert [seen.connection for seen in fake.asked] == [1, 1, 2]

    running(scenario)


def test_given_up_queries_leave_the_connection_to_others() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(hold)
        async with upstream(fake.server("tcp")) as one:
            tasks = [asyncio.create_task(one.exchange(question)) for question in names(20).values()]
            await fake.seen(20)
            for task in tasks[::2]:
                task.cancel()
            fake.release()
            assert (
                len([one for one in await asyncio.gather(*tasks, return_exceptions=True) if isinstance(one, Foreign)])
                == 10
            )
            fake.does = answer
            assert answered(await one.exchange(QUESTION))
        assert fake.connections == 1

    running(scenario)


def test_queries_over_tls_are_padded_and_those_over_tcp_are_not() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(answer)
        for server in (fake.server("tls"), fake.server("tcp")):
            async with upstream(server) as one:
                for question in (asked("."), QUESTION, asked("x" * 60 + ".a-rather-long-name.example.com.")):
                    await one.exchange(question, b"\xff\x21\x00\x02ab")
        over_tls, over_tcp = fake.asked[:3], fake.asked[3:]
        assert [len(seen.wire) for seen in over_tls] == [128, 128, 256]
        assert all(len(seen.wire) % 128 for seen in over_tcp)
        for seen in fake.asked:
            codes = [int(option.otype) for option in seen.message.options]
            assert codes == ([0xFF21, dns.edns.OptionType.PADDING] if seen.transport == "tls" else [0xFF21])

    running(scenario)


def test_a_server_without_edns_over_tls() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(no_edns)
        async with upstream(fake.server("tls")) as one:
            assert answered(await one.exchange(QUESTION))
        assert [seen.edns for seen in fake.asked] == [True, False]

    running(scenario)


@pytest.mark.parametrize(
    ("name", "trust", "text"),
    [
        ("another.test", True, "its certificate is not accepted: "),
        (None, False, "its certificate is not accepted: "),
        ("dns.test", False, "its certificate is not accepted: "),
    ],
)
def test_a_certificate_that_proves_nothing(name: str | None, trust: bool, text: str) -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(answer)
        tls = trusting() if trust else ssl.create_default_context()
        async with upstream(fake.server("tls", name), tls=tls) as one:
            why, told_text = await fault(one)
            assert why == "network"
            assert told_text.startswith(text)
        assert not fake.asked

    running(scenario)


def test_tls_to_a_server_that_speaks_none() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(answer)
        async with upstream(Server("127.0.0.1", fake.port, "tls"), connect=0.2) as one:
            assert (await fault(one))[0] in ("network", "silence")

    running(scenario)


def test_closing_ends_what_is_under_way() -> None:
    async def scenario(farm: Farm) -> None:
        fake = await farm.add(hold)
        async with upstream(fake.server("tls")) as one:
            asking = asyncio.create_task(one.exchange(QUESTION))
            await fake.seen(1)
            await one.close()
            with pytest.raises(TryError, match="closed"):
                await asking

    running(scenario)


def test_an_id_that_is_free_again_belongs_to_who_has_it_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who had it before has its reply, but has not gone on yet."""
    monkeypatch.setattr("clusterdns.forward.connection.secrets.token_bytes", bytes)

    async def scenario() -> None:
        connection = Connection(1, 10.0, lambda _: None, Figures())
        sent = query(QUESTION, bytes(2), QUESTION.name)
        first = asyncio.create_task(connection.ask(sent))
        await asyncio.sleep(0)
        replied = sent[:2] + b"\x81\x80" + sent[4:]
        second = asyncio.create_task(connection.ask(sent))
        connection.data_received(frame(replied))  # wakes the first one, behind the second
        await first
        assert connection.under_way == 1
        connection.data_received(frame(replied))
        assert await second == replied
        connection.fail("network", "closed")

    asyncio.run(scenario())
