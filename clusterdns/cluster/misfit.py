"""A value of the wrong shape: msgspec's words -> ours, with the key that it leaves out."""

import re
from typing import Any

from clusterdns.cluster import schema
from clusterdns.cluster.documents import Path
from clusterdns.cluster.faults import Faults

_WORDS = {
    "array": "a list",
    "object": "a mapping",
    "str": "text",
    "int": "a number",
    "float": "a fraction",
    "bool": "true or false",
    "null": "nothing",
}
_MISFIT = re.compile(r"Expected `(.*?)`, got `(.*?)`(?: - at `\$(.*)`)?")
_STEP = re.compile(r"\.([A-Za-z]+)|\[(\d+)\]")


def explain_misfit(faults: Faults, message: str, source: Any) -> None:
    """msgspec's words -> ours.  It stops at the first misfit, unlike our own rules."""
    found = _MISFIT.search(message)
    if not found:
        text, _, where = message.partition(" - at `$")
        path = _path(where, source)
        faults.error("CD201", path, f"{text[:1].lower()}{text[1:]}", "write what Kubernetes expects there")
        return
    expected, got, where = found.groups()
    wanted = " or ".join(_WORDS.get(word, word) for word in expected.split(" | ") if word != "null")
    path = _path(where or "", source)
    remedy = _SHAPES.get((expected.split(" | ")[0], got), f"write {wanted}")
    if path[-2:] == ("selector", "matchLabels"):
        remedy = "write the labels right below selector: that of a Service has no matchLabels"
    faults.error("CD201", path, f"must be {wanted}, not {_WORDS.get(got, got)}", remedy)


_SHAPES = {
    ("array", "object"): "write a list: each item behind a dash, or in brackets",
    ("array", "str"): "write a list: each item behind a dash, or in brackets",
    ("object", "array"): "write `key: value` without a dash",
    ("object", "str"): "write `key: value` lines below it",
    ("str", "array"): "write one text, without brackets or dashes",
    ("str", "object"): "write one text",
    ("str", "int"): "put it in quotes",
    ("str", "bool"): "put it in quotes",
    ("int", "float"): "write a whole number",
    ("int", "array"): "write one number, without brackets or dashes",
}


def _path(where: str, source: Any) -> Path:
    """msgspec's ``.spec.ports[0]``; for a key it writes ``[...]``: then the first one without a text is meant."""
    before, any_key, _ = where.partition("[...]")
    path: Path = tuple(int(index) if index else name for name, index in _STEP.findall(before))
    if not any_key:
        return path
    node = schema.plain(source)
    for step in path:
        node = node[step]
    if isinstance(node, dict):
        wrong = [key for key, value in node.items() if not isinstance(value, str | None)]
        return (*path, *wrong[:1])
    return path
