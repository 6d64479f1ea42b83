"""The walk of replies: what counts of an answer, against dnspython; whatever else a packet holds is a PeerError."""

from itertools import pairwise
from random import Random

import dns.message
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packets import AA, AD, QR, RA, RD, TC, header, mutants, opt, option, question, read, spelled
from replies import (
    SOA,
    asked,
    by_hand,
    check,
    plainly,
    raw,
    record,
    reply,
    resolve,
    seeds,
    signature,
    survives,
    told,
)
from strategies import OPTIONS

from clusterdns.errors import PeerError
from clusterdns.forward.answers import Foreign, Question
from clusterdns.forward.message import spell
from clusterdns.forward.placing import respond
from clusterdns.forward.walk import LameError, walk
from clusterdns.zone.names import parse_name, to_text

assert OPTIONS  # its module sets the profile of hypothesis

WWW = "www.example.com."
ADDRESS = f"{WWW} 300 A 192.0.2.1"
LINK = f"{WWW} 200 CNAME web.example.net."
WEB = "web.example.net. 100 A 192.0.2.2"
NSEC = f"{WWW} 60 NSEC zzz.example.com. A RRSIG NSEC"
NS = "example.com. 300 NS ns.example.com."
GLUE = "ns.example.com. 300 A 192.0.2.66"
POISON = "bank.example.org. 300 A 192.0.2.66"


def taken(name: str, rtype: str, packet: bytes, *, do: bool = False) -> tuple[Foreign, list[str]]:
    foreign = walk(packet, asked(name, rtype, do=do))
    check(foreign, asked(name, rtype, do=do))
    return foreign, told(foreign, name, rtype, do=do)


