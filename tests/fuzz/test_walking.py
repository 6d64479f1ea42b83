"""A few seconds of ``scripts/fuzz --replies``, and what work a reply can make."""

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packets import QR, RA, header, mutants, question, spelled
from replies import by_hand, raw

from fuzz.checking import corpus
from fuzz.walking import REPLIES, Walker

PACKETS = corpus(REPLIES)
WALKER = Walker()


def test_the_corpus_says_what_each_reply_is() -> None:
    titles = [line.rpartition(":")[0] for line in REPLIES.read_text().splitlines() if not line.startswith("#")]
    assert len(set(titles)) == len(titles) > 50
    assert all(titles)


def test_every_reply_of_the_corpus() -> None:
    for packet in PACKETS:
        WALKER.check(packet)


def test_five_thousand_mutants() -> None:
    walker = Walker()
    for packet in mutants(Random(20_000), 5_000, PACKETS):
        walker.check(packet)
    assert min(walker.kinds.values()) > 500, f"the mutants are of every kind: {walker.kinds}"


@settings(max_examples=300)
@given(st.binary(max_size=600), st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 2)))
def test_any_octets_behind_a_good_question(body: bytes, counts: tuple[int, int, int]) -> None:
    WALKER.check(header(QR | RA, (1, *counts)) + question("www.example.com") + body)


LABELS = b"".join(b"\1" + bytes((97 + number % 26,)) for number in range(126)) + b"\0"  # as many as a name can have
WWW = spelled("www.example.com")


def pointers(places: Iterator[int], count: int, rtype: int, before: bytes = b"") -> list[bytes]:
    """*count* records with a name that is a pointer to one of *places*."""
    return [raw(b"\xc0\x0c", rtype, before + (0xC000 | next(places)).to_bytes(2)) for _ in range(count)]


def places(*ranges: range) -> Iterator[int]:
    while True:
        for one in ranges:
            yield from one


HEAVY = {
    # Each name has 126 labels, and nothing in the packet says so but two octets.
    "names in RDATA of others": [
        raw(b"\xc0\x0c", 65280, LABELS),
        *pointers(places(range(45, 297, 2)), 4000, 15, b"\0\1"),
    ],
    "names that were read": [raw(LABELS, 1, b"1234"), *pointers(places(range(33, 285, 2)), 4000, 15, b"\0\1")],
    "pointers to pointers": [
        raw(
            b"\xc0\x0c", 65280, b"\1a\0" + b"".join((0xC000 | 45 + max(0, at)).to_bytes(2) for at in range(-1, 8000, 2))
        ),
        *pointers(places(range(16000, 8000, -2)), 3000, 15, b"\0\1"),
    ],
    "names of 126 labels": [raw(b"\xc0\x0c", 2, LABELS) for _ in range(240)],
    "capitals of 126 labels": [raw(LABELS.upper(), 5, LABELS.upper()) for _ in range(120)],
    "CNAMEs": [raw(b"\xc0\x0c", 5, b"\1" + bytes((97 + n % 26,)) + b"\xc0\x0c") for n in range(4000)],
    "DNAMEs": [raw(b"\xc0\x10", 39, b"\1" + bytes((97 + n % 26,)) + b"\0") for n in range(4000)],
    "options": [raw(b"\0", 41, b"\0\1\0\0" * 15000)],
}


@pytest.mark.parametrize("records", HEAVY.values(), ids=HEAVY)
@pytest.mark.parametrize("rtype", [1, 2, 15, 255])
def test_work_is_bounded_by_length(records: list[bytes], rtype: int) -> None:
    """Whatever it is told, it does not go back to the same octets again and again."""
    counts = (0, 0, 1) if records[0][0:3] == b"\0\0\x29" else (len(records), 0, 0)
    packet = by_hand("www.example.com", rtype, *records, counts=counts)
    assert 30_000 < len(packet) < 75_000
    WALKER.check_work(packet)
