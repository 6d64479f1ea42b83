"""State: what sources say, and its indexes."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from objects import endpoint_slice, place, pod, service, workload
from strategies import key

from clusterdns.cluster.events import Delete, Event, Replace, Upsert
from clusterdns.cluster.model import Key, Namespace, Object
from clusterdns.cluster.state import Changed, State

WEB = service("shop/web")
OTHER = service("shop/web", headless=True)


def _namespace(name: str) -> Namespace:
    return Namespace(Key("", name))


def test_a_round_is_one_step() -> None:
    state = State()
    assert state.apply("a", [Upsert(WEB)]) == [Changed(None, WEB)]
    assert state.apply("a", [Upsert(OTHER), Delete("Service", WEB.key), Upsert(WEB)]) == []
    assert state.apply("a", [Delete("Service", WEB.key), Upsert(OTHER)]) == [Changed(WEB, OTHER)]
    assert state.apply("a", [Upsert(WEB), Delete("Service", WEB.key)]) == [Changed(OTHER, None)]
    assert state.apply("a", [Upsert(WEB), Delete("Service", WEB.key), Delete("Service", key("shop/db"))]) == []


def test_an_object_that_only_moved_is_renewed_but_no_change() -> None:
    state = State()
    state.apply("a", [Upsert(replace(WEB, place=place("a.yaml:1")))])
    assert state.apply("a", [Upsert(replace(WEB, place=place("a.yaml:9")))]) == []
    found = state.get("Service", WEB.key)
    assert found is not None
    assert found.place == place("a.yaml:9")


def test_a_slice_that_only_moved_is_renewed_in_the_index_too() -> None:
    state = State()
    one = endpoint_slice("shop/x", "shop/web", "10.1.0.1")
    state.apply("a", [Upsert(one)])
    state.apply("a", [Upsert(replace(one, place=place("a.yaml:9")))])
    assert [found.place for found in state.slices(WEB.key)] == [place("a.yaml:9")]


def test_replace_touches_its_own_source_and_kind_only() -> None:
    state = State()
    state.apply("a", [Upsert(WEB), Upsert(_namespace("shop"))])
    state.apply("b", [Upsert(service("shop/db"))])
    assert state.apply("a", [Replace("Service", ())]) == [Changed(WEB, None)]
    assert [one.key for one in state.all("Service")] == [key("shop/db")]
    assert state.get("Namespace", Key("", "shop"))


def test_of_several_sources_the_first_serves() -> None:
    state = State(["a", "b"])
    assert state.apply("b", [Upsert(OTHER)]) == [Changed(None, OTHER)]
    assert state.apply("a", [Upsert(WEB)]) == [Changed(OTHER, WEB)]
    assert state.apply("b", [Delete("Service", WEB.key)]) == []
    assert state.apply("b", [Upsert(OTHER)]) == []
    assert list(state.all("Service")) == [WEB]
    assert state.apply("a", [Replace("Service", ())]) == [Changed(WEB, OTHER)]


def test_slices_come_in_key_order_and_move_between_services() -> None:
    state = State()
    state.apply("a", [Upsert(endpoint_slice(f"shop/{name}", "shop/web")) for name in "cab"])
    assert [one.key.name for one in state.slices(key("shop/web"))] == ["a", "b", "c"]
    state.apply("a", [Upsert(endpoint_slice("shop/b", "shop/db")), Delete("EndpointSlice", key("shop/a"))])
    assert [one.key.name for one in state.slices(key("shop/web"))] == ["c"]
    assert [one.key.name for one in state.slices(key("shop/db"))] == ["b"]
    state.apply("a", [Replace("EndpointSlice", (endpoint_slice("shop/z", "shop/"),))])
    assert state.slices(key("shop/web")) == state.slices(key("shop/db")) == ()


def test_a_namespace_exists_when_it_is_declared_or_something_is_in_it() -> None:
    state = State()
    state.apply("a", [Upsert(_namespace("idle")), Upsert(WEB), Upsert(pod("ops/p")), Upsert(workload("jobs/w"))])
    assert set(state.namespaces()) == {"idle", "shop", "ops", "jobs"}
    state.apply("a", [Upsert(_namespace("shop")), Delete("Service", WEB.key), Delete("Pod", key("ops/p"))])
    assert set(state.namespaces()) == {"idle", "shop", "jobs"}
    state.apply("a", [Delete("Namespace", Key("", "shop"))])
    assert not state.has_namespace("shop")
    assert state.has_namespace("idle")


def test_pods_and_workloads() -> None:
    state = State()
    state.apply("a", [Upsert(pod("shop/a")), Upsert(pod("ops/b")), Upsert(workload("shop/w", "DaemonSet"))])
    assert [one.key.name for one in state.pods("shop")] == ["a"]
    assert list(state.pods("none")) == []
    assert [one.kind for one in state.workloads()] == ["DaemonSet"]


POOL: list[Object] = [
    WEB, OTHER, service("ops/web"), pod("shop/a", "10.1.0.1"), pod("shop/a", "10.1.0.2"), pod("ops/a"),
    endpoint_slice("shop/s", "shop/web"), endpoint_slice("shop/s", "shop/db"), endpoint_slice("shop/t", "shop/web"),
    endpoint_slice("shop/t", "shop/web", "10.1.0.1"), _namespace("shop"), _namespace("idle"), workload("shop/w"),
]  # fmt: skip
KINDS = sorted({item.kind for item in POOL})


def _replace(kind: str, items: Sequence[Object]) -> Replace:
    return Replace(kind, tuple({item.key: item for item in items if item.kind == kind}.values()))


events: st.SearchStrategy[Event] = st.one_of(
    st.sampled_from(POOL).map(Upsert),
    st.sampled_from(POOL).map(lambda item: Delete(item.kind, item.key)),
    st.builds(_replace, st.sampled_from(KINDS), st.lists(st.sampled_from(POOL), max_size=5)),
)
histories = st.lists(st.tuples(st.sampled_from(["a", "b"]), st.lists(events, max_size=4)), max_size=8)


@given(histories)
def test_indexes_equal_those_of_a_fresh_state(history: list[tuple[str, list[Event]]]) -> None:
    state, known = State(["a", "b"]), dict[tuple[str, Key], Object]()
    for source, drawn in history:
        for old, new in state.apply(source, drawn):
            item = new or old
            assert item is not None
            assert known.get((item.kind, item.key)) == old, "each change starts where the last one ended"
            assert old != new
            known.pop((item.kind, item.key), None)
            if new:
                known[new.kind, new.key] = new
    fresh = State()
    fresh.apply("a", [Upsert(item) for item in known.values()])
    assert {(item.kind, item.key): item for kind in KINDS for item in state.all(kind)} == known
    for of in (key("shop/web"), key("shop/db")):
        assert state.slices(of) == fresh.slices(of)
    for namespace in ("shop", "ops"):
        assert sorted(one.key for one in state.pods(namespace)) == sorted(one.key for one in fresh.pods(namespace))
    assert set(state.namespaces()) == set(fresh.namespaces())


@pytest.mark.parametrize("kind", ["Service", "Pod", "Deployment"])
def test_an_empty_state_knows_nothing(kind: str) -> None:
    assert State().get(kind, key("shop/web")) is None
    assert list(State().all(kind)) == []


@given(st.lists(st.sampled_from(POOL), max_size=12), st.integers(1, 12))
def test_beginning_with_a_list_is_applying_the_first_of_each_key(objects: list[Object], at_once: int) -> None:
    """However it is cut."""
    for kind in KINDS:
        mine = [item for item in objects if item.kind == kind]
        begun, applied = State(), State()
        assert not begun.has(kind)
        pieces = [mine[at : at + at_once] for at in range(0, len(mine), at_once)]
        changes = [change for piece in pieces for change in begun.begin("a", kind, piece)]
        assert changes == applied.apply("a", [Replace(kind, tuple(mine))])
        assert begun.has(kind) == bool(mine)
        assert begun.held("a", kind) == applied.held("a", kind)
        assert list(begun.all(kind)) == list(applied.all(kind))
        assert begun.namespaces() == applied.namespaces()
        for of in (key("shop/web"), key("shop/db")):
            assert begun.slices(of) == applied.slices(of)
        assert list(begun.pods("shop")) == list(applied.pods("shop"))
