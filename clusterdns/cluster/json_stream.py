"""A file of JSON -> its documents and the items of its lists, with their places.  Nothing is decoded twice for it."""

import re
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Raw

from clusterdns.cluster import pieces
from clusterdns.cluster.documents import Document, DocumentError
from clusterdns.cluster.json_outline import BrokenError, value_end

_LOOKS_LIKE_JSON = re.compile(rb"\s*+[\[{]")
_KEY = re.compile(rb'[\s,{]*("(?:[^"\\]|\\.)*")\s*:\s*')
_OPENING = re.compile(rb"\s*\[\s*")
_SEPARATOR = re.compile(rb"\s*,\s*")
_BLANK = re.compile(rb"\s*")
_NEXT = re.compile(rb"\n(?=[\[{])")
_NEXT_OCTETS = 2
_TEXT = msgspec.json.Decoder(str)
_MOST_FIELDS = 64  # of an object, before the one that is looked for


class Lines:
    """Counts newlines as positions go up."""

    def __init__(self, document: Document) -> None:
        self._text, self._at, self._line, self._base = document.text, 0, document.line, document.offset

    def part(self, begin: int, end: int) -> Document:
        """``text[begin:end]`` as a Document; *begin* is never smaller than before."""
        self._line += pieces.newlines(self._text, self._at, begin)
        self._at = begin
        return Document(pieces.cut(self._text, begin, end), self._line, self._base + begin)


def is_json(document: Document) -> bool:
    """Perhaps: YAML's flow style begins like that, too."""
    return _LOOKS_LIKE_JSON.match(document.text) is not None


def json_documents(document: Document, malformed: int) -> Iterator[tuple[Document, DocumentError | None]]:
    """JSON documents one after another.  What is none, up to the next line that begins with ``{``, has an error.

    After so many *malformed* ones the rest is one: to find the end of each may take a look at all that follows.
    """
    lines, text = Lines(document), document.text
    at = _behind_blanks(text, 0)
    while at < len(text):
        end, error = _end_of_json(text, at)
        if error:
            malformed -= 1
            following = next(pieces.matches(_NEXT, text, at, _NEXT_OCTETS), None) if malformed > 0 else None
            end = following.end() if following else len(text)
        part = lines.part(at, end)
        yield part, _syntax_error(part, *error) if error else None
        at = _behind_blanks(text, end)


def _end_of_json(text: bytes, at: int) -> tuple[int, tuple[str, int] | None]:
    """Where the JSON value that begins at *at* ends, or (problem, octets from *at* to it)."""
    try:
        return value_end(text, at), None
    except RecursionError:
        return 0, ("nested too deep", 0)
    except BrokenError as error:
        if "truncated" in error.problem:
            return 0, ("it ends in the middle", pieces.stripped(text, at, len(text)) - 1)
        return 0, (error.problem, error.at - at)


def _syntax_error(part: Document, problem: str, position: int) -> DocumentError:
    line = part.line + pieces.newlines(part.text, 0, position)
    if re.match(rb"[^\n\"]*(?://|#|/\*)", part.text[position : position + 100]):
        return DocumentError(line, "malformed JSON: a comment", "remove it: JSON has none", "CD104")
    return DocumentError(line, f"malformed JSON: {problem}", _REMEDIES.get(problem, "mend the JSON"), "CD104")


_REMEDIES = {
    "expected ',' or '}'": "write a comma behind the value before, or close what is open",
    "expected ',' or ']'": "write a comma behind the value before, or close what is open",
    "it ends in the middle": "close all braces and brackets, and look whether the rest of the file is lost",
    "invalid escaped character": "write \\\\ for a backslash",
    "nested too deep": "flatten it",
}


def json_items(document: Document, items: Sequence[Raw]) -> list[Document]:
    """*items*, which are those of *document* (an array, or an object's array ``items``), with their places."""
    text, lines, found = document.text, Lines(document), []
    at = begin = _position(text, "items", items) if text.lstrip().startswith(b"{") else 0
    for item in items:
        at = _match(_OPENING if at == begin else _SEPARATOR, text, at)
        end = at + memoryview(item).nbytes
        found.append(lines.part(at, end))
        at = end
    return found


def _position(text: bytes, name: str, items: Sequence[Raw]) -> int:
    """Where the list of these *items* begins that *name* has: msgspec says how long each value is, not where."""
    first = bytes(memoryview(items[0])[:64]) if items else b""
    at = 0
    for _ in range(_MOST_FIELDS):
        found = _KEY.match(text, at)
        if not found:
            break
        at = found.end()
        if _is_called(name, found[1]) and text.startswith(first, _match(_OPENING, text, at)):
            return at
        at, error = _end_of_json(text, at)
        if error:
            break
    at = text.find(first)
    return text.rfind(b"[", 0, at) if at >= 0 else 0


def _is_called(name: str, key: bytes) -> bool:
    try:
        return _TEXT.decode(key) == name
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def _behind_blanks(text: bytes, at: int) -> int:
    while (end := _match(_BLANK, text, at)) > at:
        at = end
    return at


def _match(pattern: re.Pattern[bytes], text: bytes, at: int) -> int:
    found = pattern.match(text, at, at + pieces.PIECE)
    return found.end() if found else at
