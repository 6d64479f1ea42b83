"""How many queries a question costs, and when they are sent.  Nobody waits, see ``jumping``."""

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import pytest
from jumping import jumping
from packets import QR, RA, RD, header
from replies import asked

from clusterdns.forward.answers import Foreign, Question, Unresolved
from clusterdns.forward.choosing import Group
from clusterdns.forward.hedging import BURST, SHARE
from clusterdns.forward.servers import Server
from clusterdns.forward.tries import Transport
from clusterdns.forward.upstream import Upstream

QUESTION = asked("www.example.com.")
NEVER = 1e6  # seconds


class Others:
    """Upstreams that answer each query after the seconds that *takes* has for its server and question."""

    def __init__(self, count: int, transport: Transport = "udp") -> None:
        self.takes: Callable[[int, Question], float] = lambda server, question: 0.001
        self.sent: list[tuple[float, str]] = []
        self._loop = asyncio.get_running_loop()
        self._began = 0.0
        self.all = [self._made(number, transport) for number in range(count)]
        self.group = Group(self.all, "sequential", budget=4.9, random=Random(1))

    async def resolve(self, question: Question = QUESTION) -> Foreign:
        self.sent, self._began = [], self._loop.time()
        return await self.group.resolve(question)

    async def get_used_to(self, questions: int = 64) -> None:
        """Whoever is asked knows how quick they are: a millisecond."""
        for upstream in self.all:
            for _ in range(questions):
                upstream.times.observe(0.001)

    def _made(self, number: int, transport: Transport) -> Upstream:
        upstream = Upstream(Server(f"192.0.2.{number}", 53, transport), sleep=self._no_probe)
        upstream.datagrams.ask = self._asks(number, "udp")  # type: ignore[method-assign]
        upstream.streams.ask = self._asks(number, "tcp")  # type: ignore[method-assign]
        return upstream

    def _asks(self, number: int, transport: str) -> Callable[..., Coroutine[Any, Any, bytes]]:
        async def ask(sent: bytes, *_: object) -> bytes:
            self.sent.append((round(self._loop.time() - self._began, 3), f"{'ABC'[number]} {transport}"))
            await asyncio.sleep(self.takes(number, QUESTION))
            end = sent.index(0, 12) + 5
            record = b"\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4\xc0\0\2" + bytes((number,))
            return sent[:2] + header(QR | RD | RA, (1, 1, 0, 0))[2:] + sent[12:end] + record

        return ask

    async def _no_probe(self, _: float) -> None:
        await self._loop.create_future()


Sent = list[tuple[float, str]]
TIMES: dict[str, tuple[int, Transport, float, Sent]] = {
    "one, as quick as ever": (1, "udp", 0.001, [(0, "A udp")]),
    "one, 100 times as slow": (1, "udp", 0.1, [(0, "A udp")]),
    "one, half a second": (1, "udp", 0.5, [(0, "A udp"), (0.3, "A udp")]),
    "one, seconds": (1, "udp", 4.5, [(0, "A udp"), (0.3, "A udp"), (0.9, "A tcp")]),
    "one over TCP, half a second": (1, "tcp", 0.5, [(0, "A tcp")]),
    "one over TCP, seconds": (1, "tcp", 4.5, [(0, "A tcp"), (1, "A tcp"), (2, "A tcp")]),
    "three, as quick as ever": (3, "udp", 0.001, [(0, "A udp")]),
    "three, 100 times as slow": (3, "udp", 0.1, [(0, "A udp"), (0.02, "B udp")]),
    "three, half a second": (3, "udp", 0.5, [(0, "A udp"), (0.02, "B udp"), (0.32, "C udp")]),
    "three, a second": (3, "udp", 1.0, [(0, "A udp"), (0.02, "B udp"), (0.32, "C udp"), (0.62, "A udp")]),
    "three, silent": (
        3,
        "udp",
        NEVER,
        [
            *((0, "A udp"), (0.02, "B udp"), (0.32, "C udp"), (0.62, "A udp"), (1.22, "B udp"), (1.82, "C udp")),
            *((2.42, "A tcp"), (3.62, "B tcp"), (4.82, "C tcp")),
        ],
    ),
}


@pytest.mark.parametrize(("count", "transport", "seconds", "sent"), TIMES.values(), ids=TIMES)
def test_when_a_question_is_sent_again(count: int, transport: Transport, seconds: float, sent: Sent) -> None:
    async def play() -> None:
        others = Others(count, transport)
        await others.get_used_to()
        others.takes = lambda server, question: seconds
        if seconds < NEVER:
            await others.resolve()
        else:
            with pytest.raises(Unresolved):
                await others.resolve()
        assert others.sent == sent

    jumping(play)


def test_without_hedges_another_is_asked_when_a_query_may_be_lost() -> None:
    async def play() -> None:
        others = Others(3)
        await others.get_used_to()
        while others.group.hedges.take():
            pass
        others.takes = lambda server, question: 0.7
        await others.resolve()
        assert others.sent == [(0, "A udp"), (0.3, "B udp"), (0.6, "C udp")]

    jumping(play)


def test_hedges_are_a_share_of_the_questions() -> None:
    """Of slow names among quick ones, so that the 95th percentile stays low."""

    async def play() -> None:
        others, asked_twice = Others(2), 0
        for _ in range(1000):
            await others.get_used_to()
            others.takes = lambda server, question: 0.2 if server == 0 else 0.001
            await others.resolve()
            asked_twice += len(others.sent) > 1
            others.all[0].health.replied(asyncio.get_running_loop().time())
        assert BURST <= asked_twice <= BURST + 1000 * SHARE

    jumping(play)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("seconds", [0.1, 0.6, 1.2, 2.5])
def test_whoever_becomes_slow_with_everything_gets_each_question_once(count: int, seconds: float) -> None:
    """Copies would make slower who has too much to do."""

    async def play() -> None:
        others, queries = Others(count), 0
        await others.get_used_to()
        others.takes = lambda server, question: seconds
        for number in range(400):
            await others.resolve()
            queries += len(others.sent) * (number >= 200)
        assert queries <= 200 * (1 + 2 * SHARE)

    jumping(play)


def test_a_dead_one_costs_little_more_than_a_hedge() -> None:
    async def play() -> None:
        others, loop = Others(2), asyncio.get_running_loop()
        await others.get_used_to()
        others.takes = lambda server, question: NEVER if server == 0 else 0.001
        took = []
        for _ in range(10):
            before = loop.time()
            await others.resolve()
            took.append(loop.time() - before)
        assert max(took) < 0.1
        assert others.all[0].state == "down"
        assert others.sent == [(0, "B udp")]

    jumping(play)
