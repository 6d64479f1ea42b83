"""Who has forwarded a query, and whether it goes round."""

import pytest

from clusterdns.forward.trail import MAX_MARKS, trail_option, why_not

OWN, OTHER = b"ourselves"[:8], b"somebody"


def content(trail: bytes) -> bytes:
    return trail_option(trail, OWN)[4:]


def test_our_mark_is_added() -> None:
    assert trail_option(b"", OWN) == b"\xff\x21\0\x08" + OWN
    assert content(OTHER) == OTHER + OWN


@pytest.mark.parametrize(
    ("trail", "expected"),
    [
        (b"", None),
        (OTHER, None),
        (OWN, "a forwarding loop: this question has been here before"),
        (OTHER + OWN + OTHER, "a forwarding loop: this question has been here before"),
        (OTHER * 5000, None),
        (OTHER * 5000 + OWN, "a forwarding loop: this question has been here before"),
        (b"1234" + OWN + b"5678", None),
    ],
)
def test_what_comes_along_a_trail(trail: bytes, expected: str | None) -> None:
    assert why_not(trail, OWN) == expected


@pytest.mark.parametrize("trail", [b"x", OWN + b"x"])
def test_an_option_of_somebody_else_is_not_passed_on(trail: bytes) -> None:
    assert why_not(trail, OWN) is None
    assert content(trail) == OWN


@pytest.mark.parametrize("marks", [MAX_MARKS - 1, MAX_MARKS, MAX_MARKS + 1, 5000])
def test_whatever_a_client_writes_the_next_server_answers(marks: int) -> None:
    """Its refusal would be that of all who wait for the same."""
    sent = content(OTHER * marks)
    assert sent == OTHER * (MAX_MARKS - 1) + OWN
    assert why_not(sent, b"the next") is None