POSITIVE: dict[str, tuple[str, str, list[str], list[str], list[str]]] = {
    # name, type, answer, authority -> what is told
    "an address": (WWW, "A", [ADDRESS], [], [ADDRESS]),
    "an address, with name servers": (WWW, "A", [ADDRESS], [NS], [ADDRESS]),
    "a chain": (WWW, "A", [LINK, WEB], [], [LINK, WEB]),
    "a chain in the wrong order": (WWW, "A", [WEB, LINK], [], [LINK, WEB]),
    "the CNAME itself": (WWW, "CNAME", [LINK], [], [LINK]),
    "poison before the answer": (WWW, "A", [POISON, ADDRESS], [], [ADDRESS]),
    "poison behind the answer": (WWW, "A", [ADDRESS, POISON], [], [ADDRESS]),
    "poison in a chain": (WWW, "A", [LINK, "www.example.net. 300 A 192.0.2.66", WEB], [], [LINK, WEB]),
    "an alias of another name": (WWW, "A", [f"bank.example.org. 200 CNAME {WWW}", ADDRESS], [], [ADDRESS]),
    "poison as authority": (WWW, "A", [ADDRESS], [POISON], [ADDRESS]),
    "another type of the name": (WWW, "A", [ADDRESS, f'{WWW} 300 TXT "x"'], [], [ADDRESS]),
    "a CNAME beside the address": (WWW, "A", [ADDRESS, LINK], [], [ADDRESS]),
    "two CNAMEs": (WWW, "A", [LINK, f"{WWW} 200 CNAME bank.example.org.", POISON, WEB], [], [LINK, WEB]),
    "signatures without DO": (WWW, "A", [ADDRESS, signature(WWW, "A")], [], [ADDRESS]),
    "signatures asked for": (
        WWW,
        "RRSIG",
        [signature(WWW, "A"), signature(WWW, "TXT")],
        [],
        [signature(WWW, "A"), signature(WWW, "TXT")],
    ),
    "a wildcard's proof without DO": (WWW, "A", [ADDRESS], [NSEC], [ADDRESS]),
    "a DNAME": (
        "a.b.example.com.",
        "A",
        [
            "b.example.com. 30 DNAME example.net.",
            "a.b.example.com. 30 CNAME a.example.net.",
            "a.example.net. 30 A 192.0.2.1",
        ],
        [],
        [
            "b.example.com. 30 DNAME example.net.",
            "a.b.example.com. 30 CNAME a.example.net.",
            "a.example.net. 30 A 192.0.2.1",
        ],
    ),
    "a DNAME that does not lead there": (
        "a.b.example.com.",
        "A",
        [
            "b.example.com. 30 DNAME example.org.",
            "a.b.example.com. 30 CNAME a.example.net.",
            "a.example.net. 30 A 192.0.2.1",
        ],
        [],
        ["a.b.example.com. 30 CNAME a.example.net.", "a.example.net. 30 A 192.0.2.1"],
    ),
    "a DNAME in the middle of a chain": (
        WWW,
        "A",
        [
            f"{WWW} 9 CNAME x.d.test.",
            "d.test. 8 DNAME e.test.",
            "x.d.test. 8 CNAME x.e.test.",
            "x.e.test. 7 A 192.0.2.1",
        ],
        [],
        [
            f"{WWW} 9 CNAME x.d.test.",
            "d.test. 8 DNAME e.test.",
            "x.d.test. 8 CNAME x.e.test.",
            "x.e.test. 7 A 192.0.2.1",
        ],
    ),
    "a CNAME that a DNAME makes": (
        "x.b.test.",
        "CNAME",
        ["b.test. 30 DNAME c.test.", "x.b.test. 30 CNAME x.c.test."],
        [],
        ["b.test. 30 DNAME c.test.", "x.b.test. 30 CNAME x.c.test."],
    ),
    "ANY below a DNAME": (
        "x.b.test.",
        "ANY",
        ["b.test. 30 DNAME c.test.", "x.b.test. 30 CNAME x.c.test.", "c.test. 30 DNAME d.test."],
        [],
        ["b.test. 30 DNAME c.test.", "x.b.test. 30 CNAME x.c.test."],
    ),
    "the DNAME itself": ("b.test.", "DNAME", ["b.test. 3 DNAME c.test."], [], ["b.test. 3 DNAME c.test."]),
    "the root": (".", "NS", [". 5 NS a.test.", ". 5 NS b.test."], [], [". 5 NS a.test.", ". 5 NS b.test."]),
    "an unknown type": (
        WWW,
        "TYPE65280",
        [rf"{WWW} 3 TYPE65280 \# 5 c00cc0ff00"],
        [],
        [rf"{WWW} 3 TYPE65280 \# 5 c00cc0ff00"],
    ),
    "no RDATA": (WWW, "TYPE65280", [rf"{WWW} 3 TYPE65280 \# 0"], [], [rf"{WWW} 3 TYPE65280 \# 0"]),
    "ANY": (WWW, "ANY", [ADDRESS, LINK, POISON, f"{WWW} 3 TXT x", WEB], [], [ADDRESS, LINK, f"{WWW} 3 TXT x"]),
    "ANY and its signatures": (WWW, "ANY", [ADDRESS, signature(WWW, "A")], [], [ADDRESS, signature(WWW, "A")]),
    "TTLs that differ in one RRset": (
        WWW,
        "A",
        [f"{WWW} 9 A 192.0.2.1", f"{WWW} 7 A 192.0.2.2"],
        [],
        [f"{WWW} 7 A 192.0.2.1", f"{WWW} 7 A 192.0.2.2"],
    ),
    "a TTL with the top bit": (WWW, "A", [f"{WWW} 2147483647 A 192.0.2.1"], [], [f"{WWW} 2147483647 A 192.0.2.1"]),
}


@pytest.mark.parametrize("compress", [True, False], ids=["compressed", "in full"])
@pytest.mark.parametrize(("name", "rtype", "answer", "authority", "expected"), POSITIVE.values(), ids=POSITIVE)
def test_positive(
    name: str, rtype: str, answer: list[str], authority: list[str], expected: list[str], compress: bool
) -> None:
    foreign, records = taken(name, rtype, reply(name, rtype, answer, authority, [GLUE], compress=compress))
    assert records == plainly(expected)
    assert (foreign.rcode, foreign.partial, foreign.authority) == (0, False, 0)
    assert foreign.ttl == min(record(one).ttl for one in expected)


def test_a_ttl_with_the_top_bit_is_none() -> None:
    packet = by_hand(WWW, "A", raw(b"\xc0\x0c", "A", b"1234", 0x80000000), raw(b"\xc0\x0c", "A", b"5678", 0xFFFFFFFF))
    foreign, records = taken(WWW, "A", packet)
    assert foreign.ttl == 0
    assert records == [f"{WWW} 0 A 49.50.51.52", f"{WWW} 0 A 53.54.55.56"]


