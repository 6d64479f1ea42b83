"""One file's octets -> objects and problems."""

import json
import textwrap
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct, to_builtins

from clusterdns.cluster.addresses import address_text
from clusterdns.cluster.decode import Decoded, DocumentCache, decode_file
from clusterdns.cluster.documents import Limits
from clusterdns.cluster.labels import Requirement
from clusterdns.cluster.model import (
    READY,
    SERVING,
    TERMINATING,
    Endpoints,
    EndpointSlice,
    Key,
    Namespace,
    Object,
    Pod,
    Port,
    Service,
    ServicePort,
    Workload,
    subject,
)


def decode(text: str | bytes, cache: DocumentCache | None = None, path: str = "f.yaml") -> Decoded:
    data = textwrap.dedent(text).encode() if isinstance(text, str) else text
    return decode_file(data, path, cache or DocumentCache())


def only(text: str | bytes) -> Any:
    """The one object of a file without problems."""
    decoded = decode(text)
    assert not decoded.problems, decoded.problems
    (item,) = decoded.objects
    _check_exact(item)
    return item


def _check_exact(value: Any) -> None:
    """No Quoted gets into the model."""
    if isinstance(value, Struct):
        for name in value.__struct_fields__:
            _check_exact(getattr(value, name))
    elif isinstance(value, dict):
        for part in (*value.keys(), *value.values()):
            _check_exact(part)
    elif isinstance(value, tuple | frozenset):
        for part in value:
            _check_exact(part)
    elif isinstance(value, str):
        assert type(value) is str, value


def subjects(decoded: Decoded) -> list[str]:
    return [subject(item) for item in decoded.objects]


def problems(decoded: Decoded) -> list[str]:
    return [f"{problem.line} {problem.code}" for problem in decoded.problems]


WEB = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {ports: [{port: 80}]}
"""
API = WEB.replace("web", "api")
BROKEN = WEB.replace("port: 80", "port: 0")

SERVICE = """
    apiVersion: v1
    kind: Service
    metadata:
      name: "web"
      namespace: shop
      labels: {app: no, "tier": 'front', empty: , n: 5}
    spec:
      type: NodePort
      clusterIPs: [10.96.0.10, "fd00:10:96::10"]
      clusterIP: 10.96.0.10
      ipFamilies: [IPv4, IPv6]
      ipFamilyPolicy: PreferDualStack
      selector: {app: no}
      publishNotReadyAddresses: yes
      allocateLoadBalancerNodePorts: false
      externalIPs: [192.0.2.7]
      ports:
      - {name: http, port: 0x50, targetPort: "web", nodePort: 30080}
      - {name: dns, port: 53, protocol: UDP, targetPort: 5353}
      - null
    status:
      loadBalancer: {ingress: [{ip: 192.0.2.1}, {hostname: lb.example}, {}]}
