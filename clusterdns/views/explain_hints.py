"""The nearest existing names to one that does not exist."""

from collections.abc import Generator, Iterable, Sequence
from difflib import SequenceMatcher

from clusterdns.cluster.model import Key
from clusterdns.world import World

Names = Generator[None, None, list[str]]

_MOST = 3
_TOGETHER = 32  # compared without a pause: some 2 ms
_ALIKE = 0.65  # as in difflib's get_close_matches, somewhat stricter


def services_like(world: World, key: Key, before: str = "") -> Names:
    """``["web.shop"]``: that name in other namespaces, namespace and name swapped, then near spellings.

    *before*: labels that were asked for below the Service, with their dot.
    """
    served = world.table.tree.published
    keys = list(served)
    yield
    found = [one for one in keys if one.name == key.name and one.namespace != key.namespace]
    yield
    # The namespace that looks most like the one that was asked for comes first.
    found.sort(key=lambda one: (-SequenceMatcher(None, one.namespace, key.namespace).ratio(), one.namespace))
    if (swapped := Key(key.name, key.namespace)) in served:
        found.append(swapped)
    near = yield from close(key.name, [one.name for one in keys if one.namespace == key.namespace])
    similar = [Key(key.namespace, name) for name in near]
    if found[:1] and found[0].namespace in (yield from close(key.namespace, [one.namespace for one in found])):
        similar = [*found[:1], *similar]
    chosen = dict.fromkeys((*similar, *found))
    return [f"{before}{one.name}.{one.namespace}" for one in list(chosen)[:_MOST]]


def close(text: str, among: Iterable[str]) -> Names:
    """Those of *among* that are spelt nearly like *text*, the nearest first."""
    matcher = SequenceMatcher(None, b=text)
    found: list[tuple[float, str]] = []
    for count, one in enumerate(dict.fromkeys(among)):
        if not count % _TOGETHER:
            yield
        matcher.set_seq1(one)
        whole = bool(text) and (one.startswith(f"{text}-") or text.startswith(f"{one}-"))
        if one != text and (whole or (matcher.real_quick_ratio() >= _ALIKE and matcher.quick_ratio() >= _ALIKE)):
            ratio = max(matcher.ratio(), _ALIKE * whole)
            if ratio >= _ALIKE:
                found.append((-ratio, one))
    return [one for _, one in sorted(found)[:_MOST]]


def first(names: Sequence[str], most: int = 6) -> str:
    """``a, b and 3 more``"""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
