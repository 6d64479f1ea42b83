"""Whose turn it is."""

from hypothesis import given
from hypothesis import strategies as st

from clusterdns.forward.fairness import FairQueue


def test_clients_take_turns_and_each_has_its_own_in_order() -> None:
    queue = FairQueue[str]()
    for client, item in (("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1"), ("c", "c1"), ("b", "b2")):
        queue.put(client, item)
    taken = []
    while queue:
        taken.append(queue.take())
    assert taken == ["a1", "b1", "c1", "a2", "b2", "a3"]


@given(st.lists(st.sampled_from(["", "a", "b", "c"])))
def test_what_is_put_comes_out_once(steps: list[str]) -> None:
    """Of a client; of none, one is taken."""
    queue, waiting = FairQueue[tuple[str, int]](), list[tuple[str, int]]()
    for number, client in enumerate(steps):
        if client:
            queue.put(client, (client, number))
            waiting.append((client, number))
        elif queue:
            taken = queue.take()
            assert taken == next(one for one in waiting if one[0] == taken[0])
            waiting.remove(taken)
        assert bool(queue) == bool(waiting)
