"""A large List in JSON -> where its items are, in steps that a server can afford while it answers.

msgspec holds the interpreter while it reads, 80 ms for 60 MB.  So no step here reads more than one item, and what
is not exactly one List as kubectl writes it is left to ``cluster.json_stream``, which explains what is wrong.

Nothing is read twice: where each item stands in lines of its own, as kubectl writes them, the lines between the first
two show where the others end.  That was right if each of the parts is one JSON value, and they are read anyway.
"""

import re

import msgspec
from msgspec import Struct

from clusterdns.cluster.pieces import drain, find
from clusterdns.cluster.raw_json import MOST_ITEMS, value_octets

WINDOW = 4 << 20  # octets: the longest item that is looked for, about 5 ms
_BOM = b"\xef\xbb\xbf"
_OPENING = re.compile(rb"[ \t\r\n]*\{[ \t\r\n]*")
_FIELD = re.compile(rb'"([A-Za-z]+)"[ \t\r\n]*:[ \t\r\n]*')
_LIST = re.compile(rb"\[[ \t\r\n]*")
_COMMA = re.compile(rb"[ \t\r\n]*,[ \t\r\n]*")
_CLOSING = re.compile(rb"[ \t\r\n]*\}[ \t\r\n]*")
_LIST_END = re.compile(rb"[ \t\r\n]*\]")
_MOST_FIELDS = 16  # kubectl writes four
_BLANKS = b" \t\r\n"
_TEXT = msgspec.json.Decoder(str)


class JsonList(Struct):
    """A List, if all its items are JSON; *spans* are where each begins and ends in the file."""

    version: str = ""
    kind: str = ""
    spans: list[tuple[int, int]] = []

    def implied(self) -> tuple[str, str] | None:
        """The apiVersion and kind of items that say none, ("", "") if they must; None: this is no list of objects."""
        if self.kind == "List":
            return ("", "") if self.version == "v1" else None
        return (self.version, self.kind[:-4]) if self.kind.endswith("List") and self.version else None


class _OtherwiseError(Exception):
    """Not as plain as it has to be here."""


def json_list(data: bytes) -> JsonList | None:
    """The List that *data* is, if all its items are JSON.  None: something else, or not in order."""
    reader = _Reader(data, len(_BOM) if data.startswith(_BOM) else 0)
    try:
        return reader.read()
    except _OtherwiseError:
        drain(reader.found.spans)
        return None


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._view, self._at = data, memoryview(data), at
        self.found = JsonList()  # as far as it was read

    def read(self) -> JsonList:
        found = self.found
        seen: set[bytes] = set()
        self._expect(_OPENING)
        while not seen or self._skip(_COMMA):
            name = self._expect(_FIELD)[1]
            if name in seen or len(seen) > _MOST_FIELDS:
                raise _OtherwiseError
            seen.add(name)
            if name == b"items":
                self._items(found.spans)
            else:
                begin, end = self._value()
                if name == b"kind":
                    found.kind = self._text(begin, end)
                elif name == b"apiVersion":
                    found.version = self._text(begin, end)
        self._expect(_CLOSING)
        if self._at != len(self._data) or b"items" not in seen or find(self._data, b"\0") >= 0:
            raise _OtherwiseError
        return found

    def _items(self, spans: list[tuple[int, int]]) -> None:
        self._expect(_LIST)
        if self._skip(_LIST_END):
            return
        between = b""
        while not spans or self._skip(_COMMA):
            if len(spans) == 1:
                between = self._between(spans[0][1])
            if between:
                self._alike(spans, between)
            if len(spans) > MOST_ITEMS:
                raise _OtherwiseError
            spans.append(self._value())
        self._expect(_LIST_END)

    def _between(self, end: int) -> bytes:
        """What stands between the item that ends at *end* and this one, b"" if the like may stand inside of one."""
        found = self._data[end - 1 : self._at + 1]
        return found if found.startswith(b"}") and found.endswith(b"{") and b"\n" in found else b""

    def _alike(self, spans: list[tuple[int, int]], between: bytes) -> None:
        """The items from here that *between* follows."""
        data, at = self._data, self._at
        while (end := data.find(between, at, at + WINDOW)) > 0 and len(spans) <= MOST_ITEMS:
            spans.append((at, end + 1))
            at = end + len(between) - 1
        self._at = at

    def _value(self) -> tuple[int, int]:
        """Begin and end of the value here."""
        begin = self._at
        try:
            octets = value_octets(self._view[begin : begin + WINDOW])
        except (msgspec.DecodeError, RecursionError):
            raise _OtherwiseError from None
        if octets == WINDOW:  # it may go on
            raise _OtherwiseError
        self._at = end = begin + octets
        while self._data[end - 1] in _BLANKS:  # the same item, whether or not another one follows
            end -= 1
        return begin, end

    def _text(self, begin: int, end: int) -> str:
        try:
            return _TEXT.decode(self._view[begin:end])
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise _OtherwiseError from None

    def _skip(self, pattern: re.Pattern[bytes]) -> bool:
        found = pattern.match(self._data, self._at, self._at + WINDOW)
        if found:
            self._at = found.end()
        return found is not None

    def _expect(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        found = pattern.match(self._data, self._at, self._at + WINDOW)
        if found is None:
            raise _OtherwiseError
        self._at = found.end()
        return found
