"""Of the names that a resolver asks for: which one it ends with, or which one was meant."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from clusterdns.cluster.model import Key
from clusterdns.views.explain_names import Fall, fall
from clusterdns.views.explanation import Answer, Explanation, Step
from clusterdns.world import World
from clusterdns.zone.names import Name, to_text


def search(
    world: World, asked: Sequence[tuple[Name, Sequence[Answer]]], top_level: AbstractSet[str]
) -> tuple[int, list[Step]]:
    """Which of the names a resolver ends with, and what it gets on its way."""
    status = [status_of(answers) for _, answers in asked]
    if "NOERROR" in status:
        chosen = status.index("NOERROR")
        shown = [one if at <= chosen else "" for at, one in enumerate(status)]
    else:
        ranks = [_rank(world, name, one, top_level) for (name, _), one in zip(asked, status, strict=True)]
        chosen, shown = ranks.index(max(ranks)), status
    return chosen, [Step(to_text(name), outcome) for (name, _), outcome in zip(asked, shown, strict=True)]


def _rank(world: World, name: Name, status: str, top_level: AbstractSet[str]) -> int:
    """How likely it is that a name that is not found was meant in this form."""
    landed, state = fall_of(world, name), world.state
    key = landed.service
    if key and (state.get("Service", key) or state.slices(key) or state.get("Endpoints", key)):
        return 9
    if status == "NODATA":
        return 8
    there = state.has_namespace(landed.namespace)
    if landed.rule in ("service", "namespace", "pod", "pods", "reverse"):
        if there or _is_known(world, key):
            return 7
        if landed.rule == "service":  # web.shop is, whether or not there is a shop; example.com is not
            return 0 if landed.namespace in top_level else 3
        return 5
    if key and there:
        pod = landed.rule == "endpoint" and world.controllers.pod(state, Key(key.namespace, landed.parts[0]))
        return 6 if pod or landed.parts[0].startswith("_") else 0
    return 2 if landed.rule == "outside" else 1


def _is_known(world: World, key: Key | None) -> bool:
    """Whether some namespace has a Service of that name."""
    return any(one.name == key.name for one in list(world.table.tree.published)) if key else False


def fall_of(world: World, name: Name) -> Fall:
    options = world.table.options
    return fall(name, options.domains, options.reverse)


def status_of(answers: Sequence[Answer]) -> str:
    return Explanation("", tuple(answers), "").status
