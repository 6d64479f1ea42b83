"""Findings -> Problems: the line of each field, and which findings their objects say are meant.  Blocks.

The model keeps neither fields' lines nor annotations.  So the documents that somebody complains about are read again,
each once.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path as FilePath
from typing import Any

from msgspec import Struct

from clusterdns.cluster.compose import compose
from clusterdns.cluster.documents import Document, DocumentError, Limits, Path, locate
from clusterdns.cluster.faults import show
from clusterdns.cluster.manifest import Identity, identity_of, items_of
from clusterdns.cluster.model import Object, Place, identity, subject
from clusterdns.cluster.schema import read_header
from clusterdns.errors import Problem, shortened
from clusterdns.lints.scene import IGNORE, Finding

_NEXT_DOCUMENT = re.compile(rb"\n(?=(?:---|\.\.\.)(?:[ \t\r\n]|\Z))")
_FIRST = 1 << 14  # octets; most objects are smaller
_MOST_LISTS = 8  # in one another, as in cluster.manifest


def pinpoint(findings: Iterable[Finding], limits: Limits = Limits()) -> list[Problem]:  # noqa: B008 - frozen
    """By path and line.  Where a file changed meanwhile the object's line stands, and nothing is ignored."""
    by_place: dict[tuple[str, int], list[Finding]] = {}
    for finding in findings:
        by_place.setdefault((finding.item.place.path, finding.item.place.offset), []).append(finding)
    problems: list[Problem] = []
    file: _File | None = None
    for path, offset in sorted(by_place):
        if file is None or file.path != path:
            file = _File(path)
        problems += _told(by_place[path, offset], file.document(offset), limits)
    return sorted(problems)


class _File:
    """One file's octets, asked for documents in their order."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._data = FilePath(path).read_bytes() if path else b""
        except OSError:
            self._data = b""
        self._line, self._at = 1, 0

    def document(self, offset: int) -> Document | None:
        if offset >= len(self._data):
            return None
        self._line, self._at = self._line + self._data.count(b"\n", self._at, offset), offset
        end = _end(self._data, offset)
        return Document(self._data[offset:end], self._line, offset)


def _end(data: bytes, offset: int) -> int:
    """Of the document, or of the JSON item, that begins at *offset*.  Looks no further than it must: lists are long."""
    if data[offset : offset + 64].lstrip()[:1] not in (b"{", b"["):
        found = _NEXT_DOCUMENT.search(data, offset + 3)
        return found.end() if found else len(data)
    octets = _FIRST
    while True:
        end = min(len(data), offset + octets)
        text = data[offset:end].decode("utf-8", "ignore")
        blank = len(text) - len(text.lstrip())
        try:
            return offset + len(text[: json.JSONDecoder().raw_decode(text, blank)[1]].encode())
        except (json.JSONDecodeError, RecursionError):
            if found := _NEXT_DOCUMENT.search(data, offset + 3, end):  # it is YAML in flow style
                return found.end()
        if end == len(data):
            return end
        octets *= 4


class _Written(Struct):
    """An object as it stands in its document."""

    base: Path
    tree: dict[str, Any]


def _told(findings: list[Finding], document: Document | None, limits: Limits) -> Iterator[Problem]:
    written = dict(_objects(document, findings[0].item, limits)) if document else {}
    left = []
    for finding in findings:
        found = written.get(identity(finding.item))
        if found is None or not _meant(finding, found.tree):
            left.append((finding, (*found.base, *finding.path) if found else None))
    lines = locate(document, {path for _, path in left if path}) if document and left else {}
    for finding, path in left:
        yield _problem(finding, lines[path] if path else finding.item.place.line)


def _objects(document: Document, sample: Object, limits: Limits) -> Iterator[tuple[Identity, _Written]]:
    try:
        root = compose(document, limits).root
    except DocumentError:
        return
    header = read_header(root)
    if header is not None and items_of(root, header) is None and not header.kind and isinstance(root, dict):
        yield identity(sample), _Written((), root)  # an item of a typed list in JSON does not say its kind
        return
    yield from _inside(root, (), "", _MOST_LISTS)


def _inside(source: Any, base: Path, kind: str, deep: int) -> Iterator[tuple[Identity, _Written]]:
    header = read_header(source)
    items = items_of(source, header)
    if items is None:
        name = identity_of(source, kind=str(header.kind or kind) if header else kind)
        if name and isinstance(source, dict):
            yield name, _Written(base, source)
        return
    for index, item in enumerate(items.sources if deep else ()):
        yield from _inside(item, (*base, *items.base, index), items.implied[1], deep - 1)


def _meant(finding: Finding, tree: dict[str, Any]) -> bool:
    if finding.unless and str(_value(tree, finding.unless)) in ("true", "True"):
        return True
    codes = str(_value(tree, ("metadata", "annotations", IGNORE)) or "")
    return finding.code in {code.strip() for code in codes.split(",")}


def _value(tree: Any, path: Path) -> Any:
    for part in path:
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree


def _problem(finding: Finding, line: int) -> Problem:
    place: Place = finding.item.place
    text = f"{show(finding.path)}: {shortened(finding.text)}"
    about = subject(finding.item)
    return Problem(place.path, line, finding.severity, finding.code, about, text, shortened(finding.remedy))
