"""Things found by a label, so that no pod meets every selector and no selector every pod."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

from clusterdns.cluster.labels import Requirement, Selector

Thing = TypeVar("Thing", bound=tuple[object, ...])
Pair = tuple[str, str]  # label, value

ANY: Pair = ("", "")  # where selectors are that no pair narrows, and what every pod is under for their sake


class LabelIndex(Generic[Thing]):
    """(namespace, label, value) -> things.  It knows no selector: what it finds are candidates, to be matched."""

    def __init__(self) -> None:
        self._things: dict[tuple[str, str, str], set[Thing]] = {}

    def add(self, namespace: str, pairs: Iterable[Pair], thing: Thing) -> None:
        for label, value in pairs:
            self._things.setdefault((namespace, label, value), set()).add(thing)

    def remove(self, namespace: str, pairs: Iterable[Pair], thing: Thing) -> None:
        """With the very *pairs* it was added under."""
        for label, value in pairs:
            things = self._things[namespace, label, value]
            things.remove(thing)
            if not things:
                del self._things[namespace, label, value]

    def under(self, namespace: str, pair: Pair) -> set[Thing] | frozenset[Thing]:
        return self._things.get((namespace, *pair), frozenset())

    def fewest(self, namespace: str, pairs: Iterable[Pair]) -> Pair:
        """The one of *pairs* with the fewest things: it narrows best."""
        return min(pairs, key=lambda pair: (len(self.under(namespace, pair)), pair))

    def candidates(self, namespace: str, selector: Selector) -> Iterator[Thing]:
        """Those that may match *selector*, by the requirement that narrows best; with none, those under ANY."""
        ways = [_pairs(one) for one in selector if one.operator == "in"] or [[ANY]]
        best = min(ways, key=lambda pairs: sum(len(self.under(namespace, pair)) for pair in pairs))
        for pair in best:
            yield from self.under(namespace, pair)

    def near(self, namespace: str, labels: Mapping[str, str]) -> Iterator[Thing]:
        """Those under any pair of *labels*, and under ANY."""
        if not self._things:
            return
        for label, value in labels.items():
            yield from self._things.get((namespace, label, value), ())
        yield from self.under(namespace, ANY)


def anchors(selector: Selector) -> Sequence[Pair]:
    """Pairs of which labels must have one to match *selector*; ANY where it names none."""
    return next((_pairs(one) for one in selector if one.operator == "in"), [ANY])


def _pairs(requirement: Requirement) -> list[Pair]:
    return [(requirement.key, value) for value in sorted(requirement.values)]