"""


def test_service() -> None:
    service = only(SERVICE)
    assert isinstance(service, Service)
    assert service.key == Key("shop", "web")
    assert (service.place.path, service.place.line, service.place.offset) == ("f.yaml", 2, 0)
    assert service.labels == {"app": "no", "tier": "front", "empty": "", "n": "5"}
    assert [address_text(address) for address in service.cluster_ips] == ["10.96.0.10", "fd00:10:96::10"]
    assert (service.type, service.headless) == ("NodePort", False)
    assert (service.ip_families, service.ip_family_policy) == ((4, 6), "PreferDualStack")
    assert service.selector == {"app": "no"}
    assert service.publish_not_ready
    assert not service.allocate_node_ports
    assert service.external_ips == ("192.0.2.7",)
    assert service.load_balancer == ("192.0.2.1", "lb.example")
    assert service.ports == (
        ServicePort("http", "tcp", 80, "web", 30080),
        ServicePort("dns", "udp", 53, 5353),
    )


def service_with(spec: str, annotations: str = "") -> Service:
    item = only(
        f"{{apiVersion: v1, kind: Service, metadata: {{name: a, annotations: {{{annotations}}}}}, spec: {spec}}}"
    )
    assert isinstance(item, Service)
    return item


def test_service_defaults() -> None:
    service = service_with("{ports: [{port: 80}]}")
    assert service.key == Key("default", "a")
    assert (service.type, service.selector, service.cluster_ips) == ("ClusterIP", None, ())
    assert service.ports == (ServicePort("", "tcp", 80, 80),)
    assert service.allocate_node_ports


def test_service_variants() -> None:
    assert service_with("{clusterIP: None}").headless
    assert service_with("{clusterIP: None, clusterIPs: [None]}").headless
    assert not service_with("{clusterIP: '', ports: [{port: 1}]}").headless
    assert not service_with("{clusterIP: null, ports: [{port: 1}]}").headless
    assert service_with("{type: ExternalName, externalName: db.example.}").external_name == "db.example."
    tolerate = "service.alpha.kubernetes.io/tolerate-unready-endpoints: "
    assert service_with("{clusterIP: None}", tolerate + '"true"').publish_not_ready
    assert not service_with("{clusterIP: None}", tolerate + '"false"').publish_not_ready
    assert service_with("{clusterIP: None, selector: {}}").selector == {}


SLICE = """
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata:
      name: web-1
      labels:
        kubernetes.io/service-name: web
        endpointslice.kubernetes.io/managed-by: me
    addressType: IPv4
    ports: [{name: http, port: 8080}, {name: any}]
    endpoints:
    - addresses: [10.0.0.1, 10.0.0.2]
      hostname: a
      nodeName: node-1
      targetRef: {kind: Pod, name: pod-1}
    - {addresses: [10.0.0.3], conditions: {ready: false}, targetRef: {kind: Node, name: x}}
    - {addresses: [10.0.0.4], conditions: {ready: false, serving: true, terminating: true}}
    - {addresses: [10.0.0.5], conditions: {ready: null, serving: null, terminating: null}}
    - {addresses: [10.0.0.6], conditions: null}
