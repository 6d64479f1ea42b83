"""Names in wire form, against dnspython's idea of them."""

import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import label_octets

from clusterdns.zone.names import ROOT, Name, child, is_below, label, labels, parent, parse_name, to_text

words = st.lists(st.text("abcXYZ019-_*", min_size=1, max_size=20), max_size=8)
octets = st.lists(label_octets, max_size=8)


def wire(parts: list[bytes]) -> Name:
    return Name(b"".join(bytes((len(part),)) + part for part in parts) + b"\0")


@given(words)
def test_text_becomes_the_wire_form_that_dnspython_makes(parts: list[str]) -> None:
    text = ".".join(parts) + "."
    assert parse_name(text) == dns.name.from_text(text).canonicalize().to_wire()
    if parts:
        assert parse_name(text.removesuffix(".")) == parse_name(text)


@given(octets)
def test_any_octets_survive_the_way_through_text(parts: list[bytes]) -> None:
    assert dns.name.from_text(to_text(wire(parts))).to_wire() == wire(parts)


@pytest.mark.parametrize(
    "text",
    ["", "..", "a..b", ".a", "a" * 64, "é.example", "K\u212a.example", ".".join(["a" * 63] * 4), "a..", "\u0130"],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_name(text)


def test_limits_are_met_exactly() -> None:
    longest = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
    assert len(parse_name(longest)) == 255
    with pytest.raises(ValueError, match="at most 255"):
        parse_name(longest + "d")
    assert label("a" * 63) == b"\x3f" + b"a" * 63
    with pytest.raises(ValueError, match="255"):
        child(label("x"), parse_name(longest))


@given(octets, st.integers(0, 8))
def test_a_name_is_below_each_of_its_suffixes(parts: list[bytes], at: int) -> None:
    assert is_below(wire(parts), wire(parts[at:]))
    assert labels(wire(parts)) == parts


def test_the_content_of_a_label_can_imitate_an_apex() -> None:
    apex = parse_name("cluster.local")
    sly = wire([b"x\x07cluster", b"local"])
    assert sly.endswith(b"\x07cluster\x05local\0")
    assert not is_below(sly, apex)
    assert not is_below(wire([b"x" + apex[:-1]]), apex)
    assert not is_below(ROOT, apex)


def test_parent_takes_one_label_off_and_stops_at_the_root() -> None:
    assert parent(parse_name("a.b.")) == parse_name("b.")
    assert parent(parse_name("b.")) == ROOT
    assert parent(ROOT) == ROOT