ROOT_SOA = ". 300 SOA a. b. 1 2 3 4 900"
NEGATIVE: dict[str, tuple[int, list[str], list[str], list[str], int]] = {
    # rcode, answer, authority -> what is told, ttl
    "NODATA": (0, [], [SOA], [SOA.replace(" 300 ", " 60 ", 1)], 60),
    "NXDOMAIN": (3, [], [SOA], [SOA.replace(" 300 ", " 60 ", 1)], 60),
    "NXDOMAIN of the root": (3, [], [ROOT_SOA], [ROOT_SOA], 300),
    "NODATA of its own SOA": (
        0,
        [],
        [SOA.replace("example.com.", WWW, 1)],
        [SOA.replace("example.com. 300", WWW + " 60", 1)],
        60,
    ),
    "with name servers": (3, [], [NS, SOA], [SOA.replace(" 300 ", " 60 ", 1)], 60),
    "NXDOMAIN at the end of a chain": (
        3,
        [LINK],
        ["net. 50 SOA a. b. 1 2 3 4 90"],
        [LINK, "net. 50 SOA a. b. 1 2 3 4 90"],
        50,
    ),
    "NODATA at the end of a chain": (
        0,
        [LINK],
        ["net. 900 SOA a. b. 1 2 3 4 900"],
        [LINK, "net. 900 SOA a. b. 1 2 3 4 900"],
        200,
    ),
    "the SOA of another zone": (3, [], ["example.org. 50 SOA a. b. 1 2 3 4 90"], [], 0),
    "the SOA of a sibling": (3, [], ["ww.example.com. 50 SOA a. b. 1 2 3 4 90"], [], 0),
    "the SOA of the chain's begin": (3, [LINK], [SOA], [LINK], 0),
    "two SOAs": (3, [], [SOA, "com. 5 SOA a. b. 1 2 3 4 9"], [SOA.replace(" 300 ", " 60 ", 1)], 60),
    "without SOA": (3, [], [], [], 0),
    "NODATA without SOA": (0, [], [], [], 0),
    "proofs without DO": (3, [], [SOA, NSEC], [SOA.replace(" 300 ", " 60 ", 1)], 60),
    "poison": (3, [POISON], [POISON, SOA], [SOA.replace(" 300 ", " 60 ", 1)], 60),
    "YXDOMAIN": (6, ["com. 7 DNAME long.test."], [], ["com. 7 DNAME long.test."], 0),
    "YXDOMAIN with the DNAME of others": (6, ["org. 7 DNAME long.test."], [], [], 0),
}


@pytest.mark.parametrize("compress", [True, False], ids=["compressed", "in full"])
@pytest.mark.parametrize(("rcode", "answer", "authority", "expected", "ttl"), NEGATIVE.values(), ids=NEGATIVE)
def test_negative(
    rcode: int, answer: list[str], authority: list[str], expected: list[str], ttl: int, compress: bool
) -> None:
    foreign, records = taken(WWW, "A", reply(WWW, "A", answer, authority, [GLUE], rcode=rcode, compress=compress))
    assert records == plainly(expected)
    assert (foreign.rcode, foreign.ttl, foreign.partial) == (rcode, ttl, False)
    assert to_text(foreign.end) == ("web.example.net." if LINK in answer else WWW)


SIGNED_SOA = [SOA.replace(" 300 ", " 60 ", 1), signature("example.com.", "SOA", 60)]
NSEC3 = "abc.example.com. 60 NSEC3 1 1 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr A RRSIG"
PROOF = [NSEC, signature(WWW, "NSEC", 60), NSEC3, signature("abc.example.com.", "NSEC3", 60)]
SIGNED: dict[str, tuple[int, list[str], list[str], list[str]]] = {
    "an answer": (0, [ADDRESS, signature(WWW, "A")], [], [ADDRESS, signature(WWW, "A")]),
    "with name servers": (
        0,
        [ADDRESS, signature(WWW, "A")],
        [NS, signature("example.com.", "NS")],
        [ADDRESS, signature(WWW, "A")],
    ),
    "of a wildcard": (0, [ADDRESS, signature(WWW, "A")], [NS, *PROOF], [ADDRESS, signature(WWW, "A"), *PROOF]),
    "a chain": (
        0,
        [LINK, signature(WWW, "CNAME"), WEB, signature("web.example.net.", "A")],
        [],
        [LINK, signature(WWW, "CNAME"), WEB, signature("web.example.net.", "A")],
    ),
    "signatures of other types": (
        0,
        [ADDRESS, signature(WWW, "TXT"), signature(WWW, "A")],
        [],
        [ADDRESS, signature(WWW, "A")],
    ),
    "signatures alone": (0, [signature(WWW, "A")], [*SIGNED_SOA, *PROOF], [*SIGNED_SOA, *PROOF]),
    "a signature behind an alias": (
        0,
        [LINK, signature(WWW, "CNAME"), signature("web.example.net.", "A")],
        [],
        [LINK, signature(WWW, "CNAME")],
    ),
    "proofs of another zone": (
        3,
        [],
        [*SIGNED_SOA, *PROOF, "org. 60 NSEC net. A", signature("org.", "NSEC", 60)],
        [*SIGNED_SOA, *PROOF],
    ),
    "proofs that nothing signed needs": (0, [ADDRESS], PROOF, [ADDRESS]),
    "signatures of other names": (0, [ADDRESS, signature("example.org.", "A")], [], [ADDRESS]),
    "NXDOMAIN": (3, [], [*SIGNED_SOA, *PROOF], [*SIGNED_SOA, *PROOF]),
    "NXDOMAIN with name servers between": (3, [], [NS, *SIGNED_SOA, NS, *PROOF], [*SIGNED_SOA, *PROOF]),
    "a signed SOA of another zone": (3, [], ["org. 5 SOA a. b. 1 2 3 4 5", signature("org.", "SOA"), NSEC], []),
    "a DNAME": (
        0,
        [
            "com. 30 DNAME net.",
            signature("com.", "DNAME", 30),
            f"{WWW} 30 CNAME www.example.net.",
            "www.example.net. 30 A 192.0.2.1",
        ],
        [],
        [
            "com. 30 DNAME net.",
            signature("com.", "DNAME", 30),
            f"{WWW} 30 CNAME www.example.net.",
            "www.example.net. 30 A 192.0.2.1",
        ],
    ),
}