"""


def test_endpoint_slice() -> None:
    item = only(SLICE)
    assert isinstance(item, EndpointSlice)
    assert (item.key, item.service) == (Key("default", "web-1"), Key("default", "web"))
    assert (item.family, item.managed_by) == (4, "me")
    assert item.ports == (Port("http", "tcp", 8080), Port("any", "tcp", 0))
    assert [(address_text(e.address), e.conditions, e.hostname, e.node, e.target) for e in item.endpoints] == [
        ("10.0.0.1", READY | SERVING, "a", "node-1", "pod-1"),
        ("10.0.0.2", READY | SERVING, "a", "node-1", "pod-1"),
        ("10.0.0.3", 0, "", "", ""),
        ("10.0.0.4", SERVING | TERMINATING, "", "", ""),
        ("10.0.0.5", READY | SERVING, "", "", ""),
        ("10.0.0.6", READY | SERVING, "", "", ""),
    ]


def test_endpoint_slices_of_other_kinds() -> None:
    names = only(SLICE.replace("IPv4", "FQDN"))
    assert (names.family, names.endpoints) == (0, ())
    beta = SLICE.replace("slice.k8s.io/v1", "slice.k8s.io/v1beta1").replace("k8s.io/v1\n", "k8s.io/v1beta1\n")
    old = only(beta.replace("nodeName: node-1", "topology: {kubernetes.io/hostname: node-1}"))
    assert old.endpoints[0].node == "node-1"


def test_endpoints() -> None:
    item = only("""
        apiVersion: v1
        kind: Endpoints
        metadata: {name: web, namespace: shop}
        subsets:
        - addresses: [{ip: 10.0.0.1, hostname: a, nodeName: n, targetRef: {kind: Pod, name: p}}]
          notReadyAddresses: [{ip: "fd00::1"}]
          ports: [{port: 80}]
    """)
    assert isinstance(item, Endpoints)
    (subset,) = item.subsets
    assert subset.ports == (Port("", "tcp", 80),)
    assert [(address_text(e.address), e.conditions, e.hostname) for e in subset.endpoints] == [
        ("10.0.0.1", READY | SERVING, "a"),
        ("fd00::1", 0, ""),
    ]
    assert item.mirrored


@pytest.mark.parametrize(
    "meta",
    [
        'labels: {endpointslice.kubernetes.io/skip-mirror: "true"}',
        "annotations: {control-plane.alpha.kubernetes.io/leader: x}",
    ],
)
def test_endpoints_that_are_not_mirrored(meta: str) -> None:
    assert not only(f"{{apiVersion: v1, kind: Endpoints, metadata: {{name: a, {meta}}}}}").mirrored


UP = "podIP: 10.0.0.1"
IS_READY = ", conditions: [{type: Ready, status: 'True'}]"
PODS = {
    "an IP alone is up": ("", UP, ("Running", True, False)),
    "unless the phase says otherwise": ("", UP + ", phase: Failed", ("Failed", False, False)),
    "or it is being deleted": ("deletionTimestamp: now", UP, ("Running", False, True)),
    "ready by its condition": ("", UP + IS_READY, ("Running", True, False)),
    "not ready by its condition": ("", UP + IS_READY.replace("True", "False"), ("Running", False, False)),
    "other conditions": ("", UP + ", conditions: [{type: Initialized, status: 'True'}]", ("Running", False, False)),
    "ready and terminating": ("deletionTimestamp: now", UP + IS_READY, ("Running", True, True)),
    "done": ("", "phase: Succeeded", ("Succeeded", False, False)),
}  # fmt: skip


@pytest.mark.parametrize(("meta", "status", "expected"), PODS.values(), ids=PODS)
def test_pod_state(meta: str, status: str, expected: tuple[str, bool, bool]) -> None:
    pod = only(f"{{apiVersion: v1, kind: Pod, metadata: {{name: a, {meta}}}, status: {{{status}}}}}")
    assert (pod.phase, pod.ready, pod.terminating) == expected


def test_pod() -> None:
    pod = only("""
        apiVersion: v1
        kind: Pod
        metadata: {name: db-0, labels: {app: db}}
        spec:
          hostname: db-0
          subdomain: db
          nodeName: n
          initContainers:
          - {name: init, ports: [{containerPort: 1}]}
          - {name: side, restartPolicy: Always, ports: [{name: side, containerPort: 2}]}
          containers:
          - {name: a, ports: [{name: pg, containerPort: 5432}]}
          - {name: b, ports: [{name: dns, containerPort: 53, protocol: UDP}]}
        status: {podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]}
    """)
    assert isinstance(pod, Pod)
    assert [address_text(address) for address in pod.addresses] == ["10.0.0.1", "fd00::1"]
    assert (pod.hostname, pod.subdomain, pod.node) == ("db-0", "db", "n")
    assert pod.ports == (Port("pg", "tcp", 5432), Port("dns", "udp", 53), Port("side", "tcp", 2))


def test_namespace() -> None:
    item = only("{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: a}}}")
    assert isinstance(item, Namespace)
    assert item.key == Key("", "shop")
    assert item.labels == {"team": "a", "kubernetes.io/metadata.name": "shop"}


STATEFUL_SET = """
    apiVersion: apps/v1
    kind: StatefulSet
    metadata: {name: db, ownerReferences: [{controller: true}]}
    spec:
      replicas: 3
      serviceName: db
      ordinals: {start: 5}
      selector:
        matchLabels: {app: db}
        matchExpressions: [{key: tier, operator: In, values: [x, y]}, {key: old, operator: DoesNotExist}]
      template:
        metadata: {labels: {app: db, tier: x}, annotations: {clusterdns.io/address: "127.0.0.1, ::1"}}
        spec: {hostname: h, subdomain: s, containers: [{ports: [{name: pg, containerPort: 5432}]}]}
