"""A file of JSON -> its documents and the items of its lists, with their places.  Nothing is decoded twice for it."""

import re
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Raw

from clusterdns.cluster.documents import Document, DocumentError

_LOOKS_LIKE_JSON = re.compile(rb"\s*[\[{]")
_KEY = re.compile(rb'[\s,{]*"(?:[^"\\]|\\.)*"\s*:\s*')
_OPENING = re.compile(rb"\s*\[\s*")
_SEPARATOR = re.compile(rb"\s*,\s*")
_BLANK = re.compile(rb"\s*")
_AT_BYTE = re.compile(r"\(byte (\d+)\)")
_NEXT = re.compile(rb"\n(?=[\[{])")
_RAW = msgspec.json.Decoder(Raw)
_FIELDS = msgspec.json.Decoder(dict[str, Raw])


class Lines:
    """Counts newlines as positions go up."""

    def __init__(self, document: Document) -> None:
        self._text, self._at, self._line, self._base = document.text, 0, document.line, document.offset

    def part(self, begin: int, end: int) -> Document:
        """``text[begin:end]`` as a Document; *begin* is never smaller than before."""
        self._line += self._text.count(b"\n", self._at, begin)
        self._at = begin
        return Document(self._text[begin:end], self._line, self._base + begin)


def is_json(document: Document) -> bool:
    """Perhaps: YAML's flow style begins like that, too."""
    return _LOOKS_LIKE_JSON.match(document.text) is not None


def json_documents(document: Document) -> Iterator[tuple[Document, DocumentError | None]]:
    """JSON documents one after another.  What is none, up to the next line that begins with ``{``, has an error."""
    lines, text = Lines(document), document.text
    at = _match(_BLANK, text, 0)
    while at < len(text):
        end, error = _end_of_json(text, at)
        if error:
            following = _NEXT.search(text, at)
            end = following.end() if following else len(text)
        part = lines.part(at, end)
        yield part, _syntax_error(part, *error) if error else None
        at = _match(_BLANK, text, end)


def _end_of_json(text: bytes, at: int) -> tuple[int, tuple[str, int] | None]:
    """Where the JSON value that begins at *at* ends, or (problem, octets from *at* to it)."""
    rest = memoryview(text)[at:]
    try:
        _RAW.decode(rest)
    except RecursionError:
        return 0, ("nested too deep", 0)
    except msgspec.DecodeError as error:
        if "trailing characters" in str(error):
            return at + _position_in(error) - _TRAILING_SHIFT, None
        problem = _AT_BYTE.sub("", str(error)).removeprefix("JSON is malformed: ").strip()
        if "truncated" in problem:
            return 0, ("it ends in the middle", len(text.rstrip()) - at - 1)
        return 0, (problem, _position_in(error))
    return len(text), None


def _position_in(error: msgspec.DecodeError) -> int:
    found = _AT_BYTE.search(str(error))
    return int(found[1]) if found else 0


def _trailing_shift() -> int:
    """msgspec 0.22 counts trailing characters from one, all else from zero.  Asked, not assumed."""
    try:
        _RAW.decode(b"{}{}")
    except msgspec.DecodeError as error:
        return _position_in(error) - 2
    return 0


_TRAILING_SHIFT = _trailing_shift()


def _syntax_error(part: Document, problem: str, position: int) -> DocumentError:
    line = part.line + part.text.count(b"\n", 0, position)
    return DocumentError(line, f"malformed JSON: {problem}", "mend the JSON", "CD104")


def json_items(document: Document, items: Sequence[Raw]) -> list[Document]:
    """*items*, which are those of *document* (an array, or an object's array ``items``), with their places."""
    text, lines, found = document.text, Lines(document), []
    at = begin = _position(text, "items") if text.lstrip().startswith(b"{") else 0
    for item in items:
        at = _match(_OPENING if at == begin else _SEPARATOR, text, at)
        end = at + memoryview(item).nbytes
        found.append(lines.part(at, end))
        at = end
    return found


def _position(text: bytes, name: str) -> int:
    """Where the value of *name* begins: msgspec says how long each value is, not where."""
    at, fields = 0, _FIELDS.decode(text)
    for key, value in fields.items():
        begin = _match(_KEY, text, at)
        if text[begin : begin + 64] != bytes(memoryview(value)[:64]):
            break
        if key == name:
            return begin
        at = begin + memoryview(value).nbytes
    return text.find(bytes(fields[name]))  # a key is there twice


def _match(pattern: re.Pattern[bytes], text: bytes, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at
