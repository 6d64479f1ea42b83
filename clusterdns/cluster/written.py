"""One object as it stands in its file: a tree with text, numbers and booleans, as the API would hold it.

The model keeps where an object was written instead of what was written there and changes no answer.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from clusterdns.cluster.compose import Quoted, compose
from clusterdns.cluster.documents import Document, DocumentError, split
from clusterdns.cluster.manifest import items_of
from clusterdns.cluster.model import Object
from clusterdns.cluster.schema import read_header

Read = Callable[[int, int], bytes]  # (offset, octets) -> what is there, shorter only at the end of the file

_FIRST = 1 << 14  # octets; most objects are smaller
_NEXT_DOCUMENT = re.compile(rb"\n(?:---|\.\.\.)(?=[ \t\r\n])")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FRACTION = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\.[0-9]+")
# Maps of text to text: ``{version: 1}`` is text here, whatever YAML thinks.
_TEXTS = frozenset(("labels", "annotations", "matchLabels", "nodeSelector", "limits", "requests", "data"))
_SCALAR_TEXTS = frozenset(
    ("name", "namespace", "value", "ip", "hostname", "image", "clusterIP", "podIP", "resourceVersion")
)


def written_tree(read: Read, item: Object) -> dict[str, Any] | None:
    """The tree at *item*'s place; None if something else stands there by now."""
    octets = _FIRST
    while True:
        data = read(item.place.offset, octets)
        found, whole = _first(data, ended=len(data) < octets)
        if whole or len(data) < octets:
            return _one_of(found, item)
        octets *= 4


def _first(data: bytes, *, ended: bool) -> tuple[Any, bool]:
    """The first document of *data*, and whether all of it is there."""
    text = data.decode("utf-8-sig", "ignore")
    blank = len(text) - len(text.lstrip())
    if text[blank : blank + 1] in ("{", "["):
        try:
            return json.JSONDecoder().raw_decode(text, blank)[0], True
        except (json.JSONDecodeError, RecursionError):
            if not ended:
                return None, False  # perhaps only cut; else it is YAML in flow style
    if not ended and not _NEXT_DOCUMENT.search(data, 3):
        return None, False
    try:
        documents = split(data)
        return (_typed(compose(Document(documents[0].text, 1, 0)).root) if documents else None), True
    except DocumentError:
        return None, True


def _one_of(found: Any, item: Object) -> dict[str, Any] | None:
    """*found* itself, or the one that *item* is in a List."""
    if not isinstance(found, dict):
        return None
    items = items_of(found, read_header(found))
    for source in items.sources if items else [found]:
        if isinstance(source, dict) and _is(source, item):
            return source
    return None


def _is(tree: dict[str, Any], item: Object) -> bool:
    metadata = tree.get("metadata")
    if tree.get("kind", item.kind) != item.kind or not isinstance(metadata, dict):
        return False
    namespace = metadata.get("namespace") or "default" if item.key.namespace else ""
    return (namespace, metadata.get("name")) == item.key


def _typed(value: Any, name: str = "", *, texts: bool = False) -> Any:
    """Plain scalars of a YAML tree -> numbers and booleans where the API has them."""
    if isinstance(value, dict):
        inside = name in _TEXTS or (
            name == "selector" and "matchLabels" not in value and "matchExpressions" not in value
        )
        return {str(key): _typed(child, key, texts=inside) for key, child in value.items()}
    if isinstance(value, list):
        return [_typed(child, name) for child in value]
    if value is None:
        return None
    if isinstance(value, Quoted) or texts or name in _SCALAR_TEXTS:
        return str(value)
    return _scalar(value)


def _scalar(value: str) -> Any:
    if value in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return value.lower() == "true"
    if _INTEGER.fullmatch(value):
        return int(value)
    return float(value) if _FRACTION.fullmatch(value) else str(value)
