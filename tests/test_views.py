"""The parts of views that the example cluster does not show: columns, ages, states of pods, formats."""

import json
from typing import Any

import pytest
import yaml

from clusterdns.views import output
from clusterdns.views.ages import age, human_duration
from clusterdns.views.columns import DESCRIPTION, TABLE, align
from clusterdns.views.describe import describe_service, endpoints_of
from clusterdns.views.describe_pod import describe_pod
from clusterdns.views.following import ObjectLines, RecordLines
from clusterdns.views.pod_status import ready_cell, restarts_cell, status_cell
from clusterdns.views.qos import qos_class
from clusterdns.views.records import Record
from clusterdns.views.tables import Style, table

NOW = 1_768_471_800.0  # 2026-01-15T10:10:00Z
MINUTE, HOUR, DAY = 60, 3600, 86400

DURATIONS = [
    (-5, "<invalid>"),
    (-1.5, "0s"),
    (119, "119s"),
    (2 * MINUTE, "2m"),
    (3 * MINUTE + 5, "3m5s"),
    (59 * MINUTE, "59m"),
    (179 * MINUTE, "179m"),
    (3 * HOUR, "3h"),
    (7 * HOUR + 30 * MINUTE, "7h30m"),
    (47 * HOUR, "47h"),
    (2 * DAY, "2d"),
    (5 * DAY + 3 * HOUR, "5d3h"),
    (8 * DAY + 3 * HOUR, "8d"),
    (729 * DAY, "729d"),
    (730 * DAY, "2y"),
    (2 * 365 * DAY + 30 * DAY, "2y30d"),
    (9 * 365 * DAY + 30 * DAY, "9y"),
]


@pytest.mark.parametrize(("seconds", "expected"), DURATIONS)
def test_durations(seconds: float, expected: str) -> None:
    assert human_duration(seconds) == expected


def test_ages() -> None:
    assert age("2026-01-15T10:00:00Z", NOW) == "10m"
    assert age("2026-01-15T11:00:00+01:00", NOW) == "10m"
    odd: list[object] = [None, "", "yesterday", 5, {}]
    assert [age(one, NOW) for one in odd] == ["<unknown>"] * 5


def test_a_column_ends_where_a_row_has_no_cell_behind_it() -> None:
    rows = [["Name:", "web"], ["IPs:"], ["  IP:", "10.0.0.1"], ["Annotations:", "<none>"]]
    assert align(rows, DESCRIPTION)[0] == "Name:  web\nIPs:\n  IP:         10.0.0.1\nAnnotations:  <none>\n"


def test_columns_keep_the_widths_that_were_printed() -> None:
    text, widths = align([["NAME", "AGE"], ["a-long-name", "1s"]], TABLE)
    assert text == "NAME          AGE\na-long-name   1s\n"
    assert align([["b", "2s"]], TABLE, widths) == ("b             2s\n", [14])
    assert align([], TABLE, widths) == ("", [14])


def test_what_a_terminal_obeys_is_not_printed() -> None:
    assert align([["\x1b[31mred\n", "\r\x9b"]], DESCRIPTION)[0] == "^[[31mred\\n  \\r\\x9b\n"


def pod(**fields: Any) -> dict[str, Any]:
    containers = [{"name": "a"}, {"name": "b"}]
    return {
        "metadata": {"name": "web", "namespace": "shop"} | fields.pop("metadata", {}),
        "spec": {"containers": containers} | fields.pop("spec", {}),
        "status": {"phase": "Running"} | fields,
    }


def container(name: str, ready: bool = True, restarts: int = 0, **state: Any) -> dict[str, Any]:
    return {"name": name, "ready": ready, "restartCount": restarts, "state": state or {"running": {}}}