@pytest.mark.parametrize("compress", [True, False], ids=["compressed", "in full"])
@pytest.mark.parametrize(("rcode", "answer", "authority", "expected"), SIGNED.values(), ids=SIGNED)
def test_with_do(rcode: int, answer: list[str], authority: list[str], expected: list[str], compress: bool) -> None:
    packet = reply(
        WWW, "A", answer, authority, [GLUE], rcode=rcode, flags=QR | RA | AD, edns=opt(do=True), compress=compress
    )
    foreign, records = taken(WWW, "A", packet, do=True)
    assert records == plainly(expected)
    assert foreign.authentic


@pytest.mark.parametrize(
    ("rcode", "answer", "authority", "cacheable"),
    [(0, [ADDRESS], [], True), (0, [f"{WWW} 0 A 192.0.2.1"], [], True), (3, [], [SOA], True), (0, [LINK], [], True),
     (0, [], [], False), (3, [], [], False), (3, [LINK], [], False)],
)  # fmt: skip
def test_what_may_be_kept(rcode: int, answer: list[str], authority: list[str], cacheable: bool) -> None:
    """Not a denial without a SOA (RFC 2308 §5); that there is no TTL is another thing."""
    foreign, _ = taken(WWW, "A", reply(WWW, "A", answer, authority, rcode=rcode))
    assert foreign.cacheable is cacheable


def test_an_alias_whose_target_is_denied_is_an_answer_to_who_asks_for_aliases() -> None:
    foreign, records = taken(WWW, "CNAME", reply(WWW, "CNAME", [LINK], [SOA], rcode=3))
    assert (foreign.rcode, records) == (0, plainly([LINK]))


def test_partial() -> None:
    """The server of one zone says where an alias leads, and no more."""
    foreign, records = taken(WWW, "A", reply(WWW, "A", [LINK], flags=QR | AA))
    assert foreign.partial
    assert (to_text(foreign.end), foreign.ttl, records) == ("web.example.net.", 200, plainly([LINK]))
    foreign, records = taken(WWW, "A", reply(WWW, "A", [LINK], ["net. 5 NS ns.net."], flags=QR | AA))
    assert (foreign.partial, records) == (True, plainly([LINK]))


@pytest.mark.parametrize("rcode", [1, 2, 4, 5, 9])
def test_other_rcodes_come_without_records(rcode: int) -> None:
    foreign, records = taken(
        WWW, "A", reply(WWW, "A", [ADDRESS], [SOA], rcode=rcode, edns=opt(options=option(15, b"\0\x12")))
    )
    assert (foreign.rcode, foreign.ttl, records, foreign.error) == (rcode, 0, [], (18, ""))
    assert walk(header(QR | rcode, (0, 0, 0, 0)), asked(WWW)).rcode == rcode


