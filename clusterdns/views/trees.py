"""Kubernetes objects as the API writes them: trees of dicts, lists, text, numbers, booleans and None.

Views read many fields of objects that others wrote, any of which may be absent, null or of another shape; so they
ask here and never fail.
"""

from collections.abc import Iterable
from typing import Any

Tree = dict[str, Any]

NONE = "<none>"


def sub(tree: object, *path: str) -> Tree:
    """The mapping at *path*; {} where there is none."""
    found = get(tree, *path)
    return found if isinstance(found, dict) else {}


def get(tree: object, *path: str) -> Any:
    """The value at *path*; None where there is none."""
    for name in path:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def text(tree: object, *path: str) -> str:
    """The value at *path* as the API would print it; "" where there is none."""
    found = get(tree, *path)
    if isinstance(found, bool):
        return str(found).lower()
    return "" if found is None else str(found)


def number(tree: object, *path: str, default: int = 0) -> int:
    found = get(tree, *path)
    return found if isinstance(found, int) else default


def many(tree: object, *path: str) -> list[Tree]:
    """The mappings in the list at *path*."""
    found = get(tree, *path)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def texts(tree: object, *path: str) -> list[str]:
    """The scalars in the list at *path*."""
    found = get(tree, *path)
    return [text({"": item}, "") for item in found if item is not None] if isinstance(found, list) else []


def pairs(tree: object, *path: str) -> dict[str, str]:
    """A mapping of text to text, such as labels, in the order of its keys."""
    found = sub(tree, *path)
    return {key: text(found, key) for key in sorted(found)}


def name_of(tree: Tree) -> str:
    return text(tree, "metadata", "name")


def namespace_of(tree: Tree) -> str:
    return text(tree, "metadata", "namespace")


def labels_of(tree: Tree) -> dict[str, str]:
    return pairs(tree, "metadata", "labels")


def joined(values: Iterable[str]) -> str:
    return ",".join(values) or NONE


def format_labels(labels: dict[str, str]) -> str:
    """``app=web,tier=front`` or ``<none>``."""
    return joined(f"{key}={value}" for key, value in sorted(labels.items()))
