"""The DNS checks of Kubernetes' conformance suite (test/e2e/network/dns.go) as far as a DNS server takes part.

What runs in pods there runs here behind the files that kubelet would write; pods are what a stand-in kubelet says.
"""

from collections.abc import Iterator

import pytest

from live.api import Manifest
from live.clusters import manifest
from live.control_plane import missing
from live.kubelet import pod
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
LABELS = {"dns-test": "true"}
LONG = "l" * 60


@pytest.fixture(scope="module", params=ETCDS)
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched(tmp_path_factory.mktemp("conformance"), request.param) as made:
        yield made


def test_names_of_the_cluster(cluster: Watched) -> None:
    """'should provide DNS for the cluster'."""
    pod = cluster.pod("default")
    for name in ("kubernetes.default.svc.cluster.local", "kubernetes.default.svc", "kubernetes.default", "kubernetes"):
        found = pod.dig(name)
        assert len(found) == 1
        assert found == pod.dig(name, tcp=True) == pod.getent(name)
    assert pod.name_of(found[0]) == "kubernetes.default.svc.cluster.local"


def test_entries_of_etc_hosts(cluster: Watched) -> None:
    """'should provide /etc/hosts entries for the cluster': kubelet's part is the file.

    Ours: whoever asks DNS past it is told the same, and what the file does not have is found.
    """
    namespace, (address, _) = _querier(cluster, "hosts-test", "dns-querier-1", "dns-test-service")
    full = f"dns-querier-1.dns-test-service.{namespace}.svc.cluster.local"
    inner = cluster.pod(namespace, f"{address} {full} dns-querier-1")
    assert inner.getent("dns-querier-1") == inner.getent(full) == [address]
    assert cluster.pod(namespace).getent(full) == [address]
    assert inner.getent("kubernetes.default") == inner.dig("kubernetes.default")


@pytest.fixture(scope="module")
def services(cluster: Watched) -> tuple[str, Manifest, list[str]]:
    """A headless Service and a regular one over the same two pods: namespace, the regular one, pod addresses."""
    namespace, api = cluster.namespace("services"), cluster.plane.api
    api.create(headless(namespace, "dns-test-service", selector=LABELS))
    regular = api.create(service(namespace, "test-service-2", selector=LABELS))
    addresses = []
    for name in ("web-0", "web-1"):
        api.create(pod(namespace, name, LABELS))
        addresses.append(cluster.kubelet.run(namespace, name)[0])
    first, both = has(f"A {addresses[0]}"), has(*(f"A {one}" for one in addresses))
    cluster.expect(inside(f"dns-test-service.{namespace}"), "A", both, [ABSENT, first])
    cluster.until_endpoints(namespace, "test-service-2", ready_addresses(*addresses))
    return namespace, regular, addresses


def test_services(cluster: Watched, services: tuple[str, Manifest, list[str]]) -> None:
    """'should provide DNS for services': A, SRV of both kinds of Services, PTR of the ClusterIP."""
    namespace, regular, addresses = services
    address = regular["spec"]["clusterIP"]
    cluster.expect(inside(f"test-service-2.{namespace}"), "A", has(f"A {address}"), [ABSENT])
    targets = [inside(f"{one.replace('.', '-')}.dns-test-service.{namespace}") for one in addresses]
    srv = has(*(f"SRV 0 50 8080 {target}" for target in targets))
    cluster.expect(inside(f"_http._tcp.dns-test-service.{namespace}"), "SRV", srv)
    for target, pod_address in zip(targets, addresses, strict=True):
        cluster.expect(target, "A", has(f"A {pod_address}"))
    own = inside(f"test-service-2.{namespace}")
    cluster.expect(inside(f"_http._tcp.test-service-2.{namespace}"), "SRV", has(f"SRV 0 100 80 {own}"))
    cluster.expect(cluster.reverse(address), "PTR", has(f"PTR {own}"))


def test_partially_qualified_names(cluster: Watched, services: tuple[str, Manifest, list[str]]) -> None:
    """'should resolve DNS of partial qualified names for services': the search list of the pod's resolv.conf."""
    namespace, regular, addresses = services
    address = regular["spec"]["clusterIP"]
    pod = cluster.pod(namespace)
    for tail in ("", f".{namespace}", f".{namespace}.svc", f".{namespace}.svc.cluster.local"):
        for tcp in (False, True):
            assert pod.dig(f"dns-test-service{tail}", tcp=tcp) == sorted(addresses)
            assert pod.dig(f"test-service-2{tail}", tcp=tcp) == [address]
            assert len(pod.dig(f"_http._tcp.dns-test-service{tail}", "SRV", tcp=tcp)) == 2
            assert len(pod.dig(f"_http._tcp.test-service-2{tail}", "SRV", tcp=tcp)) == 1
        assert pod.getent(f"dns-test-service{tail}") == sorted(addresses)
        assert pod.getent(f"test-service-2{tail}") == [address]
    elsewhere = cluster.pod("default")
    assert elsewhere.getent("test-service-2") == elsewhere.dig("test-service-2") == []
    assert elsewhere.getent(f"test-service-2.{namespace}") == [address]


