"""Explanations of names in a World: the same for the HTTP address and for the command with ``--from``."""

from collections.abc import Iterator, Mapping, Sequence

from clusterdns.errors import Problem
from clusterdns.lints.namespaces import TOP_LEVEL
from clusterdns.views.explain import Others, Question, explain
from clusterdns.views.explanation import Explanation
from clusterdns.workload.resolv_conf import NDOTS, Node, PodDns, pod_resolv_conf
from clusterdns.world import World
from clusterdns.zone.names import to_text


def explanation(
    world: World, parameters: Mapping[str, str], problems: Sequence[Problem], others: Others | None = None
) -> Iterator[Explanation | None]:
    """*parameters*: ``name``; ``type``, several with commas, and ``namespace`` of the pod that asks, if it has them.
    *others*: who would be asked for names of others; None: nobody.

    Yields None where others may have their turn, and the explanation last.
    Raises ValueError for what is no name or no type.
    """
    namespace = parameters.get("namespace") or "default"
    searches: Sequence[str] = ()
    if domains := world.table.options.domains:  # without zones of ours nobody knows where pods search
        # No cluster_dns is needed to know where is searched, but without one kubelet would search nowhere.
        node = Node(("10.96.0.10",), to_text(domains[0]).removesuffix("."), None)
        searches = pod_resolv_conf(PodDns(namespace), node)[0].searches
    types = tuple(one for one in parameters.get("type", "").split(",") if one)
    ndots = int(NDOTS.partition(":")[2])
    question = Question(parameters.get("name", ""), types, namespace, tuple(searches), ndots, TOP_LEVEL)
    yield (yield from explain(world, question, problems, others))