"""


def test_workload() -> None:
    item = only(STATEFUL_SET)
    assert isinstance(item, Workload)
    assert (item.kind, item.replicas, item.service_name, item.first_ordinal) == ("StatefulSet", 3, "db", 5)
    assert item.selector == (
        Requirement("app", "in", frozenset(("db",))),
        Requirement("tier", "in", frozenset("xy")),
        Requirement("old", "!"),
    )
    assert item.pod_labels == {"app": "db", "tier": "x"}
    assert (item.hostname, item.subdomain, item.ports) == ("h", "s", (Port("pg", "tcp", 5432),))
    assert [address_text(address) for address in item.addresses] == ["127.0.0.1", "::1"]
    assert item.controlled


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("apps/v1", "Deployment"),
        ("apps/v1beta2", "ReplicaSet"),
        ("apps/v1beta1", "StatefulSet"),
        ("extensions/v1beta1", "DaemonSet"),
    ],
)
def test_workload_defaults(version: str, kind: str) -> None:
    text = f"""
        apiVersion: {version}
        kind: {kind}
        metadata: {{name: a}}
        spec:
          {"selector: {matchLabels: {app: a}}" if "v1beta1" not in version else ""}
          template: {{metadata: {{labels: {{app: a}}}}}}
    """
    item = only(text)
    assert (item.kind, item.replicas, item.controlled) == (kind, 1, False)
    assert item.selector == (Requirement("app", "in", frozenset("a")),)


def test_other_kinds_are_counted() -> None:
    decoded = decode(
        """
        {apiVersion: v1, kind: Secret}
        --- {apiVersion: v1, kind: Secret}
        --- {apiVersion: serving.knative.dev/v1, kind: Service, spec: 5}
        --- {apiVersion: example.com/v1, kind: AllowList, spec: 5}
    """.replace("        ", "")
    )
    assert decoded.skipped == {"Secret": 2, "Service": 1, "AllowList": 1}
    assert not decoded.problems
    assert not decoded.broken


@pytest.mark.parametrize(
    "text", ["replicaCount: 2\nimage: x\n", "resources: [a.yaml]\nkind: Kustomization", "- a\n- b", "text"]
)
def test_what_is_no_object_is_told_and_skipped(text: str) -> None:
    decoded = decode(text)
    assert [(problem.severity, problem.code) for problem in decoded.problems] == [("warning", "CD107")]
    assert decoded.broken == ()


LIST_YAML = """\
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80}]}}

- apiVersion: v1
  kind: Service
  metadata: {name: b}
  spec:
    ports: [{port: 80}, {port: 81}]
- {apiVersion: v1, kind: Secret}
- {apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Namespace, metadata: {name: c}}]}
- null
- apiVersion: v1
  kind: Pod
  metadata: {name: d}
  spec: text
"""


def test_lists_fail_item_by_item() -> None:
    decoded = decode(LIST_YAML)
    assert [(subject(item), item.place.line) for item in decoded.objects] == [
        ("Service default/a", 4),
        ("Namespace c", 12),
    ]
    assert decoded.skipped == {"Secret": 1}
    assert decoded.broken == (("Service", Key("default", "b")), ("Pod", Key("default", "d")))
    assert sorted(problems(decoded)) == ["10 CD205", "10 CD205", "13 CD108", "17 CD201"]


def test_json_lists_are_the_same_at_their_own_lines() -> None:
    items = [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "b"}, "spec": {"ports": [{"port": "80"}]}},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "c"}},
    ]
    text = json.dumps(
        {"apiVersion": "v1", "metadata": {"x": ["}", {"items": []}]}, "items": items, "kind": "List"}, indent=2
    )
    rows = text.split("\n")
    decoded = decode(text)
    assert subjects(decoded) == ["Service default/a", "Namespace c"]
    assert decoded.broken == (("Service", Key("default", "b")),)
    wrong = next(row for row, line in enumerate(rows, 1) if line.endswith('"port": "80"'))
    assert problems(decoded) == [f"{wrong} CD202"]
    for item in decoded.objects:
        assert rows[item.place.line - 1].strip() == "{"
        assert text.encode()[item.place.offset :].startswith(b'{\n      "apiVersion"')


def test_items_of_typed_lists_need_no_kind() -> None:
    for text in (
        '{"kind":"ServiceList","apiVersion":"v1","items":[{"metadata":{"name":"a"},"spec":{"clusterIP":"None"}}]}',
        "kind: ServiceList\napiVersion: v1\nitems:\n- metadata: {name: a}\n  spec: {clusterIP: None}\n",
    ):
        assert subjects(decode(text)) == ["Service default/a"]
    assert decode('{"kind":"SecretList","apiVersion":"v1","items":[{},{}]}').skipped == {"Secret": 2}
    assert subjects(decode('{"kind":"PodList","apiVersion":"v1","items":null}')) == []


def as_json(name: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


def test_json_documents_one_after_another() -> None:
    decoded = decode(
        f"{as_json('a')}\n{as_json('b')}{as_json('c')}\n\n{json.dumps(json.loads(as_json('d')), indent=1)}\n"
    )
    assert [(subject(item), item.place.line) for item in decoded.objects] == [
        ("Namespace a", 1), ("Namespace b", 2), ("Namespace c", 2), ("Namespace d", 4),
    ]  # fmt: skip
    assert subjects(decode(f"[{as_json('a')},\n{as_json('b')}]")) == ["Namespace a", "Namespace b"]
    assert subjects(decode(f"{as_json('a')}\n---\n{as_json('b')}\n")) == ["Namespace a", "Namespace b"]


def test_broken_json_costs_only_itself() -> None:
    bad = '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x", "namespace": "y"}, "spec": [}\n'
    decoded = decode(f"{as_json('a')}\n{bad}{as_json('b')}\n")
    assert subjects(decoded) == ["Namespace a", "Namespace b"]
    assert decoded.broken == (("Service", Key("y", "x")),)
    assert problems(decoded) == ["2 CD104"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b'{"kind":\n"\xff"}', 2),
        (b'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"\xff"}}', 1),
        (b'{"apiVersion":"v1","kind":"Service","metadata":{"name":"web","labels":{\n\n"\xff":"x"}}}', 3),
        (b'{"apiVersion":"v1","kind":"List","items":[{"kind":"x","apiVersion":"v1"},\n{"kind":"\xed\xa0\x80"}]}', 2),
        (b'[{"apiVersion":"v1",\n"kind":"\xff"}]', 2),
    ],
)
def test_json_that_is_not_utf8(text: bytes, line: int) -> None:
    found = decode_file(text, "a.json", DocumentCache())
    assert [(problem.line, problem.code, problem.text) for problem in found.problems] == [
        (line, "CD104", "text that is not UTF-8")
    ]
    assert found.broken == (None,)


def test_no_file_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a mistake of ours."""
    monkeypatch.setattr("clusterdns.cluster.decode.split", lambda *_: 1 / 0)
    found = decode_file(b"a: 1", "a.yaml", DocumentCache())
    assert [problem.code for problem in found.problems] == ["CD109"]
    assert found.broken == (None,)