def test_the_upper_bits_of_the_rcode() -> None:
    packet = reply(WWW, "A", edns=b"\0\0\x29\4\xd0\1\0\0\0\0\0", rcode=0)
    assert walk(packet, asked(WWW)).rcode == 16


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (b"", None),
        (option(15, b"\0\x12"), (18, "")),
        (option(15, b"\0\x12blocked\0"), (18, "blocked")),
        (option(10, b"12345678") + option(15, b"\0\x03a") + option(15, b"\0\x04b"), (3, "a")),
        (option(15, b"\0"), None),
        (option(15, b"\0\1\x1b[31m\r\n\xff\xe2\x80\xae"), (1, r"\x1b[31m\r\n" + "\ufffd" + r"\u202e")),
        (option(15, b"\xff\xff" + b"x" * 1000), (65535, "x" * 100 + "…" + "x" * 100)),
    ],
)
def test_an_extended_error(options: bytes, error: tuple[int, str] | None) -> None:
    assert walk(reply(WWW, "A", [ADDRESS], edns=opt(options=options)), asked(WWW)).error == error
    assert walk(reply(WWW, "A", [ADDRESS], edns=opt(options=options, version=1)), asked(WWW)).error is None


LAME = {
    "a referral": reply(WWW, "A", [], [NS], [GLUE]),
    "a referral upwards": reply(WWW, "A", [], [". 5 NS a.root-servers.net."], flags=QR),
    "a referral beside poison": reply(WWW, "A", [POISON], [NS]),
    "neither authority nor recursion": reply(WWW, "A", flags=QR),
}


@pytest.mark.parametrize("packet", LAME.values(), ids=LAME)
def test_lame(packet: bytes) -> None:
    with pytest.raises(LameError):
        walk(packet, asked(WWW))


LONGEST = b"".join(bytes((63,)) + b"x" * 63 for _ in range(3)) + b"\x3d" + b"x" * 61 + b"\0"
OWNER, BASE = b"\xc0\x0c", 33  # where records begin behind a question for WWW
CIRCLE = [f"{WWW} 1 CNAME a.test.", "a.test. 1 CNAME b.test.", "b.test. 1 CNAME a.test."]
GOOD = raw(OWNER, "A", b"1234")
MALFORMED = {
    "nothing": b"",
    "a header": header(QR | RA),
    "a query": header(RD) + question(WWW),
    "truncated": reply(WWW, "A", [ADDRESS], flags=QR | RA | TC),
    "another opcode": reply(WWW, "A", [ADDRESS], flags=QR | RA | 5 << 11),
    "another question": reply("www.example.org.", "A", [ADDRESS]),
    "another type": reply(WWW, "AAAA", [ADDRESS]),
    "another class": header(QR) + question(WWW, rclass=3),
    "two questions": header(QR, (2, 0, 0, 0)) + question(WWW) * 2,
    "no question": header(QR, (0, 1, 0, 0)) + raw(spelled(WWW), "A", b"1234"),
    "no question and no error": header(QR, (0, 0, 0, 0)),
    "a count too many": by_hand(WWW, "A", GOOD, counts=(2, 0, 0)),
    "65,535 of all": by_hand(WWW, "A", GOOD, counts=(65535, 65535, 65535)),
    "a count too few": by_hand(WWW, "A", GOOD, GOOD, counts=(1, 0, 0)),
    "an octet behind": by_hand(WWW, "A", GOOD) + b"\0",
    "a pointer to itself": by_hand(WWW, "A", raw(b"\xc0\x21", "A", b"1234")),
    "a pointer forward": by_hand(WWW, "A", raw(b"\xc0\x30", "A", b"1234")),
    "a pointer into the header": by_hand(WWW, "A", raw(b"\xc0\x04", "A", b"1234")),
    "a pointer to the label before it": by_hand(WWW, "A", raw(b"\1x\xc0\x21", "A", b"1234")),
    "pointers in a circle": by_hand(
        WWW, "TYPE65280", raw(OWNER, 65280, b"\xc0\x2f\xc0\x2d"), raw(b"\xc0\x2f", 65280, b"")
    ),
    "a label of another kind": by_hand(WWW, "A", raw(b"\x41x\0", "A", b"1234")),
    "a name of 256 octets": by_hand(WWW, "A", raw(b"\1y" + LONGEST, "A", b"1234")),
    "a name of 256 octets by a pointer": by_hand(
        WWW, "A", raw(LONGEST, "A", b"1234"), raw(b"\1y\xc0\x21", "A", b"1234")
    ),
    "an address of 3 octets": by_hand(WWW, "A", raw(OWNER, "A", b"123")),
    "an address of 17 octets": by_hand(WWW, "AAAA", raw(OWNER, "AAAA", bytes(17))),
    "a CNAME with more than a name": by_hand(WWW, "A", raw(OWNER, "CNAME", b"\1x\0\0")),
    "a CNAME without a name": by_hand(WWW, "A", raw(OWNER, "CNAME", b""), GOOD),
    "a CNAME that goes on behind its RDATA": by_hand(WWW, "A", raw(OWNER, "CNAME", b"\1"), GOOD),
    "a short SOA": by_hand(WWW, "SOA", raw(OWNER, "SOA", bytes(21))),
    "a short MX": by_hand(WWW, "MX", raw(OWNER, "MX", b"\0")),
    "a NAPTR of one string": by_hand(WWW, "NAPTR", raw(OWNER, "NAPTR", b"\0\0\0\0\1x")),
    "RDLENGTH too large": by_hand(WWW, "A", GOOD[:-5] + b"\5" + GOOD[-4:]),
    "an OPT as answer": by_hand(WWW, "A", opt()),
    "an OPT as authority": by_hand(WWW, "A", GOOD, opt(), counts=(1, 1, 0)),
    "two OPTs": reply(WWW, "A", [ADDRESS])[:-12] + b"\2" + opt() * 2,
    "two OPTs, counted": by_hand(WWW, "A", GOOD, opt(), opt(), counts=(1, 0, 2)),
    "an OPT below a name": by_hand(WWW, "A", GOOD, b"\1x" + opt(), counts=(1, 0, 1)),
    "an option that overruns": by_hand(WWW, "A", GOOD, opt(options=b"\0\x0f\0\x09\0"), counts=(1, 0, 1)),
    "half an option": by_hand(WWW, "A", GOOD, opt(options=b"\0\x0f\0"), counts=(1, 0, 1)),
    "aliases in a circle": reply(WWW, "A", CIRCLE),
    "an alias of itself": reply(WWW, "A", [f"{WWW} 1 CNAME {WWW}"]),
    "17 aliases": reply("0.test.", "A", [f"{n}.test. 1 CNAME {n + 1}.test." for n in range(17)]),
    "NXDOMAIN with data": reply(WWW, "A", [ADDRESS], rcode=3),
}


