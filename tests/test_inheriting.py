"""What one cache leaves to another."""

import asyncio
from collections.abc import Sequence

import pytest
from foreign import AAAA, CNAME, A, asked, foreign, nodata
from msgspec import structs
from packets import name_octets

from clusterdns.forward.answers import Foreign, Question
from clusterdns.forward.cache import Cache
from clusterdns.forward.inheriting import Sources, inherit
from clusterdns.forward.kept import Bounds, Outcome
from clusterdns.forward.routing import Routes
from clusterdns.zone.tree import ZoneOptions

ROOT = ("10.0.0.1", "10.0.0.2")
OWN = ("cluster.local",)


def sources(
    stubs: dict[str, Sequence[str]] | None = None,
    *,
    own: Sequence[str] = OWN,
    upstream: Sequence[str] = ROOT,
    kept: Sequence[str] = ("localhost",),
    falling: Sequence[str] = (),
) -> Sources:
    stubs = stubs or {}
    names = tuple(map(name_octets, stubs))
    options = ZoneOptions(tuple(map(name_octets, own)), upstream=bool(upstream), stubs=names)
    routes = Routes(
        options.apexes(),
        names,
        kept=tuple(map(name_octets, kept)),
        falling=frozenset(map(name_octets, falling)),
        upstream=bool(upstream),
    )
    return Sources(routes, (*map(tuple, stubs.values()), tuple(upstream)))


# The alias of www.example. leads to end.example.
WWW, END, WEB = asked("www.other."), asked("end.example."), asked("web.corp.")


def alias(question: Question) -> Foreign:
    answer = foreign(question, [(CNAME, 300), (A, 300)])
    return structs.replace(answer, end=name_octets("end.example"))


CASES = [
    ("nothing", sources(), sources(), {WWW, END, WEB}),
    ("the order of upstreams", sources(), sources(upstream=("10.0.0.2", "10.0.0.1")), {WWW, END, WEB}),
    ("another upstream", sources(), sources(upstream=("10.0.0.3",)), set()),
    ("one more upstream", sources(), sources(upstream=(*ROOT, "10.0.0.3")), set()),
    ("a stub domain comes", sources(), sources({"corp": ["10.0.0.9"]}), {WWW, END}),
    ("a stub domain goes", sources({"corp": ["10.0.0.9"]}), sources(), {WWW, END}),
    ("a stub domain has another number", sources({"corp": ["10.0.0.9"]}),
     sources({"x": ["10.0.0.8"], "corp": ["10.0.0.9"]}), {WWW, END, WEB}),
    ("another server of a stub domain", sources({"corp": ["10.0.0.9"]}), sources({"corp": ["10.0.0.8"]}), {WWW, END}),
    ("another upstream beside a stub domain", sources({"corp": ["10.0.0.9"]}),
     sources({"corp": ["10.0.0.9"]}, upstream=["10.0.0.3"]), {WEB}),
    ("where an alias leads, others are asked", sources(), sources({"example": ["10.0.0.9"]}), {WEB}),
    ("where an alias leads is ours now", sources(), sources(own=("cluster.local", "example")), {WEB}),
    ("where an alias leads was ours", sources(own=("cluster.local", "example")), sources(), {WEB}),
    ("where an alias leads falls through", sources(own=("cluster.local", "example")),
     sources(own=("cluster.local", "example"), falling=("example",)), {WEB}),
    ("kept home", sources(), sources(kept=("corp",)), {WWW, END}),
    ("kept home no more", sources(kept=("corp",)), sources(kept=()), {WWW, END}),
    ("another zone of ours", sources(), sources(own=("cluster.test",)), {WWW, END, WEB}),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_answers_that_would_be_the_same(before: Sources, after: Sources, expected: set[Question]) -> None:
    old, new = Cache(Bounds()), Cache(Bounds())
    old.put(WWW, alias(WWW), 1000.0)
    old.put(END, foreign(END), 1000.0)
    old.put(WEB, nodata(WEB, 60), 1000.0)
    old.fail(asked("bad.other."), Outcome(2, None), 1000.0)
    asyncio.run(inherit(new, after, old, before))
    assert {*new.entries} == expected
    assert not new.failures
    assert new.success.entries + new.denial.entries == len(expected)


def moved(before: Bounds, after: Bounds, *entries: tuple[Question, Foreign]) -> Cache:
    old, new = Cache(before), Cache(after)
    for question, answer in entries:
        old.put(question, answer, 1000.0)
    asyncio.run(inherit(new, sources(), old, sources()))
    return new


def test_within_other_bounds() -> None:
    entries = (WEB, foreign(WEB, [(A, 300)])), (END, nodata(END, 300))
    same = moved(Bounds(), Bounds(), *entries)
    assert [kept.ttl for kept in same.entries.values()] == [300, 300]
    assert (same.success.entries, same.denial.entries) == (1, 1)
    shorter = moved(Bounds(), Bounds(max_ttl=100, max_negative_ttl=50), *entries)
    assert [(kept.ttl, kept.foreign.ttl) for kept in shorter.entries.values()] == [(100, 100), (50, 50)]
    assert [kept.ttl for kept in moved(Bounds(max_ttl=100), Bounds(), *entries).entries.values()] == [100, 300]
    stretched = moved(Bounds(min_ttl=600), Bounds(min_ttl=10), *entries)
    assert not stretched.entries, "nobody knows any more how long they were meant for"
    assert [kept.ttl for kept in moved(Bounds(min_ttl=60), Bounds(), *entries).entries.values()] == [300, 300]


def test_in_less_room_the_last_ones_stay() -> None:
    questions = [asked(f"n{number}.corp.") for number in range(2000)]
    new = moved(Bounds(), Bounds(octets=1 << 18), *((one, foreign(one)) for one in questions))
    assert 0 < len(new.entries) < 2000
    assert [*new.entries] == questions[-len(new.entries) :]
    assert new.success.octets <= 1 << 18


def test_what_is_newer_or_has_gone_stays_so() -> None:
    old, new = Cache(Bounds()), Cache(Bounds())
    questions = [asked(f"n{number}.corp.") for number in range(200)]
    for question in questions:
        old.put(question, foreign(question), 1000.0)
    new.put(questions[0], foreign(questions[0], [(AAAA, 5)]), 1001.0)

    async def story() -> None:
        moving = asyncio.create_task(inherit(new, sources(), old, sources()))
        await asyncio.sleep(0)
        old.forget(questions[-1])
        await moving

    asyncio.run(story())
    assert new.entries[questions[0]].stored == 1001.0
    assert {*new.entries} == {*questions[:-1]}
