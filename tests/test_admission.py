"""How many questions may wait for others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterdns.forward.admission import Admission, Limits


def test_of_one_client_and_in_all() -> None:
    admission = Admission(Limits(per_client=2, total=3))
    for client in ("a", "a", "b"):
        assert admission.refusal(client) is None
        admission.enter(client)
    assert admission.refusal("c") == "too many questions wait for other servers"
    admission.leave("b")
    assert admission.refusal("a") == "too many questions of this client wait for other servers"
    assert admission.refusal("b") is None
    admission.leave("a")
    assert admission.refusal("a") is None


@pytest.mark.parametrize("greedy", [1, 4, 5, 40, 250])
def test_who_asks_much_leaves_room_for_who_asks_little(greedy: int) -> None:
    admission = Admission(Limits(per_client=1000, total=4096))
    for number in range(greedy * 1000):
        client = f"greedy {number % greedy}"
        if admission.refusal(client) is None:
            admission.enter(client)
    assert admission.refusal("modest") is None
    if greedy <= 4:
        assert admission.inside == greedy * 1000


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans())))
def test_who_has_gone_costs_nothing(steps: list[tuple[str, bool]]) -> None:
    admission, inside = Admission(Limits()), []
    for client, comes in steps:
        if comes:
            admission.enter(client)
            inside.append(client)
        elif client in inside:
            admission.leave(client)
            inside.remove(client)
        assert admission.inside == len(inside)
        assert admission._clients == {one: inside.count(one) for one in {*inside}}