@pytest.mark.parametrize("packet", MALFORMED.values(), ids=MALFORMED)
def test_malformed(packet: bytes) -> None:
    asks = asked(WWW)
    if len(packet) > 34 and packet[12:14] == b"\x010":
        asks = asked("0.test.")
    elif packet[12:29] == spelled(WWW) and packet[29:31] != b"\0\x1c":
        asks = Question(asks.name, int.from_bytes(packet[29:31]))
    with pytest.raises(PeerError) as caught:
        walk(packet, asks)
    assert not isinstance(caught.value, LameError)


@pytest.mark.parametrize("rtype", [0, 41, 249, 250, 251, 252, 253, 254])
def test_types_that_nobody_asks_others_for(rtype: int) -> None:
    with pytest.raises(PeerError):
        walk(by_hand(WWW, rtype, raw(OWNER, rtype, b"")), asked(WWW, rtype))


def test_sixteen_aliases() -> None:
    links = [f"{n}.test. 1 CNAME {n + 1}.test." for n in range(16)]
    _, records = taken("0.test.", "A", reply("0.test.", "A", [*links[::-1], "16.test. 1 A 192.0.2.1"]))
    assert records == plainly([*links, "16.test. 1 A 192.0.2.1"])


def test_another_class_is_left_out() -> None:
    foreign, records = taken(WWW, "A", by_hand(WWW, "A", raw(OWNER, "A", b"odd", rclass=3), GOOD))
    assert (records, foreign.answers) == ([f"{WWW} 300 A 49.50.51.52"], 1)


def test_a_pointer_to_what_is_no_name_is_written_out() -> None:
    """It is legal, and what it leads to may change: here the RDATA of an unknown type, and a TTL."""
    hidden = raw(OWNER, 65280, b"\1x\4test\0", 0x01790000)
    for target, owner in ((BASE + 12, b"x.test"), (BASE + 6, b"y")):
        pointer = (0xC000 | target).to_bytes(2)
        packet = by_hand(WWW, "CNAME", hidden, raw(OWNER, "CNAME", pointer))
        _, records = taken(WWW, "CNAME", packet)
        assert records == [f"{WWW} 300 CNAME {owner.decode()}."]


def test_names_point_into_what_is_left_out() -> None:
    net = spelled("example.net.")
    packet = by_hand(
        WWW, "A", raw(net, "A", b"evil"), raw(OWNER, "CNAME", b"\3web\xc0\x21"), raw(b"\3web\xc0\x21", "A", b"1234")
    )
    foreign, records = taken(WWW, "A", packet)
    assert records == [f"{WWW} 300 CNAME web.example.net.", "web.example.net. 300 A 49.50.51.52"]
    assert foreign.wire.count(b"\7example") == 1, "the second time it points to the first"


