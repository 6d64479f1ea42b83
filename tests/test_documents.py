"""YAML files -> documents -> trees, and where things stood."""

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterdns.cluster import documents
from clusterdns.cluster.compose import Quoted, compose
from clusterdns.cluster.documents import Document, DocumentError, Limits, Path, locate, split

DEFAULTS = Limits()


def tree(text: str | bytes, limits: Limits = DEFAULTS) -> Any:
    data = text.encode() if isinstance(text, str) else text
    return compose(Document(data, 1, 0), limits).root


SPLITS = {
    "one document": ("a: 1\n", [(1, 0)]),
    "two": ("a: 1\n---\nb: 2\n", [(1, 0), (2, 5)]),
    "a comment after the marker": ("--- # x\na: 1\n--- \nb: 2", [(1, 0), (3, 13)]),
    "content after the marker": ("--- {a: 1}\n--- {b: 2}\n", [(1, 0), (2, 11)]),
    "Windows line ends": ("a: 1\r\n---\r\nb: 2\r\n", [(1, 0), (2, 6)]),
    "empty parts vanish": ("---\n---\n# only a comment\n---\n\n---\na: 1\n---\n", [(6, 30)]),
    "directives vanish with their part": ("%YAML 1.1\n---\na: 1\n", [(2, 10)]),
    "the end marker": ("a: 1\n...\n---\nb: 2\n...\n", [(1, 0), (3, 9)]),
    "a marker needs a space": ("a: 1\n---b: 2\n", [(1, 0)]),
    "an indented marker is text": ("a: |\n  x\n  ---\n  y\n", [(1, 0)]),
    "byte order mark": ("\ufeffa: 1\n", [(1, 3)]),
    "nothing": ("", []),
    "blank": (" \n\t\n", []),
}


@pytest.mark.parametrize(("text", "expected"), SPLITS.values(), ids=SPLITS)
def test_split(text: str, expected: list[tuple[int, int]]) -> None:
    data = text.encode()
    found = split(data)
    assert [(document.line, document.offset) for document in found] == expected
    for document in found:
        assert data[document.offset :].startswith(document.text)


@pytest.mark.parametrize("data", ["a: 1\n".encode("utf-16"), "a: 1\n".encode("utf-16-le"), b"a: 1\nb: \0\n"])
def test_what_is_not_utf8_is_refused_with_a_remedy(data: bytes) -> None:
    with pytest.raises(DocumentError, match="UTF-8"):
        split(data)


