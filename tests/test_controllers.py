"""The controllers together: who makes a Service's endpoints, which Services a change concerns, and that history
leaves no trace."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from objects import (
    APP,
    Cluster,
    endpoint_slice,
    endpoints_object,
    place,
    pod,
    service,
    subset,
    web,
    workload,
)
from strategies import key

from clusterdns.cluster.addresses import address_text
from clusterdns.cluster.events import Delete, Event, Replace, Upsert
from clusterdns.cluster.labels import parse_selector
from clusterdns.cluster.model import Key, Namespace, Object, Published
from clusterdns.controllers import manager
from clusterdns.controllers.endpoints import MANAGED_BY
from clusterdns.controllers.manager import MIRRORING_CONTROLLER, SLICE_CONTROLLER
from clusterdns.controllers.memory import Memory

POD = pod("shop/p", "10.1.0.1")
ENDPOINTS = endpoints_object("shop/web", subset([], "10.2.0.1"))
OURS, OTHERS = "10.1.0.1 ready serving", "10.3.0.1 ready"


def _slice(managed_by: str) -> Object:
    return endpoint_slice("shop/s", "shop/web", "10.3.0.1", managed_by=managed_by)


WHO: dict[str, tuple[list[Object], list[str]]] = {
    "selector and pod": ([web(), POD], [OURS]),
    "selector, pod and a slice of the real controller": ([web(), POD, _slice(SLICE_CONTROLLER)], [OTHERS]),
    "selector, pod and a slice of anybody": ([web(), POD, _slice("me")], [OURS, OTHERS]),
    "selector, pod and an unmanaged slice": ([web(), POD, _slice("")], [OURS, OTHERS]),
    "selector, pod and a mirrored slice": ([web(), POD, _slice(MIRRORING_CONTROLLER)], [OURS, OTHERS]),
    "selector, pod and our own slice, dumped": ([web(), POD, _slice(MANAGED_BY)], [OURS]),
    "selector, our own slice, but no pod": ([web(), _slice(MANAGED_BY)], [OTHERS]),
    "selector and pod; Endpoints are not asked": ([web(), POD, ENDPOINTS], [OURS]),
    "selector, Endpoints, no pod": ([web(), ENDPOINTS], ["10.2.0.1 ready"]),
    "selector, Endpoints, a pod without address": ([web(), ENDPOINTS, pod("shop/p")], []),
    "selector, Endpoints, a slice of the real controller": ([web(), ENDPOINTS, _slice(SLICE_CONTROLLER)], [OTHERS]),
    "selector, Endpoints that are not mirrored": ([web(), replace(ENDPOINTS, mirrored=False)], []),
    "no selector": ([service("shop/web"), POD], []),
    "empty selector: none": ([service("shop/web", selector={}), POD], []),
    "no selector, Endpoints": ([service("shop/web"), ENDPOINTS], ["10.2.0.1 ready"]),
    "no selector, mirrored slice": ([service("shop/web"), ENDPOINTS, _slice(MIRRORING_CONTROLLER)], [OTHERS]),
    "no selector, Endpoints, another slice": ([service("shop/web"), ENDPOINTS, _slice("")], ["10.2.0.1 ready", OTHERS]),
    "no selector, a slice": ([service("shop/web"), _slice("")], [OTHERS]),
    "ExternalName: nobody": ([web(type="ExternalName"), POD, ENDPOINTS], []),
    "pod of another namespace": ([web(), pod("ops/p", "10.1.0.1")], []),
    "stand-ins count as pods": ([web(), workload("shop/w", ips=["127.0.0.1"]), ENDPOINTS], ["127.0.0.1 ready serving"]),
}  # fmt: skip


@pytest.mark.parametrize(("objects", "expected"), WHO.values(), ids=WHO)
def test_who_makes_the_endpoints(objects: list[Object], expected: list[str]) -> None:
    for cluster in (Cluster(*objects), Cluster(*reversed(objects))):
        assert sorted(cluster.shown("shop/web")) == [f"IPv4 -: {line}" for line in expected]


def test_slices_are_in_the_order_of_their_keys() -> None:
    more = [endpoint_slice(f"shop/{name}", "shop/web") for name in ("z", "a", "web-0")]
    keys = [one.key for one in Cluster(web(), POD, *more).published("shop/web").slices]
    assert keys == sorted(keys)
    assert len(keys) == 4


def test_with_a_live_api_the_service_stays_as_it_is() -> None:
    given_slice = endpoint_slice("shop/s", "shop/web", "10.3.0.1")
    cluster = Cluster(web("http/tcp/80", type="NodePort"), POD, ENDPOINTS, given_slice, enabled=False)
    assert cluster.published("shop/web") == Published(web("http/tcp/80", type="NodePort"), (given_slice,))
    assert cluster.put(pod("shop/q", "10.1.0.2"), workload("shop/w")) == set()
    assert cluster.put(endpoint_slice("shop/s", "shop/web")) == {"shop/web"}
    assert cluster.problems() == []


DB = service("shop/db", selector={"app": "db"})
BOTH = service("shop/both", selector={"app": "web", "tier": "front"})
NOBODY = service("shop/nobody")
FAR = service("ops/web", selector=APP)
DIRTY: dict[str, tuple[Object, set[str]]] = {
    "a pod that comes": (pod("shop/q", "10.1.0.9"), {"shop/web"}),
    "a pod with more labels": (pod("shop/q", labels=APP | {"tier": "front", "x": "y"}), {"shop/web", "shop/both"}),
    "a pod that becomes not ready": (replace(POD, ready=False), {"shop/web"}),
    "a pod that changes its labels": (replace(POD, labels={"app": "db"}), {"shop/web", "shop/db"}),
    "a pod nobody selects": (pod("shop/q", labels={"a": "b"}), set()),
    "a pod that only moved in its file": (replace(POD, place=place("b.yaml:3")), set()),
    "a pod of another namespace": (pod("ops/q"), {"ops/web"}),
    "a Service": (replace(DB, headless=True), {"shop/db"}),
    "a slice": (endpoint_slice("shop/t", "shop/nobody"), {"shop/nobody"}),
    "a slice that changes its Service": (endpoint_slice("shop/s", "shop/db"), {"shop/db", "shop/web"}),
    "a slice of no Service": (endpoint_slice("shop/t", "shop/none"), set()),
    "a slice without the label": (endpoint_slice("shop/t", "shop/"), set()),
    "Endpoints": (endpoints_object("shop/nobody"), {"shop/nobody"}),
    "a Namespace": (Namespace(Key("", "shop")), set()),
    "a workload with its own pods": (workload("shop/w"), set()),
    "a workload that gets stand-ins": (workload("shop/w", pod_labels={"app": "db"}), {"shop/db"}),
}  # fmt: skip


@pytest.mark.parametrize(("change", "dirty"), DIRTY.values(), ids=DIRTY)
def test_which_services_a_change_concerns(change: Object, dirty: set[str]) -> None:
    cluster = Cluster(web(), DB, BOTH, NOBODY, FAR, POD, endpoint_slice("shop/s", "shop/web"))
    assert cluster.put(change) == dirty
    there_before = {item.key for item in (POD, DB)} | {key("shop/s")}
    if change.key not in there_before:
        assert cluster.round([Delete(change.kind, change.key)]) == dirty


def test_a_service_that_goes_is_dirty_and_published_no_more() -> None:
    cluster = Cluster(web(), POD)
    assert cluster.round([Delete("Service", key("shop/web"))]) == {"shop/web"}
    assert cluster.controllers.published(cluster.state, key("shop/web")) is None
    assert cluster.put(replace(POD, ready=False)) == set()


def test_one_pod_of_many_evaluates_its_own_services_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """2,000 selectors and 20,000 pods in one namespace; all share a label, as charts do."""
    shared = {"tier": "backend"}
    services = [service(f"shop/s{n}", selector=shared | {"app": f"a{n}"}) for n in range(2000)]
    pods = [pod(f"shop/p{n}", "10.1.0.1", labels=shared | {"app": f"a{n % 2000}"}) for n in range(20000)]
    asked = _counted(monkeypatch, "selects")
    made = _counted(monkeypatch, "slices_for")
    cluster = Cluster(*pods, *services)
    assert cluster.put(replace(pods[7], ready=False)) == {"shop/s7"}
    asked.clear()
    assert cluster.put(replace(pods[8], ready=False)) == {"shop/s8"}
    assert len(asked) == 1, "selectors met by the changed pod"
    asked.clear()
    made.clear()
    assert len(cluster.published("shop/s8").slices[0].endpoints) == 10
    assert (len(asked), len(made)) == (10, 1), "pods met by the Service, slices made"


def _counted(monkeypatch: pytest.MonkeyPatch, name: str) -> list[None]:
    """Replaces a function of the manager by itself; the list gets longer with each call."""
    calls: list[None] = []
    real: Callable[..., object] = getattr(manager, name)

    def counted(*arguments: object) -> object:
        calls.append(None)
        return real(*arguments)

    monkeypatch.setattr(manager, name, counted)
    return calls


def test_parts_of_a_round_may_come_in_any_cut() -> None:
    services = [service(f"shop/s{n}") for n in range(50)]
    whole = Cluster(*services, service_cidr=["10.0.0.0/26"])
    parts = Cluster(service_cidr=["10.0.0.0/26"])
    assert len(parts.round([Upsert(item) for item in reversed(services)], cut=True)) == 50
    assert parts.all() == whole.all()


# A small cluster in which everything meets: written addresses only, so that history may leave no trace at all.
SERVICES: list[Object] = [
    service("shop/web", "http/tcp/80>web", selector=APP, ips=["10.96.0.1"]),
    service("shop/web", selector={"app": "web", "tier": "x"}, headless=True),
    service("shop/web", ips=["10.96.0.1"]),
    service("shop/web", type="ExternalName", selector=APP),
    service("shop/db", selector={"app": "db"}, headless=True, publish_not_ready=True),
    service("shop/db", ips=["10.96.0.1", "fd00::1"], selector=APP),
    service("ops/web", "http/tcp/80>80@30080", selector=APP, ips=["10.96.0.9"], type="NodePort"),
]
LABELS: list[dict[str, str]] = [{}, APP, {"app": "db"}, APP | {"tier": "x"}]
PODS: list[Object] = [
    pod(name, *ips, labels=labels, ready=ready, ports=["web/tcp/8080"])
    for name, ips in (("shop/a", ["10.1.0.1"]), ("shop/w-0", ["10.1.0.2", "fd00:1::2"]), ("ops/a", []))
    for labels in LABELS
    for ready in (True, False)
]
SLICES: list[Object] = [
    endpoint_slice("shop/s", of, "10.3.0.1", managed_by=managed_by)
    for of in ("shop/web", "shop/db", "shop/")
    for managed_by in ("", SLICE_CONTROLLER, MIRRORING_CONTROLLER, MANAGED_BY)
]
ENDPOINTS_OBJECTS: list[Object] = [
    ENDPOINTS,
    replace(ENDPOINTS, mirrored=False),
    replace(ENDPOINTS, key=key("shop/db")),
]
WORKLOADS: list[Object] = [
    workload("shop/w", kind, replicas=replicas, pod_labels=labels, selector=selector, ips=["127.0.0.1"], hostname="h")
    for kind, replicas in (("StatefulSet", 2), ("Deployment", 1))
    for labels in (APP, APP | {"tier": "x"})
    for selector in (parse_selector("app=web"), parse_selector("!tier"), parse_selector("app in (db, web), tier"))
]
POOL = [*SERVICES, *PODS, *SLICES, *ENDPOINTS_OBJECTS, *WORKLOADS]
KINDS = sorted({item.kind for item in POOL})


def _replace(kind: str, items: Sequence[Object]) -> Replace:
    return Replace(kind, tuple({item.key: item for item in items if item.kind == kind}.values()))


some = st.one_of([st.sampled_from(kind) for kind in (SERVICES, PODS, SLICES, ENDPOINTS_OBJECTS, WORKLOADS)])
events: st.SearchStrategy[Event] = st.one_of(
    some.map(Upsert),
    some.map(Upsert),
    some.map(lambda item: Delete(item.kind, item.key)),
    st.builds(_replace, st.sampled_from(KINDS), st.lists(some, max_size=5)),
)
rounds = st.lists(st.lists(events, max_size=5), max_size=8)


def _list_anew(from_: Cluster, to: Cluster) -> Cluster:
    """The same objects, in one Replace per kind."""
    to.round([Replace(kind, tuple(from_.state.all(kind))) for kind in KINDS])
    return to


@settings(max_examples=300)
@given(rounds, st.booleans())
def test_any_history_ends_where_a_rebuild_begins(history: list[list[Event]], cut: bool) -> None:
    cluster = Cluster()
    for drawn in history:
        before = cluster.all()
        dirty = cluster.round(drawn, cut=cut)
        after = cluster.all()
        unmarked = [
            of for of in before.keys() | after.keys() if before.get(of) != after.get(of) and str(of) not in dirty
        ]
        assert not unmarked, "what changed was dirty"
    anew = _list_anew(cluster, Cluster())
    assert cluster.all() == anew.all()
    assert cluster.stand_ins() == anew.stand_ins()
    assert cluster.problems() == anew.problems()
    assert cluster.controllers.export() == anew.controllers.export()


DYNAMIC = [
    service(f"shop/s{number}", "a/tcp/1", ips=ips, type=kind)
    for number in range(6)
    for ips in ([], ["10.0.0.3"], ["10.0.0.9"])
    for kind in ("ClusterIP", "NodePort")
]
STANDING = [workload(f"shop/w{n}", pod_labels={"w": str(n)}, replicas=n) for n in range(3)]
TAKEN = [pod(f"shop/{n}", f"10.244.0.{n}", labels={"w": "1"} if n == 2 else {}) for n in range(2, 8)]
dynamic = st.one_of(st.sampled_from(DYNAMIC), st.sampled_from(STANDING), st.sampled_from(TAKEN))
dynamic_rounds = st.lists(
    st.lists(st.one_of(dynamic.map(Upsert), dynamic.map(lambda one: Delete(one.kind, one.key))), max_size=6), max_size=8
)


def _small(memory: Memory | None = None) -> Cluster:
    """Five ClusterIPs, five stand-in addresses."""
    return Cluster(service_cidr=["10.0.0.0/29"], pod_cidr=["10.244.0.0/29"], memory=memory)


@settings(max_examples=200)
@given(dynamic_rounds)
def test_allocation_under_any_history(history: list[list[Event]]) -> None:
    cluster = _small()
    for drawn in history:
        before, held = cluster.all(), _allocated(cluster)
        dirty = cluster.round(drawn)
        after = cluster.all()
        assert all(before.get(of) == after.get(of) for of in before.keys() | after.keys() if str(of) not in dirty)
        now, written = _allocated(cluster), _written(cluster)
        assert len(set(now.values())) == len(now), "no duplicates"
        assert not set(now.values()) & written
        for name in held.keys() & now.keys():
            assert now[name] == held[name] or held[name] in written, "nobody moves but for what is written"
    again = _list_anew(cluster, _small(cluster.controllers.export()))
    assert _allocated(again) == _allocated(cluster), "nor over a restart"


def _allocated(cluster: Cluster) -> dict[str, str | int]:
    memory = cluster.controllers.export()
    return {**memory.cluster_ips, **memory.node_ports, **memory.stand_ins}


def _written(cluster: Cluster) -> set[str | int]:
    found = [item.cluster_ips for item in cluster.state.all("Service")]
    found += [item.addresses for item in cluster.state.all("Pod")]
    return {address_text(address) for addresses in found for address in addresses}
