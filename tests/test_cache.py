"""The cache of answers of others: how long, how many octets, and who goes first."""

import gc
import tracemalloc
from collections.abc import Callable

import pytest
from foreign import AAAA, CNAME, SOA, A, asked, foreign, nodata, nxdomain, ttls
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import structs

from clusterdns.forward.answers import Foreign, Question
from clusterdns.forward.asking import Asker, Handle, Prefetch
from clusterdns.forward.cache import Cache
from clusterdns.forward.kept import Bounds, Kept, Outcome, is_denial, present_octets

WEB = asked("web.example.")
LARGE = 1 << 24


class Clock:
    def __init__(self) -> None:
        self.now = 1000.25

    def __call__(self) -> float:
        return self.now


async def nobody(_: Question) -> Foreign:
    raise AssertionError("nobody is to be asked")


class NoTimers:
    def call_later(self, delay: float, callback: Callable[[], None], /) -> Handle:
        raise AssertionError

    def call_soon(self, callback: Callable[[], None], /) -> Handle:
        raise AssertionError


def reader(cache: Cache, clock: Clock) -> Asker:
    """Reads a cache as the server does, and asks nobody."""
    return Asker(nobody, cache, clock, NoTimers(), Prefetch(together=0))


# Records of the answer and of the authority section, rcode -> denial?
DENIALS = {
    "an address": (A, [(A, 5)], [], 0, False),
    "an alias and its address": (A, [(CNAME, 5), (A, 5)], [], 0, False),
    "an alias was asked for": (CNAME, [(CNAME, 5)], [], 0, False),
    "ANY": (255, [(A, 5)], [], 0, False),
    "with a proof": (A, [(A, 5)], [(SOA, 5)], 0, False),
    "NODATA": (A, [], [(SOA, 5)], 0, True),
    "NODATA behind an alias": (A, [(CNAME, 5)], [(SOA, 5)], 0, True),
    "another type": (A, [(AAAA, 5)], [], 0, True),
    "NXDOMAIN": (A, [], [(SOA, 5)], 3, True),
    "NXDOMAIN behind an alias": (CNAME, [(CNAME, 5)], [(SOA, 5)], 3, True),
    "ANY without anything": (255, [], [(SOA, 5)], 0, True),
    "YXDOMAIN": (A, [], [], 6, True),
}


@pytest.mark.parametrize(("rtype", "answers", "authority", "rcode", "denial"), DENIALS.values(), ids=DENIALS)
def test_what_denies(
    rtype: int, answers: list[tuple[int, int]], authority: list[tuple[int, int]], rcode: int, denial: bool
) -> None:
    question = asked("a.example.", rtype)
    assert is_denial(question, foreign(question, answers, authority, rcode)) is denial


def test_an_alias_that_others_have_to_go_on_with_denies_nothing() -> None:
    assert not is_denial(WEB, structs.replace(foreign(WEB, [(CNAME, 5)]), partial=True))


BOUNDS = Bounds(LARGE, max_ttl=600, max_negative_ttl=60, min_ttl=0)
# answer, bounds, seconds that it is fresh for, TTLs that are told at once
LIFETIMES = {
    "as it comes": (foreign(WEB, [(A, 300)]), BOUNDS, 300, [300]),
    "the least one counts": (foreign(WEB, [(CNAME, 300), (A, 20)]), BOUNDS, 20, [300, 20]),
    "at most": (foreign(WEB, [(CNAME, 70_000), (A, 601)]), BOUNDS, 600, [600, 600]),
    "at least": (foreign(WEB, [(CNAME, 300), (A, 5)]), structs.replace(BOUNDS, min_ttl=30), 30, [300, 30]),
    "at least, and at most": (foreign(WEB, [(A, 5)]), structs.replace(BOUNDS, min_ttl=900), 600, [600]),
    "no time at all": (foreign(WEB, [(A, 0)]), BOUNDS, 0, [0]),
    "NODATA": (nodata(WEB, 50), BOUNDS, 50, [50]),
    "NODATA, at most": (nodata(WEB, 900), BOUNDS, 60, [60]),
    "NXDOMAIN, at least": (nxdomain(WEB, 5), structs.replace(BOUNDS, min_ttl=30), 30, [30]),
    "the SOA may say more than MINIMUM": (structs.replace(nxdomain(WEB, 900), ttl=30), BOUNDS, 30, [30]),
    "without a SOA (RFC 2308 §5)": (foreign(WEB, (), (), 3), BOUNDS, 0, []),
    "nor at least": (
        structs.replace(foreign(WEB, (), (), 3), cacheable=False),
        structs.replace(BOUNDS, min_ttl=30),
        0,
        [],
    ),
}


