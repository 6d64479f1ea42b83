"""For every question of tests/cases: no response is longer than what the client takes, every one is strictly
well-formed, and what one transport says the other says, too.
"""

from collections.abc import Iterator
from itertools import groupby

import dns.message
import pytest
from cases import Case, all_cases
from packets import TC, opt, option, query, read
from support import Answer, world

COOKIE = option(10, b"8 octets")
WORLDS = [(cases[0], cases) for _, own in groupby(all_cases(), key=lambda case: case.world) if (cases := list(own))]


def packets(case: Case) -> Iterator[tuple[int, bytes]]:
    """(octets that the client takes, query)."""
    for question in case.questions:
        (asked,) = question.message().question
        name, rtype, rclass = asked.name.to_wire() or b"", int(asked.rdtype), int(asked.rdclass)
        yield 512, query(name, rtype, rclass=rclass)
        for octets in (0, 512, 700, 1232, 4096):
            for options in (b"", COOKIE):
                yield max(512, min(octets, 1232)), query(name, rtype, rclass=rclass, edns=opt(octets, options=options))


def sections(message: dns.message.Message) -> object:
    return message.rcode(), message.flags, message.question, message.answer, message.authority


@pytest.mark.parametrize(("first", "cases"), WORLDS, ids=[str(first) for first, _ in WORLDS])
def test_sizes_and_transports(first: Case, cases: list[Case]) -> None:
    answer: Answer = world(first.manifests, **first.settings)
    for case in cases:
        for takes, packet in packets(case):
            over_udp, over_tcp = answer(packet, "udp"), answer(packet, "tcp")
            short, whole = read(over_udp), read(over_tcp)
            assert over_udp is not None
            assert len(over_udp) <= takes
            if short.flags & TC:
                assert short.rcode() == whole.rcode()
                assert short.answer == whole.answer[: len(short.answer)], "whole records, from the first on"
            else:
                assert sections(short) == sections(whole)
            assert short.additional == whole.additional[: len(short.additional)], "and of these whole RRsets"
            assert [one.otype for one in short.options if one.otype != 15] == ([10] if COOKIE in packet else [])
