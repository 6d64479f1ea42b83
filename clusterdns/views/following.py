"""``clusterdns get``: one listing, or a listing and then what changes."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from clusterdns.views import output, records
from clusterdns.views.columns import TABLE, align
from clusterdns.views.records import Record
from clusterdns.views.tables import Style, cells, table, titles
from clusterdns.views.trees import Tree, name_of, namespace_of

Whole = Callable[[Sequence[Any]], str]


class Lines(Protocol):
    """*now*: Unix seconds."""

    def whole(self, items: Sequence[Any], now: float) -> str:
        """All of them, once."""

    def news(self, items: Sequence[Any], now: float) -> str:
        """What changed since the last call; "" for nothing."""


class ObjectLines:
    """As kubectl: with ``-w`` an object's row once more whenever it changes, and a last time when it goes."""

    def __init__(self, kind: str, form: str, style: Style, *, single: bool) -> None:
        self._kind, self._form, self._style, self._single = kind, form, style, single
        self._seen: dict[tuple[str, str], Tree] | None = None
        self._widths: list[int] = []

    def whole(self, items: Sequence[Tree], now: float) -> str:
        if self._form == "json":
            return output.as_json(items, single=self._single)
        if self._form == "yaml":
            return output.as_yaml(items, single=self._single)
        if self._form == "name":
            return output.as_names(items)
        return table(self._kind, items, now, self._style)

    def news(self, items: Sequence[Tree], now: float) -> str:
        before, after = self._seen or {}, {(namespace_of(item), name_of(item)): item for item in items}
        gone = [item for key, item in before.items() if key not in after]
        changed = [item for key, item in after.items() if before.get(key) != item]
        first = self._seen is None
        self._seen = after
        if self._form == "yaml":
            return "".join(f"---\n{output.as_yaml([item], single=True)}" for item in (*gone, *changed))
        if self._form == "json":
            return "".join(output.as_json([item], single=True) for item in (*gone, *changed))
        if self._form == "name":
            return output.as_names([*gone, *changed])
        rows = [cells(self._kind, item, now, self._style) for item in (*gone, *changed)]
        if not rows:
            return ""
        head = [titles(self._kind, self._style)] if first or not self._widths else []
        text, self._widths = align([*head, *rows], TABLE, self._widths)
        return text


class RecordLines:
    """With ``-w`` each line tells what happened: ADDED or DELETED."""

    def __init__(self, form: str) -> None:
        self._form = form
        self._seen: dict[Record, None] | None = None
        self._widths: list[int] = []

    def whole(self, items: Sequence[Record], now: float) -> str:  # noqa: ARG002 - records have no age
        whole: dict[str, Whole] = {
            "json": records.as_json,
            "yaml": records.as_yaml,
            "name": records.as_names,
            "zone": records.as_zone,
        }
        return whole[self._form](items) if self._form in whole else records.table(items, wide=self._form == "wide")

    def news(self, items: Sequence[Record], now: float) -> str:
        before, after = self._seen or {}, dict.fromkeys(items)
        events = [("DELETED", record) for record in before if record not in after]
        events += [("ADDED", record) for record in after if record not in before]
        self._seen = after
        if not events:
            return ""
        if self._form not in ("", "wide"):
            return self.whole([record for event, record in events if event == "ADDED"], now)
        wide = self._form == "wide"
        rows = [[event, *records.cells(record, wide=wide)] for event, record in events]
        head = [] if self._widths else [["EVENT", *records.titles(wide=wide)]]
        text, self._widths = align([*head, *rows], TABLE, self._widths)
        return text
