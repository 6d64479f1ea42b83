"""In pieces or at once: the same is found.  And large files are in fact looked at in pieces."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clusterdns.cluster import documents, pieces
from clusterdns.cluster.compose import compose
from clusterdns.cluster.decode import DocumentCache, decode_file
from clusterdns.cluster.documents import Document, DocumentError, Limits, split

TEXT = st.lists(st.sampled_from([b"\n", b"---", b"...", b" ", b"\t", b"#", b"%", b"a", b"a: 1", b"\r\n", b"[", b"\0"]))
SIZE = st.integers(1, 12)


@contextmanager
def small(octets: int) -> Iterator[None]:
    with patch.object(pieces, "PIECE", octets):
        yield


@given(TEXT, SIZE, st.integers(0, 9), st.integers(0, 30), st.sampled_from([b"\0", b"\n---", b"a: "]))
def test_what_is_found(parts: list[bytes], size: int, begin: int, end: int, what: bytes) -> None:
    text = b"".join(parts)
    begin, end = min(begin, len(text)), min(max(begin, end), len(text))
    with small(size):
        assert pieces.find(text, what, begin) == text.find(what, begin)
        assert pieces.newlines(text, begin, end) == text.count(b"\n", begin, end)
        assert pieces.stripped(text, begin, end) == len(text[begin:end].rstrip())
        assert pieces.cut(text, begin, end) == text[begin:end]
        assert pieces.hashed(text) == pieces.hashed(b"".join(parts))
        ends = re.compile(rb"(?m)^---$|a: 1")
        found = pieces.matches(ends, text, begin, 5)
        assert [one.span() for one in found] == [one.span() for one in ends.finditer(text, begin)]


def test_other_octets_have_another_hash() -> None:
    with small(3):
        assert len({pieces.hashed(text) for text in (b"", b"abc", b"abcd", b"abcabc", b"abcabcabc", b"dabc")}) == 6


def parted(text: bytes) -> list[Document] | str:
    try:
        return split(text)
    except DocumentError as error:
        return str(error)


@given(TEXT, SIZE)
@example([b"---", b"\n", b" ", b" ", b" ", b"a"], 2)
@example([b" ", b"\n", b"---", b" ", b" ", b" ", b"a", b"\n", b"---"], 4)
def test_documents(parts: list[bytes], size: int) -> None:
    text = b"".join(parts)
    expected = parted(text)
    with small(size):
        assert parted(text) == expected


@given(TEXT, SIZE, st.sampled_from(["", "<<<<<<< x", "=======", ">>>>>>> y", "a: [", "é: ü", "\ud800"]))
def test_what_a_file_says(parts: list[bytes], size: int, put: str) -> None:
    text = b"".join([*parts, b"\n", put.encode(errors="surrogatepass"), b"\n", *parts])
    expected = decode_file(text, "a.yaml", DocumentCache())
    with small(size):
        assert decode_file(text, "a.yaml", DocumentCache()) == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_the_parser_asks_for_a_little_at_a_time(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """Whoever waits for the interpreter gets it whenever Python is asked."""
    fed: list[int] = []

    class Counted(pieces.Stream):
        def read(self, octets: int = pieces.PIECE, /) -> bytes:
            fed.append(len(found := super().read(octets)))
            return found

    monkeypatch.setattr(pieces, "Stream", Counted)
    data = ('a: "' + "x" * (4 << 20) + '"\n').encode(encoding)
    (document,) = split(data)
    assert len(compose(document).root["a"]) == 4 << 20
    assert max(fed) <= 64 << 10
    assert sum(fed) == len(document.text)


def test_the_parser_is_given_nothing_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    given_: list[Any] = []
    parser = vars(documents)["EventParser"]

    def recorded(source: Any) -> Any:
        given_.append(source)
        return parser(source)

    monkeypatch.setattr(documents, "EventParser", recorded)
    compose(Document(b"a: 1\n", 1, 0))
    assert [type(source) for source in given_] == [pieces.Stream]


@pytest.mark.parametrize(
    "tree", [None, "text", {}, [], {"a": {"b": [1, {"c": []}]}}, [[["x"] * 5000] * 3], {"a": [{}] * 2001}]
)
def test_a_tree_that_is_not_needed_any_more_is_emptied(tree: Any) -> None:
    inner = [one for one in (tree.values() if isinstance(tree, dict) else tree or ()) if isinstance(one, (dict, list))]
    pieces.discard(tree)
    assert not any(inner)
    assert not isinstance(tree, (dict, list)) or not tree


def test_a_list_that_is_not_needed_any_more_is_emptied() -> None:
    items = [None] * 2500
    pieces.drain(items)
    assert not items


def test_the_tree_of_a_large_document_is_emptied(monkeypatch: pytest.MonkeyPatch) -> None:
    emptied: list[Any] = []
    monkeypatch.setattr(pieces, "discard", lambda tree: emptied.append(type(tree)))
    for text in (b"a: 1\n", b"a: 1 #" + b"x" * pieces.PIECE, b"a: [1, 2\n"):
        decode_file(text, "a.yaml", DocumentCache(), Limits())
    assert emptied == [dict, dict]
