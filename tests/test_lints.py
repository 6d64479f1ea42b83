"""``clusterdns check`` over set-ups that Kubernetes accepts: what is told, at which line; and what is not.

Files of ``lints/``: cases that begin with ``## title``, then ``---manifests`` and ``---check``.  Below the
latter are all problems there are, without the path: ``LINE: SEVERITY CODE Kind ns/name: TEXT``, TEXT a shell pattern.
"""

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import pytest
from lines_run import Lines
from msgspec.structs import replace
from support import variables, write_manifests

from clusterdns import app
from clusterdns.cluster.model import Key, Object, Pod, Port, Service, ServicePort
from clusterdns.config import load_settings
from clusterdns.lints.codes import CODES
from clusterdns.lints.every import findings
from clusterdns.lints.scene import Scene
from clusterdns.options import controller_options, zone_options
from clusterdns.world import build
from clusterdns.zone.names import ROOT
from clusterdns.zone.tree import ZoneOptions

FOLDER = Path(__file__).parent / "lints"
REAL = Path(os.environ.get("CLUSTERDNS_REAL", FOLDER.parents[2] / "shared" / "real"))


class Case(NamedTuple):
    title: str
    manifests: str
    expected: list[str]


def cases() -> Iterator[Case]:
    for path in sorted(FOLDER.glob("*.txt")):
        for block in path.read_text().split("\n## ")[1:]:
            head, _, rest = block.partition("\n---manifests\n")
            manifests, _, expected = rest.partition("\n---check\n")
            yield Case(f"{path.stem}: {head.strip()}", manifests + "\n", [*filter(None, expected.split("\n"))])


CASES = list(cases())


def told(path: Path, **settings: object) -> list[str]:
    """All problems, without path and remedy."""
    report = app.check([str(path)], load_settings({}, variables(settings)))
    return [str(one).removeprefix(f"{path}:").removesuffix(f"; {one.remedy}") for one in report.problems]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_check(case: Case, tmp_path: Path) -> None:
    got = told(write_manifests(tmp_path, case.manifests))
    assert len(got) == len(case.expected), got
    for line, pattern in zip(got, case.expected, strict=True):
        assert fnmatchcase(line, pattern.replace("[", "[[]")), got


def test_every_code_has_a_case() -> None:
    assert {code for code in CODES if not any(f" {code} " in line for case in CASES for line in case.expected)} == set()


def test_a_domain_of_several_labels_is_the_search_path(tmp_path: Path) -> None:
    path = write_manifests(tmp_path, "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n")
    assert told(path) == []
    assert told(path, domain="k8s.shop.example")[0].startswith("4: warning CD552 Namespace shop: ")


def test_what_an_upstream_may_have_is_not_missing() -> None:
    alias = Service(Key("shop", "web"), type="ExternalName", external_name="old.shop.svc.cluster.local")
    options = zone_options(load_settings({}, {}), ("127.0.0.1",))
    assert codes([alias], options) == ["CD514"]
    assert codes([alias], replace(options, fallthrough=(ROOT,), upstream=True)) == []


def codes(objects: list[Object], options: ZoneOptions) -> list[str]:
    settings = load_settings({}, {})
    world = build(objects, options, controller_options(settings))
    return [one.code for one in findings(Scene(world.state, world.controllers, options, settings.service_cidr))]


DEPLOYMENT = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}}}
"""


def test_without_stand_ins_a_workload_is_enough(tmp_path: Path) -> None:
    assert told(write_manifests(tmp_path, DEPLOYMENT), stand_ins="false") == []


JSON_LIST = """{"apiVersion": "v1", "kind": "ServiceList", "items": [
{"metadata": {"name": "one"},
 "spec": {"ports": [{"port": 80}],
 "selector": {"app": "one"}}},
{"metadata": {"name": "two", "annotations": {"clusterdns.io/check-ignore": "CD504, CD503"}},
 "spec": {"ports": [{"port": 80}], "selector": {"app": "two"}}},
{"metadata": {"name": "three"},
 "spec": {"ports": [{"port": 80}], "selector": {"app": "\u00fc"}}}
]}
"""


def test_items_of_a_json_list_have_their_lines_and_annotations(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(JSON_LIST.replace("\u00fc", "three"))
    assert [(line.split(":")[0], line.split()[4]) for line in told(path)] == [
        ("4", "default/one:"),
        ("8", "default/three:"),
    ]


def test_cost_grows_as_the_cluster_does() -> None:
    """Ten times the Services may take some more than ten times as much work, never a hundred times."""
    few, many = _lines(100), _lines(1000)
    assert many < 15 * few


def _lines(count: int) -> int:
    """Lines of Python that are run for *count* Services and as many pods, all of one namespace; every tenth Service
    selects nothing."""
    settings = load_settings({}, {})
    options = zone_options(settings, ("127.0.0.1",))
    world = build(_objects(count), options, controller_options(settings))
    with Lines() as lines:
        found = list(findings(Scene(world.state, world.controllers, options, settings.service_cidr)))
    assert len(found) == count // 10
    return lines.count


def _objects(count: int) -> Iterator[Object]:
    for number in range(count):
        labels = {"app": f"app-{number}", "team": "one"}
        selector = labels if number % 10 else {"app": f"nap-{number}", "team": "one"}
        address = (0x0AF40000 + number).to_bytes(4)
        yield Service(Key("shop", f"web-{number}"), selector=selector, ports=(ServicePort("http", "tcp", 80, "http"),))
        ports = (Port("http", "tcp", 8080),)
        key = Key("shop", f"pod-{number}")
        yield Pod(key, labels=labels, addresses=(address,), phase="Running", ready=True, ports=ports)


@pytest.mark.skipif(not REAL.exists(), reason="what others wrote is not here")
@pytest.mark.parametrize("name", ["cassandra", "guestbook", "online-boutique", "cluster-dump"])
def test_what_others_wrote_gives_no_false_alarm(name: str) -> None:
    assert all("Service demo/empty" in line for line in told(REAL / f"{name}.yaml"))


def test_the_example_cluster_is_clean() -> None:
    assert told(Path(__file__).parent.parent / "zones" / "demo") == []
