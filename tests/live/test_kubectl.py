"""The real kubectl beside ours: the same objects, the same columns, the same cells.

Twice: our views over what the API server itself holds, octet by octet; and the golden files of ``zones/demo`` beside
what kubectl prints when these objects are in an API server, cell by cell.  What such a server adds or refuses is
evened out below, each thing with its reason; what then still differs is in DEVIATIONS.
"""

import json
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import test_views
from transcripts import GOLDEN, ROOT, Block, blocks

from clusterdns.cli.shown import Origin, Scope
from clusterdns.views.describe import describe_endpoints, describe_service
from clusterdns.views.describe_pod import describe_pod
from clusterdns.views.tables import Style, table
from live.api import Api
from live.control_plane import binary, control_plane, missing
from live.processes import wait_until
from live.settling import endpoints_follow_slices, slices_follow_endpoints, slices_follow_pods

NEEDED = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
pytestmark = [
    pytest.mark.skipif(bool(missing(*NEEDED)), reason=missing(*NEEDED)),
    pytest.mark.timeout(900),
]

Manifest = dict[str, Any]
OTHER_NAMESPACES = ("default", "kube-node-lease", "kube-public", "not-of-the-example")
NODE = "node-1"  # pods without one have no endpoints in a real cluster
THE_SERVERS_OWN = ("default", "kubernetes")  # with other addresses than the example's
LOOPBACK = [("shop", "preview")]  # whose endpoints an API server refuses

ELSEWHERE = OTHER_NAMESPACES[-1]
FULL_POD: Manifest = test_views.FULL_POD | {"apiVersion": "v1", "kind": "Pod"}
FULL_POD["spec"] = FULL_POD["spec"] | {"volumes": FULL_POD["spec"]["volumes"][:-1]}  # the last is none of the API's
FULL_SERVICE: Manifest = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "full", "annotations": {"long": "x" * 200, "lines": "one\ntwo\n", "short": "s"}},
    "spec": {
        "type": "LoadBalancer",
        "ports": [{"port": 80, "name": "a", "appProtocol": "http"}, {"port": 81, "name": "b", "protocol": "UDP"}],
        "externalIPs": ["198.51.100.1", "198.51.100.2"],
        "sessionAffinity": "ClientIP",
        "externalTrafficPolicy": "Local",
        "loadBalancerSourceRanges": ["192.0.2.0/24"],
        "ipFamilyPolicy": "PreferDualStack",
        "trafficDistribution": "PreferClose",
    },
    "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}, {"hostname": "balancer.example.org"}]}},
}

# (view, namespace, name) -> what kubectl does otherwise.  docs/views.md explains each.
DEVIATIONS = {
    ("get-ep", "data", "warehouse"): "Kubernetes makes no Endpoints of slices that somebody wrote",
    ("get-ep", "shop", "preview"): "an API server refuses endpoints on loopback addresses",
}


class Cluster(NamedTuple):
    api: Api
    kubeconfig: Path

    def kubectl(self, arguments: str) -> str:
        """What it prints; warnings, which go elsewhere, are not in it."""
        command = [str(binary("kubectl")), "--kubeconfig", str(self.kubeconfig), *shlex.split(arguments)]
        return str(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def items(self, arguments: str) -> list[Manifest]:
        found = json.loads(self.kubectl(f"get {arguments} -o json"))
        items: list[Manifest] = found["items"] if found["kind"] == "List" else [found]
        return items


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("kubectl")
    with control_plane(folder) as plane:
        found = Cluster(plane.api, folder / "admin.kubeconfig")
        fill(found)
        yield found


def fill(cluster: Cluster) -> None:
    """The example's objects as ``get`` shows them, stand-ins as pods."""
    origin = Origin([str(ROOT / "zones" / "demo")], None, None)
    cluster.api.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})
    for kind in ("namespaces", "services", "objects", "pods"):
        for item in origin.objects(kind, Scope(None)):
            if takes(kind, item):
                put(cluster, item)
    put(cluster, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ELSEWHERE}})
    for item in (FULL_POD, FULL_SERVICE):
        put(cluster, item | {"metadata": item["metadata"] | {"namespace": ELSEWHERE}})
    wait_until(lambda: settled(cluster.api), "the controllers to make endpoints")


