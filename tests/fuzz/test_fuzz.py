"""A few seconds of ``scripts/fuzz``, and everything that it has ever found."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packets import header, mutants

from fuzz.checking import CORPUS, Harness, corpus

PACKETS = corpus()
HARNESS = Harness()


def test_the_corpus_says_what_each_packet_is() -> None:
    titles = [line.rpartition(":")[0] for line in CORPUS.read_text().splitlines() if line and not line.startswith("#")]
    assert len(set(titles)) == len(titles) > 50
    assert all(titles)


@pytest.mark.parametrize("packet", PACKETS, ids=range(len(PACKETS)))
def test_every_packet_of_the_corpus_and_all_its_beginnings(packet: bytes) -> None:
    for length in range(len(packet) + 1):
        HARNESS.check(packet[:length])


def test_every_packet_of_the_corpus_after_all_others() -> None:
    """What is kept from one packet must not answer another."""
    harness = Harness()
    for packet in PACKETS + PACKETS[::-1]:
        harness.check(packet)


def test_twenty_thousand_mutants() -> None:
    harness = Harness()
    for packet in mutants(Random(20_000), 20_000, PACKETS):
        harness.check(packet)
    assert min(harness.kinds.values()) > 200, f"the mutants are of every kind: {harness.kinds}"


@settings(max_examples=300)
@given(st.binary(max_size=600))
def test_any_octets(packet: bytes) -> None:
    HARNESS.check(packet)


@settings(max_examples=300)
@given(st.binary(max_size=600), st.integers(0, 1), st.integers(0, 2), st.integers(0, 1))
def test_any_octets_behind_a_good_header(body: bytes, authority: int, additional: int, questions: int) -> None:
    HARNESS.check(header(counts=(questions, 0, authority, additional)) + body)


def test_after_all_that_it_still_answers() -> None:
    response = HARNESS.check(PACKETS[0])
    assert response is not None
    assert response[6:8] == b"\0\1", "one record"