READY = [{"type": "Ready", "status": "True"}]
SIDECAR = {"initContainers": [{"name": "s", "restartPolicy": "Always"}]}
INIT = {"initContainers": [{"name": "i"}, {"name": "j"}]}
GONE = {"deletionTimestamp": "2026-01-15T10:00:00Z"}
PODS = [
    ("no status of containers, ready", pod(conditions=READY), "2/2", "Running", "0"),
    ("no status of containers, unready", pod(), "0/2", "Running", "0"),
    (
        "one of two",
        pod(containerStatuses=[container("a"), container("b", ready=False, restarts=3)]),
        "1/2",
        "Running",
        "3",
    ),
    (
        "waiting",
        pod(containerStatuses=[container("a"), container("b", ready=False, waiting={"reason": "ImagePullBackOff"})]),
        "1/2",
        "ImagePullBackOff",
        "0",
    ),
    (
        "crashed",
        pod(
            containerStatuses=[
                container("a"),
                container("b", ready=False, restarts=2, terminated={"exitCode": 1})
                | {"lastState": {"terminated": {"finishedAt": "2026-01-15T10:08:00Z"}}},
            ]
        ),
        "1/2",
        "ExitCode:1",
        "2 (2m ago)",
    ),
    (
        "one completed, one runs",
        pod(
            conditions=READY,
            containerStatuses=[
                container("a", ready=False, terminated={"exitCode": 0, "reason": "Completed"}),
                container("b"),
            ],
        ),
        "1/2",
        "Running",
        "0",
    ),
    (
        "killed",
        pod(containerStatuses=[container("a", ready=False, terminated={"exitCode": 137, "signal": 9})]),
        "0/2",
        "Signal:9",
        "0",
    ),
    (
        "initializing",
        pod(
            spec=INIT,
            phase="Pending",
            initContainerStatuses=[
                container("i", ready=False, terminated={"exitCode": 0}),
                container("j", ready=False),
            ],
        ),
        "0/2",
        "Init:1/2",
        "0",
    ),
    (
        "init failed",
        pod(
            spec=INIT,
            phase="Pending",
            initContainerStatuses=[container("i", ready=False, terminated={"exitCode": 1, "reason": "Error"})],
        ),
        "0/2",
        "Init:Error",
        "0",
    ),
    (
        "sidecar",
        pod(
            spec=SIDECAR,
            initContainerStatuses=[container("s", restarts=1) | {"started": True}],
            containerStatuses=[container("a"), container("b")],
        ),
        "3/3",
        "Running",
        "1",
    ),
    ("terminating", pod(metadata=GONE, conditions=READY), "2/2", "Terminating", "0"),
    ("terminating and done", pod(metadata=GONE, phase="Succeeded"), "0/2", "Succeeded", "0"),
    ("node lost", pod(metadata=GONE, reason="NodeLost"), "0/2", "Unknown", "0"),
    ("evicted", pod(phase="Failed", reason="Evicted"), "0/2", "Evicted", "0"),
    (
        "gated",
        pod(phase="Pending", conditions=[{"type": "PodScheduled", "reason": "SchedulingGated"}]),
        "0/2",
        "SchedulingGated",
        "0",
    ),
]


@pytest.mark.parametrize(
    ("item", "ready", "status", "restarts"), [row[1:] for row in PODS], ids=[row[0] for row in PODS]
)
def test_states_of_pods(item: dict[str, Any], ready: str, status: str, restarts: str) -> None:
    assert (ready_cell(item), status_cell(item), restarts_cell(item, NOW)) == (ready, status, restarts)


def resources(**kinds: dict[str, str]) -> dict[str, Any]:
    return pod(spec={"containers": [{"name": "a", "resources": kinds}]})


QOS = [
    (resources(), "BestEffort"),
    (resources(requests={"cpu": "0"}), "BestEffort"),
    (resources(requests={"cpu": "100m"}), "Burstable"),
    (resources(limits={"cpu": "1", "memory": "1Gi"}), "Guaranteed"),
    (resources(limits={"cpu": "1", "memory": "1Gi"}, requests={"cpu": "1000m", "memory": "1024Mi"}), "Guaranteed"),
    (resources(limits={"cpu": "1", "memory": "1Gi"}, requests={"cpu": "500m"}), "Burstable"),
    (resources(limits={"cpu": "1"}), "Burstable"),
    (pod(qosClass="Burstable"), "Burstable"),
]


@pytest.mark.parametrize(("item", "expected"), QOS)
def test_quality_of_service(item: dict[str, Any], expected: str) -> None:
    assert qos_class(item) == expected


def piece(*ready: bool, port: int | None = 80) -> dict[str, Any]:
    endpoints = [{"addresses": [f"10.0.0.{at}"], "conditions": {"ready": one}} for at, one in enumerate(ready, 1)]
    return {"ports": [{"name": "", "port": port}] if port else [], "endpoints": endpoints}