@pytest.mark.parametrize(("answer", "bounds", "seconds", "told"), LIFETIMES.values(), ids=LIFETIMES)
def test_how_long_it_is_fresh(answer: Foreign, bounds: Bounds, seconds: int, told: list[int]) -> None:
    clock = Clock()
    cache = Cache(structs.replace(bounds, serve_stale=0))
    asker = reader(cache, clock)
    outcome = cache.put(WEB, answer, clock())
    assert ttls(outcome.wire, answer) == told
    start = clock()
    for second in range(seconds):
        clock.now = start + second + 0.5
        found = asker.get(WEB)
        assert found
        assert found.rcode == answer.rcode
        assert not found.stale
        assert ttls(found.wire, answer) == [ttl - second for ttl in told]
    clock.now = start + seconds
    assert asker.get(WEB) is None
    assert WEB not in cache.entries


def test_all_hits_of_one_second_get_the_same_octets() -> None:
    clock = Clock()
    cache = Cache(Bounds(LARGE))
    cache.put(WEB, foreign(WEB), clock())
    asker = reader(cache, clock)
    first = asker.get(WEB)
    clock.now += 0.5
    assert asker.get(WEB) is first
    clock.now += 0.5
    assert asker.get(WEB) is not first
    assert (cache.success.hits, cache.misses) == (3, 0)


def test_questions_that_differ_in_anything_have_answers_of_their_own() -> None:
    clock = Clock()
    cache = Cache(Bounds(LARGE))
    cache.put(WEB, nxdomain(WEB, 30), clock())
    others = [
        asked("web.example.", AAAA),  # NXDOMAIN is for this very question: no RFC 8020 cut
        asked("web.example.", dnssec_ok=True),
        asked("web.example.", checking_disabled=True),
        asked("a.web.example."),
    ]
    assert [reader(cache, clock).get(other) for other in others] == [None] * 4
    assert cache.misses == 4


STALE = {"a positive one": (foreign(WEB), 3), "NODATA": (nodata(WEB, 300), 3), "NXDOMAIN": (nxdomain(WEB, 300), 19)}


@pytest.mark.parametrize(("answer", "code"), STALE.values(), ids=STALE)
def test_stale_ones_are_there_to_be_served(answer: Foreign, code: int) -> None:
    cache = Cache(Bounds(LARGE, serve_stale=100))
    cache.put(WEB, structs.replace(answer, authentic=True), 0.0)
    assert cache.stale(WEB, 299.9) is None
    kept = cache.stale(WEB, 300.0)
    assert kept
    outcome = cache.use_stale(kept, 300.0)
    assert (outcome.rcode, outcome.stale, outcome.error) == (answer.rcode, True, (code, ""))
    assert ttls(outcome.wire, answer) == [30]
    assert outcome.foreign
    assert not outcome.foreign.authentic
    assert cache.stale(WEB, 399.9)
    assert cache.stale(WEB, 400.0) is None


def test_what_fails_is_left_alone_ever_longer() -> None:
    cache, now, failure, delays = Cache(Bounds(LARGE)), 0.0, Outcome(2, None, error=(22, "all are silent")), []
    for _ in range(11):
        cache.fail(WEB, failure, now)
        assert cache.failed(WEB, now) is failure
        delay = next(second for second in range(400) if cache.failed(WEB, now + second) is None)
        delays.append(delay)
        now += delay
    assert delays == [1, 2, 4, 8, 8, 8, 8, 8, 8, 8, 8]
    assert cache.failed(asked("web.example.", AAAA), now) is None


@pytest.mark.parametrize("ends", ["success", "time"])
def test_failures_are_forgotten(ends: str) -> None:
    cache, failure = Cache(Bounds(LARGE)), Outcome(2, None)
    cache.fail(WEB, failure, 0.0)
    cache.fail(WEB, failure, 1.0)
    now = 3.0
    if ends == "success":
        cache.put(WEB, foreign(WEB, [(A, 0)]), now)
    else:
        now += 300
    cache.fail(WEB, failure, now)
    assert cache.failed(WEB, now + 0.9)
    assert not cache.failed(WEB, now + 1)


