"""Label selectors: kubectl's language and the API's matchLabels and matchExpressions."""

import re
from collections.abc import Mapping

from msgspec import Struct


class Requirement(Struct, frozen=True, gc=False):
    key: str
    operator: str  # "in" | "notin" | "exists" | "!"
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        if self.operator == "in":
            return labels.get(self.key) in self.values
        if self.operator == "notin":  # also true where the label is absent, as in Kubernetes
            return labels.get(self.key) not in self.values
        return (self.key in labels) is (self.operator == "exists")


SELECTOR_REMEDY = "write it as for kubectl, like app=web,tier in (a,b),!old"

Selector = tuple[Requirement, ...]  # all must hold; () selects everything


def matches(selector: Selector, labels: Mapping[str, str]) -> bool:
    return all(requirement.matches(labels) for requirement in selector)


def equals(pairs: Mapping[str, str]) -> Selector:
    """The selector of ``matchLabels``, and of a Service."""
    return tuple(Requirement(key, "in", frozenset((value,))) for key, value in sorted(pairs.items()))


_REQUIREMENT = re.compile(
    r"\s*(?:(?P<absent>!)\s*(?P<gone>[^\s,=!()]+)"
    r"|(?P<key>[^\s,=!()]+)\s*(?:(?P<equal>==?|!=)\s*(?P<value>[^\s,=!()]*)"
    r"|(?P<set>in|notin)\s*\((?P<values>[^()]*)\))?)\s*(?:,|$)"
)
_KEY = re.compile(r"(?:(?=.{1,253}/)[a-z0-9](?:[-.a-z0-9]*[a-z0-9])?/)?[A-Za-z0-9](?:[-._A-Za-z0-9]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-._A-Za-z0-9]{0,61}[A-Za-z0-9])?)?")


def is_label_key(text: str) -> bool:
    """Optional DNS-subdomain prefix (253) and ``/``, then 1 to 63 of ``[A-Za-z0-9]`` with inner ``-_.``."""
    return _KEY.fullmatch(text) is not None


def is_label_value(text: str) -> bool:
    """0 to 63 of ``[A-Za-z0-9]`` with inner ``-_.``."""
    return _VALUE.fullmatch(text) is not None


def parse_selector(text: str) -> Selector:
    """kubectl's language: ``a=b,c!=d,e in (f,g),h notin (i),j,!k``.  Raises ValueError with the place of the fault."""
    requirements: list[Requirement] = []
    at = 0
    while at < len(text.rstrip()) or (at and text[at - 1] == ","):
        found = _REQUIREMENT.match(text, at)
        if not found:
            raise ValueError(f"{text!r} is no label selector from character {at + 1} on")
        requirements.append(_requirement(found))
        at = found.end()
    return tuple(requirements)


def _requirement(found: re.Match[str]) -> Requirement:
    key = found["gone"] or found["key"]
    if not is_label_key(key):
        raise ValueError(f"{key!r} is no label key")
    if found["set"]:
        operator, values = found["set"], frozenset(value.strip() for value in found["values"].split(","))
    elif found["equal"]:
        operator, values = ("notin" if found["equal"] == "!=" else "in"), frozenset((found["value"],))
    else:
        operator, values = ("!" if found["absent"] else "exists"), frozenset()
    for value in values:
        if not is_label_value(value):
            raise ValueError(f"{value!r} is no label value")
    return Requirement(key, operator, values)
