"""``clusterdns explain``: the cause first, and an answer that is the server's."""

import json
import re
from pathlib import Path

import dns.message
import dns.rcode
import pytest
from cases import Case, all_cases
from explained import Broken, all_broken, clusterdns, words_of
from strategies import Responder
from support import objects_of, serving, variables

from clusterdns.config import load_settings
from clusterdns.explaining import explanation
from clusterdns.options import controller_options, zone_options
from clusterdns.views.explanation import Explanation
from clusterdns.world import World, build

BROKEN = all_broken()
CASES = all_cases()


@pytest.mark.parametrize("case", BROKEN, ids=str)
def test_the_cause_is_in_the_first_three_lines(case: Broken, tmp_path: Path) -> None:
    code, text = clusterdns(tmp_path, case, "explain", *words_of(case), "--from", str(tmp_path))
    head = "\n".join(text.splitlines()[:3])
    missing = [words for words in case.words if words not in head]
    assert not missing, f"{missing} in\n{head}"
    assert code == case.exit_code


@pytest.mark.parametrize("case", BROKEN, ids=str)
def test_check_finds_it_at_its_line(case: Broken, tmp_path: Path) -> None:
    _, text = clusterdns(tmp_path, case, "check", str(tmp_path))
    found = {(int(line), code) for line, code in re.findall(r"manifests\.yaml:(\d+): \w+ (CD\d+)", text)}
    assert set(case.check) <= found


def test_there_are_as_many_as_were_promised() -> None:
    assert len(BROKEN) >= 30


def test_a_server_explains_as_the_manifests_do(tmp_path: Path) -> None:
    few = [case for case in BROKEN if not case.settings][::6]
    for case in few:
        folder = tmp_path / case.name
        folder.mkdir()
        arguments = ["explain", *words_of(case)]
        code, text = clusterdns(folder, case, *arguments, "--from", str(folder))
        with serving(folder, http=["127.0.0.1:0"]) as server:
            url = next(found[1] for line in server.output if (found := re.search(r"(http://\S+:\d+)", line)))
            assert clusterdns(folder, case, *arguments, "--server", url) == (code, text)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_explained_is_what_is_answered(case: Case) -> None:
    settings = load_settings({}, variables({"answer_order": "fixed"} | case.settings))
    world = build(objects_of(case.manifests), zone_options(settings, ("127.0.0.1",)), controller_options(settings))
    responder = Responder(world.table)
    for question in case.questions:
        query = question.message()
        if question.rclass != "IN" or question.rtype in {"AXFR", "IXFR"}:
            continue
        name = query.question[0].name.to_text()
        found = explained(world, name, f"TYPE{query.question[0].rdtype:d}").answers[0]
        query.use_edns(0, payload=1232)
        query.flags = dns.message.make_query(".", "A").flags
        wire = responder.answer(query.to_wire(), "tcp")
        assert wire is not None
        response = dns.message.from_wire(wire, one_rr_per_rrset=True)
        assert found.rcode == dns.rcode.to_text(response.rcode()), question
        expected = [each.to_text().lower() for each in response.answer]
        assert [record.lower() for record in found.records] == expected, question


MANY = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: None, selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 50
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: main, image: web}]}}
"""


def test_lists_end(tmp_path: Path) -> None:
    case = Broken("many", "", {}, MANY, "web -n shop", 0, (), ())
    code, text = clusterdns(tmp_path, case, "explain", "web", "-n", "shop", "--from", str(tmp_path))
    assert code == 0
    assert len(text.splitlines()) < 60
    assert "50 in, 0 out" in text
    assert "  + 30 more" in text


def test_json_says_what_the_text_says(tmp_path: Path) -> None:
    case = next(case for case in BROKEN if case.name == "not-ready")
    code, text = clusterdns(tmp_path, case, "explain", *words_of(case), "--from", str(tmp_path), "-o", "json")
    found = json.loads(text)
    assert (code, found["exit"], found["status"]) == (3, 3, "NXDOMAIN")
    assert found["cause"]["code"] == "no-ready-endpoint"
    assert found["service"]["endpoints"]["lines"][0]["cause"]["code"] == "not-ready"


def test_every_step_of_the_search_is_shown(tmp_path: Path) -> None:
    case = next(case for case in BROKEN if case.name == "no-ipv6")
    _, text = clusterdns(tmp_path, case, "explain", "web.shop", "A", "--search", "--from", str(tmp_path))
    steps = [line[11:] for line in text.splitlines() if line[11:].startswith("web.shop.") and " IN " not in line]
    assert steps == [
        "web.shop.default.svc.cluster.local.  NXDOMAIN",
        "web.shop.svc.cluster.local.  NOERROR",
        "web.shop.cluster.local.  not asked any more",
        "web.shop.  not asked any more",
    ]


def test_a_name_of_others_is_the_last_that_is_asked(tmp_path: Path) -> None:
    case = next(case for case in BROKEN if case.name == "forwarded")
    _, text = clusterdns(tmp_path, case, "explain", "www.example.com", "--from", str(tmp_path))
    assert 'a pod of default asks for "www.example.com" as www.example.com., 4 of 4' in text


@pytest.mark.parametrize("words", [["a..b"], ["web", "BOGUS"], ["web", "-o", "yaml"]])
def test_wrong_use_is_told_before_a_server_is_asked(words: list[str], tmp_path: Path) -> None:
    code, text = clusterdns(tmp_path, BROKEN[0], "explain", *words, "--server", "http://127.0.0.1:1")
    assert (code, text) == (2, "")


def explained(world: World, name: str, rtype: str = "") -> Explanation:
    steps = explanation(world, {"name": name, "type": rtype}, world.problems())
    return next(step for step in steps if step)