def takes(kind: str, item: Manifest) -> bool:
    """Of *objects* only what no other kind has and no controller makes."""
    metadata = item["metadata"]
    if (metadata.get("namespace"), metadata["name"]) == THE_SERVERS_OWN:
        return False
    if item["kind"] == "Namespace":
        return kind == "namespaces" and metadata["name"] not in ("default", "kube-system")
    if kind != "objects":
        return True
    managed = metadata.get("labels", {}).get("endpointslice.kubernetes.io/managed-by")
    return bool(item["kind"] == "Endpoints" or (item["kind"] == "EndpointSlice" and managed == "staff"))


def put(cluster: Cluster, item: Manifest) -> None:
    metadata = dict(item["metadata"])
    ends = metadata.pop("deletionTimestamp", None)
    metadata.pop("deletionGracePeriodSeconds", None)
    # Owners that do not exist have their pods collected as garbage.
    metadata.pop("ownerReferences", None)
    created = item | {"metadata": metadata}
    if item["kind"] == "Pod":
        created["spec"] = item["spec"] | {"nodeName": NODE}
        created["status"] = statuses(item) | item["status"]
    cluster.api.create(created)
    if item["kind"] in ("Pod", "Service") and item.get("status"):
        cluster.api.set_status(created)
    if ends:
        cluster.kubectl(f"delete pod {metadata['name']} -n {metadata['namespace']} --wait=false")


def statuses(pod: Manifest) -> Manifest:
    """What a kubelet tells of containers and manifests do not: our READY goes by the pod's condition instead."""
    conditions = pod["status"].get("conditions", ())
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    running = {"imageID": "", "restartCount": 0, "ready": ready, "started": True, "state": {"running": {}}}
    return {
        field: [{"name": one["name"], "image": one["image"]} | running for one in pod["spec"].get(spec, ())]
        for field, spec in (("containerStatuses", "containers"), ("initContainerStatuses", "initContainers"))
    }


def settled(api: Api) -> bool:
    return slices_follow_pods(api, LOOPBACK) and slices_follow_endpoints(api) and endpoints_follow_slices(api, LOOPBACK)


def key_of(item: Manifest) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


# ---- our views over the API server's own objects

TABLES = [
    ("services", "svc", "-A"),
    ("services", "svc", "-n shop -o wide"),
    ("services", "svc", "-n shop -l app=web --show-labels"),
    ("endpoints", "ep", "-A"),
    ("endpoints", "ep", "-n shop --show-labels"),
    ("pods", "pod", "-A -o wide"),
    ("pods", "pod", "-n shop -l 'app in (web,worker),app!=worker' --show-labels"),
    ("namespaces", "ns", "--show-labels"),
]


def at_one_time(theirs: Callable[[], str], ours: Callable[[float], str]) -> tuple[str, str]:
    """Both texts, as soon as they are equal: an age may turn between two looks at the clock."""
    for _ in range(20):
        before = time.time()
        expected = theirs()
        got = [ours(now) for now in (before, time.time())]
        if expected in got:
            return expected, expected
    return expected, got[-1]


@pytest.mark.parametrize(("kind", "word", "options"), TABLES, ids=[f"{word} {options}" for _, word, options in TABLES])
def test_tables_over_the_servers_objects(cluster: Cluster, kind: str, word: str, options: str) -> None:
    style = Style("-o wide" in options, "-A" in options.split(), "--show-labels" in options)
    items = cluster.items(f"{word} {options.replace('-o wide', '').replace('--show-labels', '')}")
    expected, got = at_one_time(
        lambda: cluster.kubectl(f"get {word} {options}"), lambda now: table(kind, items, now, style)
    )
    assert got.split("\n") == expected.split("\n")


def test_descriptions_over_the_servers_objects(cluster: Cluster) -> None:
    for kind in ("svc", "ep", "pod"):
        for item in cluster.items(f"{kind} -A"):
            namespace, name = key_of(item)

            def described(now: float, kind: str = kind, item: Manifest = item) -> str:
                if kind == "pod":
                    return describe_pod(item, now)
                return describe_service(item, slices_of(cluster, item)) if kind == "svc" else describe_endpoints(item)

            command = f"describe {kind} {name} -n {namespace} --show-events=false"
            expected, got = at_one_time(lambda command=command: cluster.kubectl(command), described)  # type: ignore[misc]
            assert got.split("\n") == expected.split("\n"), command


