"""One document, composed or as Raw JSON -> objects and faults.  Lists fail item by item."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from clusterdns.cluster import schema
from clusterdns.cluster.build import build
from clusterdns.cluster.documents import Path
from clusterdns.cluster.faults import MOST_FAULTS, Fault, Faults, and_more, show
from clusterdns.cluster.misfit import explain_misfit
from clusterdns.cluster.misspelt import check_spelling, nearest_kind
from clusterdns.cluster.model import Key, Object, Place
from clusterdns.cluster.validate import check
from clusterdns.errors import shortened

Identity = tuple[str, Key]

_MAX_LISTS = 8  # in one another


class Items(Struct):
    """What a List holds."""

    sources: list[Any]
    implied: tuple[str, str]  # apiVersion and kind of items that do not say their own; ("", "") if they must
    base: Path


class Reading:
    """Collects what one document says, of its errors and of its warnings twice MOST_FAULTS at most.

    *place*: its own; *item_lines*: as in Composed.
    """

    def __init__(self, place: Place, item_lines: dict[int, int]) -> None:
        self.objects: list[Object] = []
        self.faults: list[tuple[str, Fault]] = []  # (subject, fault), with paths from the top of the document
        self.skipped: Counter[str] = Counter()  # kind -> how many
        self.broken: dict[Identity | None, None] = {}  # an ordered set
        self._told: Counter[Literal["error", "warning"]] = Counter()
        self._more: Counter[Literal["error", "warning"]] = Counter()
        self._place = place
        self._lines = item_lines

    def read(self, source: Any, base: Path = (), implied: tuple[str, str] = ("", ""), lists: int = 0) -> None:
        """*source*: a tree or Raw, found at *base*."""
        header = schema.read_header(source)
        items = items_of(source, header)
        if items is not None:
            self._read_items(items, base, lists)
        elif header is None:
            self._stray(base, "no mapping", "remove it, or write a Kubernetes object")
        else:
            self._read_one(source, header, base, implied)

    def _read_items(self, items: Items, base: Path, lists: int) -> None:
        if lists >= _MAX_LISTS:
            text = f"Lists more than {_MAX_LISTS} deep"
            self._tell("", Fault(base, "error", "CD102", text, "write one List"))
            self.broken[None] = None
            return
        for index, item in enumerate(items.sources):
            self.read(item, (*base, *items.base, index), items.implied, lists + 1)

    def _read_one(self, source: Any, header: schema.Header, base: Path, implied: tuple[str, str]) -> None:
        version, kind = header.api_version or implied[0], header.kind or implied[1]
        missing = [
            name for name, value in (("apiVersion", version), ("kind", kind)) if not isinstance(value, str) or not value
        ]
        if missing:
            self._stray(
                base, f"without {' and '.join(missing)}", f"write {_them(missing)} if it is meant for a cluster"
            )
            return
        wire = schema.KINDS.get((version, kind))
        if wire is None:
            self.skipped[shortened(str(kind), 60)] += 1
            if (version, kind) == ("v1", "List"):
                self._tell(
                    "", Fault(base, "warning", "CD201", "a List without a list of items; skipped", "write items")
                )
            elif near := nearest_kind(str(version), str(kind)):
                what = f'"{shortened(kind)}" of "{shortened(version)}" is no kind of a cluster; skipped'
                self._tell("", Fault((*base, "kind"), "warning", "CD234", what, f"write {near}"))
            return
        faults = Faults(texts_are_quoted=type(source) is Raw)
        place = self._place_of(source)
        item = read_object(source, wire, str(version), str(kind), place, faults)
        if item is None or list(faults):
            name = identity_of(source, kind=str(kind))
            about = shortened(f"{name[0]} {name[1]}") if name else str(kind)
            for fault in faults:
                self._tell(about, _at(base, fault))
            if item is None:
                self.broken[name] = None
        if item is not None:
            self.objects.append(item)

    def _stray(self, base: Path, what: str, remedy: str) -> None:
        where = f"{show(base)}: " if base else ""
        code = "CD108" if base else "CD107"
        self._tell("", Fault(base, "warning", code, f"{where}no Kubernetes object: {what}; skipped", remedy))

    def _tell(self, about: str, fault: Fault) -> None:
        if self._told[fault.severity] < 2 * MOST_FAULTS:
            self._told[fault.severity] += 1
            self.faults.append((about, fault))
        else:
            self._more[fault.severity] += fault.count

    def more(self) -> Iterator[tuple[str, Fault]]:
        """In place of the faults that are too many to be told one by one."""
        if self._more:
            yield "", and_more((), "error" if self._more["error"] else "warning", self._more.total())

    def _place_of(self, source: Any) -> Place:
        line = self._lines.get(id(source), self._place.line)
        return Place(self._place.path, line, self._place.offset)


def _them(names: list[str]) -> str:
    return "them" if len(names) > 1 else f"{names[0]} as text"


def _at(base: Path, fault: Fault) -> Fault:
    return replace(fault, path=(*base, *fault.path)) if base else fault


def items_of(source: Any, header: schema.Header | None) -> Items | None:
    """None for what is no List.  A list at the top counts as one if each of its items looks like an object."""
    if header is None:
        found = schema.read_list(source)
        headers = (schema.read_header(item) for item in found or ())
        looks_right = all(item and item.kind and item.api_version for item in headers)
        return Items(found, ("", ""), ()) if found and looks_right else None
    kind, version = header.kind, header.api_version
    if not isinstance(kind, str) or not isinstance(version, str) or not kind.endswith("List") or header.items is None:
        return None
    if kind == "List":
        return Items(header.items, ("", ""), ("items",)) if version == "v1" else None
    return Items(header.items, (str(version), str(kind[:-4])), ("items",))


def read_object(
    source: Any, wire: type[schema.Wire], version: str, kind: str, place: Place, faults: Faults
) -> Object | None:
    """The object, or None if there are errors among the *faults*."""
    try:
        written = schema.read(source, wire)
    except msgspec.ValidationError as error:
        explain_misfit(faults, str(error), source)
        return None
    check(faults, kind, version, written)
    if type(source) is dict:
        check_spelling(faults, kind, source)
    return None if faults.failed else build(kind, version, written, place)


def identity_of(source: Any, kind: str = "", *, whole: bool = True) -> Identity | None:
    """As far as *source* says it.  Not *whole*: it is what came before a fault, so the namespace may be to come."""
    try:
        header = schema.read_header(source)
        metadata = schema.plain(header.metadata) if header else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    kind = kind or (header.kind if header and isinstance(header.kind, str) else "")
    if not kind or not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        return None
    namespace = metadata.get("namespace")
    if not whole and namespace is None and next(reversed(source)) == "metadata":
        return None
    if kind == "Namespace":
        return str(kind), Key("", str(metadata["name"]))
    return str(kind), Key(str(namespace) if isinstance(namespace, str) else "default", str(metadata["name"]))
