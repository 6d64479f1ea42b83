"""ClusterIPs: which families, which addresses, and what is said about conflicts (features.md §5.3)."""

import pytest
from objects import TWO_STACKS, Cluster, endpoints_object, service, subset
from strategies import key

from clusterdns.cluster.events import Delete
from clusterdns.cluster.model import Service
from clusterdns.controllers.cluster_ips import families

SELECTOR = {"app": "web"}
FAMILIES: dict[str, tuple[Service, tuple[int, ...], tuple[int, ...]]] = {
    "default": (service("a/b"), (4,), (4,)),
    "default of an IPv6 cluster": (service("a/b"), (6, 4), (6,)),
    "default is single stack": (service("a/b"), (4, 6), (4,)),
    "written families": (service("a/b", ip_families=(6,)), (4, 6), (6,)),
    "families of written addresses": (service("a/b", ips=["fd00::1"]), (4, 6), (6,)),
    "two written addresses": (service("a/b", ips=["fd00::1", "10.0.0.1"]), (4,), (6, 4)),
    "PreferDualStack, two ranges": (service("a/b", ip_family_policy="PreferDualStack"), (4, 6), (4, 6)),
    "PreferDualStack, one range": (service("a/b", ip_family_policy="PreferDualStack"), (4,), (4,)),
    "RequireDualStack": (service("a/b", ip_family_policy="RequireDualStack", ip_families=(6,)), (4, 6), (6, 4)),
    "SingleStack": (service("a/b", ip_family_policy="SingleStack"), (4, 6), (4,)),
    "headless with selector": (service("a/b", headless=True, selector=SELECTOR), (4, 6), (4,)),
    "headless without selector: both, on any cluster": (service("a/b", headless=True), (4,), (4, 6)),
    "headless without selector, SingleStack": (
        service("a/b", headless=True, ip_family_policy="SingleStack"), (4, 6), (4,)),
    "ExternalName": (service("a/b", type="ExternalName"), (4, 6), ()),
}  # fmt: skip


