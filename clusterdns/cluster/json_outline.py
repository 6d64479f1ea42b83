"""Large JSON -> where it ends and where its items are, or what is wrong with it, in steps that a server can afford.

msgspec says where a value ends, but holds the interpreter meanwhile, 1.5 ms for a MiB.  So it is asked about one small
value after the other; and where there are many, about as many as a guess says that end in the next quarter of a MiB:
what it can read between two brackets was guessed right.
"""

import re
from collections.abc import Callable

import msgspec
from msgspec import Raw, Struct

from clusterdns.cluster import pieces
from clusterdns.cluster.json_list import JsonList
from clusterdns.cluster.raw_json import MOST_ITEMS, position_in, value_octets, without_position
from clusterdns.cluster.schema import Header, read_header

WINDOW = pieces.PIECE  # octets of a value that is read at once
GUESS = pieces.PIECE >> 2  # octets of many that are
_SINGLE, _MOST_SINGLE = 8, 1024  # values that are read one by one before a guess; twice as many after a wrong one
_CUT = 8  # octets at the end of a window where what goes on may look wrong
_SHORT = 4096  # octets of keys and values that are looked at
_TOLD = re.compile(rb'"(?:apiVersion|kind|items)"|\\')  # keys that count, or may if escapes are read
_BLANKS = re.compile(rb"[ \t\r\n]*+")
_TEXT = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_WORD = re.compile(rb"[-+.\w]*+")
_ANY = msgspec.json.Decoder()
_TRUNCATED = "Input data was truncated"


class BrokenError(Exception):
    """It is no JSON: *problem* in msgspec's words, *at* which octet of the text."""

    def __init__(self, problem: str, at: int) -> None:
        super().__init__(f"{problem} (byte {at})")
        self.problem, self.at = problem, at


class Outline(Struct):
    """The fields that tell a List; *spans*: where the items begin and end, some more than MOST_ITEMS at most."""

    version: str = ""  # "": none, or one that is no short text
    kind: str = ""
    spans: list[tuple[int, int]] | None = None  # None: there is no array ``items``


def value_end(text: bytes, at: int) -> int:
    """Where the value ends that begins at *at*, no blank there, with or without blanks behind it.

    Raises BrokenError, and RecursionError where it is nested too deep.
    """
    return _Walk(text).value(at)


def large_list(text: bytes) -> JsonList | None:
    """The List that *text* is, a JSON value in order; an array of objects counts as one.  None: no List."""
    if text.startswith(b"["):
        spans = _Walk(text).items()
        return JsonList("v1", "List", spans) if spans and all(_is_object(text, *span) for span in spans) else None
    found = _Walk(text).outline()
    return None if found.spans is None else JsonList(found.version, found.kind, found.spans)


def _is_object(text: bytes, begin: int, end: int) -> bool:
    header: Outline | Header | None
    if end - begin > WINDOW:
        header = _Walk(text[begin:end]).outline()
        return bool(header.kind and header.version)
    try:
        header = read_header(Raw(text[begin:end]))
    except UnicodeDecodeError:  # told when it is read
        return False
    return bool(header and header.kind and header.api_version)