def _querier(cluster: Watched, namespace: str, hostname: str, subdomain: str) -> tuple[str, tuple[str, str]]:
    """A headless Service and a pod with *hostname* and *subdomain*: the namespace and the pod's addresses."""
    api = cluster.plane.api
    cluster.namespace(namespace)
    api.create(headless(namespace, subdomain, selector=LABELS))
    api.create(pod(namespace, "any-name", LABELS, hostname=hostname, subdomain=subdomain))
    addresses = cluster.kubelet.run(namespace, "any-name")
    cluster.expect(inside(f"{hostname}.{subdomain}.{namespace}"), "A", has(f"A {addresses[0]}"), [ABSENT])
    return namespace, addresses


def test_pods_for_hostname(cluster: Watched) -> None:
    """'should provide DNS for pods for Hostname': the name of the pod and no other."""
    namespace, (address, _) = _querier(cluster, "hostname-test", "dns-querier-2", "dns-test-service-2")
    dashed = address.replace(".", "-")
    cluster.expect(inside(f"{dashed}.dns-test-service-2.{namespace}"), "A", ABSENT)
    full = inside(f"dns-querier-2.dns-test-service-2.{namespace}")
    cluster.expect(inside(f"_http._tcp.dns-test-service-2.{namespace}"), "SRV", has(f"SRV 0 100 8080 {full}"))
    cluster.expect(cluster.reverse(address), "PTR", has(f"PTR {full}"))


def test_pods_for_subdomain(cluster: Watched) -> None:
    """'should provide DNS for pods for Subdomain': hostname.subdomain and subdomain, partially qualified as well."""
    namespace, (address, _) = _querier(cluster, "subdomain-test", "dns-querier-2", "dns-test-service-2")
    pod = cluster.pod(namespace, hostname="dns-querier-2", subdomain="dns-test-service-2")
    for name in ("dns-test-service-2", f"dns-test-service-2.{namespace}", f"dns-test-service-2.{namespace}.svc"):
        assert pod.getent(name) == pod.getent(f"dns-querier-2.{name}") == [address]
        for tcp in (False, True):
            assert pod.dig(f"dns-querier-2.{name}", tcp=tcp) == pod.dig(name, tcp=tcp) == [address]


def test_external_name(cluster: Watched) -> None:
    """'should provide DNS for ExternalName services': the CNAME, another one, and then an address."""
    namespace, api = cluster.namespace("external-test"), cluster.plane.api
    made = manifest("v1", "Service", namespace, "dns-test-service-3")
    name = inside(f"dns-test-service-3.{namespace}")
    foo, bar = has("CNAME foo.example.com."), has("CNAME bar.example.com.")
    api.create(made | {"spec": {"type": "ExternalName", "externalName": "foo.example.com"}})
    cluster.expect(name, "CNAME", foo, [ABSENT])
    assert cluster.ask(name, "A").records == foo.records  # whose address a server without upstreams does not know
    api.patch(made, {"spec": {"externalName": "bar.example.com"}})
    cluster.expect(name, "CNAME", bar, [foo])
    ports = [{"port": 80, "name": "http", "protocol": "TCP", "targetPort": 80}]
    now = api.patch(made, {"spec": {"type": "ClusterIP", "externalName": None, "ports": ports}})
    address = has(f"A {now['spec']['clusterIP']}")
    cluster.expect(name, "CNAME", EMPTY, [bar])
    cluster.expect(name, "A", address)
    pod = cluster.pod(namespace)
    assert [f"A {one}" for one in pod.getent("dns-test-service-3")] == [*address.records]


def test_configurable_nameservers(cluster: Watched) -> None:
    """'should support configurable pod DNS nameservers': the pod's file is kubelet's, and ``resolvconf`` writes it.

    Ours: with our server named there, its search list leads to the cluster's names.
    """
    nobody, search = "192.0.2.53", "resolv.conf.local"
    config = {"nameservers": [nobody], "searches": [search]}
    pod = cluster.pod("default", dnsPolicy="None", dnsConfig=config)
    assert pod.resolv_conf == f"search {search}\nnameserver {nobody}\n"
    config = {"nameservers": [cluster.address], "searches": ["default.svc.cluster.local"]}
    pod = cluster.pod("default", dnsPolicy="None", dnsConfig=config | {"options": [{"name": "ndots", "value": "2"}]})
    assert len(pod.getent("kubernetes")) == 1
    assert pod.getent("kubernetes") == pod.dig("kubernetes")


def test_long_search_lists(cluster: Watched) -> None:
    """More than 6 domains and 256 characters; underscores; the root alone."""
    searches = [f"{LONG}.{number}.example" for number in range(8)] + ["_under_scored.example", "."]
    pod = cluster.pod("default", dnsConfig={"searches": searches})
    assert len(pod.dig("kubernetes")) == 1
    assert pod.getent("kubernetes.default") == pod.dig("kubernetes")


def test_names_that_begin_with_a_digit(cluster: Watched) -> None:
    """A namespace's may, and with the feature gate RelaxedServiceNameValidation a Service's, too."""
    namespace = cluster.namespace("1st")
    made = cluster.plane.api.create(service(namespace, "web"))
    cluster.expect(inside("web.1st"), "A", has(f"A {made['spec']['clusterIP']}"), [ABSENT])