def test_flow_yaml_is_not_mistaken_for_json() -> None:
    assert subjects(decode("{apiVersion: v1, kind: Namespace, metadata: {name: a}}")) == ["Namespace a"]
    assert subjects(decode('{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"},}')) == ["Namespace a"]
    assert problems(decode("{{ template }}")) == ["1 CD103"]


def test_json_bombs() -> None:
    for text in (
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"apiVersion":"v1","kind":"Pod","x":' + "[" * 5000 + "]" * 5000 + "}",
    ):
        assert problems(decode(text))


BROKENS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "the name was read before the fault": (WEB + "x: [", (("Service", Key("shop", "web")),)),
    "the namespace may have been to come": ("kind: Pod\nmetadata:\n  name: a\n  labels: [", (None,)),
    "it was not": ("kind: Pod\nmetadata:\n  name: a\nspec: [", (("Pod", Key("default", "a")),)),
    "no name": ("kind: Pod\nspec: [", (None,)),
    "no kind": ("metadata: {name: a}\nspec: [", (None,)),
    "a list may be anything": ("kind: List\nitems:\n- kind: Pod\n  metadata: {name: a}\n- [", (None,)),
    "against the rules": (BROKEN, (("Service", Key("shop", "web")),)),
    "the wrong shape": (WEB.replace("{ports: [{port: 80}]}", "5"), (("Service", Key("shop", "web")),)),
    "metadata of the wrong shape": ("{apiVersion: v1, kind: Pod, metadata: x}", (None,)),
    "not text at all": ("\0", (None,)),
}


@pytest.mark.parametrize(("text", "expected"), BROKENS.values(), ids=BROKENS)
def test_broken_documents_are_named_as_far_as_they_can_be(text: str, expected: tuple[Any, ...]) -> None:
    decoded = decode(text)
    assert decoded.broken == expected
    assert decoded.objects == ()
    assert any(problem.severity == "error" for problem in decoded.problems)


