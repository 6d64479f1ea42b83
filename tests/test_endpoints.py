"""Selector -> slices: one row of the endpointslice controller's rules per case (features.md §5.1)."""

from random import Random

import pytest
from objects import pod, shown, web

from clusterdns.cluster.model import Pod, Service
from clusterdns.controllers.endpoints import MANAGED_BY, slices_for

HTTP = "http/tcp/80>8080"
NAMED = "http/tcp/80>web"
CASES: dict[str, tuple[Service, list[Pod], str]] = {
    "ready": (web(HTTP), [pod("shop/a", "10.1.0.1")], """
        IPv4 http/tcp/8080: 10.1.0.1 ready serving"""),
    "not ready: kept, not ready": (web(HTTP), [pod("shop/a", "10.1.0.1", ready=False)], """
        IPv4 http/tcp/8080: 10.1.0.1"""),
    "publishNotReadyAddresses": (web(HTTP, publish_not_ready=True), [pod("shop/a", "10.1.0.1", ready=False)], """
        IPv4 http/tcp/8080: 10.1.0.1 ready"""),
    "terminating: kept, not ready, may serve": (web(HTTP), [pod("shop/a", "10.1.0.1", terminating=True)], """
        IPv4 http/tcp/8080: 10.1.0.1 serving terminating"""),
    "terminating and publishNotReadyAddresses": (
        web(HTTP, publish_not_ready=True), [pod("shop/a", "10.1.0.1", terminating=True, ready=False)], """
        IPv4 http/tcp/8080: 10.1.0.1 ready terminating"""),
    "finished: never": (
        web(HTTP, publish_not_ready=True),
        [pod("shop/a", "10.1.0.1", phase="Succeeded"), pod("shop/b", "10.1.0.2", phase="Failed")], ""),
    "without an address: never": (web(HTTP), [pod("shop/a")], ""),
    "hostname with this Service as subdomain": (web(), [pod("shop/a", "10.1.0.1", hostname="h", subdomain="web")], """
        IPv4 -: 10.1.0.1 h ready serving"""),
    "hostname with another subdomain": (web(), [pod("shop/a", "10.1.0.1", hostname="h", subdomain="db")], """
        IPv4 -: 10.1.0.1 ready serving"""),
    "subdomain without a hostname": (web(), [pod("shop/a", "10.1.0.1", subdomain="web")], """
        IPv4 -: 10.1.0.1 ready serving"""),
    "named target: per pod, by name and protocol, first match": (web(NAMED), [
        pod("shop/a", "10.1.0.1", ports=["web/udp/1", "web/tcp/8080", "web/tcp/9"]),
        pod("shop/b", "10.1.0.2", ports=["web/tcp/9090"]),
        pod("shop/c", "10.1.0.3", ports=["web/tcp/8080"])], """
        IPv4 http/tcp/8080: 10.1.0.1 ready serving
        IPv4 http/tcp/8080: 10.1.0.3 ready serving
        IPv4 http/tcp/9090: 10.1.0.2 ready serving"""),
    "no port resolves: present, without ports": (web(NAMED), [pod("shop/a", "10.1.0.1", ports=["web/udp/53"])], """
        IPv4 -: 10.1.0.1 ready serving"""),
    "some ports resolve": (web(NAMED, "dns/udp/53>53"), [pod("shop/a", "10.1.0.1")], """
        IPv4 dns/udp/53: 10.1.0.1 ready serving"""),
    "only the families asked for, first address of a pod or not": (
        web(), [pod("shop/a", "fd00::1", "10.1.0.1"), pod("shop/b", "fd00::2")], """
        IPv4 -: 10.1.0.1 ready serving"""),
    "two families, two slices": (web(ip_families=(6, 4)), [pod("shop/a", "10.1.0.1", "fd00::1")], """
        IPv4 -: 10.1.0.1 ready serving
        IPv6 -: fd00::1 ready serving"""),
}  # fmt: skip


@pytest.mark.parametrize(("of", "pods", "expected"), CASES.values(), ids=CASES)
def test_slices_for(of: Service, pods: list[Pod], expected: str) -> None:
    got = slices_for(of, pods, of.ip_families or (4,))
    assert shown(got) == [line.strip() for line in expected.strip().splitlines()]


def test_the_order_of_pods_changes_nothing() -> None:
    pods = [pod(f"shop/p{n}", f"10.1.0.{n}", ports=[f"web/tcp/{8000 + n % 3}"]) for n in range(30)]
    once = slices_for(web(NAMED), pods, (4,))
    Random(7).shuffle(pods)
    assert slices_for(web(NAMED), pods, (4,)) == once
    assert [one.key for one in once] == sorted(one.key for one in once)
    assert len({one.key for one in once}) == 3


def test_a_slice_keeps_its_name_while_other_slices_come_and_go() -> None:
    pods = [pod("shop/a", "10.1.0.1", ports=["web/tcp/1"]), pod("shop/b", "10.1.0.2", ports=["web/tcp/2"])]
    (alone,) = slices_for(web(NAMED), pods[1:], (4,))
    assert alone.key in {one.key for one in slices_for(web(NAMED), pods, (4,))}


def test_what_a_made_slice_says_about_itself() -> None:
    (made,) = slices_for(web(labels={"team": "a"}), [pod("shop/a", "10.1.0.1", node="n1")], (4,))
    assert (made.service, made.managed_by, made.labels) == (web().key, MANAGED_BY, {"team": "a"})
    assert (made.endpoints[0].node, made.endpoints[0].target) == ("n1", "a")
