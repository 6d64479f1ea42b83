"""Pieces of JSON that are told apart and not decoded: msgspec says where a value ends, in C."""

import re
from collections.abc import Iterator
from itertools import islice

import msgspec
from msgspec import Raw

MOST_ITEMS = 250_000  # of one list; the largest clusters have 150,000 pods

_FEW = 8  # commas per item: even the smallest Kubernetes objects have some
_ITEM = re.compile(rb"\s*[\[,]\s*")
_AT_BYTE = re.compile(r"\(byte (\d+)\)")
_RAW = msgspec.json.Decoder(Raw)
_RAW_LIST = msgspec.json.Decoder(list[Raw])


def value_octets(text: bytes | memoryview) -> int:
    """How long the JSON value is that *text* begins with, blanks behind it included.

    Raises msgspec.DecodeError where it begins with none, RecursionError where that is nested too deep.
    """
    try:
        _RAW.decode(text)
    except msgspec.DecodeError as error:
        problem = str(error)
        if "trailing characters" not in problem:
            raise
        return int(problem[problem.rindex(" ") + 1 : -1]) - _TRAILING_SHIFT  # "… (byte 17)"
    return len(text)


def list_items(source: Raw) -> list[Raw]:
    """The items of a well-formed array, some more than MOST_ITEMS at most where there are many."""
    view = memoryview(source)
    # Each takes 80 octets beside those in the file: ``[1,1,…]`` would become forty times as large.
    if view.nbytes > 2 * MOST_ITEMS and bytes(view).count(b",") > _FEW * MOST_ITEMS:
        return list(islice(_one_by_one(view), MOST_ITEMS + 1))
    return _RAW_LIST.decode(source)


def _one_by_one(text: memoryview) -> Iterator[Raw]:
    """Slower than all at once, and it can be left."""
    found = _ITEM.match(text)
    while found and found.end() < len(text) and text[found.end()] != ord("]"):
        begin = found.end()
        end = begin + value_octets(text[begin:])
        yield Raw(text[begin:end])
        found = _ITEM.match(text, end)


def position_in(error: msgspec.DecodeError) -> int:
    """The octet it complains about."""
    found = _AT_BYTE.search(str(error))
    return int(found[1]) if found else 0


def without_position(error: msgspec.DecodeError) -> str:
    return _AT_BYTE.sub("", str(error)).removeprefix("JSON is malformed: ").strip()


def _trailing_shift() -> int:
    """msgspec 0.22 counts trailing characters from one, all else from zero.  Asked, not assumed."""
    try:
        _RAW.decode(b"{}{}")
    except msgspec.DecodeError as error:
        return position_in(error) - 2
    return 0


_TRAILING_SHIFT = _trailing_shift()