def test_one_broken_document_costs_only_itself() -> None:
    decoded = decode(f"{WEB}---\na: [\n---\n{API}")
    assert subjects(decoded) == ["Service shop/web", "Service shop/api"]
    assert problems(decoded) == ["7 CD103"]


def test_a_problem_reads_like_a_compilers() -> None:
    (problem,) = decode(f"# a comment\n{BROKEN}").problems
    assert str(problem) == (
        "f.yaml:5: error CD206 Service shop/web: spec.ports[0].port: 0 is not between 1 and 65535;"
        " write the number the program listens on"
    )


def test_too_much_yaml() -> None:
    decoded = decode_file(f"{WEB}---\n{API}".encode(), "f.yaml", DocumentCache(), Limits(octets=150))
    assert subjects(decoded) == ["Service shop/web"]
    assert problems(decoded) == ["5 CD102"]


BAD = """\
apiVersion: v1
kind: Service
metadata: {name: Bad_Name, namespace: shop}
spec: {clusterIP: 1.2.3, ports: [{port: 80}]}
"""


def test_an_error_behind_any_number_of_warnings_is_named() -> None:
    decoded = decode("kind: A\n---\n" * 1500 + BAD + "---\nkind: A\n")
    told = [(one.line, one.severity, one.code, one.subject) for one in decoded.problems]
    assert told[:998] == [(1 + 2 * at, "warning", "CD107", "") for at in range(998)]
    about = "Service shop/Bad_Name"
    assert told[998:] == [(3003, "error", "CD203", about), (3004, "error", "CD211", about), (0, "warning", "CD100", "")]
    assert decoded.problems[-1].text == "and 503 more problems"


def test_more_errors_than_are_told() -> None:
    decoded = decode("kind: A\n---\n" + f"{BAD}---\n" * 501)
    assert {one.severity for one in decoded.problems} == {"error"}
    assert decoded.problems[-1].text == "and 3 more problems"


def test_that_the_rest_is_not_read_is_told_behind_any_number_of_warnings() -> None:
    data = b"kind: A\n---\n" * 2500
    decoded = decode_file(data, "f.yaml", DocumentCache(), Limits(documents=2000))
    assert [(one.line, one.code, one.text) for one in decoded.problems if one.severity == "error"] == [
        (4000, "CD102", "more than 2000 documents in one file: the rest is not read")
    ]


def test_an_error_behind_any_number_of_warnings_of_one_list_is_named() -> None:
    items = "".join(f"- {line}\n" for line in (*["{kind: A}"] * 300, BAD.replace("\n", "\n  ").rstrip()))
    decoded = decode("apiVersion: v1\nkind: List\nitems:\n" + items)
    told = [(one.line, one.code) for one in decoded.problems if one.severity == "error"]
    assert told == [(306, "CD203"), (307, "CD211")]
    assert [(one.severity, one.text) for one in decoded.problems if one.code == "CD100"] == [
        ("warning", "and 100 more problems")
    ]


def test_what_did_not_change_is_the_same_object() -> None:
    cache = DocumentCache()
    first = decode(f"{WEB}---\n{API}", cache)
    again = decode(f"{WEB}---\n{API}", cache)
    assert all(a is b for a, b in zip(first.objects, again.objects, strict=True))
    moved = decode(f"# new\n---\n{API.replace('80', '81')}---\n{WEB}", cache)
    assert [(subject(item), item.place.line, item.place.offset) for item in moved.objects] == [
        ("Service shop/api", 3, 6),
        ("Service shop/web", 8, 6 + 4 + len(API)),
    ]
    assert moved == decode(f"# new\n---\n{API.replace('80', '81')}---\n{WEB}")


def test_problems_move_with_their_document() -> None:
    cache = DocumentCache()
    assert problems(decode(BROKEN, cache)) == ["4 CD206"]
    assert problems(decode("\n\n" + BROKEN, cache)) == ["6 CD206"]
    assert problems(decode("# a\n---\n" + BROKEN, cache)) == problems(decode("# a\n---\n" + BROKEN)) == ["6 CD206"]


def test_the_cache_forgets_a_file_that_is_gone() -> None:
    cache = DocumentCache()
    (before,) = decode(WEB, cache).objects
    cache.forget()
    (after,) = decode(WEB, cache).objects
    assert after is not before
    assert after == before


