"""The quick way through a large List says the same as the way that explains everything."""

import json
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clusterdns.cluster import decode, json_list
from clusterdns.cluster.decode import Decoded, DocumentCache, decode_file
from clusterdns.cluster.json_list import JsonList
from clusterdns.cluster.json_list import json_list as read_list

FLAG = st.sampled_from([None, True, False, "true", 1])
TEXT = st.sampled_from([None, "", "a", "A", "web-0", "node-1", 7])
ADDRESS = st.sampled_from(
    ["10.1.0.7", "10.1.0.8", "127.0.0.1", "169.254.1.1", "fd00::7", "fe80::1", "01.2.3.4", "", None, 5]
)
KIND_OF_TARGET = st.sampled_from(["Pod", "Node", None])
VERSION = st.sampled_from(["discovery.k8s.io/v1", "discovery.k8s.io/v1beta1", "v1", None])
CONDITIONS = dict.fromkeys(("ready", "serving", "terminating"), FLAG)
ENDPOINT = st.fixed_dictionaries(
    {},
    optional={
        "addresses": st.none() | st.lists(ADDRESS, max_size=2),
        "conditions": st.none() | st.fixed_dictionaries({}, optional=CONDITIONS),
        "hostname": TEXT,
        "nodeName": TEXT,
        "targetRef": st.none() | st.fixed_dictionaries({}, optional={"kind": KIND_OF_TARGET, "name": TEXT}),
        "topology": st.sampled_from([None, {}, {"kubernetes.io/hostname": "node-9"}]),
    },
)  # fmt: skip
SLICE = st.fixed_dictionaries(
    {"apiVersion": VERSION, "kind": st.just("EndpointSlice")},
    optional={
        "metadata": st.just({"name": "web-x", "labels": {"kubernetes.io/service-name": "web"}}),
        "addressType": st.sampled_from(["IPv4", "IPv6", "FQDN", None, "ipv4"]),
        "endpoints": st.none() | st.lists(st.none() | ENDPOINT, max_size=3),
    },
)  # fmt: skip
SERVICE = st.sampled_from(
    [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}},
        {"kind": "Service", "metadata": {"name": "web"}, "apiVersion": "v1", "spec": {"ports": [{"port": "80"}]}},
        {"metadata": {"name": "implied"}, "spec": {"clusterIP": "None"}},
        {"apiVersion": "v1", "kind": "Secret", "kind2": "Service"},
        {"apiVersion": "v1", "kind": "List", "items": []},
        None,
        5,
    ]
)
ITEMS = st.lists(SLICE | SERVICE, max_size=4)
KIND = st.sampled_from(["List", "ServiceList", "EndpointSliceList", "Service", "", None])


def read(text: str | bytes) -> Decoded:
    data = text.encode() if isinstance(text, str) else text
    return decode_file(data, "a.json", DocumentCache())


def slowly(text: str | bytes) -> Decoded:
    """As if nothing were plain."""
    nothing: Callable[..., None] = lambda *_: None  # noqa: E731
    with patch.object(decode, "json_list", nothing), patch.object(decode, "read_plain", nothing):
        return read(text)


@given(
    ITEMS, KIND, st.sampled_from(["v1", "discovery.k8s.io/v1", "v2", None]), st.sampled_from([None, 1]), st.booleans()
)
def test_both_ways_say_the_same(items: list[Any], kind: Any, version: Any, indent: int | None, kind_last: bool) -> None:
    fields = {"apiVersion": version, "kind": kind}
    whole = {"items": items, **fields} if kind_last else {**fields, "items": items, "metadata": {"resourceVersion": ""}}
    text = json.dumps(whole, indent=indent)
    assert read(text) == slowly(text)


PLAIN = '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"clusterIP": "None"}}'
LIST = f'{{"apiVersion": "v1", "items": [{PLAIN},\n {PLAIN}], "kind": "List"}}\n'


