"""The differential run: made-up clusters in a real API, a CoreDNS that watches it, and our server over its dump."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from support import serving

from live.api import Manifest
from live.asking import ask, client, coredns
from live.clusters import cluster
from live.control_plane import ControlPlane, control_plane
from live.creating import create, list_all, revisions, write
from live.facts import Difference, Facts, differences
from live.questions import known, questions


class Variant(NamedTuple):
    """The same options, as CoreDNS's kubernetes plugin and as our settings take them."""

    name: str
    options: tuple[str, ...]
    settings: dict[str, Any]


VARIANTS = (
    Variant("defaults", (), {}),
    Variant("pods verified", ("pods verified",), {"pods": "verified"}),
    Variant("pods insecure", ("pods insecure", "ttl 30"), {"pods": "insecure", "ttl": 30}),
    Variant("endpoint_pod_names", ("endpoint_pod_names",), {"endpoint_pod_names": "true"}),
    Variant("noendpoints", ("noendpoints", "ttl 0"), {"noendpoints": "true", "ttl": 0}),
    Variant("ignore empty_service", ("ignore empty_service",), {"ignore_empty_service": "true"}),
    Variant(
        "namespaces", ("namespaces shop svc", "pods verified"), {"namespaces": ["shop", "svc"], "pods": "verified"}
    ),
    Variant("namespace_labels", ("namespace_labels tier=gold",), {"namespace_labels": "tier=gold"}),
    Variant(
        "labels",
        ("labels show=yes,part notin (front)", "pods verified"),
        {"labels": "show=yes,part notin (front)", "pods": "verified"},
    ),
    Variant("labels in", ("labels show notin (no)", "ttl 3600"), {"labels": "show notin (no)", "ttl": 3600}),
)


class Run(NamedTuple):
    seed: int
    variant: str
    asked: int
    kinds: Counter[str]  # of our answers
    found: list[Difference]


def runs(folder: Path, seeds: tuple[int, ...], count: int) -> Iterator[Run]:
    """Every variant over every cluster, *count* questions each."""
    for seed in seeds:
        place = folder / str(seed)
        (place / "dump").mkdir(parents=True)
        with control_plane(place) as plane:
            create(plane, cluster(seed))
            lists = list_all(plane.api)
            write(lists, place / "dump")
            for variant in VARIANTS:
                yield _run(seed, variant, count, plane, lists, place)
            assert revisions(list_all(plane.api)) == revisions(lists), "objects changed while servers were compared"


def _run(seed: int, variant: Variant, count: int, plane: ControlPlane, lists: dict[str, Manifest], place: Path) -> Run:
    facts, found, kinds, asked = Facts(lists), [], Counter[str](), 0
    with ExitStack() as stack:
        theirs = stack.enter_context(coredns(place, plane.kubeconfig, variant.options))
        server = stack.enter_context(serving(place / "dump", **variant.settings))
        ours = stack.enter_context(client(server.port))
        for question in questions(f"{seed} {variant.name}", known(lists), count):
            answers = ask(ours, question), ask(theirs, question)
            kinds[answers[0].kind] += 1
            found += differences(question, *answers, facts, variant.options)
            asked += 1
    return Run(seed, variant.name, asked, kinds, found)