def slices_of(cluster: Cluster, service: Manifest) -> list[Manifest]:
    namespace, name = key_of(service)
    return cluster.items(f"endpointslices -n {namespace} -l kubernetes.io/service-name={name}")


# ---- the golden files beside kubectl

COMPARED = [path for path in sorted(GOLDEN.glob("*.txt")) if path.stem.startswith(("get-", "describe-"))]


@pytest.mark.parametrize("path", COMPARED, ids=lambda path: path.stem)
def test_golden_files_beside_kubectl(cluster: Cluster, path: Path) -> None:
    for block in blocks(path):
        if path.stem.startswith("get-"):
            compare_tables(cluster, path.stem, block)
        else:
            options = " --show-events=false"
            assert lines(block.output) == lines(cluster.kubectl(block.arguments + options)), block.arguments


def compare_tables(cluster: Cluster, view: str, block: Block) -> None:
    ours, theirs = rows(block.output), rows(cluster.kubectl(block.arguments))
    left_out = {key for key in ours if (view, *key) in DEVIATIONS} | {THE_SERVERS_OWN}
    known = {namespace for namespace, _ in ours}
    for key in left_out:
        ours.pop(key, None)
        theirs.pop(key, None)
    # A real cluster has namespaces of its own.
    own = {key for key in theirs if key not in ours and key[1] in OTHER_NAMESPACES}
    own |= {key for key in theirs if key[0] not in known}
    assert ours == {key: row for key, row in theirs.items() if key not in own}, block.arguments


def rows(text: str) -> dict[tuple[str, str], dict[str, str]]:
    """(namespace, name) -> title -> cell."""
    header, *found = text.splitlines()
    starts = [(match.start(), match[0]) for match in re.finditer(r"\S+(?: \S+)*", header)]
    table: dict[tuple[str, str], dict[str, str]] = {}
    for line in found:
        ends = [start for start, _ in starts[1:]] + [len(line)]
        row = {title: line[start:end].strip() for (start, title), end in zip(starts, ends, strict=True)}
        table[row.get("NAMESPACE", ""), row["NAME"]] = {title: even(title, cell) for title, cell in row.items()}
    return table


def even(title: str, cell: str) -> str:
    if title == "AGE":  # manifests do not tell it
        return "<unknown>"
    if title == "NODE":  # here there must be one
        return "<none>"
    if title == "ENDPOINTS":  # in Kubernetes ordered by a hash with the pods' uids in it
        return ",".join(sorted(cell.split(",")))
    return cell


# What the admission of an API server writes into pods; what only a cluster knows of a pod and its containers; when
# something changed.
_LEFT_OUT = re.compile(
    r"(Priority|Node|Tolerations|Controlled By|Container ID|Image ID|State|Started|Restart Count):"
    r"|Ready:\s+(True|False)|node\.kubernetes\.io/"
    r"|(Annotations:\s+)?endpoints\.kubernetes\.io/last-change-trigger-time"
)


def lines(text: str) -> list[list[str]]:
    """Words between blanks, line by line; subsets and their ports, which Kubernetes orders by a hash, in one order."""
    kept = [line for line in text.splitlines() if not _LEFT_OUT.match(line.strip())]
    kept = [line for line in kept if not re.match(r"Annotations:\s+<none>", line)]
    kept = [re.sub(r"lasts [^)]*", "lasts", line) for line in kept]
    head, *subsets = "\n".join(kept).split("\nSubsets:\n")
    found = [evened(line) for line in head.splitlines() if line.strip()]
    for paragraph in sorted(sorted(map(evened, one.strip().splitlines())) for one in "".join(subsets).split("\n\n")):
        found += paragraph
    return found


def evened(line: str) -> list[str]:
    words = re.split(r"\s{2,}", line.strip())
    if words[0] == "Endpoints:":
        # A real cluster has an empty slice where no pod is; kubectl then prints nothing instead of <none>.
        found = sorted(words[1].split(",")) if len(words) > 1 else ["<none>"]
        return ["Endpoints:", *found]
    return words