@given(
    st.integers(0, len(LIST)), st.integers(0, 3), st.sampled_from(["", ",", "]", "}", '"', "\n---\n", "[", " ", "é"])
)
@example(0, 0, "\ufeff")
def test_both_ways_say_the_same_of_what_is_broken(at: int, gone: int, put: str) -> None:
    text = LIST[:at] + put + LIST[at + gone :]
    assert read(text) == slowly(text)


@given(st.integers(0, len(LIST)), st.integers(0, 3), st.binary(min_size=1, max_size=3))
@example(LIST.index('List"'), 0, b"\xff")
@example(LIST.index('Service"'), 0, b"\xff")
@example(LIST.index('web"'), 0, b"\xff")
@example(LIST.index('items"'), 0, b"\xff")
def test_both_ways_say_the_same_of_octets_that_are_no_text(at: int, gone: int, put: bytes) -> None:
    text = LIST.encode()[:at] + put + LIST.encode()[at + gone :]
    for data in (text, b"[" + text + b"]", text + text):
        assert read(data) == slowly(data)


PRETTY = json.dumps({"apiVersion": "v1", "items": [json.loads(PLAIN)] * 4, "kind": "List"}, indent=1)


@given(
    st.integers(0, len(PRETTY)),
    st.integers(0, 3),
    st.sampled_from(["", ",", "]", "}", "},\n  {", "}],\n  [{", '"a": {},', "5,", "null,\n", '"', "\n---\n", "[", " "]),
)
@example(PRETTY.index("},\n  {"), 0, "},\n  {")
@example(PRETTY.index("},\n  {") + 1, 0, ", {}")
@example(PRETTY.rindex("},\n  {") + 1, 0, ", [{\n  },\n  {}]")
def test_both_ways_say_the_same_of_lines_that_are_broken(at: int, gone: int, put: str) -> None:
    """They tell where the items end."""
    text = PRETTY[:at] + put + PRETTY[at + gone :]
    assert read(text) == slowly(text)


def test_an_end_inside_of_an_item_is_noticed_again_and_again() -> None:
    inside = PRETTY.replace('"name": "web"', '"name": "web", "x": [{\n  },\n  {}]')
    cache = DocumentCache()
    first = decode_file(inside.encode(), "a.json", cache)
    assert first == decode_file(inside.encode(), "a.json", cache) == slowly(inside)
    assert len(first.objects) == 4
    assert not first.problems


def test_lists_one_after_another() -> None:
    for text in (LIST + LIST, PRETTY + "\n" + PRETTY):
        assert read(text) == slowly(text)


@pytest.mark.parametrize(
    "text",
    [
        f"[{PLAIN}]",
        PLAIN,
        LIST + LIST.replace("\n", ""),
        LIST.replace('"kind": "List"', '"kind": "List", "kind": "List"'),
        LIST.replace('"kind": "List"', '"\\u006bind": "List"'),
        LIST.replace('"List"', "1"),
        '{"kind": "List", "apiVersion": "v1"}',
        '{"kind": "List", "apiVersion": "v1", "items": {}}',
        '{"kind": "List", "apiVersion": "v1", "items": [' + "[" * 100_000,
        "{}",
        "",
    ],
)
def test_left_to_the_other_way(text: str) -> None:
    assert read_list(text.encode()) is None


def test_places() -> None:
    found = read_list(LIST.encode())
    assert found is not None
    assert (found.version, found.kind) == ("v1", "List")
    assert [LIST[begin:end] for begin, end in found.spans] == [PLAIN, PLAIN]
    assert [item.place.line for item in read(LIST).objects] == [1, 2]
    assert read_list(b'{"kind":"List","apiVersion":"v1","items":[ ]}') == JsonList("v1", "List", [])


def test_an_item_longer_than_one_look_is_left_to_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_list, "WINDOW", len(PLAIN))
    assert read_list(LIST.encode()) is None
