"""Queries to upstreams, read by dnspython, and which packets are replies to them."""

import dns.flags
import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packets import AA, AD, CD, QR, RA, RD, TC, header, opt, option, question
from replies import asked, reply
from strategies import OPTIONS

from clusterdns.forward.message import is_bare_error, is_reply, query, refuses_edns, spell, truncated
from clusterdns.zone.names import ROOT, Name, child, parse_name

assert OPTIONS  # its module sets the profile of hypothesis

WWW = parse_name("www.example.com")
SENT = query(asked("www.example.com"), b"\x12\x34", b"\3wWw\7eXaMple\3cOm\0")
NAMES = st.lists(st.binary(min_size=1, max_size=20), max_size=8).map(
    lambda labels: Name(b"".join(bytes((len(one),)) + one for one in labels).lower() + b"\0")
)


def test_a_query() -> None:
    packet = query(
        asked("www.example.com", "AAAA", do=True, cd=True), b"\x12\x34", b"\3wWw\7example\3com\0", option(65001, b"x")
    )
    message = dns.message.from_wire(packet)
    assert message.id == 0x1234
    assert message.flags == dns.flags.RD | dns.flags.AD | dns.flags.CD
    assert [str(one) for one in message.question] == ["wWw.example.com. IN AAAA"]
    assert (message.edns, message.payload, message.ednsflags) == (0, 1232, dns.flags.DO)
    assert [(one.otype, one.to_wire()) for one in message.options] == [(65001, b"x")]


def test_a_query_without_edns_and_recursion() -> None:
    packet = query(asked("www.example.com", do=True), b"\0\1", WWW, b"unused", edns=False, recursion=False)
    message = dns.message.from_wire(packet)
    assert message.flags == dns.flags.AD
    assert message.edns == -1


@given(NAMES, st.binary(min_size=255, max_size=255))
def test_a_spelling_is_the_same_name(name: Name, bits: bytes) -> None:
    spelled = spell(name, bits)
    assert spelled.lower() == name
    assert all(
        (one != two) == bool(97 <= two <= 122 and bit & 0x20)
        for one, two, bit in zip(spelled, name, bits, strict=False)
    )


def test_a_spelling_leaves_lengths_alone() -> None:
    long = child(b"\x3f" + b"m" * 63, ROOT)
    assert spell(long, b"\xff" * 65) == b"\x3f" + b"M" * 63 + b"\0"


def test_the_reply() -> None:
    assert is_reply(header(QR | RA) + SENT[12:-11], SENT)
    assert is_reply(header(QR | AA | TC | 3, (1, 65535, 9, 9)) + SENT[12:-11], SENT), "the rest is for the walk"
    assert is_reply(reply("wWw.eXaMple.cOm.", "A", ["www.example.com. 1 A 192.0.2.1"]), SENT)


NOT_OURS = {
    "nothing": b"",
    "a piece of a header": header(QR)[:11],
    "another ID": header(QR, ident=0x1235) + SENT[12:-11],
    "a query": header(0) + SENT[12:-11],
    "our own packet": SENT,
    "another opcode": header(QR | 4 << 11) + SENT[12:-11],
    "another case": header(QR) + question("www.example.com"),
    "another name": header(QR) + question("wWw.eXaMple.cOn"),
    "another type": header(QR) + question("wWw.eXaMple.cOm", "AAAA"),
    "another class": header(QR) + question("wWw.eXaMple.cOm", rclass=3),
    "no question": header(QR, (0, 1, 0, 0)) + SENT[12:-11],
    "two questions": header(QR, (2, 0, 0, 0)) + SENT[12:-11] * 2,
    "a cut question": header(QR) + SENT[12:-12],
    "a question by a pointer": header(QR) + b"\xc0\x0c\0\1\0\1",
}


@pytest.mark.parametrize("packet", NOT_OURS.values(), ids=NOT_OURS)
def test_what_is_no_reply_to_it(packet: bytes) -> None:
    assert not is_reply(packet, SENT)
    assert not is_bare_error(packet, SENT)


def test_a_reply_in_another_case() -> None:
    other = header(QR | RA) + question("WwW.example.COM")
    assert is_reply(other, SENT, any_case=True)
    assert not is_reply(other, SENT)


LETTERS = query(asked("www.example.com", 0x4142), b"\x12\x34", WWW)  # a type that two letters would stand for


@pytest.mark.parametrize(
    "packet",
    [
        header(QR) + question("www.example.com", 0x6162),
        header(QR) + question("www.example.con", 0x4142),
        header(QR) + question("www.example.com", 0x4142)[:-1],
        header(QR, ident=1) + question("www.example.com", 0x4142),
    ],
    ids=["another type", "another name", "a cut question", "another ID"],
)
def test_another_case_is_all_that_may_differ(packet: bytes) -> None:
    assert not is_reply(packet, LETTERS, any_case=True)
    assert is_reply(header(QR) + question("www.example.com", 0x4142), LETTERS, any_case=True)


@given(st.binary(max_size=60))
def test_any_octets_are_no_reply(packet: bytes) -> None:
    assert not is_reply(packet, SENT)
    assert not is_bare_error(header(QR)[:3] + packet, SENT) or len(packet) == 9


@pytest.mark.parametrize("rcode", [1, 2, 4, 5])
def test_a_bare_error(rcode: int) -> None:
    packet = header(QR | RD | rcode, (0, 0, 0, 0))
    assert is_bare_error(packet, SENT)
    assert not is_reply(packet, SENT)
    with_opt = header(QR | RD | rcode, (0, 0, 0, 1)) + opt(options=option(10, b"12345678"))
    assert is_bare_error(with_opt, SENT)
    assert not is_reply(with_opt, SENT)


@pytest.mark.parametrize(
    "packet",
    [
        header(QR, (0, 0, 0, 0)),
        header(QR | 3, (0, 0, 0, 0)),
        header(1, (0, 0, 0, 0)),
        header(QR | 1, (0, 0, 0, 0), ident=1),
        header(QR | 1, (1, 0, 0, 0)),
        header(QR | 1, (0, 0, 0, 1)),
        header(QR | 1, (0, 0, 0, 1)) + opt()[:-1],
        header(QR | 1, (0, 0, 0, 1)) + opt() + b"\0",
        header(QR | 1, (0, 0, 0, 2)) + opt() * 2,
        header(QR | 1, (0, 0, 1, 0)) + opt(),
        header(QR | 1, (0, 0, 0, 1)) + opt()[:5] + b"\1" + opt()[6:],
        header(QR | 1, (0, 0, 0, 1)) + b"\0\0\1" + opt()[3:],
    ],
    ids=[
        *("NOERROR", "NXDOMAIN", "a query", "another ID", "counts", "an OPT that is not there", "a cut OPT"),
        *("octets behind it", "two OPT", "an OPT elsewhere", "an rcode of twelve bits", "another record"),
    ],
)
def test_no_bare_error(packet: bytes) -> None:
    assert not is_bare_error(packet, SENT)


def test_truncated() -> None:
    assert truncated(header(QR | TC))
    assert not truncated(header(QR | AA | RD | RA | AD | CD))


def test_who_knows_no_edns() -> None:
    assert refuses_edns(header(QR | 1, (0, 0, 0, 0)))
    assert refuses_edns(header(QR | 4) + SENT[12:-11])
    assert not refuses_edns(header(QR | 1, (1, 0, 0, 1)) + SENT[12:-11] + opt()), "it knows EDNS, and dislikes the rest"
    assert not refuses_edns(header(QR | 2))
    assert refuses_edns(header(QR | 1, (0, 0, 0, 1)) + opt()), "it sends back what it does not understand"