ENDPOINTS = [
    ([], "<none>"),
    ([piece()], ""),
    ([piece(True, False)], "10.0.0.1:80"),
    ([piece(True, True, True, True, True)], "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more..."),
    ([piece(True, True, True, False)], "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 0 more..."),
    ([piece(True, port=None)], "10.0.0.1"),
]


@pytest.mark.parametrize(("slices", "expected"), ENDPOINTS)
def test_endpoints_of_a_service(slices: list[dict[str, Any]], expected: str) -> None:
    assert endpoints_of(slices, "") == expected


def service(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}, "spec": spec}


def test_a_balancer_of_many_addresses() -> None:
    item = service(type="LoadBalancer", externalIPs=["198.51.100.1"])
    item["status"] = {"loadBalancer": {"ingress": [{"hostname": "lb.example.org"}, {"ip": "203.0.113.1"}]}}
    assert "   203.0.113.1,lb.example.org,198.51.100.1   " in table("services", [item], NOW, Style())


def test_annotations_of_many_lines() -> None:
    item = service(type="ClusterIP")
    item["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "note": "one\ntwo\n",
        "long": "x" * 200,
        "short": "s",
    }
    lines = describe_service(item, []).split("\n")
    at = next(number for number, line in enumerate(lines) if line.startswith("Annotations:"))
    assert [line.strip() for line in lines[at : at + 6]] == [
        "Annotations:       long:",
        "x" * 138 + "...",
        "note:",
        "one",
        "two",
        "short: s",
    ]