SEVERAL = "- &x {k: 1}\n- &y {k: 2, l: 2}\n- <<: [*x, *y]"
TREES: dict[str, tuple[str, Any]] = {
    "everything plain is text": ("[no, 0x50, 1.10, 12:30:45, 0755]", ["no", "0x50", "1.10", "12:30:45", "0755"]),
    "nulls": ("a:\nb: ~\nc: null\nd: NULL\ne: ''", {"a": None, "b": None, "c": None, "d": None, "e": ""}),
    "keys are text": ("on: x\n1: y\n'q': z", {"on": "x", "1": "y", "q": "z"}),
    "lists": ("- a\n- - b\n  - c: d\n- []", ["a", ["b", {"c": "d"}], []]),
    "flow": ("{a: [b, {c: d}], e: }", {"a": ["b", {"c": "d"}], "e": None}),
    "blocks": ("a: |\n  x\n  y\nb: >-\n  x\n  y", {"a": "x\ny\n", "b": "x y"}),
    "anchors": ("a: &x {k: v}\nb: *x\nc: &y 5\nd: *y", {"a": {"k": "v"}, "b": {"k": "v"}, "c": "5", "d": "5"}),
    "an anchor again": ("a: &x 1\nb: &x 2\nc: *x", {"a": "1", "b": "2", "c": "2"}),
    "merge": ("a: &x {k: v, l: w}\nb: {<<: *x, k: own}", {"a": {"k": "v", "l": "w"}, "b": {"k": "own", "l": "w"}}),
    "merge after": ("a: &x {k: v}\nb: {k: own, <<: *x}", {"a": {"k": "v"}, "b": {"k": "own"}}),
    "merge several": (SEVERAL, [{"k": "1"}, {"k": "2", "l": "2"}, {"k": "1", "l": "2"}]),
    "a quoted << is a key": ('{"<<": a}', {"<<": "a"}),
    "tags": ("a: !!int 5\nb: !!null x\nc: !ours z", {"a": "5", "b": "x", "c": "z"}),
    "Windows line ends": ("a: x\r\nb:\r\n- c\r\n", {"a": "x", "b": ["c"]}),
    "a scalar": ("just text", "just text"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TREES.values(), ids=TREES)
def test_compose(text: str, expected: Any) -> None:
    assert tree(text) == expected


@pytest.mark.parametrize("scalar", ["'80'", '"80"', "!!str 80", "! 80", "!other 80", "|\n  80"])
def test_quoted_scalars_are_told_from_plain_ones(scalar: str) -> None:
    assert type(tree(f"a: {scalar}\n")["a"]) is Quoted


@pytest.mark.parametrize("scalar", ["80", "!!int 80", "no"])
def test_plain_scalars_are_exact_text(scalar: str) -> None:
    assert type(tree(f"a: {scalar}")["a"]) is str


REFUSED: dict[str, tuple[str | bytes, int, str]] = {
    "a key twice": ("a: 1\nb: 2\na: 3", 3, "CD105"),
    "a key twice, quoted once": ("a: 1\n'a': 2", 2, "CD105"),
    "a list as a key": ("? [a]\n: b", 1, "CD106"),
    "a mapping as a key": ("? {a: b}\n: c", 1, "CD106"),
    "an alias as a key": ("a: &x b\n*x : c", 2, "CD106"),
    "no key": ("?\n: 2", 1, "CD106"),
    "an unknown alias": ("a: *x", 1, "CD106"),
    "an alias inside its anchor": ("a: &x\n  b: *x", 2, "CD106"),
    "a merge of text": ("a: 1\n<<: b", 2, "CD106"),
    "a merge of a list of text": ("a: 1\n<<: [b]", 3, "CD106"),
    "a merge twice": ("x: &x {a: b}\n<<: *x\n<<: *x", 3, "CD105"),
    "a merge key forged with a NUL": ('"\\0<<": b', 1, "CD103"),
    "a tab": ("a:\n\tb: 1", 2, "CD103"),
    "a template": ("a: 1\nb: {{ .Values.x }}", 2, "CD103"),
    "a template line": ("a: 1\n{{- if x }}\nb: 2", 2, "CD103"),
    "an open quote": ('a: "b\nc: d\n', 1, "CD103"),
    "an open bracket": ("a: [b\nc: d\n", 1, "CD103"),
    "wrong indentation": ("a: 1\n b: 2", 2, "CD103"),
    "a line without colon": ("a: 1\nb\nc: 2", 3, "CD103"),
    "not UTF-8": (b"a: 1\nb: \xff\n", 2, "CD103"),
    "a control character": ("a: 1\nb: \x07", 2, "CD103"),
}


@pytest.mark.parametrize(("text", "line", "code"), REFUSED.values(), ids=REFUSED)
def test_refused_with_line_and_remedy(text: str | bytes, line: int, code: str) -> None:
    with pytest.raises(DocumentError) as caught:
        tree(text)
    assert (caught.value.line, caught.value.code) == (line, code), caught.value
    assert caught.value.remedy


def test_lines_count_from_the_top_of_the_file() -> None:
    with pytest.raises(DocumentError) as caught:
        [compose(document) for document in split(b"a: 1\n---\n\nb: 1\nb: 2\n")]
    assert caught.value.line == 5


def test_a_fault_leaves_what_came_before_it() -> None:
    with pytest.raises(DocumentError) as caught:
        tree("kind: Service\nmetadata:\n  name: web\n  namespace: shop\nspec: [a\n")
    assert caught.value.partial["metadata"] == {"name": "web", "namespace": "shop"}


BOMBS = {
    "lists": "[" * 30_000,
    "items": "- " * 15_000,
    "questions": "? " * 15_000,
    "mappings": "{a: " * 7_500,
    "aliases": "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)),
    "merges": "a0: &a0 {x: x}\n" + "".join(f"a{i}: &a{i} {{<<: [{f'*a{i - 1},' * 9}]}}\n" for i in range(1, 12)),
    "many anchors": "".join(f"- &a{i} x\n" for i in range(20_000)),
    "many keys": "".join(f"k{i}: x\n" for i in range(200_000)),
    "many aliases": "a: &a x\nb: [" + "*a, " * 20_000 + "]",
}  # fmt: skip


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_bombs_are_refused(text: str) -> None:
    """Soon: one that went off would take more than the suite's timeout, or all memory."""
    with pytest.raises(DocumentError):
        tree(text)


def test_limits() -> None:
    with pytest.raises(DocumentError, match="at most 0 MiB"):
        tree("abcdef", Limits(octets=5))
    with pytest.raises(DocumentError, match="more than 3 values"):
        tree("[a, b, c]", Limits(nodes=3))
    assert tree("[" * 200 + "]" * 200)
    with pytest.raises(DocumentError, match="deeper than 200"):
        tree("[" * 201 + "]" * 201)


def test_items_of_lists_have_lines() -> None:
    text = b"kind: List\nitems:\n- a: 1\n\n- b: 2\n- items:\n  - c: 3\n"
    composed = compose(Document(text, 11, 0))
    items = composed.root["items"]
    assert [composed.item_lines[id(item)] for item in items] == [13, 15, 16]
    assert composed.item_lines[id(items[2]["items"][0])] == 17


LOCATED = """\
kind: Service
metadata: {name: web}
spec:
  ports:
  - name: a

    port: 80
  - port: 90
"""


def test_locate_finds_the_line_or_that_of_the_nearest_parent() -> None:
    lines: dict[Path, int] = {
        ("kind",): 11,
        ("metadata", "name"): 12,
        ("spec", "ports", 0, "port"): 17,
        ("spec", "ports", 1): 18,
        ("spec", "ports", 1, "name"): 18,
        ("spec", "ports", 7, "name"): 14,
        ("status", "x"): 11,
        (): 11,
    }
    assert locate(Document(LOCATED.encode(), 11, 0), lines) == lines


def test_locate_survives_what_cannot_be_composed() -> None:
    for broken in ("? [a]\n: b\nc: d", "a: [", "[" * 30_000, "[]]"):
        assert locate(Document(broken.encode(), 1, 0), [("a",), ("c", 5)])


def test_the_slow_parser_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "EventParser", yaml.SafeLoader)
    for text, expected in TREES.values():
        assert tree(text) == expected
    for refused, _, _ in REFUSED.values():
        with pytest.raises(DocumentError):
            tree(refused)
    for bomb in BOMBS.values():
        with pytest.raises(DocumentError):
            tree(bomb)


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200)
@given(VALUES, st.booleans())
def test_what_was_dumped_composes_to_the_same(value: Any, flow: bool) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)
    assert tree(text) == value


@settings(max_examples=300)
@given(st.binary(max_size=200) | st.text("-[]{}:?,#&*!|>'\"% \n\tabc<.", max_size=80).map(str.encode))
def test_random_octets_raise_nothing_but_document_errors(data: bytes) -> None:
    line = 1
    try:
        for document in split(data):
            locate(document, [("a", 0)])
            compose(document)
    except DocumentError as error:
        line = error.line
    assert 1 <= line <= data.count(b"\n") + 1


@settings(max_examples=50)
@given(st.lists(VALUES, min_size=1, max_size=4), st.data())
def test_a_truncated_file_keeps_the_documents_before_the_cut(values: list[Any], data: st.DataObject) -> None:
    parts = [b"---\n" + yaml.safe_dump({"v": value}).encode() for value in values]
    whole = b"".join(parts)
    cut = data.draw(st.integers(0, len(whole)))
    before = split(whole)
    intact = [document for document in before if document.offset + len(document.text) + 3 <= cut]
    assert split(whole[:cut])[: len(intact)] == intact
