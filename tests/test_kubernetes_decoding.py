"""What an API server sends and what stands in a manifest are the same objects."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_api import endpoint_slice, event, namespace, pod, service
from following import manifest_objects
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from clusterdns.cluster.addresses import address_text
from clusterdns.cluster.model import EndpointSlice, Key, Object, Pod, Service
from clusterdns.sources.kubernetes.decoding import Decoder, message_of, number, page_of, versions_of
from clusterdns.sources.kubernetes.faults import ApiError, Reason

DUMP = Path(__file__).parents[2] / "shared" / "real" / "cluster-dump.yaml"
KINDS = ("Namespace", "Service", "EndpointSlice", "Pod")

labels = st.dictionaries(st.sampled_from(["app", "tier", "pod-template-hash"]), st.sampled_from(["web", "db", ""]))
names = st.sampled_from(["web", "db-0", "a"])
ipv4 = st.integers(0x0A000001, 0x0AFFFFFE).map(lambda number: address_text(number.to_bytes(4)))
ipv6 = st.integers(1, 1 << 64).map(lambda number: address_text((0xFD00 << 112 | number).to_bytes(16)))
addresses = {"IPv4": ipv4, "IPv6": ipv6}
protocols = st.sampled_from(["TCP", "UDP", "SCTP"])


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def metadata(*, owner: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    more = {
        "labels": labels,
        "resourceVersion": st.just("7"),
        "uid": st.just("4b8"),
        "managedFields": st.just([{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}]),
        "annotations": st.dictionaries(
            st.sampled_from(["a/b", "service.alpha.kubernetes.io/tolerate-unready-endpoints"]),
            st.sampled_from(["true", "false"]),
        ),
    }
    fixed = {"name": names} | ({"namespace": st.sampled_from(["shop", "ops"])} if owner else {})
    return st.fixed_dictionaries(fixed, optional=more)


service_port = st.fixed_dictionaries(
    {"port": st.integers(1, 65535), "protocol": protocols},
    optional={"targetPort": st.sampled_from([8080, "http"]), "nodePort": st.integers(30000, 32767)},
)


@st.composite
def services(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer", "ExternalName", "headless"]))
    spec = draw(
        optional(
            selector=labels,
            publishNotReadyAddresses=st.booleans(),
            sessionAffinity=st.just("None"),
            internalTrafficPolicy=st.just("Cluster"),
        )
    )
    ports = draw(st.lists(service_port, min_size=1, max_size=3))
    spec["ports"] = [port | {"name": f"p{index}"} for index, port in enumerate(ports)]
    if kind not in ("NodePort", "LoadBalancer"):
        spec["ports"] = [{name: value for name, value in port.items() if name != "nodePort"} for port in spec["ports"]]
    spec["ports"] = list({(port["port"], port["protocol"]): port for port in spec["ports"]}.values())
    spec["type"] = "ClusterIP" if kind == "headless" else kind
    if kind == "ExternalName":
        return {"spec": spec | {"externalName": draw(st.sampled_from(["example.org", "a.shop.svc.cluster.local"]))}}
    families = draw(st.permutations(["IPv4", "IPv6"]).map(lambda both: both[:1]) | st.just(["IPv4", "IPv6"]))
    ips = ["None"] if kind == "headless" else [draw(addresses[family]) for family in families]
    spec |= {"clusterIP": ips[0], "clusterIPs": ips, "ipFamilies": families}
    spec["ipFamilyPolicy"] = "SingleStack" if len(families) == 1 else "RequireDualStack"
    status: dict[str, Any] = {"loadBalancer": {}}
    if kind == "LoadBalancer":
        status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.7", "ipMode": "VIP"}, {"hostname": "lb.example.org"}]}}
        spec["allocateLoadBalancerNodePorts"] = draw(st.booleans())
    return {"spec": spec, "status": status}


@st.composite
def slices(draw: st.DrawFn) -> dict[str, Any]:
    family = draw(st.sampled_from(["IPv4", "IPv6"]))
    flag = st.none() | st.booleans()
    endpoint = st.fixed_dictionaries(
        {"addresses": st.lists(addresses[family], min_size=1, max_size=2)},
        optional={
            "conditions": optional(ready=flag, serving=flag, terminating=flag),
            "hostname": names,
            "nodeName": st.sampled_from(["node-1", "node-2"]),
            "zone": st.just("a"),
            "targetRef": st.sampled_from([{"kind": "Pod", "name": "web-0"}, {"kind": "Node", "name": "n"}]),
        },
    )
    port = optional(
        name=st.sampled_from(["", "http"]), port=st.none() | st.integers(1, 65535), protocol=st.none() | protocols
    )
    return {
        "addressType": family,
        "endpoints": draw(st.none() | st.lists(endpoint, max_size=4)),
        "ports": draw(st.none() | st.lists(port, max_size=1)),
    }


pods = st.fixed_dictionaries(
    {
        "spec": optional(
            hostname=names,
            subdomain=names,
            nodeName=st.just("node-1"),
            containers=st.just(
                [{"name": "c", "image": "i", "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}]}]
            ),
            initContainers=st.just([{"name": "s", "restartPolicy": "Always", "ports": [{"containerPort": 81}]}]),
        ),
        "status": optional(
            phase=st.sampled_from(["Pending", "Running", "Succeeded"]),
            podIP=ipv4,
            podIPs=st.tuples(ipv4, ipv6).map(lambda both: [{"ip": one} for one in both]),
            conditions=st.just([{"type": "Ready", "status": "True"}]),
        ),
    }
)

BODIES = {"Namespace": st.just({}), "Service": services(), "EndpointSlice": slices(), "Pod": pods}


@st.composite
def objects(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(KINDS))
    version = "discovery.k8s.io/v1" if kind == "EndpointSlice" else "v1"
    meta = draw(metadata(owner=kind != "Namespace"))
    if kind == "EndpointSlice":
        meta["labels"] = meta.get("labels", {}) | {"kubernetes.io/service-name": "web"}
    if kind == "Pod" and draw(st.booleans()):
        meta["deletionTimestamp"] = "2026-11-21T05:00:00Z"
    return {"apiVersion": version, "kind": kind, "metadata": meta} | draw(BODIES[kind])


def as_listed(item: dict[str, Any]) -> Object | None:
    """Items of typed lists do not say what they are."""
    bare = {name: value for name, value in item.items() if name not in ("kind", "apiVersion")}
    return Decoder(item["kind"]).item(Raw(json.dumps(bare))).object


def as_watched(item: dict[str, Any]) -> Object | None:
    return Decoder(item["kind"]).line(event("MODIFIED", item)).object


@given(objects())
def test_like_manifests(item: dict[str, Any]) -> None:
    (written,) = manifest_objects([item])
    assert as_listed(item) == written
    assert as_watched(item) == written


@pytest.mark.skipif(not DUMP.exists(), reason="no dump of a real cluster beside the checkout")
def test_like_manifests_for_a_real_dump() -> None:
    documents = yaml.safe_load_all(DUMP.read_text())
    items = [item for document in documents for item in (document.get("items") or [document])]
    known = [item for item in items if item["kind"] in KINDS]
    assert {item["kind"] for item in known} == set(KINDS)
    for item in known:
        plain = json.loads(json.dumps(item, default=lambda moment: moment.isoformat()))
        (written,) = manifest_objects([plain])
        assert as_watched(plain) == written


def test_namespaces_come_as_metadata_only() -> None:
    item = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "shop"}}
    seen = Decoder("Namespace").line(event("ADDED", item))
    assert seen.object == manifest_objects([namespace("shop")])[0]


def test_strings_are_shared() -> None:
    """There are 150,000 of some."""
    made = []
    for number_ in range(2):
        item = endpoint_slice(f"shop/web-{number_}", "10.1.0.1", of="web")
        item["endpoints"][0]["nodeName"] = "node-1"
        found = as_watched(item)
        assert isinstance(found, EndpointSlice)
        made.append(found)
    one, other = made
    assert one.key.namespace is other.key.namespace
    assert one.endpoints[0].node is other.endpoints[0].node
    assert next(iter(one.labels)) is next(iter(other.labels))


def test_pods_of_a_workload_share_what_is_the_same() -> None:
    decoder, made = Decoder("Pod"), []
    for number_ in range(2):
        item = pod(f"shop/web-{number_}", f"10.1.0.{number_}")
        item["metadata"]["labels"] = {"app": "web"}
        item["spec"] = {"containers": [{"name": "c", "ports": [{"containerPort": 80}]}]}
        found = decoder.line(event("ADDED", item)).object
        assert isinstance(found, Pod)
        made.append(found)
    assert made[0].labels is made[1].labels
    assert made[0].ports is made[1].ports


# What older servers let in, and Kubernetes reads all the same (netutils.ParseIPSloppy).
LEGACY = [("10.01.002.3", "10.1.2.3"), ("010.0.0.010", "10.0.0.10"), ("::ffff:10.1.2.3", "10.1.2.3")]


@pytest.mark.parametrize(("written", "meant"), LEGACY)
def test_legacy_addresses(written: str, meant: str) -> None:
    found = as_watched(endpoint_slice("shop/web", written, "10.9.9.9"))
    assert isinstance(found, EndpointSlice)
    assert [address_text(one.address) for one in found.endpoints] == [meant, "10.9.9.9"]


def test_one_bad_address_costs_this_address() -> None:
    found = as_watched(endpoint_slice("shop/web", "nonsense", "10.1.0.1", "fd00::1"))
    assert isinstance(found, EndpointSlice)
    assert [address_text(one.address) for one in found.endpoints] == ["10.1.0.1"]
    served = as_watched(service("shop/web", "010.96.0.1"))
    assert isinstance(served, Service)
    assert [address_text(one) for one in served.cluster_ips] == ["10.96.0.1"]
    item = service("shop/web")
    item["spec"] |= {"clusterIPs": ["10.96.0.1", "nonsense"], "ipFamilies": ["IPv4", "IPv8"]}
    served = as_watched(item)
    assert isinstance(served, Service)
    assert (len(served.cluster_ips), served.ip_families) == (1, (4,))
    odd = as_watched(pod("shop/web-0", "nonsense"))
    assert isinstance(odd, Pod)
    assert odd.addresses == ()


def test_a_slice_of_a_time_to_come() -> None:
    item = endpoint_slice("shop/web", "x") | {"addressType": "IPv8"}
    found = as_watched(item)
    assert isinstance(found, EndpointSlice)
    assert (found.family, found.endpoints) == (0, ())


def test_unreadable_objects_have_names() -> None:
    item = service("shop/web")
    item["metadata"]["resourceVersion"] = "12"
    item["spec"]["ports"] = "many"
    for seen in (Decoder("Service").line(event("MODIFIED", item)), Decoder("Service").item(Raw(json.dumps(item)))):
        assert (seen.key, seen.version, seen.object) == (Key("shop", "web"), "12", None)
        assert "ports" in seen.problem


def test_an_object_of_octets_that_are_no_text() -> None:
    odd = b'{"metadata":{"namespace":"shop","name":"web","resourceVersion":"12"},"spec":{"type":"\xff"}}'
    line = b'{"type":"MODIFIED","object":%b}' % odd
    for seen in (Decoder("Service").line(line), Decoder("Service").item(Raw(odd))):
        assert (seen.key, seen.version, seen.object) == (Key("shop", "web"), "12", None)
        assert seen.problem


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", Reason.GARBLED),
        (b'{"type":"ADDED","object":{"metadata":{"name":"\xff"}}}', Reason.GARBLED),
        (b'{"type":"ERROR","object":{"reason":"Expired","message":"too old"}}', Reason.EXPIRED),
        (b'{"type":"ERROR","object":{"reason":"Gone"}}', Reason.EXPIRED),
        (b"[]", Reason.GARBLED),
        (b'{"type":"ADDED","object":{}}', Reason.GARBLED),
        (b'{"type":"ADDED","object":{"spec":7}}', Reason.GARBLED),
        (b'{"type":"EXPLODED","object":{"metadata":{"name":"x"}}}', Reason.GARBLED),
        (b'{"type":"ERROR","object":{"code":410,"message":"too old"}}', Reason.EXPIRED),
        (b'{"type":"ERROR","object":{"code":500}}', Reason.FAILED),
        (b'{"type":"ERROR","object":{"code":403,"metadata":{},"status":"Failure"}}', Reason.FORBIDDEN),
        (b'{"type":"ERROR","object":{"code":"?"}}', Reason.FAILED),
        (b'{"type":"ERROR","object":{"code":429,"details":{"retryAfterSeconds":7}}}', Reason.BUSY),
    ],
)
def test_errors(line: bytes, reason: Reason) -> None:
    with pytest.raises(ApiError) as caught:
        Decoder("Service").line(line)
    assert caught.value.reason is reason
    assert caught.value.retry_after == (7 if reason is Reason.BUSY else 0)


def test_bookmarks() -> None:
    plain = Decoder("Service").line(b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}')
    assert (plain.type, plain.version, plain.ends_list) == ("BOOKMARK", "9", False)
    ending = {"resourceVersion": "9", "annotations": {"k8s.io/initial-events-end": "true"}}
    assert Decoder("Service").line(event("BOOKMARK", {"metadata": ending, "spec": {}})).ends_list


def test_pages() -> None:
    text = (
        b'{"kind":"ServiceList","metadata":{"resourceVersion":"5","continue":"x"},"items":[{"metadata":{"name":"a"}}]}'
    )
    page = page_of(text)
    assert (page.version, page.token, len(page.items)) == ("5", "x", 1)
    assert versions_of(text).entries == [(Key("", "a"), "")]
    empty = page_of(b'{"metadata":{"resourceVersion":"5"},"items":null}')
    assert (empty.version, empty.token, empty.items) == ("5", "", [])
    for nonsense in (b"", b"[]", b'{"items":[]}', b'{"metadata":{},"items":7}', b'{"metadata":{"continue":"\xff"}}'):
        for read in (page_of, versions_of):
            with pytest.raises(ApiError):
                read(nonsense)


def test_what_refusals_say() -> None:
    assert message_of(b'{"kind":"Status","message":"services is forbidden"}') == "services is forbidden"
    assert message_of(b"<html>a proxy</html>") == "<html>a proxy</html>"
    assert message_of(b"") == ""
    assert message_of(b'{"message":"\xff"}').startswith('{"message"')


def test_versions_as_numbers() -> None:
    assert [number(text) for text in ("12", "", "a", "-1", "٣", "1.5")] == [12, 0, 0, 0, 0, 0]
