"""Which names and answers change between two states.

A state is what all zones say: RRsets by owner and type, and which names exist without a record.  Serials are no
answer and not in it.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

import msgspec
from msgspec import Struct

from clusterdns.views.records import Record

Answers = dict[str, dict[str, list[str]]]  # name -> type -> records as master files write them, with the TTL, sorted


def answers(records: Iterable[Record], names: Iterable[str]) -> Answers:
    """*names*: that exist besides the owners of *records* and the names above these (RFC 8020)."""
    found: Answers = {name: {} for name in names}
    for record in records:
        text = f"{record.ttl} IN {record.type} {record.data}"
        found.setdefault(record.name, {}).setdefault(record.type, []).append(text)
    for types in found.values():
        for rrset in types.values():
            rrset.sort()
    for name in list(found):
        while "NS" not in found[name] and (name := name.partition(".")[2]) and name not in found:
            found[name] = {}
    return found


class Difference(Struct, frozen=True, order=True, omit_defaults=True):
    """What changes at one name and type; *type* is "" where the name only comes or goes.

    A negative answer is NXDOMAIN or NODATA in *was* and *now*; else these are "NOERROR".
    """

    name: str
    type: str
    was: str
    now: str
    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


def differences(
    before: Mapping[str, Mapping[str, list[str]]], after: Mapping[str, Mapping[str, list[str]]]
) -> list[Difference]:
    """In the order of the names, read from the right as zones are."""
    changed = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
    return [one for name in sorted(changed, key=_canonical) for one in _at(name, before.get(name), after.get(name))]


def _at(name: str, old: Mapping[str, list[str]] | None, new: Mapping[str, list[str]] | None) -> Iterator[Difference]:
    types = sorted({*(old or ()), *(new or ())})
    if not types:
        yield Difference(name, "", _answer(old, ""), _answer(new, ""))
    for rtype in types:
        was, now = (old or {}).get(rtype, []), (new or {}).get(rtype, [])
        if was != now:
            removed = tuple(one for one in was if one not in now)
            added = tuple(one for one in now if one not in was)
            yield Difference(name, rtype, _answer(old, rtype), _answer(new, rtype), removed, added)


def _answer(types: Mapping[str, list[str]] | None, rtype: str) -> str:
    if types is None:
        return "NXDOMAIN"
    return "NOERROR" if types.get(rtype) else "NODATA"


def _canonical(name: str) -> tuple[bool, list[str]]:
    """The order of RFC 4034 §6.1, as far as names of Kubernetes go; reverse names last."""
    labels = name.rstrip(".").split(".")[::-1]
    return labels[0] == "arpa", labels


def as_text(found: list[Difference]) -> str:
    """A line with ``-`` or ``+`` for each record, and one with ``~`` where an answer turns negative.

    Names without records that only come or go because one below them does are left out; JSON has them.
    """
    implied = {parent for one in found for parent in _above(one.name)}
    lines: list[str] = []
    for name, group in groupby(found, key=lambda one: one.name):
        here = list(group)
        if not here[0].type and name in implied:
            continue
        for one in here:
            lines += [f"- {name} {record}" for record in one.removed]
            lines += [f"+ {name} {record}" for record in one.added]
            if one.type and one.now == "NODATA":
                lines.append(f"~ {name} {one.type}: NOERROR -> NODATA")
        if not here[0].type or here[0].now == "NXDOMAIN":
            lines.append(f"~ {name}: {here[0].was} -> {here[0].now}")
    return "".join(f"{line}\n" for line in lines)


def _above(name: str) -> Iterator[str]:
    while name := name.partition(".")[2]:
        yield name


def as_json(found: list[Difference]) -> str:
    return msgspec.json.format(msgspec.json.encode({"differences": found}), indent=2).decode() + "\n"