def test_the_cache_forgets_what_the_last_read_did_not_ask_for() -> None:
    cache = DocumentCache()
    (before,) = decode(WEB, cache).objects
    decode(API, cache)
    (kept,) = decode(API, cache).objects
    (after,) = decode(WEB, cache).objects
    assert after is not before
    assert after == before
    assert kept.key == Key("shop", "api")


def test_the_same_text_in_another_list_is_not_the_same_object() -> None:
    cache = DocumentCache()
    item = '{"metadata":{"name":"a"}}'
    assert subjects(decode(f'{{"kind":"NamespaceList","apiVersion":"v1","items":[{item}]}}', cache)) == ["Namespace a"]
    assert subjects(decode(f'{{"kind":"PodList","apiVersion":"v1","items":[{item}]}}', cache)) == ["Pod default/a"]


@settings(max_examples=60)
@given(st.lists(st.sampled_from([WEB, API, BROKEN, "a: [\n", as_json("x") + "\n", "# none\n"]), max_size=5), st.data())
def test_a_cache_never_shows(parts: list[str], data: st.DataObject) -> None:
    cache = DocumentCache()
    for _ in range(3):
        text = "---\n".join(data.draw(st.permutations(parts)))
        assert to_builtins(decode(text, cache)) == to_builtins(decode(text))


@settings(max_examples=60)
@given(st.integers(0, 1000))
def test_truncation_never_loses_what_came_before(cut: int) -> None:
    whole = "---\n".join([WEB, API, SERVICE.replace("\n    ", "\n"), as_json("x") + "\n", WEB.replace("web", "last")])
    objects = decode(whole).objects
    assert len(objects) == 5
    ends = [item.place.offset for item in objects[1:]] + [len(whole) + 1]
    intact = [item for item, end in zip(objects, ends, strict=True) if end + 3 <= cut]
    assert list(decode(whole[:cut]).objects[: len(intact)]) == intact


@settings(max_examples=200)
@given(st.binary(max_size=100) | st.text('{}[]:,"\\-# \napiVersonkd1', max_size=60).map(str.encode))
def test_random_octets_never_raise(data: bytes) -> None:
    decode(data)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(
    ["", "None", "10.0.0.1", "::", "80", "http", "TCP", "In", "IPv4", "FQDN", "Pod", "true", "a.b", "-", "1" * 70]
)  # fmt: skip
FIELDS = [
    "metadata",
    "spec",
    "status",
    "name",
    "namespace",
    "labels",
    "annotations",
    "ports",
    "port",
    "targetPort",
    "nodePort",
    "protocol",
    "clusterIP",
    "clusterIPs",
    "type",
    "selector",
    "externalName",
    "ipFamilies",
    "endpoints",
    "addresses",
    "conditions",
    "ready",
    "hostname",
    "addressType",
    "subsets",
    "ip",
    "notReadyAddresses",
    "podIP",
    "podIPs",
    "phase",
    "containers",
    "containerPort",
    "template",
    "matchLabels",
    "matchExpressions",
    "key",
    "operator",
    "values",
    "replicas",
    "ordinals",
    "start",
    "loadBalancer",
    "ingress",
    "clusterdns.io/address",
    "kubernetes.io/service-name",
]
SHAPES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=30,
)
KINDS = [
    "v1 Service",
    "v1 Pod",
    "v1 Endpoints",
    "v1 Namespace",
    "discovery.k8s.io/v1 EndpointSlice",
    "apps/v1 Deployment",
]


@settings(max_examples=300)
@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), SHAPES, max_size=6))
def test_no_shape_of_an_object_raises(kind: str, fields: dict[str, Any]) -> None:
    version, name = kind.split()
    text = json.dumps({"apiVersion": version, "kind": name, "metadata": {"name": "a"}, **fields})
    for decoded in (decode(text), decode("--- " + text)):
        assert len(decoded.objects) + len(decoded.broken) == 1


def test_subjects_of_objects() -> None:
    items: tuple[Object, ...] = decode(WEB + "---\n" + STATEFUL_SET.replace("\n    ", "\n")).objects
    assert [subject(item) for item in items] == ["Service shop/web", "StatefulSet default/db"]
