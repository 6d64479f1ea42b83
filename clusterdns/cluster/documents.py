"""One file of YAML -> documents: where they begin, what is wrong with them, at which lines their values are.

Nothing here knows Kubernetes.  Trees are made in ``cluster.compose``.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec
import yaml
from yaml import events as ev

try:
    from yaml import CSafeLoader as EventParser
except ImportError:  # a PyYAML built without libyaml: the same events, twenty times slower
    from yaml import SafeLoader as EventParser  # type: ignore[assignment]

from clusterdns.cluster import pieces
from clusterdns.cluster.raw_json import MOST_ITEMS

Path = tuple[str | int, ...]  # ("spec", "ports", 0, "port")


class DocumentError(Exception):
    """A file or document that cannot be read.  *partial* is the tree as far as it got."""

    def __init__(self, line: int, problem: str, remedy: str, code: str = "CD103", partial: Any = None) -> None:
        super().__init__(f"line {line}: {problem}; {remedy}")
        self.line = line  # 1-based, in the file
        self.problem = problem
        self.remedy = remedy
        self.code = code
        self.partial = partial


class Limits(msgspec.Struct, frozen=True):
    """What one file may cost, so that none can stall or crash a server."""

    octets: int = 16 << 20  # of all YAML in it
    json_octets: int = 256 << 20  # of all of it, if it begins as JSON does
    documents: int = 100_000
    items: int = MOST_ITEMS  # of one JSON list
    malformed: int = 100  # JSON values that are none: each may cost a look at all the rest
    object_octets: int = 3 << 20  # of one JSON object, which is read at once; an API server takes no more
    depth: int = 200  # of each document, as the rest
    nodes: int = 2_000_000  # aliases count as what they stand for
    aliases: int = 10_000
    anchors: int = 10_000
    keys: int = 100_000  # of one mapping: one of a million holds the interpreter for 40 ms whenever it grows


class Document(msgspec.Struct, frozen=True):
    """A part of a file, with its ``---`` line if it has one."""

    text: bytes
    line: int  # of the first octet of *text*, 1-based
    offset: int  # octets before *text* in the file


BOM = b"\xef\xbb\xbf"
_MARKER = re.compile(rb"\n(?=(?:---|\.\.\.)(?:[ \t\r\n]|\Z))")
_STARTS_WITH_MARKER = re.compile(rb"(?:---|\.\.\.)(?=[ \t\r\n]|\Z)")
_AHEAD = 5  # octets of a marker with the newline before it and what comes behind
_CONTENT = re.compile(rb"(?m)^(?:[ \t]++[^\s#]|[^\s#%])")  # neither blank, comment nor directive
_CONTENT_BESIDE = re.compile(rb"[ \t]++[^\s#]")  # of a marker
_BLANKS = re.compile(rb"[ \t]*+")


def split(data: bytes, most: int = Limits().documents) -> list[Document]:
    """Cuts at lines that begin with ``---`` or ``...``: YAML allows these nowhere inside a document.

    Parts without content vanish.  Of more than *most* documents the last is all the rest of the file.  Raises
    DocumentError for what is not UTF-8 at all (UTF-16, binaries).
    """
    _refuse_other_encodings(data)
    documents: list[Document] = []
    line, last = 1, 0
    for begin, end in _parts(data, 10 * most):
        text = pieces.cut(data, begin, end)
        line, last = line + pieces.newlines(data, last, begin), begin
        if _has_content(text):
            if len(documents) == most:
                return [*documents, Document(pieces.cut(data, begin, len(data)), line, begin)]
            documents.append(Document(text, line, begin))
    return documents


def _parts(data: bytes, most: int) -> Iterator[tuple[int, int]]:
    """Begin and end of at most *most* parts, empty ones too, and of the rest."""
    begin = len(BOM) if data.startswith(BOM) else 0
    if pieces.find(data, b"\n---") >= 0 or pieces.find(data, b"\n...") >= 0:  # ten times faster than the expression
        for found in islice(pieces.matches(_MARKER, data, begin, _AHEAD), most):
            yield begin, found.end()
            begin = found.end()
    yield begin, len(data)


def _has_content(text: bytes) -> bool:
    marker = _STARTS_WITH_MARKER.match(text)
    at = marker.end() if marker else 0
    if marker and _CONTENT_BESIDE.match(text, at):
        return True
    while at < len(text):
        blanks = _BLANKS.match(text, at + pieces.PIECE)  # they are not parted from what they stand before
        end = blanks.end() + 1 if blanks else len(text)
        if _CONTENT.search(text, at, end):
            return True
        at = end
    return False


def _refuse_other_encodings(data: bytes) -> None:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or data[:4].count(b"\0") in (2, 3):
        raise DocumentError(1, "the file is UTF-16 or UTF-32", "save it as UTF-8", "CD101")
    if (at := pieces.find(data, b"\0")) >= 0:
        line = pieces.newlines(data, 0, at) + 1
        raise DocumentError(line, "a NUL byte: this is no text", "save it as UTF-8", "CD101")


def events(text: bytes) -> Iterator[ev.Event]:
    """Raises yaml.YAMLError."""
    parser = EventParser(pieces.Stream(text))  # as a whole, one scalar of 15 MiB would hold the interpreter for 150 ms
    try:
        yield from iter(parser.get_event, None)
    finally:
        parser.dispose()


def locate(document: Document, paths: Iterable[Path]) -> dict[Path, int]:
    """The line of every path, or of its nearest parent that exists.  One pass, meant for errors only."""
    paths = list(paths)
    wanted = {path[:length] for path in paths for length in range(len(path) + 1)}
    lines: dict[Path, int] = {(): document.line}
    for path, line in _positions(document):
        if path in wanted:
            lines[path] = line
            wanted.discard(path)
            if not wanted:
                break
    return {path: next(lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in lines) for path in paths}


class _Open(msgspec.Struct):
    """A mapping or list that *_positions* is in."""

    path: Path
    is_mapping: bool
    key: tuple[str, int] | None = None  # of a mapping: the key whose value comes next, and its line
    index: int = 0  # of a list: of the item that comes next


def _positions(document: Document) -> Iterator[tuple[Path, int]]:
    """(path, line) of every value; the line of a value in a mapping is that of its key."""
    stack: list[_Open] = []
    depth = Limits().depth
    try:
        for event in events(document.text):
            if isinstance(event, ev.CollectionEndEvent):
                stack.pop()
            elif isinstance(event, ev.NodeEvent):
                if len(stack) > depth:
                    return
                found = _step(stack, event, document.line)
                if found:
                    yield found
                if isinstance(event, ev.CollectionStartEvent):
                    path = found[0] if found else ("",)  # a key that is a collection: nobody asks for its inside
                    stack.append(_Open(path, isinstance(event, ev.MappingStartEvent)))
    except yaml.YAMLError:
        return


def _step(stack: list[_Open], event: Any, first_line: int) -> tuple[Path, int] | None:
    """Where *event* is, None if it is a key."""
    line = first_line + event.start_mark.line
    if not stack:
        return (), line
    parent = stack[-1]
    if not parent.is_mapping:
        parent.index += 1
        return (*parent.path, parent.index - 1), line
    if parent.key is None:
        parent.key = (getattr(event, "value", ""), line)
        return None
    (key, line), parent.key = parent.key, None
    return (*parent.path, key), line