X_TEST = r"\# 8 0178047465737400"  # in types that dnspython does not know
ODD_TYPES = [
    f"MD {X_TEST}", f"MF {X_TEST}", f"MB {X_TEST}", f"MG {X_TEST}", f"MR {X_TEST}", r"MINFO \# 9 017804746573740000",
    "PTR x.test.", "MX 1 x.test.", "RP x.test. y.test.", "AFSDB 1 x.test.", "RT 1 x.test.", "NSAP-PTR x.test.",
    "PX 1 x.test. y.test.", "KX 1 x.test.", 'NAPTR 1 2 "a" "b" "c" x.test.', "SRV 1 2 3 x.test.", "DNAME x.test.",
    "NSEC x.test. A", "SVCB 1 x.test. port=1", "HTTPS 0 x.test.", "SOA x.test. y.test. 1 2 3 4 5",
]  # fmt: skip


@pytest.mark.parametrize("rdata", ODD_TYPES)
def test_names_in_rdata_are_pointed_to_and_point(rdata: str) -> None:
    """Old servers compress them; each is read, kept, and written out where what it points to is left out."""
    rtype = rdata.partition(" ")[0]
    full = record(f"{WWW} 5 {rdata}")
    wire = full[0].to_wire()
    assert wire is not None
    at = wire.index(b"\1x\4test\0")
    test = BASE + 2  # in a record that is left out
    squeezed = wire.replace(b"\4test\0", (0xC000 | test).to_bytes(2))
    packet = by_hand(WWW, rtype, raw(b"\1z\4test\0", "A", b"1234"), raw(OWNER, rtype, squeezed, 5))
    _, records = taken(WWW, rtype, packet)
    assert records == plainly([f"{WWW} 5 {rdata}"])
    target = (0xC000 | BASE + 12 + at).to_bytes(2)
    packet = by_hand(WWW, rtype, raw(OWNER, rtype, wire, 5), raw(target, "A", b"1234"))
    assert taken(WWW, rtype, packet)[1] == plainly([f"{WWW} 5 {rdata}"])
    packet = by_hand(
        WWW, "CNAME", raw(b"\1y\0", rtype, wire, 5), raw(OWNER, "CNAME", (0xC000 | BASE + 13 + at).to_bytes(2))
    )
    assert taken(WWW, "CNAME", packet)[1] == [f"{WWW} 300 CNAME x.test."]


SPELLED = "wWw.eXaMPle.cOm."


@pytest.mark.parametrize("compress", [True, False], ids=["compressed", "in full"])
def test_the_spelling_of_our_question_stays_here(compress: bool) -> None:
    packet = reply(SPELLED, "A", [ADDRESS.replace(WWW, SPELLED), ADDRESS], compress=compress)
    foreign = walk(packet, asked(WWW))
    assert told(foreign, "WWW.example.com.") == ["WWW.example.com. 300 A 192.0.2.1"] * 2
    packet = reply(
        SPELLED,
        "A",
        ["eXaMPle.cOm. 5 DNAME test.", f"{SPELLED} 5 CNAME wWw.TeSt.", "wWw.TeSt. 4 A 192.0.2.1"],
        compress=compress,
    )
    shown = told(walk(packet, asked(WWW)), WWW)
    assert shown == plainly(["example.com. 5 DNAME test.", f"{WWW} 5 CNAME www.TeSt.", "www.TeSt. 4 A 192.0.2.1"])


def test_names_of_others_keep_their_spelling() -> None:
    """In RDATA that is signed as it is, even where it looks like ours."""
    packet = reply(SPELLED, "A", [], [SOA, f"{WWW} 60 NSEC eXaMPle.cOm. A", "Web.Example.COM. 60 NSEC Zzz.test. A"])
    records = told(walk(packet, asked(WWW, do=True)), WWW, do=True)
    assert [one for one in records if "NSEC" in one] == [
        f"{WWW} 60 NSEC eXaMPle.cOm. A",
        "Web.example.com. 60 NSEC Zzz.test. A",
    ]


TEXTS = [" ".join(f'"{number:03d}{"x" * 200}"' for number in range(one, one + 12)) for one in range(24)]