FULL_POD = pod(
    metadata={"labels": {"app": "web"}},
    podIP="10.0.0.7",
    hostIP="192.0.2.1",
    startTime="2026-01-15T10:00:00Z",
    spec={
        "nodeName": "node-1",
        "serviceAccountName": "robot",
        "priority": 0,
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [
            {"operator": "Exists"},
            {"key": "k", "value": "v", "effect": "NoExecute", "tolerationSeconds": 30},
        ],
        "volumes": [
            {"name": "tmp", "emptyDir": {}},
            {"name": "conf", "configMap": {"name": "web"}},
            {
                "name": "all",
                "projected": {"sources": [{"serviceAccountToken": {"expirationSeconds": 600, "path": "t"}}]},
            },
            {"name": "odd", "unheardOf": {}},
        ],
        "containers": [
            {
                "name": "a",
                "image": "i",
                "command": ["sh", "-c"],
                "args": ["one\ntwo"],
                "ports": [{"containerPort": 80}, {"containerPort": 81, "name": "x", "protocol": "UDP", "hostPort": 8}],
                "resources": {"limits": {"memory": "1Gi"}},
                "livenessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 5},
                "startupProbe": {"tcpSocket": {"port": 80}},
                "envFrom": [{"prefix": "P_", "secretRef": {"name": "s", "optional": True}}],
                "env": [
                    {"name": "PLAIN", "value": "v"},
                    {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                    {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                    {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                ],
                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp", "readOnly": True, "subPath": "p"}],
            }
        ],
    },
    containerStatuses=[container("a", restarts=1) | {"containerID": "c://1"}],
)


def test_a_pod_with_everything() -> None:
    text = describe_pod(FULL_POD, NOW)
    for line in (
        "Priority:         0",
        "Service Account:  robot",
        "Node:             node-1/192.0.2.1",
        "Start Time:       Thu, 15 Jan 2026 10:00:00 +0000",
        "    Container ID:  c://1",
        "    Ports:         80/TCP, 81/UDP (x)",
        "    Host Ports:    0/TCP, 8/UDP (x)",
        "      Started:      Mon, 01 Jan 0001 00:00:00 +0000",
        "      memory:  1Gi",
        "    Liveness:  exec [true] delay=0s timeout=1s period=5s #success=1 #failure=3",
        "    Startup:   tcp-socket :80 delay=0s timeout=1s period=10s #success=1 #failure=3",
        "      s  Secret with prefix 'P_'  Optional: true",
        "      PLAIN:  v",
        "      IP:      (v1:status.podIP)",
        "      NAME:   web (v1:metadata.name)",
        "      KEY:    <set to the key 'k' in secret 's'>  Optional: false",
        '      /tmp from tmp (ro,path="p")',
        "    SizeLimit:  <unset>",
        "  <unknown>",
        "Node-Selectors:  disk=ssd",
        "Tolerations:     op=Exists",
        "                 k=v:NoExecute for 30s",
    ):
        assert line in text, text


@pytest.mark.parametrize("odd", [None, "text", 5, [], {}, [None], {"a": None}])
def test_no_shape_of_an_object_makes_a_view_fail(odd: Any) -> None:
    for item in (
        {"metadata": odd, "spec": odd, "status": odd},
        {"metadata": {"labels": odd, "annotations": odd}, "spec": {"ports": odd, "containers": odd, "volumes": odd}},
        {"spec": {"containers": [{"env": odd, "ports": odd, "resources": odd, "livenessProbe": odd}]}},
        {"status": {"containerStatuses": odd, "conditions": odd, "podIPs": odd, "loadBalancer": odd}},
    ):
        for kind in ("services", "endpoints", "pods", "namespaces"):
            assert table(kind, [item], NOW, Style(wide=True, namespaces=True, labels=True))
        assert describe_pod(item, NOW)
        assert describe_service(item, [{"ports": odd, "endpoints": odd}])


TEXTS = ["yes", "1", "0x1f", "1e3", "~", "null", "1.5", "12:30", "2026-01-15", "a: b", "#x", "", " x", "one\ntwo\n"]


def test_yaml_and_json_read_back_as_they_were() -> None:
    item = service(selector={str(at): text for at, text in enumerate(TEXTS)}, number=1, truth=True, nothing=None)
    assert yaml.safe_load(output.as_yaml([item], single=True)) == item
    assert json.loads(output.as_json([item], single=True)) == item
    assert yaml.safe_load(output.as_yaml([item, item], single=False))["items"] == [item, item]
    plain = output.as_yaml([service(clusterIP="10.0.0.1", type="ClusterIP", ready="True")], single=True)
    assert 'clusterIP: 10.0.0.1\n  ready: "True"\n  type: ClusterIP\n' in plain


def named(name: str, ip: str) -> dict[str, Any]:
    return service(clusterIPs=[ip], type="ClusterIP") | {"metadata": {"name": name, "namespace": "shop"}}


def test_following_objects_prints_what_changes() -> None:
    lines = ObjectLines("services", "", Style(), single=False)
    first = lines.news([named("web", "10.0.0.1"), named("a-longer-name", "10.0.0.2")], NOW)
    assert first.split("\n")[1] == "web             ClusterIP   10.0.0.1     <none>        <none>    <unknown>"
    assert lines.news([named("web", "10.0.0.1"), named("a-longer-name", "10.0.0.2")], NOW) == ""
    assert (
        lines.news([named("web", "10.0.0.3")], NOW)
        == "a-longer-name   ClusterIP   10.0.0.2     <none>        <none>    <unknown>\n"
        "web             ClusterIP   10.0.0.3     <none>        <none>    <unknown>\n"
    )
    names = ObjectLines("services", "name", Style(), single=False)
    assert names.news([named("web", "10.0.0.1")], NOW) == "service/web\n"
    assert ObjectLines("services", "yaml", Style(), single=False).news([named("web", "1")], NOW).startswith("---\n")


def test_following_nothing_and_then_something() -> None:
    lines = ObjectLines("services", "", Style(), single=False)
    assert lines.news([], NOW) == ""
    assert lines.news([named("web", "10.0.0.1")], NOW).startswith("NAME   ")


def test_following_records_tells_which_come_and_go() -> None:
    one, two = Record("a.", 5, "A", "10.0.0.1"), Record("a.", 5, "A", "10.0.0.2")
    lines = RecordLines("")
    assert lines.news([one], NOW) == "EVENT   NAME   TTL   TYPE   DATA\nADDED   a.     5     A      10.0.0.1\n"
    assert lines.news([two], NOW) == "DELETED   a.     5     A      10.0.0.1\nADDED     a.     5     A      10.0.0.2\n"
    assert RecordLines("zone").news([one], NOW) == "a. 5 IN A 10.0.0.1\n"
