"""Which record of an answer comes first: clients tend to take that one.

Only answers of several addresses are turned.  What is prepared is sorted; an answer is two slices of it.
"""

import random
from collections.abc import Callable

# (a query, octets of a record, octets of all) -> where the first record begins
First = Callable[[bytes, int, int], int]


def rotated(query: bytes, stride: int, size: int) -> int:
    """By the ID: clients choose it at random (RFC 5452 §4.3), and the same query gets the same octets again."""
    return (query[0] << 8 | query[1]) * stride % size


def shuffled(_: bytes, stride: int, size: int) -> int:
    """Whatever ID the client chooses."""
    return random.randrange(0, size, stride)  # noqa: S311 - no secret


ORDERS: dict[str, First | None] = {"rotate": rotated, "random": shuffled, "fixed": None}