@pytest.mark.parametrize(("of", "cluster", "expected"), FAMILIES.values(), ids=FAMILIES)
def test_families(of: Service, cluster: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert families(of, cluster) == expected


def test_an_address_of_each_family_from_the_dynamic_bands() -> None:
    cluster = Cluster(service("shop/web", ip_family_policy="PreferDualStack"), service_cidr=TWO_STACKS)
    # Pinned: another hash would give everybody another address with the next release.
    assert cluster.addresses("shop/web") == ["10.99.114.181", "fd00:10:96::d:ac9a"]
    assert cluster.published("shop/web").service.ip_families == (4, 6)


def test_none_for_headless_and_external_names() -> None:
    cluster = Cluster(service("shop/db", headless=True), service("shop/out", type="ExternalName"))
    assert cluster.addresses("shop/db") == cluster.addresses("shop/out") == []


def test_written_addresses_are_answered_as_written() -> None:
    cluster = Cluster(
        service("shop/in", ips=["10.96.0.10"]),
        service("shop/out", ips=["172.20.0.10"], at="a.yaml:3"),
        service("shop/half", ips=["fd00:10:96::a"], ip_family_policy="RequireDualStack"),
        service_cidr=TWO_STACKS,
    )
    assert cluster.addresses("shop/in") == ["10.96.0.10"]
    assert cluster.addresses("shop/out") == ["172.20.0.10"]
    assert cluster.addresses("shop/half")[0] == "fd00:10:96::a"
    assert len(cluster.addresses("shop/half")) == 2
    (problem,) = cluster.problems()
    assert problem.startswith("a.yaml:3: warning CD403 Service shop/out: ClusterIP 172.20.0.10 is outside service_cidr")


def test_two_that_write_the_same_address_keep_it_and_the_later_document_is_reported() -> None:
    first = service("shop/z", ips=["10.96.0.10"], at="a.yaml:1")
    second = service("shop/a", ips=["10.96.0.10"], at="a.yaml:9")
    cluster = Cluster(second, first)
    assert cluster.addresses("shop/a") == cluster.addresses("shop/z") == ["10.96.0.10"]
    (problem,) = cluster.problems()
    assert problem.startswith(
        "a.yaml:9: error CD401 Service shop/a: ClusterIP 10.96.0.10 is already that of shop/z (a.yaml)"
    )
    cluster.round([Delete("Service", key("shop/z"))])
    assert cluster.problems() == []
    assert cluster.addresses("shop/a") == ["10.96.0.10"]


def test_who_holds_by_allocation_what_another_one_writes_moves() -> None:
    cluster = Cluster(service("shop/web"))
    (before,) = cluster.addresses("shop/web")
    assert cluster.put(service("shop/new", ips=[before])) == {"shop/new", "shop/web"}
    assert cluster.addresses("shop/new") == [before]
    (after,) = cluster.addresses("shop/web")
    assert after != before
    assert cluster.round([Delete("Service", key("shop/new"))]) == {"shop/new"}
    assert cluster.addresses("shop/web") == [after], "nobody moves without need"


def test_writing_down_the_own_address_changes_nothing() -> None:
    cluster = Cluster(service("shop/web"))
    before = cluster.addresses("shop/web")
    cluster.put(service("shop/web", ips=before))
    assert (cluster.addresses("shop/web"), cluster.problems()) == (before, [])
    cluster.put(service("shop/web"))
    assert cluster.addresses("shop/web") == before


def test_written_addresses_go_first_within_a_round() -> None:
    (taken,) = Cluster(service("shop/web")).addresses("shop/web")
    both = service("shop/web"), service("shop/new", ips=[taken])
    one, other = Cluster(*both), Cluster(*reversed(both))
    assert one.addresses("shop/web") == other.addresses("shop/web") != [taken]


def test_an_exhausted_range_is_reported_and_used_again() -> None:
    cluster = Cluster(*(service(f"shop/s{n}", at=f"a.yaml:{n}") for n in range(1, 15)), service_cidr=["10.0.0.0/28"])
    (poor,) = [n for n in range(1, 15) if not cluster.addresses(f"shop/s{n}")]
    (problem,) = cluster.problems()
    assert problem.startswith(f"a.yaml:{poor}: error CD402 Service shop/s{poor}: service_cidr has no free address left")
    gone = poor % 14 + 1
    assert cluster.round([Delete("Service", key(f"shop/s{gone}"))]) == {f"shop/s{gone}", f"shop/s{poor}"}
    assert cluster.addresses(f"shop/s{poor}")
    assert cluster.problems() == []


def test_a_family_without_a_range_is_reported_and_the_other_one_served() -> None:
    cluster = Cluster(service("shop/web", ip_family_policy="RequireDualStack", at="a.yaml:1"))
    assert len(cluster.addresses("shop/web")) == 1
    (problem,) = cluster.problems()
    assert problem.startswith("a.yaml:1: error CD404 Service shop/web: it asks for IPv6, but service_cidr has no IPv6")


def test_a_change_of_type_gives_the_address_back() -> None:
    cluster = Cluster(service("shop/web"))
    before = cluster.addresses("shop/web")
    cluster.put(service("shop/web", type="ExternalName", external_name="example.org"))
    assert cluster.addresses("shop/web") == []
    cluster.put(service("shop/web"))
    assert cluster.addresses("shop/web") == before


def test_nobody_moves_over_a_restart_with_memory() -> None:
    names = [f"shop/s{number}" for number in range(200)]
    first = Cluster(service_cidr=["10.0.0.0/24"])
    for name in names:  # one round each: collisions are resolved in the order of coming, which no rebuild knows
        first.put(service(name))
    before = {name: first.addresses(name) for name in names}
    again = Cluster(
        *map(service, ["shop/new", *names]), service_cidr=["10.0.0.0/24"], memory=first.controllers.export()
    )
    assert {name: again.addresses(name) for name in names} == before


def test_mirrored_endpoints_of_a_headless_service_keep_both_families() -> None:
    written = endpoints_object("shop/db", subset([], "192.168.2.8", "fd00::8"))
    cluster = Cluster(service("shop/db", headless=True), written)
    assert cluster.shown("shop/db") == ["IPv4 -: 192.168.2.8 ready", "IPv6 -: fd00::8 ready"]
