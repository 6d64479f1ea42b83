"""Stand-in pods: who has them, their names, and their addresses."""

import re
from collections.abc import Callable

import pytest
from objects import APP, Cluster, endpoint_slice, endpoints_object, place, pod, service, subset, web, workload
from strategies import key

from clusterdns.cluster.events import Delete
from clusterdns.cluster.labels import Requirement, parse_selector
from clusterdns.cluster.model import Object, Workload
from clusterdns.controllers.workloads import MAX_STAND_INS, pod_names

SHAPES = {
    "Deployment": r"front-[a-z2-9]{10}-[b-h][a-z2-9]{4}",
    "ReplicaSet": r"front-[j-p][a-z2-9]{4}",
    "DaemonSet": r"front-[q-w][a-z2-9]{4}",
    "StatefulSet": r"front-[0-2]",
}


@pytest.mark.parametrize(("kind", "shape"), SHAPES.items(), ids=SHAPES)
def test_names_have_the_shapes_kubernetes_gives(kind: str, shape: str) -> None:
    names = [name for _, name in pod_names(workload("shop/front", kind, replicas=3))]
    assert len(set(names)) == (1 if kind == "DaemonSet" else 3)
    assert all(re.fullmatch(shape, name) for name in names)


def test_names_are_the_same_for_ever_and_unique() -> None:
    names = pod_names(workload("shop/front", "ReplicaSet", replicas=MAX_STAND_INS))
    assert len(set(names)) == MAX_STAND_INS
    assert names[:2] == [key("shop/front-mkxpq"), key("shop/front-lhg7j")]  # pinned: people write them down
    assert pod_names(workload("shop/front", "ReplicaSet", replicas=2)) == names[:2]


def test_a_stateful_set() -> None:
    cluster = Cluster(
        workload("shop/db", "StatefulSet", replicas=2, first_ordinal=3, service_name="db", ports=()),
        service("shop/db", headless=True, selector=APP),
        service("shop/db-4", selector={"statefulset.kubernetes.io/pod-name": "db-4"}),
    )
    ips = cluster.stand_ins()
    assert list(ips) == ["shop/db-3", "shop/db-4"]
    assert cluster.shown("shop/db") == [
        f"IPv4 -: {ips[f'shop/{name}']} {name} ready serving" for name in ("db-3", "db-4")
    ]
    assert cluster.shown("shop/db-4") == [f"IPv4 -: {ips['shop/db-4']} ready serving"]


def test_others_keep_hostname_and_subdomain_of_the_template() -> None:
    cluster = Cluster(workload("shop/front", hostname="h", subdomain="web"), web())
    ((name, address),) = cluster.stand_ins().items()
    assert cluster.shown("shop/web") == [f"IPv4 -: {address} h ready serving"]
    (made,) = cluster.controllers.stand_ins()
    assert (made.stand_in, str(made.key), made.phase, made.ready) == ("Deployment shop/front", name, "Running", True)


IN, EXISTS, ABSENT = (parse_selector(text) for text in ("app in (web,api)", "app", "!legacy"))
NONE: dict[str, tuple[Workload, list[Object]]] = {
    "a pod of its own": (workload("shop/w"), [pod("shop/x", "10.1.0.1")]),
    "a pod of its own without an address": (workload("shop/w"), [pod("shop/x", phase="Pending")]),
    "selected by a set": (workload("shop/w", selector=IN), [pod("shop/x", labels={"app": "api"})]),
    "selected by a label's presence": (workload("shop/w", selector=EXISTS), [pod("shop/x")]),
    "selected by a label's absence": (workload("shop/w", selector=ABSENT), [pod("shop/x", labels={})]),
    "no selector: the template's labels": (workload("shop/w", selector=()), [pod("shop/x")]),
    "no replicas": (workload("shop/w", replicas=0), []),
    "negative replicas": (workload("shop/w", replicas=-1), []),
    "a Deployment's ReplicaSet": (workload("shop/w", "ReplicaSet", controlled=True), []),
}


@pytest.mark.parametrize(("of", "others"), NONE.values(), ids=NONE)
def test_who_has_none(of: Workload, others: list[Object]) -> None:
    assert Cluster(of, *others).stand_ins() == {}
    assert Cluster(*others, of).stand_ins() == {}


SOME: dict[str, tuple[Workload, list[Object]]] = {
    "a pod of another namespace": (workload("shop/w"), [pod("ops/x")]),
    "a pod of somebody else": (workload("shop/w"), [pod("shop/x", labels={"app": "db"})]),
    "a ReplicaSet of its own": (workload("shop/w", "ReplicaSet"), []),
    "a workload of an operator": (workload("shop/w", "StatefulSet", controlled=True), []),
    "nothing is in an empty set": (workload("shop/w", selector=(Requirement("app", "in"),)), [pod("shop/x")]),
}


@pytest.mark.parametrize(("of", "others"), SOME.values(), ids=SOME)
def test_who_has_some(of: Workload, others: list[Object]) -> None:
    assert len(Cluster(of, *others).stand_ins()) == 1


