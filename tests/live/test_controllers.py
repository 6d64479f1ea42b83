"""What real controllers make of Services, pods and Endpoints, step by step: each answer is one the API has held.

A headless Service without a ready endpoint has no name (specification 2.4.1).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from live.api import Manifest
from live.clusters import manifest
from live.control_plane import missing
from live.kubelet import pod
from live.processes import wait_until
from live.serving import serving
from live.watched import (
    ABSENT,
    EMPTY,
    ETCDS,
    NEEDED,
    Watched,
    has,
    headless,
    inside,
    ready_addresses,
    service,
    watched,
)

pytestmark = [
    pytest.mark.skipif(bool(why := missing(*NEEDED)), reason=why),
    pytest.mark.timeout(600),
]
LABELS = {"app": "db"}
BOTH_FAMILIES = {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"]}


@pytest.fixture(scope="module", params=ETCDS)
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched(tmp_path_factory.mktemp("controllers"), request.param) as made:
        yield made


def test_lists_are_streamed_where_etcd_can(cluster: Watched, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """WatchList with etcd 3.6, LIST and WATCH with 3.4."""
    before = streamed_lists(cluster)  # of controllers, too
    with serving(tmp_path, cluster.plane.kubeconfig) as another:
        wait_until(another.ready, "the ready line")
        after = streamed_lists(cluster)
    assert (after == before) == ("3.4" in request.node.name)


def streamed_lists(cluster: Watched) -> float:
    return sum(
        float(line.split()[-1])
        for line in cluster.plane.api.text("/metrics").splitlines()
        if line.startswith("apiserver_watch_list_duration_seconds_count") and 'resource="services"' in line
    )


def stateful_set(namespace: str, replicas: int) -> Manifest:
    template = {"metadata": {"labels": LABELS}, "spec": pod(namespace, "template", LABELS)["spec"]}
    spec = {"serviceName": "db", "replicas": replicas, "selector": {"matchLabels": LABELS}, "template": template}
    return manifest("apps/v1", "StatefulSet", namespace, "db") | {"spec": spec}


def test_a_stateful_set(cluster: Watched) -> None:
    """Its pods have names of their own, which stay when a pod is made anew with another address."""
    api, kubelet, namespace = cluster.plane.api, cluster.kubelet, cluster.namespace("stateful")
    service_name, names = inside(f"db.{namespace}"), [inside(f"db-{n}.db.{namespace}") for n in (0, 1)]
    api.create(headless(namespace, "db", selector=LABELS))
    api.create(stateful_set(namespace, 2))
    first, _ = kubelet.run(namespace, "db-0")
    cluster.expect(service_name, "A", has(f"A {first}"), [ABSENT])
    assert cluster.ask(names[1], "A") == ABSENT
    second, _ = kubelet.run(namespace, "db-1")
    cluster.expect(service_name, "A", has(f"A {first}", f"A {second}"), [has(f"A {first}")])
    for name, address in zip(names, (first, second), strict=True):
        cluster.expect(name, "A", has(f"A {address}"))
        cluster.expect(cluster.reverse(address), "PTR", has(f"PTR {name}"))
    srv = has(*(f"SRV 0 50 8080 {name}" for name in names))
    cluster.expect(inside(f"_http._tcp.db.{namespace}"), "SRV", srv)

    api.patch(manifest("apps/v1", "StatefulSet", namespace, "db"), {"spec": {"replicas": 1}})
    cluster.expect(names[1], "A", ABSENT, [has(f"A {second}")])  # terminating: neither ready nor gone
    cluster.expect(service_name, "A", has(f"A {first}"))
    kubelet.finish(namespace, "db-1")

    api.delete(manifest("v1", "Pod", namespace, "db-0"))
    cluster.expect(names[0], "A", ABSENT, [has(f"A {first}")])
    cluster.expect(service_name, "A", ABSENT)
    kubelet.finish(namespace, "db-0")
    third, _ = kubelet.run(namespace, "db-0")
    cluster.expect(names[0], "A", has(f"A {third}"), [ABSENT])
    cluster.expect(service_name, "A", has(f"A {third}"))
    cluster.expect(cluster.reverse(first), "PTR", ABSENT)


def test_dual_stack(cluster: Watched) -> None:
    api, namespace = cluster.plane.api, cluster.namespace("dual")
    api.create(headless(namespace, "db", selector=LABELS, **BOTH_FAMILIES))
    regular = api.create(service(namespace, "web", selector=LABELS, **BOTH_FAMILIES))
    four, six = regular["spec"]["clusterIPs"]
    web = inside(f"web.{namespace}")
    cluster.expect(web, "A", has(f"A {four}"), [ABSENT])
    cluster.expect(web, "AAAA", has(f"AAAA {six}"))
    for address in (four, six):
        cluster.expect(cluster.reverse(address), "PTR", has(f"PTR {web}"))
    api.create(pod(namespace, "p", LABELS, hostname="p", subdomain="db"))
    pod_four, pod_six = cluster.kubelet.run(namespace, "p")
    for name in (inside(f"db.{namespace}"), inside(f"p.db.{namespace}")):
        # A slice of each family: two writes of the controller.
        cluster.expect(name, "A", has(f"A {pod_four}"), [ABSENT, EMPTY])
        cluster.expect(name, "AAAA", has(f"AAAA {pod_six}"), [EMPTY])
    target = inside(f"p.db.{namespace}")
    found = cluster.ask(inside(f"_http._tcp.db.{namespace}"), "SRV", tcp=True)
    assert {record.split()[-1] for record in found.records} == {target}
    inner = cluster.pod(namespace)
    assert inner.getent("db", "ahosts") == sorted([pod_four, pod_six])
    assert inner.getent("web", "ahosts") == sorted([four, six])
    for address in (pod_four, pod_six):
        both = has(f"PTR {target}", f"PTR {_dashed(address, namespace)}")
        # The controller comes to Service web when it likes, if its cache is behind a second later than to db.
        cluster.expect(cluster.reverse(address), "PTR", both, [has(f"PTR {target}")])
    api.patch(
        manifest("v1", "Service", namespace, "web"), {"spec": {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"]}}
    )
    cluster.expect(web, "AAAA", EMPTY, [has(f"AAAA {six}")])
    cluster.expect(web, "A", has(f"A {four}"))


def _dashed(address: str, namespace: str) -> str:
    """The name of an endpoint of Service web that has no hostname."""
    return inside(f"{address.replace('.', '-').replace(':', '-')}.web.{namespace}")


def test_mirrored_endpoints(cluster: Watched) -> None:
    api, namespace = cluster.plane.api, cluster.namespace("mirrored")
    api.create(headless(namespace, "db"))
    name = inside(f"db.{namespace}")
    endpoints = manifest("v1", "Endpoints", namespace, "db")

    def subsets(*addresses: Manifest) -> Manifest:
        return {"subsets": [{"addresses": list(addresses), "ports": [{"name": "http", "port": 5432}]}]}

    first, second = {"ip": "192.0.2.1", "hostname": "a"}, {"ip": "192.0.2.2"}
    api.create(endpoints | subsets(first))
    one, two = has("A 192.0.2.1"), has("A 192.0.2.1", "A 192.0.2.2")
    cluster.expect(name, "A", one, [ABSENT])
    cluster.expect(inside(f"a.db.{namespace}"), "A", one)
    api.replace(endpoints | subsets(first, second))
    cluster.expect(name, "A", two, [one])
    srv = has(*(f"SRV 0 50 5432 {inside(f'{label}.db.{namespace}')}" for label in ("a", "192-0-2-2")))
    cluster.expect(inside(f"_http._tcp.db.{namespace}"), "SRV", srv)
    api.replace(endpoints | subsets(second | {"ip": "2001:db8::2"}, second))
    cluster.expect(name, "A", has("A 192.0.2.2"), [two])
    cluster.expect(name, "AAAA", has("AAAA 2001:db8::2"), [EMPTY])
    api.delete(endpoints)
    cluster.until_slices(namespace, "db", 0)
    cluster.expect(name, "A", ABSENT, [has("A 192.0.2.2"), EMPTY])
    cluster.expect(name, "AAAA", ABSENT)


def test_terminating_pods(cluster: Watched) -> None:
    """``ready: false, serving: true, terminating: true``: no record, unless unready addresses are published."""
    api, namespace = cluster.plane.api, cluster.namespace("leaving")
    api.create(headless(namespace, "db", selector=LABELS))
    api.create(headless(namespace, "all", selector=LABELS, publishNotReadyAddresses=True))
    addresses = {}
    for name in ("a", "b"):
        api.create(pod(namespace, name, LABELS))
        addresses[name] = cluster.kubelet.run(namespace, name)[0]
    both, rest = has(*(f"A {one}" for one in addresses.values())), has(f"A {addresses['a']}")
    cluster.expect(inside(f"db.{namespace}"), "A", both, [ABSENT, rest])
    cluster.expect(inside(f"all.{namespace}"), "A", both, [ABSENT, rest])
    api.delete(manifest("v1", "Pod", namespace, "b"))
    cluster.expect(inside(f"db.{namespace}"), "A", rest, [both])

    def leaving(endpoints: list[Manifest]) -> bool:
        return any(one["conditions"] == {"ready": False, "serving": True, "terminating": True} for one in endpoints)

    cluster.until_endpoints(namespace, "db", leaving)
    cluster.until_endpoints(namespace, "all", lambda found: any(one["conditions"].get("terminating") for one in found))
    cluster.expect(inside(f"all.{namespace}"), "A", both)
    cluster.kubelet.finish(namespace, "b")
    cluster.expect(inside(f"all.{namespace}"), "A", rest, [both])
    cluster.expect(inside(f"db.{namespace}"), "A", rest)


def test_unready_addresses_are_published_where_asked_for(cluster: Watched) -> None:
    api, namespace = cluster.plane.api, cluster.namespace("unready")
    api.create(headless(namespace, "db", selector=LABELS))
    api.create(headless(namespace, "all", selector=LABELS, publishNotReadyAddresses=True))
    api.create(pod(namespace, "p", LABELS))
    address, _ = cluster.kubelet.run(namespace, "p", ready=False)
    shown, db, everything = has(f"A {address}"), inside(f"db.{namespace}"), inside(f"all.{namespace}")
    cluster.expect(everything, "A", shown, [ABSENT])
    cluster.until_endpoints(namespace, "db", lambda found: len(found) == 1)
    cluster.expect(db, "A", ABSENT)
    cluster.kubelet.set_ready(namespace, "p", ready=True)
    cluster.expect(db, "A", shown, [ABSENT])
    cluster.kubelet.set_ready(namespace, "p", ready=False)
    cluster.expect(db, "A", ABSENT, [shown])
    cluster.expect(everything, "A", shown)
    api.patch(manifest("v1", "Service", namespace, "db"), {"spec": {"publishNotReadyAddresses": True}})
    cluster.expect(db, "A", shown, [ABSENT])


def test_changes_of_type(cluster: Watched) -> None:
    """Each is one write, so that there is nothing between before and after."""
    api, namespace = cluster.plane.api, cluster.namespace("types")
    api.create(pod(namespace, "p", LABELS))
    address, _ = cluster.kubelet.run(namespace, "p")
    made = manifest("v1", "Service", namespace, "web")
    first = api.create(service(namespace, "web", selector=LABELS))["spec"]["clusterIP"]
    name, cluster_ip, pod_ip = inside(f"web.{namespace}"), has(f"A {first}"), has(f"A {address}")
    cluster.expect(name, "A", cluster_ip, [ABSENT])
    cluster.until_endpoints(namespace, "web", ready_addresses(address))
    for kind in ("NodePort", "LoadBalancer", "ClusterIP"):
        api.patch(made, {"spec": {"type": kind}})
        cluster.expect(name, "A", cluster_ip)
    alias = {"type": "ExternalName", "externalName": "www.example.com", "clusterIP": None, "clusterIPs": None}
    api.patch(made, {"spec": alias})
    cluster.expect(name, "A", has("CNAME www.example.com."), [cluster_ip])
    cluster.expect(inside(f"_http._tcp.web.{namespace}"), "SRV", ABSENT)
    api.patch(made, {"spec": {"type": "ClusterIP", "externalName": None, "clusterIP": "None"}})
    # With the type ExternalName the controller lets go of the slices, some time.
    cluster.expect(name, "A", pod_ip, [has("CNAME www.example.com."), ABSENT])
    cluster.expect(inside(f"_http._tcp.web.{namespace}"), "SRV", has(f"SRV 0 100 8080 {_dashed(address, namespace)}"))
    api.patch(made, {"spec": alias})
    cluster.expect(name, "A", has("CNAME www.example.com."), [pod_ip])
    now = api.patch(made, {"spec": {"type": "ClusterIP", "externalName": None}})["spec"]["clusterIP"]
    cluster.expect(name, "A", has(f"A {now}"), [has("CNAME www.example.com.")])
    api.delete(made)
    cluster.expect(name, "A", ABSENT, [has(f"A {now}")])
