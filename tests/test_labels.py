"""Label selectors in kubectl's language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterdns.cluster.labels import equals, is_label_key, is_label_value, matches, parse_selector

LABELS = {"app": "web", "tier": "front", "example.com/x": "1", "empty": ""}

SELECTORS = {
    "": True,
    "app=web": True,
    "app==web": True,
    "app = web , tier = front": True,
    "app=web,tier=back": False,
    "app!=web": False,
    "other!=web": True,  # also where the label is absent
    "app in (web, api)": True,
    "app in(api)": False,
    "app notin (web)": False,
    "other notin (web)": True,
    "app": True,
    "other": False,
    "!other": True,
    "! app": False,
    "example.com/x=1": True,
    "empty=": True,
    "empty": True,
    "app=": False,
    "app=web,!other,tier in (front,back),x notin (y)": True,
}


@pytest.mark.parametrize(("selector", "expected"), SELECTORS.items(), ids=repr)
def test_selectors(selector: str, expected: bool) -> None:
    assert matches(parse_selector(selector), LABELS) is expected


@pytest.mark.parametrize(
    "text",
    ["=web", "app=web=x", "app in web", "app in (web", "a b", "app=web,", "-app", "app=-", "a/b/c", ",", "app=(x)"],
)
def test_refused(text: str) -> None:
    with pytest.raises(ValueError, match="label"):
        parse_selector(text)


def test_a_selector_of_nothing_selects_everything() -> None:
    assert matches((), {})
    assert matches(equals({}), LABELS)
    assert not matches(equals({"app": "web", "x": "y"}), LABELS)


KEYS = {
    "app": True, "A_b.c-d": True, "example.com/app": True, "a" * 63: True, "a" * 64: False, "": False, "-a": False,
    "a-": False, "Example.com/a": False, "/a": False, "a/": False, "a/b/c": False, "x" * 253 + "/a": True,
    "x" * 254 + "/a": False, "a\n": False,
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), KEYS.items(), ids=lambda value: str(value)[:20])
def test_label_keys(text: str, expected: bool) -> None:
    assert is_label_key(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", True), ("a_B.1-c", True), ("a" * 63, True), ("a" * 64, False), ("-", False), ("a b", False)],
)
def test_label_values(text: str, expected: bool) -> None:
    assert is_label_value(text) is expected


@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.from_regex(r"[a-z]{0,5}", fullmatch=True)))
def test_equality_reads_like_kubectl(labels: dict[str, str]) -> None:
    assert sorted(parse_selector(",".join(f"{k}={v}" for k, v in labels.items())), key=str) == sorted(
        equals(labels), key=str
    )
    assert matches(equals(labels), labels)


@given(st.text("ab=!,() in\t", max_size=20))
def test_random_text_raises_nothing_but_value_errors(text: str) -> None:
    try:
        parse_selector(text)
    except ValueError as error:
        message = str(error)
    else:
        message = "label"
    assert "label" in message
