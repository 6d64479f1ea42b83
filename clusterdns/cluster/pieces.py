"""Work on what may be very large, in pieces: a file is read in a thread, and C that is at it holds the interpreter.

Whoever waits for the interpreter gets it between two steps of Python, never within a call of C.  So no call here is
given more than PIECE octets, which take a millisecond or two at most.
"""

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

PIECE = 1 << 20  # octets
_FEW = 1000  # values that are freed at once


class Stream:
    """*text* as a file that is read: libyaml asks for 16 KiB at a time, and gives way whenever it does."""

    def __init__(self, text: bytes) -> None:
        self._text, self._at = text, 0

    def read(self, octets: int = PIECE, /) -> bytes:
        begin, self._at = self._at, self._at + octets
        return self._text[begin : self._at]


def cut(text: bytes, begin: int, end: int) -> bytes:
    """``text[begin:end]``."""
    if end - begin <= PIECE or (begin, end) == (0, len(text)):
        return text[begin:end]
    file = BytesIO()  # which hands over what was written, uncopied
    for at in range(begin, end, PIECE):
        file.write(text[at : min(at + PIECE, end)])
    return file.getvalue()


def find(text: bytes, what: bytes, begin: int = 0) -> int:
    """As ``bytes.find``."""
    for at in range(begin, len(text), PIECE):
        if (found := text.find(what, at, at + PIECE + len(what) - 1)) >= 0:
            return found
    return -1


def newlines(text: bytes, begin: int, end: int) -> int:
    """How many there are in ``text[begin:end]``."""
    if end - begin <= PIECE:
        return text.count(b"\n", begin, end)
    return sum(text.count(b"\n", at, min(at + PIECE, end)) for at in range(begin, end, PIECE))


def stripped(text: bytes, begin: int, end: int) -> int:
    """How long ``text[begin:end]`` is without blanks at its end."""
    while begin < end:
        at = max(begin, end - PIECE)
        if left := len(text[at:end].rstrip()):
            return at + left - begin
        end = at
    return 0


def matches(pattern: re.Pattern[bytes], text: bytes, begin: int, ahead: int) -> Iterator[re.Match[bytes]]:
    """As ``finditer``, of a *pattern* that looks no further than so many octets *ahead* of where it begins to match."""
    for at in range(begin, len(text), PIECE):
        for found in pattern.finditer(text, at, at + PIECE + ahead):
            if found.start() < at + PIECE:
                yield found


def hashed(text: bytes) -> int:
    """The same for the same octets, in this process."""
    if len(text) <= PIECE:
        return hash(text)
    return hash(tuple(hash(text[at : at + PIECE]) for at in range(0, len(text), PIECE)))


def drain(items: list[Any]) -> None:
    """Empties a list, a few at a time: as many as a file may hold, let go of at once, take 50 ms."""
    while items:
        del items[-_FEW:]


def discard(tree: Any) -> None:
    """Empties dicts and lists in one another, whatever they share: two million values freed at once take 60 ms."""
    waiting = [tree]
    while waiting:
        node = waiting[-1]
        if not node or type(node) not in (dict, list):
            waiting.pop()
        elif type(node) is dict:
            waiting.append(node.popitem()[1])
        else:
            waiting += [one for one in node[-_FEW:] if type(one) in (dict, list)]
            del node[-_FEW:]
