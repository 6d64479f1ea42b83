"""Node ports: who gets them, from where, and what is said about conflicts (features.md §5.3)."""

import pytest
from objects import Cluster, service
from strategies import key

from clusterdns.cluster.events import Delete
from clusterdns.cluster.model import Service

TWO = ("dns/udp/53", "dns-tcp/tcp/53")
WHO: dict[str, tuple[Service, int]] = {  # -> how many node ports
    "ClusterIP": (service("a/b", *TWO), 0),
    "NodePort": (service("a/b", "http/tcp/80", "dns/udp/53", type="NodePort"), 2),
    "LoadBalancer": (service("a/b", "http/tcp/80", type="LoadBalancer"), 1),
    "LoadBalancer that declines": (service("a/b", "http/tcp/80", type="LoadBalancer", allocate_node_ports=False), 0),
    "one that declines, but writes": (
        service("a/b", "http/tcp/80>80@30080", type="LoadBalancer", allocate_node_ports=False), 1),
    "TCP and UDP of one port share it": (service("a/b", *TWO, type="NodePort"), 1),
}  # fmt: skip


@pytest.mark.parametrize(("of", "count"), WHO.values(), ids=WHO)
def test_who_gets_node_ports(of: Service, count: int) -> None:
    got = set(Cluster(of).node_ports("a/b")) - {0}
    assert len(got) == count
    assert all(30086 <= port <= 32767 or port == 30080 for port in got)


def test_a_port_follows_the_one_its_other_protocol_writes() -> None:
    cluster = Cluster(service("a/b", "dns/udp/53", "dns-tcp/tcp/53>53@30053", type="NodePort"))
    assert cluster.node_ports("a/b") == [30053, 30053]


def test_written_ones_are_kept_and_the_later_document_is_reported() -> None:
    cluster = Cluster(
        service("shop/a", "http/tcp/80>80@30080", type="NodePort", at="b.yaml:1"),
        service("shop/b", "dns/udp/53>53@30080", type="NodePort", at="a.yaml:1"),
        service("shop/c", "http/tcp/80>80@8080", type="NodePort", at="c.yaml:1"),
    )
    assert [cluster.node_ports(name) for name in ("shop/a", "shop/b", "shop/c")] == [[30080], [30080], [8080]]
    duplicate, outside = cluster.problems()
    assert duplicate.startswith(
        "b.yaml:1: error CD405 Service shop/a: node port 30080 is already that of shop/b (a.yaml)"
    )
    assert outside.startswith("c.yaml:1: warning CD407 Service shop/c: node port 8080 is outside 30000-32767")


def test_who_holds_by_allocation_what_another_one_writes_moves() -> None:
    cluster = Cluster(service("shop/a", "http/tcp/80", type="NodePort"))
    (before,) = cluster.node_ports("shop/a")
    assert cluster.put(service("shop/b", f"http/tcp/80>80@{before}", type="NodePort")) == {"shop/a", "shop/b"}
    assert cluster.node_ports("shop/b") == [before]
    assert cluster.node_ports("shop/a") not in ([before], [0])


def test_the_lower_band_comes_last_and_then_there_is_nothing() -> None:
    ports = [f"p{number}/tcp/{number}" for number in range(1, 2770)]
    cluster = Cluster(service("shop/all", *ports, type="NodePort", at="a.yaml:1"))
    got = cluster.node_ports("shop/all")
    assert sorted(got) == [0, *range(30000, 32768)]
    (problem,) = cluster.problems()
    assert problem.startswith("a.yaml:1: error CD406 Service shop/all: no node port is left for its port")


def test_a_port_keeps_its_node_port_while_others_come_and_go() -> None:
    cluster = Cluster(service("shop/a", "http/tcp/80", "tls/tcp/443", type="NodePort"))
    http, _ = cluster.node_ports("shop/a")
    cluster.put(service("shop/a", "admin/tcp/9", "http/tcp/80", type="LoadBalancer"))
    assert cluster.node_ports("shop/a")[1] == http
    cluster.round([Delete("Service", key("shop/a"))])
    assert cluster.controllers.export().node_ports == {}
