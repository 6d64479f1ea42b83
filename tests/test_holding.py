"""Which document serves, without files."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from clusterdns.cluster.decode import Decoded
from clusterdns.cluster.events import Delete, Event, Replace, Upsert
from clusterdns.cluster.model import Key, Object, Place, Service, identity
from clusterdns.errors import Problem
from clusterdns.sources.holding import KINDS, Holding


def service(name: str, path: str, line: int = 1, external: str = "") -> Service:
    return Service(Key("shop", name), Place(path, line), external_name=external)


def version(*objects: Object, broken: tuple[str | None, ...] = (), problems: tuple[Problem, ...] = ()) -> Decoded:
    """A file with these *objects* and, *broken*, the Services of these names (None: a document without a name)."""
    lost = tuple(("Service", Key("shop", name)) if name else None for name in broken)
    return Decoded(objects=objects, problems=problems, skipped={}, broken=lost)


def codes(holding: Holding) -> list[tuple[str, str, int]]:
    return [(problem.code, problem.path, problem.line) for problem in holding.problems()]


def test_every_kind_is_told_of_at_first() -> None:
    holding = Holding()
    web = service("web", "a.yaml")
    holding.apply({"a.yaml": version(web)})
    assert [one.kind for one in holding.replaces()] == list(KINDS)
    assert [one for one in holding.replaces() if one.objects] == [Replace("Service", (web,))]


def test_only_what_changed_makes_an_event() -> None:
    holding = Holding()
    web, api = service("web", "a.yaml", 1), service("api", "a.yaml", 5)
    assert holding.apply({"a.yaml": version(web, api)}) == [Upsert(api), Upsert(web)]
    assert holding.apply({"a.yaml": version(service("web", "a.yaml", 1), api)}) == []
    moved = service("api", "a.yaml", 4)
    assert holding.apply({"a.yaml": version(moved)}) == [Upsert(moved), Delete("Service", web.key)]
    assert holding.apply({"a.yaml": None}) == [Delete("Service", api.key)]


def test_the_first_by_path_and_line_serves_and_hands_over() -> None:
    holding = Holding()
    first, second, third = service("web", "a.yaml", 9), service("web", "b.yaml", 1), service("web", "b.yaml", 5)
    holding.apply({"b.yaml": version(third, second)})
    assert holding.objects() == (second,)
    assert holding.apply({"a.yaml": version(first)}) == [Upsert(first)]
    assert codes(holding) == [("CD307", "b.yaml", 1), ("CD307", "b.yaml", 5)]
    problem = holding.problems()[0]
    assert str(problem) == (
        "b.yaml:1: error CD307 Service shop/web: b.yaml:1 defines it a second time, a.yaml:9 serves; "
        "remove one of the two"
    )
    assert holding.apply({"a.yaml": None}) == [Upsert(second)]
    assert holding.apply({"b.yaml": version(third)}) == [Upsert(third)]
    assert codes(holding) == []


def test_an_object_that_moves_to_another_file_in_one_round_is_not_deleted() -> None:
    holding = Holding()
    holding.apply({"a.yaml": version(service("web", "a.yaml"))})
    assert holding.apply({"a.yaml": None, "b.yaml": version(service("web", "b.yaml"))}) == [
        Upsert(service("web", "b.yaml"))
    ]


def test_a_broken_object_keeps_its_last_good_version() -> None:
    holding = Holding()
    web, api = service("web", "a.yaml", 1), service("api", "a.yaml", 5)
    holding.apply({"a.yaml": version(web, api)})
    assert holding.apply({"a.yaml": version(broken=("web",))}) == [Delete("Service", api.key)]
    assert holding.objects() == (web,)
    assert codes(holding) == [("CD308", "a.yaml", 0)]
    mended = service("web", "a.yaml", 2)
    assert holding.apply({"a.yaml": version(mended)}) == [Upsert(mended)]
    assert holding.problems() == ()


def test_where_the_broken_one_cannot_be_told_all_stay() -> None:
    holding = Holding()
    web, api = service("web", "a.yaml", 1), service("api", "a.yaml", 5)
    holding.apply({"a.yaml": version(web, api)})
    changed = service("api", "a.yaml", 5, "example.org")
    assert holding.apply({"a.yaml": version(changed, broken=(None,))}) == [Upsert(changed)]
    assert holding.objects() == (changed, web)
    assert holding.apply({"a.yaml": version(changed)}) == [Delete("Service", web.key)]


def test_what_is_broken_from_the_beginning_is_nothing() -> None:
    holding = Holding()
    assert holding.apply({"a.yaml": version(broken=("web", None))}) == []
    assert holding.apply({"b.yaml": version(service("web", "b.yaml"))}) == [Upsert(service("web", "b.yaml"))]


def test_the_kept_version_goes_on_serving_before_a_later_duplicate() -> None:
    holding = Holding()
    first, second = service("web", "a.yaml"), service("web", "b.yaml")
    holding.apply({"a.yaml": version(first), "b.yaml": version(second)})
    assert holding.apply({"a.yaml": version(broken=("web",))}) == []
    assert holding.apply({"a.yaml": version()}) == [Upsert(second)]


def test_an_object_that_moves_and_breaks_at_once_stays() -> None:
    holding = Holding()
    web, api = service("web", "a.yaml", 1), service("api", "a.yaml", 5)
    holding.apply({"a.yaml": version(web, api)})
    moved = service("web", "b.yaml", 0)
    assert holding.apply({"a.yaml": version(api), "b.yaml": version(broken=("web",))}) == [Upsert(moved)]
    assert codes(holding) == [("CD308", "b.yaml", 0)]
    assert holding.apply({"a.yaml": None}) == [Delete("Service", api.key)]
    mended = service("web", "b.yaml", 3)
    assert holding.apply({"b.yaml": version(mended)}) == [Upsert(mended)]
    assert holding.apply({"b.yaml": None}) == [Delete("Service", web.key)]


def test_an_object_that_was_copied_broken_outlives_its_file() -> None:
    holding = Holding()
    holding.apply({"a.yaml": version(service("web", "a.yaml")), "b.yaml": version(broken=("web",))})
    assert codes(holding) == []
    assert holding.apply({"a.yaml": None}) == [Upsert(service("web", "b.yaml", 0))]
    assert holding.apply({"b.yaml": version()}) == [Delete("Service", Key("shop", "web"))]


def test_the_number_of_problems_is_bounded_and_errors_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusterdns.sources.holding.MOST_PROBLEMS", 3)
    holding = Holding()
    warnings = tuple(Problem("a.yaml", line, "warning", "CD107", "", "stray", "remove it") for line in range(1, 5))
    error = Problem("b.yaml", 1, "error", "CD103", "", "broken", "mend it")
    holding.apply({"a.yaml": version(problems=warnings), "b.yaml": version(problems=(error,))})
    told = [("CD100", "a.yaml", 0), ("CD107", "a.yaml", 1), ("CD107", "a.yaml", 2), ("CD103", "b.yaml", 1)]
    assert codes(holding) == told
    assert holding.problems()[0].text == "and 2 more problems, in this file and others"
    holding.apply({"c.yaml": version(*[service("web", "c.yaml", line) for line in range(1, 9)])})
    assert len(holding.problems()) == 8


def test_skipped_kinds_are_counted_over_all_files() -> None:
    holding = Holding()
    for path in ("a.yaml", "b.yaml"):
        holding.apply({path: Decoded(objects=(), problems=(), skipped={"Secret": 2, "Job": 1}, broken=())})
    assert holding.skipped() == {"Job": 2, "Secret": 4}


PATHS, NAMES = ("a.yaml", "b.yaml", "c.yaml"), ("api", "db", "web")


@st.composite
def versions(draw: st.DrawFn) -> tuple[str, Decoded | None]:
    path = draw(st.sampled_from(PATHS))
    if draw(st.integers(0, 4)) == 0:
        return path, None
    names = draw(st.lists(st.sampled_from(NAMES), max_size=4))
    objects = [service(name, path, line, draw(st.sampled_from("xy"))) for line, name in enumerate(names, 1)]
    broken = draw(st.lists(st.sampled_from((*NAMES, None)), max_size=1))
    return path, version(*objects, broken=tuple(broken))


def model(history: list[dict[str, Decoded | None]]) -> dict[Key, Object]:
    """The rules again, with nothing remembered but whole files."""
    files: dict[str, list[Object]] = {}
    broken: dict[str, Decoded] = {}
    serving: dict[Key, Object] = {}
    for step in history:
        for path, new in step.items():
            before = files.pop(path, [])
            broken.pop(path, None)
            if new is None:
                continue
            broken[path] = new
            files[path] = list(new.objects)
            names = {identity(item) for item in new.objects}
            for item in before:
                lost = None in new.broken or identity(item) in new.broken
                if lost and identity(item) not in names:
                    files[path].append(item)
        now = {item.key for items in files.values() for item in items}
        for key, item in serving.items():
            heirs = [path for path, new in broken.items() if identity(item) in new.broken]
            if key not in now and heirs:
                files[min(heirs)].append(replace(item, place=Place(min(heirs), 0)))
        serving = {}
        for item in sorted((item for items in files.values() for item in items), key=lambda item: item.place):
            serving.setdefault(item.key, item)
    return serving


def replay(view: dict[Key, Object], events: list[Event]) -> None:
    for event in events:
        if isinstance(event, Upsert):
            assert view.get(event.object.key) != event.object, "an event without a change"
            view[event.object.key] = event.object
        elif isinstance(event, Delete):
            del view[event.key]


@settings(max_examples=200)
@given(st.lists(st.lists(versions(), min_size=1, max_size=2), max_size=8))
def test_any_sequence_of_versions_agrees_with_the_model(steps: list[list[tuple[str, Decoded | None]]]) -> None:
    holding, view = Holding(), dict[Key, Object]()
    history = [dict(step) for step in steps]
    for at, step in enumerate(history, 1):
        replay(view, holding.apply(step))
        assert view == model(history[:at])
        assert list(holding.objects()) == [view[key] for key in sorted(view)]


@settings(max_examples=200)
@given(st.lists(st.lists(versions(), min_size=1, max_size=3), min_size=1, max_size=4))
def test_what_is_begun_with_goes_on_like_what_was_applied(steps: list[list[tuple[str, Decoded | None]]]) -> None:
    applied, begun = Holding(), Holding()
    first, *rest = (dict(step) for step in steps)
    applied.apply(first)
    begun.begin(first)
    for step in (None, *rest):
        if step:
            assert applied.apply(step) == begun.apply(step)
        assert applied.replaces() == begun.replaces()
        assert applied.problems() == begun.problems()
        assert applied.skipped() == begun.skipped()


@pytest.mark.parametrize("run", [1, 2, 3, 100])
def test_the_order_does_not_depend_on_how_much_is_sorted_at_once(monkeypatch: pytest.MonkeyPatch, run: int) -> None:
    monkeypatch.setattr("clusterdns.sources.holding._RUN", run)
    services = [service(f"{number * 7 % 31:02}", "a.yaml") for number in range(31)]
    expected = sorted(services, key=lambda item: item.key)
    holding = Holding()
    assert holding.apply({"a.yaml": version(*services)}) == [Upsert(item) for item in expected]
    assert list(holding.objects()) == expected
