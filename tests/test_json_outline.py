"""Large JSON in steps: the same is found as by msgspec at once, and no step is large."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clusterdns.cluster import decode, json_outline, pieces, raw_json
from clusterdns.cluster.decode import Decoded, DocumentCache, decode_file
from clusterdns.cluster.documents import Limits
from clusterdns.cluster.json_outline import BrokenError, large_list, value_end
from clusterdns.cluster.raw_json import position_in, value_octets, without_position

WINDOW = st.integers(32, 80)
KEY = st.sampled_from(["a", "kind", "items", "apiVersion", "x\\", "é", "b", "c"])
LEAF = st.sampled_from([1, -2.5e10, "a", 'x"y\\z', "é😀", True, None, "", 12345678901234])
VALUE = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=12) | st.dictionaries(KEY, inner, max_size=7), max_leaves=60
)


@contextmanager
def small(octets: int) -> Iterator[None]:
    with (
        patch.object(json_outline, "WINDOW", octets),
        patch.object(json_outline, "GUESS", octets),
        patch.object(json_outline, "_SINGLE", 2),
        patch.object(decode, "WINDOW", octets),
        patch.object(pieces, "PIECE", octets),
    ):
        yield


def at_once(text: bytes) -> tuple[int, str, int]:
    """Where it ends, or what is wrong with it and where."""
    try:
        return len(text[: value_octets(text)].rstrip()), "", 0
    except msgspec.DecodeError as error:
        return 0, without_position(error), position_in(error)


def in_steps(text: bytes) -> tuple[int, str, int]:
    try:
        return len(text[: value_end(text, 0)].rstrip()), "", 0
    except BrokenError as error:
        return 0, error.problem, 0 if "truncated" in error.problem else error.at


@given(
    VALUE,
    st.sampled_from([None, 1]),
    st.booleans(),
    st.integers(0, 500),
    st.integers(0, 2),
    st.sampled_from(["", ",", "]", "}", '"', ":", " ", "\n", "x", "1", "-", "{", "["]),
    WINDOW,
)
@example([1] * 40, None, False, 400, 0, "", 32)
@example({"items": [{}] * 40}, None, False, 115, 1, ",", 32)
def test_ends_and_mistakes(
    value: Any, indent: int | None, ascii_: bool, at: int, gone: int, put: str, window: int
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_)
    at = at % (len(text) + 1)
    data = (text[:at] + put + text[at + gone :]).strip().encode()
    if data:
        expected = at_once(data)
        with small(window):
            assert in_steps(data) == expected


PLAIN = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"clusterIP": "None"}}
ITEM: st.SearchStrategy[Any] = st.sampled_from(
    [PLAIN, {**PLAIN, "kind": "Secret"}, {"metadata": {"name": "x"}}, {}, [], None, 5, "items"]
)
MOST = st.sampled_from(["List", "ServiceList", "PodList", "Service", "", None, 5, "\ud800"])


def read(text: bytes) -> Decoded:
    return decode_file(text, "a.json", DocumentCache(), Limits(items=6))


@given(
    st.lists(ITEM, max_size=9),
    MOST,
    st.sampled_from(["v1", "v2", None, 7]),
    st.permutations(["kind", "apiVersion", "items", "metadata", "more"]),
    st.sampled_from([None, 1]),
    st.integers(0, 400),
    st.sampled_from(["", "", "", ",", "]", "}", '"', "\n---\n", "\n{}\n"]),
    WINDOW,
)
def test_files(
    items: list[Any], kind: Any, version: Any, order: list[str], indent: int | None, at: int, put: str, window: int
) -> None:
    fields = {"kind": kind, "apiVersion": version, "items": items, "metadata": {}, "more": list(range(30))}
    for whole in ({name: fields[name] for name in order}, items):
        text = json.dumps(whole, indent=indent)
        at = at % (len(text) + 1)
        data = (text[:at] + put + text[at:]).encode()
        with patch.object(decode, "json_list", lambda _: None):
            expected = read(data)
            with small(window):
                assert read(data) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"items": [1, 2], "items": null, "kind": "List", "apiVersion": "v1"}', None),
        ('{"items": null, "items": [1, 2], "kind": "List", "apiVersion": "v1"}', [(26, 27), (29, 30)]),
        ('{"more": {"items": [1], "kind": "x"}, "kind": "List", "apiVersion": "v1", "items": [ ]}', []),
        ('{"more": "items", "kind": 5, "apiVersion": ["v1"], "items": [7]}', [(61, 62)]),
        ('{"\\u0069tems": [7], "\\u006bind": "List", "apiVersion": "v1"}', [(16, 17)]),
        ('{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "kind": "x", "g": 7, "items": [1], "h": 8}', [(80, 81)]),
        ("[]", None),
        ("[5]", None),
        ('[{"kind": "x", "apiVersion": "y"}]', [(1, 33)]),
        ('[{"kind": "x", "apiVersion": "y"}, {"kind": "x"}]', None),
        ("5", None),
    ],
)
def test_items(text: str, expected: list[tuple[int, int]] | None) -> None:
    for window in (32, json_outline.WINDOW):
        with small(window):
            found = large_list(text.encode())
        assert (found.spans if found else None) == expected


def test_no_more_spans_than_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_outline, "MOST_ITEMS", 5)
    found = large_list(b'{"items":[%b],"kind":"List","apiVersion":"v1"}' % b",".join([b"{}"] * 1000))
    assert found is not None
    assert (len(found.spans), found.implied()) == (6, ("", ""))


@pytest.mark.parametrize(
    "text",
    [
        b'{"apiVersion":"v1","kind":"List","items":[' + b",".join([b'{"kind":"x"}'] * 300_000) + b"]}",
        b'{"apiVersion":"v1","kind":"List","items":[' + b",".join([b'{"kind":"x"}'] * 300_000),
        b"[" + b"1," * 3_000_000 + b"1]",
        b"{" + b",".join(b'"k%d":{"a":[1]}' % number for number in range(200_000)) + b"}",
        b'{"a":[' + b'{"a":1},{"a":[{},{}]},' * 150_000 + b"1]}",
        b'{"a":"' + b'x\\"' * 1_500_000 + b'","b":' + b"9" * 3_000_000 + b"}",
        b"[" + b" " * 4_000_000 + b"5" + b"\n" * 4_000_000 + b"]",
        b"[" * 4_000_000,
    ],
    ids=["many items", "cut off", "numbers", "keys", "unlike", "a text", "blanks", "nested"],
)
def test_nothing_large_is_read_at_once(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    """Between two calls others have the interpreter; within one, nobody has."""
    read_: list[int] = []

    def recorded(part: bytes | memoryview) -> int:
        read_.append(len(part))
        return value_octets(part)

    for module in (json_outline, raw_json):
        monkeypatch.setattr(module, "value_octets", recorded)
    try:
        assert value_end(text, 0) == len(text)
    except (BrokenError, RecursionError):
        assert text.count(b"]") != text.count(b"[")
    assert max(read_) <= json_outline.WINDOW
    assert len(read_) < len(text) // 5
