"""Asking others once for all, stale answers in time, refreshing ahead.  Time is a number that the tests turn on."""

import asyncio
import heapq
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import count

import pytest
from foreign import A, asked, foreign, nxdomain, refused, servfail, ttls

from clusterdns.forward.answers import Foreign, Question, Unresolved
from clusterdns.forward.asking import Asker, Handle, Prefetch
from clusterdns.forward.cache import Cache
from clusterdns.forward.kept import Bounds, Outcome

WEB, API = asked("web.example."), asked("api.example.")


class Cancelled:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Time:
    """A clock and the timers of a loop.  What is due soon runs on the real loop."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._due: list[tuple[float, int, Callable[[], None], Cancelled]] = []
        self._number = count()

    def __call__(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Handle:
        handle = Cancelled()
        heapq.heappush(self._due, (self.now + delay, next(self._number), callback, handle))
        return handle

    def call_soon(self, callback: Callable[[], None], /) -> Handle:
        return asyncio.get_running_loop().call_soon(callback)

    def turn(self, seconds: float) -> None:
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            self.now, _, callback, handle = heapq.heappop(self._due)
            if not handle.cancelled:
                callback()
        self.now = end

    @property
    def timers(self) -> int:
        return sum(not handle.cancelled for *_, handle in self._due)


class Others:
    """Whoever is asked: says nothing until told to."""

    def __init__(self) -> None:
        self.asked: Counter[Question] = Counter()
        self.waiting: dict[Question, asyncio.Future[Foreign]] = {}

    async def __call__(self, question: Question, /) -> Foreign:
        self.asked[question] += 1
        self.waiting[question] = asyncio.get_running_loop().create_future()
        return await self.waiting[question]

    async def say(self, question: Question, answer: Foreign | Exception) -> None:
        """Returns when it has come through."""
        await until(lambda: question in self.waiting)
        future = self.waiting.pop(question)
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)


class Scene:
    def __init__(self, bounds: Bounds, prefetch: Prefetch | None) -> None:
        self.time, self.others, self.cache = Time(), Others(), Cache(bounds)
        self.asker = Asker(self.others, self.cache, self.time, self.time, prefetch)
        self.outcomes: list[Outcome] = []

    def look(self, question: Question = WEB) -> Outcome | None:
        """As the server does it: what is known at once, else the outcome comes to ``outcomes``."""
        found = self.asker.get(question)
        if found is None:
            self.asker.ask(question, self.outcomes.append)
        return found

    async def learn(self, answer: Foreign, question: Question = WEB) -> Outcome:
        """Asks, and lets others answer."""
        assert self.look(question) is None
        return await self.end(answer, question)

    async def end(self, answer: Foreign | Exception, question: Question = WEB) -> Outcome:
        """The flight of *question* ends with *answer*: what the last one who waited got."""
        seen = len(self.outcomes)
        await self.others.say(question, answer)
        await until(lambda: len(self.outcomes) > seen)
        return self.outcomes[-1]

    async def landed(self) -> None:
        await until(lambda: not self.asker.flights)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - of any kind
            await asyncio.sleep(0)


def playing(
    play: Callable[[Scene], Awaitable[None]], bounds: Bounds | None = None, prefetch: Prefetch | None = None
) -> None:
    async def scene() -> None:
        one = Scene(bounds or Bounds(), prefetch)
        await play(one)
        await one.asker.close()
        assert (one.asker.flights, one.asker.prefetching, one.time.timers) == (0, 0, 0)

    asyncio.run(scene())


SILENT = Unresolved(22, "no answer from 10.0.0.1")


def test_what_is_learnt_is_known() -> None:
    async def play(scene: Scene) -> None:
        outcome = await scene.learn(foreign(WEB))
        assert (outcome.rcode, outcome.stale, outcome.error) == (0, False, None)
        scene.time.turn(100)
        known = scene.look()
        assert known
        assert ttls(known.wire, foreign(WEB)) == [200]
        assert scene.others.asked == {WEB: 1}

    playing(play)


def test_ten_thousand_ask_once() -> None:
    async def play(scene: Scene) -> None:
        await scene.learn(foreign(WEB, [(A, 10)]))
        scene.time.turn(20)
        for _ in range(10_000):
            assert scene.look() is None
        assert (scene.asker.flights, scene.asker.waiting) == (1, 10_000)
        most, before = 0, len(scene.outcomes)
        await scene.others.say(WEB, foreign(WEB, [(A, 10)]))
        while scene.asker.waiting:
            await asyncio.sleep(0)
            most, before = max(most, len(scene.outcomes) - before), len(scene.outcomes)
        assert len(scene.outcomes) == 10_001
        assert most <= 32  # between two turns of the loop
        assert {id(outcome) for outcome in scene.outcomes[1:]} == {id(scene.outcomes[-1])}
        assert scene.others.asked == {WEB: 2}

    playing(play)


def test_questions_wait_for_their_own_answers_only() -> None:
    async def play(scene: Scene) -> None:
        assert scene.look(WEB) is None
        assert scene.look(API) is None
        assert (await scene.end(nxdomain(API, 30), API)).rcode == 3
        assert scene.asker.flights == 1
        assert (await scene.end(foreign(WEB), WEB)).rcode == 0

    playing(play)


@pytest.mark.parametrize(
    "answer", [foreign(WEB), nxdomain(WEB, 30), refused(WEB), SILENT], ids=["yes", "no", "refused", "silence"]
)
def test_what_was_asked_before_a_flush_is_told_and_not_kept(answer: Foreign | Exception) -> None:
    async def play(scene: Scene) -> None:
        assert scene.look() is None
        await until(lambda: WEB in scene.others.waiting)
        before = scene.others.waiting.pop(WEB)
        assert scene.asker.under_way() == [WEB]
        scene.asker.let_go(WEB)
        assert (scene.asker.under_way(), scene.asker.flights, scene.asker.waiting) == ([], 1, 1)
        assert scene.look() is None, "who asks behind the flush is told what is so then"
        await until(lambda: WEB in scene.others.waiting)
        assert (scene.asker.flights, scene.asker.waiting) == (2, 2)
        await scene.end(foreign(WEB, [(A, 77)]))
        kept = scene.cache.entries[WEB]
        if isinstance(answer, Exception):
            before.set_exception(answer)
        else:
            before.set_result(answer)
        await scene.landed()
        assert scene.outcomes[1].rcode == (2 if isinstance(answer, Exception) else answer.rcode)
        assert scene.cache.entries == {WEB: kept}
        assert not scene.cache.failures
        assert scene.asker.waiting == 0

    playing(play)


def test_who_waits_for_what_was_let_go_is_told_that_the_server_ends() -> None:
    async def play(scene: Scene) -> None:
        assert scene.look() is None
        scene.asker.let_go(WEB)
        scene.asker.let_go(WEB)
        await scene.asker.close()
        assert [one.error for one in scene.outcomes] == [(14, "the server is ending")]

    playing(play)


def test_an_answer_for_this_one_time_is_told_to_all_who_wait_and_not_kept() -> None:
    async def play(scene: Scene) -> None:
        for ask in (1, 2):
            assert scene.look() is None
            assert scene.look() is None
            await scene.end(foreign(WEB, [(A, 0)]))
            assert scene.others.asked[WEB] == ask
        assert len(scene.outcomes) == 4

    playing(play)


def test_a_stale_answer_comes_after_1800_ms_while_the_flight_goes_on() -> None:
    async def play(scene: Scene) -> None:
        await scene.learn(foreign(WEB))
        scene.time.turn(400)
        assert scene.look() is None
        scene.time.turn(1.79)
        assert scene.look() is None
        assert len(scene.outcomes) == 1
        scene.time.turn(0.01)
        assert [(one.stale, one.error, ttls(one.wire, foreign(WEB))) for one in scene.outcomes[1:]] == [
            (True, (3, ""), [30]),
            (True, (3, ""), [30]),
        ]
        late = scene.look()  # the flight is known to be slow
        assert late
        assert late.stale
        await scene.others.say(WEB, nxdomain(WEB, 20))
        await scene.landed()
        fresh = scene.look()
        assert fresh
        assert (fresh.rcode, fresh.stale) == (3, False)
        assert len(scene.outcomes) == 3  # nobody was told twice
        assert scene.others.asked == {WEB: 2}
        assert scene.cache.served_stale == 3

    playing(play)


def test_a_stale_nxdomain_says_so() -> None:
    async def play(scene: Scene) -> None:
        await scene.learn(nxdomain(WEB, 10))
        scene.time.turn(20)
        assert scene.look() is None
        scene.time.turn(2)
        assert (scene.outcomes[-1].rcode, scene.outcomes[-1].error) == (3, (19, ""))

    playing(play)


FAILURES = {"nobody answers": SILENT, "refused": refused(WEB), "a fault of ours": KeyError("x")}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_after_a_failed_refresh_stale_answers_come_at_once_for_30_s(failure: Foreign | Exception) -> None:
    async def play(scene: Scene) -> None:
        await scene.learn(foreign(WEB))
        scene.time.turn(400)
        assert scene.look() is None
        assert (await scene.end(failure)).stale
        for seconds in (0.0, 15.0, 14.9):
            scene.time.turn(seconds)
            found = scene.look()
            assert found
            assert found.stale
        assert scene.others.asked == {WEB: 2}
        scene.time.turn(0.2)
        assert scene.look() is None
        await until(lambda: scene.others.asked[WEB] == 3)
        assert not (await scene.end(foreign(WEB))).stale

    playing(play)


def test_nothing_stale_is_served_for_longer_than_a_day() -> None:
    async def play(scene: Scene) -> None:
        await scene.learn(foreign(WEB))
        scene.time.turn(300 + 86_400)
        assert scene.look() is None
        scene.time.turn(4)
        assert len(scene.outcomes) == 1
        outcome = await scene.end(SILENT)
        assert (outcome.rcode, outcome.foreign, outcome.error) == (2, None, (22, "no answer from 10.0.0.1"))
        assert not scene.cache.entries

    playing(play)


def test_nothing_stale_is_served_where_that_is_switched_off() -> None:
    async def play(scene: Scene) -> None:
        await scene.learn(foreign(WEB))
        scene.time.turn(300)
        assert scene.look() is None
        scene.time.turn(4)
        assert not (await scene.end(SILENT)).stale

    playing(play, Bounds(serve_stale=0))


def test_a_failure_is_told_to_all_who_wait_and_answers_others_until_it_is_tried_again() -> None:
    async def play(scene: Scene) -> None:
        for delay in (1, 2, 4):
            asks = scene.others.asked[WEB]
            assert scene.look() is None
            assert scene.look() is None
            failure = await scene.end(SILENT)
            assert (failure.rcode, failure.error) == (2, (22, "no answer from 10.0.0.1"))
            scene.time.turn(delay - 0.1)
            assert scene.look() is failure
            assert scene.others.asked[WEB] == asks + 1
            scene.time.turn(0.1)
        assert len(scene.outcomes) == 6
        assert scene.cache.failure_hits == 3
        await scene.learn(foreign(WEB))

    playing(play)


@pytest.mark.parametrize("failure", [SILENT, servfail(WEB), refused(WEB)], ids=["silence", "SERVFAIL", "REFUSED"])
def test_after_a_long_outage_names_are_back_soon(failure: Foreign | Exception) -> None:
    """Be it the upstream that was away, or the servers of the name behind it."""

    async def play(scene: Scene) -> None:
        for _ in range(12):
            assert scene.look() is None
            await scene.end(failure)
            delay = 1
            while scene.cache.failed(WEB, scene.time() + delay):
                delay += 1
            scene.time.turn(delay)
        assert delay == 8

    playing(play)


def test_what_others_fail_with_is_passed_on() -> None:
    async def play(scene: Scene) -> None:
        outcome = await scene.learn(refused(WEB))
        assert (outcome.rcode, outcome.foreign) == (5, None)
        assert scene.look() is outcome

    playing(play)


def hits(scene: Scene, number: int) -> None:
    for _ in range(number):
        assert scene.look()


def test_a_popular_name_is_refreshed_in_the_last_tenth_of_its_ttl() -> None:
    async def play(scene: Scene) -> None:
        await scene.learn(foreign(WEB, [(A, 100)]))
        for seconds in (85, 4.9):
            scene.time.turn(seconds)
            hits(scene, 5)
            assert scene.asker.flights == 0
        scene.time.turn(0.1)
        hits(scene, 5)
        assert (scene.asker.flights, scene.asker.prefetching, scene.cache.prefetches) == (1, 1, 1)
        await scene.others.say(WEB, foreign(WEB, [(A, 100)]))
        await scene.landed()
        found = scene.look()
        assert found
        assert ttls(found.wire, foreign(WEB)) == [100]
        assert scene.others.asked == {WEB: 2}
        # What counts are the questions since: one is not enough to go on for ever.
        scene.time.turn(95)
        hits(scene, 1)
        assert scene.asker.flights == 0

    playing(play)


@pytest.mark.parametrize("before", [1, 9])
def test_who_asks_for_an_expired_name_waits_with_its_prefetch_and_no_longer_than_others(before: int) -> None:
    async def play(scene: Scene) -> None:
        await scene.learn(foreign(WEB, [(A, 100)]))
        scene.time.turn(80)
        hits(scene, 3)
        scene.time.turn(20 - before)
        hits(scene, 1)
        scene.time.turn(before)
        assert scene.look() is None
        assert (scene.asker.flights, scene.asker.waiting) == (1, 1)
        scene.time.turn(1.8)
        assert [one.stale for one in scene.outcomes] == [False, True]

    playing(play)


def test_a_prefetch_that_fails_leaves_what_there_is() -> None:
    async def play(scene: Scene) -> None:
        await scene.learn(foreign(WEB, [(A, 100)]))
        scene.time.turn(94)
        hits(scene, 3)
        scene.time.turn(1)
        hits(scene, 1)
        await scene.others.say(WEB, SILENT)
        await scene.landed()
        for seconds, stale in ((2, False), (3, True), (20, True)):
            scene.time.turn(seconds)
            found = scene.look()
            assert found
            assert found.stale is stale
            assert scene.asker.flights == 0
        assert scene.others.asked == {WEB: 2}

    playing(play)


def test_prefetching_is_bounded() -> None:
    async def play(scene: Scene) -> None:
        questions = [asked(f"n{number}.example.") for number in range(5)]
        for question in questions:
            await scene.learn(foreign(question, [(A, 100)]), question)
        scene.time.turn(95)
        for question in questions:
            scene.look(question)
        assert (scene.asker.flights, scene.asker.prefetching) == (2, 2)

    playing(play, prefetch=Prefetch(hits=1, together=2))


def test_an_answer_that_cannot_be_handed_on_keeps_no_other_from_its_client(caplog: pytest.LogCaptureFixture) -> None:
    async def play(scene: Scene) -> None:
        def broken(_: Outcome) -> None:
            raise OSError("gone")

        scene.asker.ask(WEB, broken)
        await scene.learn(foreign(WEB))
        assert len(scene.outcomes) == 1

    playing(play)
    assert "an answer could not be handed on" in caplog.text


def test_an_answer_that_cannot_be_kept_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(scene: Scene) -> None:
        def broken(*_: object) -> Outcome:
            raise IndexError("a fault of ours")

        monkeypatch.setattr(scene.cache, "put", broken)
        assert (await scene.learn(foreign(WEB))).rcode == 2
        await scene.landed()

    playing(play)


def test_at_the_end_who_waits_is_told() -> None:
    async def play(scene: Scene) -> None:
        assert scene.look(WEB) is None
        await until(lambda: scene.others.asked[WEB] == 1)
        assert scene.look(API) is None  # its task has not begun
        await scene.asker.close()
        await until(lambda: not scene.asker.waiting)
        assert [(one.rcode, one.error) for one in scene.outcomes] == [(2, (14, "the server is ending"))] * 2
        assert scene.others.asked == {WEB: 1}

    playing(play)


def test_what_was_flushed_is_asked_for_again() -> None:
    async def play(scene: Scene) -> None:
        await scene.learn(foreign(WEB))
        assert scene.cache.forget(WEB)
        await scene.learn(nxdomain(WEB, 30))
        assert scene.others.asked == {WEB: 2}

    playing(play)
