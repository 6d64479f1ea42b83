"""The packet gate: whatever arrives gets a proper response or silence, and never an exception."""

from random import Random

import dns.rcode
import pytest
from lines_run import Lines
from packets import (
    AA,
    AD,
    CD,
    QR,
    RA,
    RD,
    TC,
    good_queries,
    header,
    opt,
    option,
    query,
    question,
    read,
)
from strategies import SHOP, Responder, responder

from clusterdns.engine import gate
from clusterdns.engine.gate import Query, Rejected

WEB = "web.shop.svc.cluster.local"
LONGEST = b"".join(bytes((63,)) + b"x" * 63 for _ in range(3)) + b"\x3d" + b"x" * 61 + b"\0"
RECORD = b"\0\x01\0\x01\0\0\0\0\0\x04\x0a\0\0\1"  # what follows the owner of an A record
NULL = b"\0\x0a\0\x01\0\0\0\0\0\0"  # of a record without RDATA

SILENCE = {
    "nothing": b"",
    "one octet": b"\x12",
    "eleven octets": header()[:11],
    "a response": query(WEB, flags=QR | RD),
    "a response that is malformed": header(QR, (65535, 65535, 65535, 65535)),
    "a response of another opcode": header(QR | 15 << 11),
}
FORMERR = {
    "a header alone": header(),
    "no question": header(counts=(0, 0, 0, 0)),
    "no question but an OPT": header(counts=(0, 0, 0, 1)) + opt(),
    "two questions": header(counts=(2, 0, 0, 0)) + question(WEB) * 2,
    "65,535 questions": header(counts=(65535, 0, 0, 0)) + question(WEB),
    "an answer": header(counts=(1, 1, 0, 0)) + question(WEB) + b"\xc0\x0c" + RECORD,
    "two authority records": header(counts=(1, 0, 2, 0)) + question(WEB) + (b"\0" + NULL) * 2,
    "three additional records": header(counts=(1, 0, 0, 3)) + question(WEB) + (b"\0" + NULL) * 3,
    "65,535 additional records": header(counts=(1, 0, 0, 65535)) + question(WEB) + opt(),
    "a count without its record": header(counts=(1, 0, 0, 1)) + question(WEB),
    "an octet behind the question": query(WEB) + b"\0",
    "an OPT that is not counted": query(WEB) + opt(),
    "an octet behind the OPT": query(WEB, edns=opt()) + b"\0",
    "two OPTs": header(counts=(1, 0, 0, 2)) + question(WEB) + opt() * 2,
    "an OPT below a name": header(counts=(1, 0, 0, 1)) + question(WEB) + b"\1x" + opt(),
    "an OPT whose owner is a pointer to a root": header(counts=(1, 0, 0, 1)) + question(".") + b"\xc0\x0c" + opt()[1:],
    "an OPT as authority": header(counts=(1, 0, 1, 0)) + question(WEB) + opt(),
    "RDLENGTH too large": query(WEB, edns=opt()[:-2] + b"\0\1"),
    "RDLENGTH of 65,535": query(WEB, edns=opt()[:-2] + b"\xff\xff"),
    "RDLENGTH too small": query(WEB, edns=opt(options=b"\0\x0a\0\0")[:-6] + b"\0\3\0\x0a\0\0"),
    "an option that overruns": query(WEB, edns=opt(options=b"\0\x0a\0\x09xxxx")),
    "an option without a length": query(WEB, edns=opt(options=b"\0\x0a\0")),
    "a label of type 0x40": query(b"\x41x\0"),
    "a label of type 0x80": query(b"\x81x\0"),
    "a pointer to itself": query(b"\xc0\x0c"),
    "a pointer behind a label, to it": query(b"\1x\xc0\x0c"),
    "a pointer forward": query(b"\xc0\x40"),
    "half a pointer": header() + b"\xc0",
    "a name of 256 octets": query(b"\1y" + LONGEST),
    "a name of many labels": query(b"\1y" * 128 + b"\0"),
    "a name without end": header() + b"\1x",
    "a question without class": query(WEB)[:-2],
    "an owner of 256 octets": header(counts=(1, 0, 0, 1)) + question(WEB) + b"\1y" + LONGEST + NULL,
    "an owner whose pointer points at itself": header(counts=(1, 0, 0, 1)) + question(".") + b"\xc0\x11" + NULL,
    "an owner of a bad label": header(counts=(1, 0, 0, 1)) + question(WEB) + b"\x41x\0" + NULL,
}  # fmt: skip
PASSED = {
    "the longest name": query(LONGEST),
    "the root": query(".", "NS"),
    "another record than OPT": header(counts=(1, 0, 0, 1)) + question(WEB) + b"\0" + NULL,
    "OPT behind another record": header(counts=(1, 0, 0, 2)) + question(WEB) + b"\xc0\x0c" + NULL + opt(),
    "an owner that ends in a pointer": header(counts=(1, 0, 0, 1)) + question(WEB) + b"\1x\xc0\x0c" + NULL,
    "the longest owner": header(counts=(1, 0, 0, 1)) + question(WEB) + LONGEST + NULL,
    "options that nobody knows": query(WEB, edns=opt(options=option(65001, bytes(100)) * 3)),
    "all flags but QR": query(WEB, flags=AA | TC | RD | RA | 0x40 | AD | CD | 15),
}