def test_they_go_when_a_pod_comes_and_return_when_it_goes() -> None:
    cluster = Cluster(workload("shop/w", replicas=2), web())
    before = cluster.stand_ins()
    assert cluster.put(pod("shop/x", "10.1.0.1")) == {"shop/web"}
    assert cluster.shown("shop/web") == ["IPv4 -: 10.1.0.1 ready serving"]
    assert cluster.stand_ins() == {}
    assert cluster.put(pod("shop/x", "10.1.0.1", labels={"app": "db"})) == {"shop/web"}
    assert cluster.stand_ins() == before


def test_scaling_keeps_those_who_stay() -> None:
    cluster = Cluster(workload("shop/w", replicas=3), web())
    three = cluster.stand_ins()
    assert cluster.put(workload("shop/w", replicas=2)) == {"shop/web"}
    assert cluster.stand_ins().items() < three.items()
    assert cluster.put(workload("shop/w", replicas=3)) == {"shop/web"}
    assert cluster.stand_ins() == three
    assert cluster.put(workload("shop/w", replicas=3, labels={"team": "a"})) == set()
    cluster.round([Delete("Deployment", key("shop/w"))])
    assert cluster.stand_ins() == {}
    assert cluster.controllers.export().stand_ins == {}


def test_a_relabelled_template_changes_services() -> None:
    cluster = Cluster(workload("shop/w"), web(), service("shop/db", selector={"app": "db"}))
    assert cluster.put(workload("shop/w", pod_labels={"app": "db"})) == {"shop/web", "shop/db"}
    assert len(cluster.shown("shop/db")) == 1


def test_the_annotation_says_where_it_runs_in_turns() -> None:
    cluster = Cluster(workload("shop/db", "StatefulSet", replicas=3, ips=["127.0.0.1", "127.0.0.2", "::1"]))
    assert cluster.stand_ins() == {
        "shop/db-0": "127.0.0.1 ::1", "shop/db-1": "127.0.0.2 ::1", "shop/db-2": "127.0.0.1 ::1",
    }  # fmt: skip
    assert cluster.controllers.export().stand_ins == {}


def test_an_address_of_each_family_of_pod_cidr() -> None:
    cluster = Cluster(workload("shop/w"), pod_cidr=["10.244.0.0/16", "fd00:244::/64"])
    (addresses,) = cluster.stand_ins().values()
    assert re.fullmatch(r"10\.244\.\d+\.\d+ fd00:244::[0-9a-f:]+", addresses)


USERS: dict[str, Callable[[str], Object]] = {
    "Pod": lambda ip: pod("ops/x", ip),
    "EndpointSlice": lambda ip: endpoint_slice("ops/x", "ops/x", ip),
    "Endpoints": lambda ip: endpoints_object("ops/x", subset([], ip)),
    "Service": lambda ip: service("ops/x", ips=[ip]),
    "annotation": lambda ip: workload("ops/x", ips=[ip], labels={}),
}


@pytest.mark.parametrize("user", USERS)
def test_one_whose_address_gets_used_moves(user: str) -> None:
    cluster = Cluster(workload("shop/w"), web())
    (before,) = cluster.stand_ins().values()
    used = USERS[user](before)
    assert "shop/web" in cluster.put(used)
    after = [address for name, address in cluster.stand_ins().items() if name.startswith("shop/")]
    assert before not in after
    assert cluster.shown("shop/web") == [f"IPv4 -: {after[0]} ready serving"]
    fresh = Cluster(used, workload("shop/w"))
    assert [address for name, address in fresh.stand_ins().items() if name.startswith("shop/")] == after


def test_one_whose_name_a_real_pod_has_is_not_made() -> None:
    cluster = Cluster(workload("shop/db", "StatefulSet", replicas=2), web())
    two = cluster.stand_ins()
    stranger = pod("shop/db-0", "10.1.0.1", labels={"app": "else"})
    assert cluster.put(stranger) == {"shop/web"}
    assert list(cluster.stand_ins()) == ["shop/db-1"]
    assert cluster.round([Delete("Pod", stranger.key)]) == {"shop/web"}
    assert cluster.stand_ins() == two


def test_an_exhausted_range_and_too_many_replicas_are_reported() -> None:
    small = Cluster(workload("shop/w", replicas=9, place=place("a.yaml:1")), pod_cidr=["10.0.0.0/29"])
    assert len(small.stand_ins()) == 5
    (problem,) = small.problems()
    assert problem.startswith("a.yaml:1: error CD408 Deployment shop/w: pod_cidr has no free address left")
    many = Cluster(workload("shop/w", replicas=10**9, place=place("a.yaml:1")))
    assert len(many.stand_ins()) == MAX_STAND_INS
    (problem,) = many.problems()
    assert problem.startswith("a.yaml:1: warning CD409 Deployment shop/w: only 1000 of its 1000000000 replicas")


def test_one_setting_turns_them_off() -> None:
    assert Cluster(workload("shop/w"), stand_ins=False).stand_ins() == {}
    assert Cluster(workload("shop/w"), enabled=False).stand_ins() == {}


def test_nobody_moves_over_a_restart_with_memory() -> None:
    first = Cluster(pod_cidr=["10.244.0.0/24"])
    sets = [workload(f"shop/w{number}", replicas=20, pod_labels={"app": str(number)}) for number in range(10)]
    for one in sets:
        first.put(one)
    again = Cluster(*sets, pod_cidr=["10.244.0.0/24"], memory=first.controllers.export())
    assert again.stand_ins() == first.stand_ins()