def test_a_large_one() -> None:
    """Names that stand too far behind for a pointer, and none of it lost."""
    signed = signature("web.example.net.", "TXT", 9).replace(" example.com.", " example.net.")
    answer = [LINK, *(f"web.example.net. 9 TXT {one}" for one in TEXTS), signed]
    proofs = [f"n{number}.example.net. 9 NSEC m{number}.example.net. A" for number in range(50)]
    foreign, records = taken(WWW, "TXT", reply(WWW, "TXT", answer, proofs), do=True)
    assert len(foreign.wire) > 55_000
    assert records == plainly([*answer, *proofs])
    foreign, records = taken(WWW, "TXT", reply(WWW, "TXT", [GLUE, *answer], [NS, *proofs]), do=True)
    assert records == plainly([*answer, *proofs]), "moved"


def test_written_out_it_would_be_longer_than_a_message() -> None:
    base = 12 + len(spelled(WWW)) + 4
    assert base == BASE
    dropped = raw(LONGEST, "A", b"1234")
    links = [raw(OWNER, "MX", bytes((0, n % 250)) + bytes((1, n % 250)) + b"\xc0\x23") for n in range(3000)]
    assert len(by_hand(WWW, "MX", dropped, *links)) < 65536
    with pytest.raises(PeerError):
        walk(
            by_hand(
                WWW, "MX", raw(b"\1y" + LONGEST[:128] + b"\0", "A", b"1234"), *[one[:-2] + b"\xc0\x24" for one in links]
            ),
            asked(WWW, "MX"),
        )


SEEDS = seeds()


@pytest.mark.parametrize(("asks", "packet"), SEEDS, ids=range(len(SEEDS)))
def test_cut_at_each_octet(asks: Question, packet: bytes) -> None:
    for length in range(len(packet)):
        with pytest.raises(PeerError):
            walk(packet[:length], asks)


@pytest.mark.parametrize(("asks", "packet"), SEEDS, ids=range(len(SEEDS)))
def test_a_fault_in_each_octet(asks: Question, packet: bytes) -> None:
    for place in range(len(packet)):
        for fault in (0x01, 0xC0):
            mutant = bytearray(packet)
            mutant[place] ^= fault
            survives(bytes(mutant), asks)


def test_mutants() -> None:
    rng = Random(7)
    for asks, packet in SEEDS:
        for mutant in mutants(rng, 200, [packet]):
            survives(mutant, asks)


@settings(max_examples=300)
@given(st.binary(max_size=400), st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 2)))
def test_any_octets_behind_a_good_question(body: bytes, counts: tuple[int, int, int]) -> None:
    survives(by_hand(WWW, "A", body, counts=counts), asked(WWW))


LABELS = st.sampled_from(["a", "b", "www", "WWW", "x-1"])
OWNERS = st.lists(LABELS, min_size=1, max_size=3).map(lambda labels: ".".join(labels) + ".test.")


@st.composite
def answers(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A chain, the addresses at its end, and poison, in any order."""
    names = draw(st.lists(OWNERS, min_size=1, max_size=5, unique_by=str.lower))
    chain = [f"{one} {draw(st.integers(0, 9))} CNAME {two}" for one, two in pairwise(names)]
    ends = [f"{names[-1]} 5 A 192.0.2.{number}" for number in range(draw(st.integers(1, 3)))]
    poison = [f"{name}bad. 7 A 192.0.2.66" for name in draw(st.lists(OWNERS, max_size=3))]
    return names[0], draw(st.permutations(chain + ends + poison))


@given(answers(), st.booleans(), st.binary(min_size=255, max_size=255))
def test_the_same_records_as_dnspython_resolves(drawn: tuple[str, list[str]], compress: bool, bits: bytes) -> None:
    name, records = drawn
    ours = spell(parse_name(name), bits)
    wire_name = dns.name.from_wire(ours, 0)[0].to_text()
    packet = reply(wire_name, "A", records, compress=compress)
    foreign = walk(packet, asked(name))
    check(foreign, asked(name))
    oracle = chained(packet)
    assert foreign.end == parse_name(oracle.canonical_name.to_text())
    message = read(respond(resolve(name), foreign, foreign.wire))
    expected = [one for rrset in (*oracle.cnames, oracle.answer) if rrset for one in rrset]
    assert sorted(one[0].to_text().lower() for one in message.answer) == sorted(
        one.to_text().lower() for one in expected
    )
    assert chained(message.to_wire()).minimum_ttl == oracle.minimum_ttl


def chained(packet: bytes) -> dns.message.ChainingResult:
    message = dns.message.from_wire(packet)
    assert isinstance(message, dns.message.QueryMessage)
    return message.resolve_chaining()