class _Walk:
    """Methods take where something begins, and return where it ends."""

    def __init__(self, text: bytes) -> None:
        self._text, self._view = text, memoryview(text)
        self._found = Outline()

    def outline(self) -> Outline:
        if self._text.startswith(b"{"):
            self._members(0, self._field, lambda chunk: not _TOLD.search(chunk))
        return self._found

    def items(self) -> list[tuple[int, int]]:
        self._items(0)
        return self._found.spans or []

    def _field(self, name: str, at: int) -> int:
        if name == "items":
            self._found.spans = None
            if self._sign(at) == "[":
                return self._items(at)
        end = self.value(at)
        if name == "kind":
            self._found.kind = self._short(at, end)
        elif name == "apiVersion":
            self._found.version = self._short(at, end)
        return end

    def _items(self, at: int) -> int:
        spans: list[tuple[int, int]] = []
        self._found.spans = spans

        def item(_: str, begin: int) -> int:
            end = self.value(begin)
            if len(spans) <= MOST_ITEMS:
                spans.append((begin, begin + pieces.stripped(self._text, begin, end)))
            return end

        return self._members(at, item, lambda _: len(spans) > MOST_ITEMS)

    def _short(self, begin: int, end: int) -> str:
        """The text there, "" for what is none, or none that counts."""
        try:
            found = _ANY.decode(self._view[begin:end]) if end - begin <= _SHORT else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return ""
        return found if isinstance(found, str) else ""

    def value(self, at: int) -> int:
        try:
            octets = value_octets(self._view[at : at + WINDOW])
        except msgspec.DecodeError as error:
            problem, position = without_position(error), position_in(error)
            if at + WINDOW >= len(self._text) or not (problem == _TRUNCATED or position >= WINDOW - _CUT):
                raise BrokenError(problem, at + position) from None
        else:
            if octets < WINDOW or at + WINDOW >= len(self._text):
                return at + octets
        return self._large(at)

    def _large(self, at: int) -> int:
        """Of texts and numbers no more than their end: who reads them says what is wrong with them."""
        sign = self._sign(at)
        if sign in "[{":
            return self._members(at, lambda _, begin: self.value(begin), lambda _: True)
        if sign != '"':
            return self._run(_WORD, at)
        end = self._run(_TEXT, at + 1)
        self._sign(end)  # the quote
        return end + 1

    def _members(self, at: int, each: Callable[[str, int], int], may_guess: Callable[[bytes], bool]) -> int:
        """*each* is given its key, if it has one, and where it begins, and returns where it ends."""
        closing = "]" if self._sign(at) == "[" else "}"
        at = self._run(_BLANKS, at + 1)
        if self._sign(at) == closing:
            return at + 1
        singles, patience = 0, _SINGLE
        while True:
            name, at = self._key(at) if closing == "}" else ("", at)
            end, at = self._following(each(name, at), closing)
            singles += 1
            while at and singles >= patience:
                guessed = self._guess(end, at, closing, may_guess)
                if not guessed:
                    singles, patience = 0, min(2 * patience, _MOST_SINGLE)
                    break
                end, at = self._following(guessed, closing)
            if not at:
                return end

    def _following(self, end: int, closing: str) -> tuple[int, int]:
        """*end* of a member and where the next one begins; where all end and 0 behind the last."""
        comma = self._run(_BLANKS, end)
        sign = self._sign(comma)
        if sign == closing:
            return comma + 1, 0
        if sign != ",":
            raise BrokenError(f"expected ',' or '{closing}'", comma)
        at = self._run(_BLANKS, comma + 1)
        if self._sign(at) == closing:
            raise BrokenError(f"trailing comma in {'array' if closing == ']' else 'object'}", at)
        return end, at

    def _guess(self, end: int, at: int, closing: str, may: Callable[[bytes], bool]) -> int:
        """The end of the last of many members from *at*, 0 where it cannot be told; *end*: of the one before.

        What stands between these two stands between others as well.
        """
        text = self._text
        before = text[end - 1] in b'}]"'
        between = text[end - before : at + (text[at] in b'{["')]
        found = text.rfind(between, at, at + GUESS) + before
        if found <= at or len(between) > _SHORT or not may(chunk := text[at:found]):
            return 0
        whole = b"[%b]" % chunk if closing == "]" else b"{%b}" % chunk
        try:
            return found if value_octets(whole) == len(whole) else 0
        except (msgspec.DecodeError, RecursionError):
            return 0

    def _key(self, at: int) -> tuple[str, int]:
        """And where its value begins."""
        if self._sign(at) != '"':
            raise BrokenError("expected '\"'", at)
        end = self.value(at)
        colon = self._run(_BLANKS, end)
        if self._sign(colon) != ":":
            raise BrokenError("expected ':'", colon)
        return self._short(at, end), self._run(_BLANKS, colon + 1)

    def _sign(self, at: int) -> str:
        if at >= len(self._text):
            raise BrokenError(_TRUNCATED, at)
        return chr(self._text[at])

    def _run(self, pattern: re.Pattern[bytes], at: int) -> int:
        """Where what *pattern* repeats ends."""
        while (found := pattern.match(self._text, at, at + WINDOW)) and found.end() > at:
            at = found.end()
        return at
