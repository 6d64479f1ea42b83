"""``-o json``, ``-o yaml`` and ``-o name``, as kubectl writes them."""

import re
from collections.abc import Iterable, Sequence

import msgspec
import yaml

from clusterdns.views.trees import Tree, name_of, text

_PLURALS = {"Service": "service", "Endpoints": "endpoints", "Pod": "pod", "Namespace": "namespace"}


def as_json(items: Sequence[Tree], *, single: bool) -> str:
    """*single*: one object was asked for by name; else a List of them."""
    octets = msgspec.json.encode(_whole(items, single=single), order="sorted")
    return msgspec.json.format(octets, indent=4).decode() + "\n"


def as_yaml(items: Sequence[Tree], *, single: bool) -> str:
    # Read back from JSON nothing is shared, so that no anchors are written.
    whole = msgspec.json.decode(msgspec.json.encode(_whole(items, single=single)))
    found: str = yaml.dump(whole, Dumper=_Dumper, width=2**31, allow_unicode=True)
    return found


def as_names(items: Iterable[Tree]) -> str:
    """``service/web``"""
    return "".join(
        f"{_PLURALS.get(text(item, 'kind'), text(item, 'kind').lower())}/{name_of(item)}\n" for item in items
    )


def _whole(items: Sequence[Tree], *, single: bool) -> Tree:
    if single and len(items) == 1:
        return items[0]
    return {"apiVersion": "v1", "items": list(items), "kind": "List", "metadata": {"resourceVersion": ""}}


# What a YAML 1.1 reader would take for something else than text: kubectl writes it in double quotes.
_AMBIGUOUS = re.compile(
    r"|~|null|true|false|yes|no|on|off|y|n|=|<<|[-+]?\.(?:inf|nan)"
    r"|[-+]?(?:0[bo]?[0-7_]+|[0-9][0-9_]*|0x[0-9a-f_]+)"
    r"|[-+]?(?:[0-9][0-9_]*)?\.?[0-9_]+(?:e[-+]?[0-9]+)?|[-+]?[0-9]+\."
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[t ].*)?",
    re.IGNORECASE,
)


class _Dumper(yaml.SafeDumper):
    """With text as kubectl quotes it."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = None
    if "\n" in value:
        style = "|"
    elif _AMBIGUOUS.fullmatch(value):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