def test_failures_are_bounded() -> None:
    cache = Cache(Bounds(1 << 16))
    for number in range(100):
        cache.fail(asked(f"n{number}.example."), Outcome(2, None, error=(22, "x" * 50)), 0.0)
    assert 0 < len(cache.failures) < 10
    assert cache.failures.currsize <= 1 << 12
    assert cache.failed(asked("n99.example."), 0.5)


def test_a_flood_of_names_displaces_newcomers_only() -> None:
    clock = Clock()
    cache = Cache(Bounds(1 << 18))
    asker = reader(cache, clock)
    popular = [asked(f"popular{number}.example.") for number in range(100)]
    for question in popular:
        cache.put(question, foreign(question, [(A, 600)]), clock())
        assert asker.get(question)
    once = [asked(f"random{number}.example.") for number in range(10_000)]
    for question in once:
        cache.put(question, nxdomain(question, 600), clock())
        clock.now += 0.01
    assert all(question in cache.entries for question in popular)
    assert [question for question in once if question in cache.entries] == once[-cache.denial.entries :]
    assert cache.denial.evictions == len(once) - cache.denial.entries
    assert cache.success.evictions == 0


def test_nothing_goes_while_there_is_room() -> None:
    """Names that are asked for in turn, each once a round, would else go before their turn comes, for ever."""
    clock = Clock()
    cache = Cache(Bounds(1 << 18))
    asker = reader(cache, clock)
    names = [asked(f"name{number}.example.") for number in range(200)]
    for question in names:
        cache.put(question, foreign(question, [(A, 600)]), clock())
    assert sum(kept.octets for kept in cache.entries.values()) > cache.bounds.octets // 2
    for _ in range(2):
        assert all(asker.get(question) for question in names)
        clock.now += 1
    assert cache.success.evictions == 0


def test_who_is_refreshed_does_not_begin_anew() -> None:
    clock = Clock()
    cache = Cache(Bounds(1 << 18))
    for _ in (1, 2):
        cache.put(WEB, foreign(WEB), clock())
        clock.now += 400
    for number in range(1000):
        question = asked(f"random{number}.example.")
        cache.put(question, nxdomain(question, 600), clock())
    assert WEB in cache.entries
    assert cache.denial.evictions


def test_protection_goes_from_the_one_that_was_not_asked_for_the_longest() -> None:
    clock = Clock()
    cache = Cache(Bounds(1 << 18))
    asker = reader(cache, clock)
    questions: list[Question] = []
    while all(cache.entries[question].popular for question in questions):
        clock.now += 1
        questions.append(asked(f"n{len(questions)}.example."))
        cache.put(questions[-1], foreign(questions[-1], [(A, 6000)]), clock())
        assert asker.get(questions[0])
        assert asker.get(questions[-1])
    assert [number for number, question in enumerate(questions) if not cache.entries[question].popular] == [1]


def test_of_the_popular_ones_the_least_recently_asked_one_goes() -> None:
    clock = Clock()
    cache = Cache(Bounds(1 << 18))
    asker = reader(cache, clock)
    questions = [asked(f"n{number}.example.") for number in range(1000)]
    for question in questions:
        cache.put(question, foreign(question, [(A, 6000)]), clock())
        assert asker.get(question)
        clock.now += 1
        assert asker.get(questions[0])
    gone = [number for number, question in enumerate(questions) if question not in cache.entries]
    assert gone == list(range(1, 1 + len(gone)))
    assert cache.success.evictions == len(gone)
    # Who was driven out had to go through probation, and what it held for the second is gone.
    assert not [kept for kept in cache.entries.values() if kept.outcome and not kept.popular]


def test_what_is_too_large_is_not_kept() -> None:
    cache = Cache(Bounds(16 * 1024))
    answer = foreign(WEB, [(A, 300)] * 400)
    assert cache.put(WEB, answer, 0.0).wire == answer.wire
    assert not cache.entries
    assert Cache(Bounds(0)).put(WEB, answer, 0.0).foreign == answer