@pytest.fixture(scope="module")
def server() -> Responder:
    return responder(*SHOP)


@pytest.mark.parametrize("packet", SILENCE.values(), ids=SILENCE)
def test_silence(server: Responder, packet: bytes) -> None:
    assert server.answer(packet) is None
    assert server.answer(packet, "tcp") is None


@pytest.mark.parametrize("packet", FORMERR.values(), ids=FORMERR)
def test_a_header_with_formerr_and_nothing_else(server: Responder, packet: bytes) -> None:
    for transport in ("udp", "tcp"):
        assert server.answer(packet, transport) == packet[:2] + b"\x81\x01" + bytes(8)


@pytest.mark.parametrize("packet", PASSED.values(), ids=PASSED)
def test_what_passes(server: Responder, packet: bytes) -> None:
    query = gate.parse(packet)
    assert isinstance(query, Query), query
    assert read(server.answer(packet)).rcode() in {dns.rcode.NOERROR, dns.rcode.REFUSED}


@pytest.mark.parametrize("opcode", range(1, 16))
def test_other_opcodes_get_notimp_and_nothing_is_copied_but_the_opcode(server: Responder, opcode: int) -> None:
    expected = header(QR | opcode << 11 | 4, (0, 0, 0, 0))
    for flags in (0, RD, CD | AD, 0x07FF):
        for body in (b"", question(WEB), question(WEB) + opt(), bytes(range(100))):
            for counts in ((0, 0, 0, 0), (1, 0, 0, 0), (1, 0, 0, 1), (65535,) * 4):
                assert server.answer(header(opcode << 11 | flags, counts) + body) == expected
    assert read(expected).opcode() == opcode


def judge(server: Responder, packet: bytes) -> None:
    """A proper response, or silence where there must be."""
    response = server.answer(packet)
    if len(packet) < 12 or packet[2] & 0x80:
        assert response is None
        return
    message = read(response)
    assert response is not None
    assert response[:2] == packet[:2]
    assert (response[2] ^ packet[2]) & 0x78 == 0, "the opcode is the query's"
    assert len(response) <= 1232
    if message.question:
        end = 12 + len(message.question[0].name.to_wire() or b"") + 4
        assert response[12:end] == packet[12:end], "the question is echoed as it came"
        assert message.rcode() != dns.rcode.SERVFAIL
    else:
        assert len(response) == 12
        assert message.rcode() in {dns.rcode.FORMERR, dns.rcode.NOTIMP}
    if packet[2] & 0x78 == 0:
        assert (response[2] ^ packet[2]) & 0x01 == 0, "RD is copied"
        assert (response[3] ^ packet[3]) & 0x10 == 0, "CD is copied"
    parsed = gate.parse(packet)
    if isinstance(parsed, Rejected):
        assert response == parsed.response
    else:
        assert (message.edns >= 0) == (parsed.edns is not None), "an OPT for an OPT"


def assert_alive(server: Responder) -> None:
    message = read(server.answer(query(WEB)))
    assert [str(rrset) for rrset in message.answer] == [f"{WEB}. 5 IN A 10.96.0.10"]


def test_every_truncation_of_every_query(server: Responder) -> None:
    for packet in good_queries():
        for length in range(len(packet)):
            judge(server, packet[:length])
            if length >= 12:
                assert isinstance(gate.parse(packet[:length]), Rejected), "no beginning of a query is a query"
    assert_alive(server)


def test_every_single_bit_of_every_query(server: Responder) -> None:
    for packet in good_queries():
        for bit in range(len(packet) * 8):
            flipped = bytearray(packet)
            flipped[bit // 8] ^= 1 << bit % 8
            judge(server, bytes(flipped))
    assert_alive(server)


def test_random_octets_behind_a_good_header(server: Responder) -> None:
    rng = Random(7)
    for _ in range(2000):
        judge(server, header(counts=(1, 0, rng.randrange(2), rng.randrange(3))) + rng.randbytes(rng.randrange(300)))


HOSTILE = {
    "labels of one octet": query(b"\1x" * 127 + b"\0"),
    "labels that never end": header() + b"\1x" * 2000,
    "4,096 zeros": header() + bytes(4084),
    "many records": header(counts=(1, 0, 0, 65535)) + question(".") + (b"\0" + NULL) * 370,
    "many options": query(WEB, edns=opt(options=option(9, b"") * 1000)),
    "pointers to pointers": header(counts=(1, 0, 1, 2)) + question(".") + b"\xc0\x0c" + NULL + (b"\xc0\x11" + NULL) * 2,
    "owners of one-octet labels": header(counts=(1, 0, 1, 2)) + question(".") + (b"\1x" * 127 + b"\0" + NULL) * 3,
    "below a reverse zone": query(b"\1f" * 100 + b"\3ip6\4arpa\0", "PTR"),
    "below an apex": query(b"\1x" * 119 + b"\7cluster\5local\0"),
}  # fmt: skip


@pytest.mark.parametrize("packet", HOSTILE.values(), ids=HOSTILE)
def test_the_work_for_one_packet_is_bounded(server: Responder, packet: bytes) -> None:
    with Lines() as lines:
        server.answer(packet)
    assert lines.count < 4500  # four for each option of the 1,000 that fit into a packet