@pytest.mark.parametrize("records", [1, 5, 40])
@pytest.mark.parametrize("warm", [False, True])
def test_the_octets_are_honest(records: int, warm: bool) -> None:
    clock = Clock()
    cache = Cache(Bounds(1 << 28))
    asker = reader(cache, clock)
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(1000):
            question = asked(f"name{number}.example.")
            cache.put(question, foreign(question, [(A, 30_000 + number)] * records), clock())
            clock.now += 1
            if warm:
                asker.get(question)
        del question
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(cache.entries) == 1000
    assert 0.95 < cache.success.octets / taken < 1.25


NAMES = [asked(f"n{number}.example.", rtype) for number in range(4) for rtype in (A, AAAA)]


class Model(RuleBasedStateMachine):
    """The cache against a dict of what was put.  Where it is small it may know less, never other things."""

    @initialize(
        octets=st.sampled_from([LARGE, 60_000, 30_000]),
        max_ttl=st.integers(0, 50),
        negative=st.integers(0, 50),
        min_ttl=st.integers(0, 10),
        serve_stale=st.sampled_from([0, 20]),
    )
    def begin(self, octets: int, max_ttl: int, negative: int, min_ttl: int, serve_stale: int) -> None:
        self.clock = Clock()
        self.bounds = Bounds(octets, max_ttl, negative, min_ttl, serve_stale)
        self.cache = Cache(self.bounds)
        self.asker = reader(self.cache, self.clock)
        self.put_at: dict[Question, tuple[Foreign, float, int]] = {}
        self.lost = octets != LARGE

    @rule(question=st.sampled_from(NAMES), denies=st.booleans(), ttl=st.integers(0, 60), records=st.integers(1, 30))
    def put(self, question: Question, denies: bool, ttl: int, records: int) -> None:
        answer = nodata(question, ttl) if denies else foreign(question, [(question.rtype, ttl)] * records)
        self.cache.put(question, answer, self.clock())
        most = self.bounds.max_negative_ttl if denies else self.bounds.max_ttl
        kept = min(max(ttl, self.bounds.min_ttl), most)
        self.put_at.pop(question, None)
        if kept:
            self.put_at[question] = answer, self.clock(), kept

    @rule(seconds=st.floats(0, 30))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(question=st.sampled_from(NAMES))
    def forget(self, question: Question) -> None:
        found = self.cache.forget(question)
        known = self.put_at.pop(question, None) is not None
        assert found == known or (self.lost and known)

    @precondition(lambda self: self.put_at)
    @rule(question=st.sampled_from(NAMES))
    def get(self, question: Question) -> None:
        found, stale = self.asker.get(question), self.cache.stale(question, self.clock())
        if question not in self.put_at:
            assert found is None
            assert stale is None
            return
        answer, at, ttl = self.put_at[question]
        left = ttl - int(self.clock() - at)
        if left <= -self.bounds.serve_stale and left <= 0:
            del self.put_at[question]
        if found:
            assert ttls(found.wire, answer) == [left] * (answer.answers + answer.authority)
        else:
            assert left <= 0 or self.lost
        assert bool(stale) == (-self.bounds.serve_stale < left <= 0) or self.lost

    @rule(question=st.sampled_from(NAMES))
    def serve_stale(self, question: Question) -> None:
        kept = self.cache.stale(question, self.clock())
        if kept:
            outcome = self.cache.use_stale(kept, self.clock())
            assert outcome.stale
            assert {*ttls(outcome.wire, kept.foreign)} == {30}

    @invariant()
    def everything_is_counted(self) -> None:
        if not hasattr(self, "cache"):
            return
        cache = self.cache
        segments = cache._probation, cache._protected
        assert {*cache.entries} == {*segments[0], *segments[1]}
        assert len(cache.entries) == len(segments[0]) + len(segments[1])
        assert sum(segment.currsize for segment in segments) <= self.bounds.octets * 15 // 16
        for tally in (cache.success, cache.denial):
            own = [kept for kept in cache.entries.values() if kept.tally is tally]
            assert (tally.entries, tally.octets) == (len(own), sum(map(present_octets, own)))
        assert all(_consistent(kept) for kept in cache.entries.values())


def _consistent(kept: Kept) -> bool:
    return kept.popular or (kept.outcome is None and kept.age == -1)


TestModel = Model.TestCase
