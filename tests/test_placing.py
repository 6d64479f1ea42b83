"""Answers of others in responses: TTLs counted down, behind aliases of ours, cut to what fits."""

import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from packets import AA, AD, CD, QR, RA, RD, TC, opt, option, read
from replies import SOA, asked, plainly, reply, resolve, seeds, signature, texts, told
from strategies import OPTIONS

from clusterdns.errors import PeerError
from clusterdns.forward.answers import Foreign, Question
from clusterdns.forward.placing import behind, bounded, continued, respond, sections
from clusterdns.forward.walk import walk
from clusterdns.steps import at_once
from clusterdns.zone.names import Name, parse_name, to_text

assert OPTIONS  # its module sets the profile of hypothesis

WWW, FRONT = "www.example.com.", "front.shop.svc.cluster.local."
ADDRESS = f"{WWW} 300 A 192.0.2.1"
LINK, WEB = f"{WWW} 200 CNAME web.example.net.", "web.example.net. 100 A 192.0.2.2"
OURS = f"{FRONT} 5 CNAME {WWW}"
LARGE = [f'{WWW} 9 TXT "{one:03d}{"x" * 200}" "{"y" * 200}"' for one in range(60)]
HUGE = [f'{WWW} 9 TXT "{one:03d}{"x" * 200}" "{"y" * 200}"' for one in range(140)]


def taken(*answer: str, rtype: str = "A", authority: tuple[str, ...] = (), do: bool = False) -> Foreign:
    return walk(reply(WWW, rtype, answer, authority, flags=QR | RA | AD), asked(WWW, rtype, do=do))


def seeded() -> list[tuple[Question, Foreign]]:
    found = []
    for asks, packet in seeds():
        try:
            found.append((asks, walk(packet, asks)))
        except PeerError:
            continue
    return found


SEEDED = seeded()


def test_ttls_are_counted_down() -> None:
    foreign = taken(LINK, WEB)
    assert sections(foreign, 0) is foreign.wire
    assert told(foreign, WWW, age=1) == plainly([LINK.replace("200", "199"), WEB.replace("100", "99")])
    assert told(foreign, WWW, age=150) == plainly([LINK.replace("200", "50"), WEB.replace("100", "0")])
    assert sections(foreign, 10**9) == sections(foreign, 200)


def test_a_stale_answer_is_told_for_the_seconds_given() -> None:
    foreign = taken(LINK, WEB)
    message = read(respond(resolve(WWW), foreign, sections(foreign, 10**6, 30)))
    assert texts(message) == plainly([LINK.replace("200", "30"), WEB.replace("100", "30")])


def test_bounded() -> None:
    foreign = bounded(taken(LINK, WEB), 150)
    assert told(foreign, WWW) == plainly([LINK.replace("200", "150"), WEB])
    assert foreign.ttl == 100
    assert bounded(foreign, 0).ttl == 0


@pytest.mark.parametrize(("asks", "foreign"), SEEDED, ids=range(len(SEEDED)))
@pytest.mark.parametrize(
    "aliased", [FRONT, "f.test.", "x" * 63 + "." + "y" * 63 + ".test."], ids=["usual", "short", "long"]
)
def test_behind_an_alias_of_ours(asks: Question, foreign: Foreign, aliased: str) -> None:
    """The same records as in front of it, at any offset."""
    name, edns = to_text(asks.name), opt(do=True)
    plain = read(respond(resolve(name, asks.rtype, edns=edns), foreign, foreign.wire))
    chained = read(respond(resolve(aliased, asks.rtype, target=name, edns=edns), foreign, foreign.wire))
    assert texts(chained) == [*plainly([f"{aliased} 5 CNAME {name}"]), *texts(plain)]
    assert (len(chained.answer), len(chained.authority)) == (1 + len(plain.answer), len(plain.authority))
    assert chained.rcode() == plain.rcode() == foreign.rcode


@pytest.mark.parametrize(("asks", "foreign"), SEEDED, ids=range(len(SEEDED)))
@pytest.mark.parametrize("start", [100, 0x3F00, 0x3FF0, 0x8000])
@pytest.mark.parametrize("target_at", [0, 40])
def test_anywhere(asks: Question, foreign: Foreign, start: int, target_at: int) -> None:
    """Where no pointer reaches, or the name does not stand in the message, names are written out."""
    name, head = asks.name, bytes(2) + b"\x80" + bytes(5)
    wire, cuts = behind(foreign, foreign.wire, name, target_at, start)
    before = _filler(start, name, target_at)
    octets = (
        head[:4]
        + bytes(2)
        + (foreign.answers + 1).to_bytes(2)
        + foreign.authority.to_bytes(2)
        + bytes(2)
        + before
        + wire
    )
    assert cuts[-1:] == ((len(wire),) if cuts else ())
    message = dns.message.from_wire(octets, one_rr_per_rrset=True)
    plain = read(respond(resolve(to_text(name), asks.rtype, edns=opt(do=True)), foreign, foreign.wire))
    assert texts(message)[1:] == texts(plain)


def _filler(start: int, name: Name, target_at: int) -> bytes:
    """A record of an unknown type that ends at *start* and has *name* in it, so that pointers to it are good."""
    head = b"\0\xff\0\0\1" + bytes(4)
    rdata = bytearray(start - 12 - len(head) - 2)
    if target_at:
        at = target_at - 12 - len(head) - 2
        rdata[at : at + len(name)] = name
    return head + len(rdata).to_bytes(2) + bytes(rdata)


def test_a_large_answer_behind_an_alias() -> None:
    foreign = taken(*HUGE, rtype="TXT")
    assert len(foreign.wire) > 0xC000
    message = read(respond(resolve(FRONT, "TXT", target=WWW), foreign, foreign.wire))
    assert texts(message) == plainly([OURS, *HUGE])


MANY = [f"{WWW} 9 A 10.0.{one >> 8}.{one & 255}" for one in range(4000)]


@pytest.mark.parametrize("limit", [512, 1232, 4096, 65535])
def test_no_more_is_done_than_the_client_takes(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pointers are moved, and no record is written anew, however large the answer is."""
    foreign = taken(*MANY)
    monkeypatch.setattr("clusterdns.forward.placing.Writer", None)
    resolving = resolve(FRONT, target=WWW, limit=limit)
    for asking in (resolving, structs.replace(resolving, target_at=0)):
        response = respond(asking, foreign, foreign.wire)
        message = read(response)
        found = texts(message)
        assert found == plainly([OURS, *MANY])[: len(found)]
        assert bool(message.flags & TC) == (len(found) < 4001)
        assert len(response) <= limit < len(response) + 16 or len(found) == 4001


def records(*octets: bytes) -> Foreign:
    """From a reply to ``WWW ANY``; each of *octets* is a record without the owner, which is the question's name."""
    head = reply(WWW, "ANY", [], flags=QR | RA | AD, edns=b"")[: 12 + len(parse_name(WWW)) + 4]
    packet = head[:6] + len(octets).to_bytes(2) + bytes(4) + head[12:] + b"".join(b"\xc0\x0c" + one for one in octets)
    return walk(packet, asked(WWW, "ANY"))


def record(rtype: int, rdata: bytes) -> bytes:
    return rtype.to_bytes(2) + b"\0\1\0\0\0\x09" + len(rdata).to_bytes(2) + rdata


@pytest.mark.parametrize("aliased", [True, False])
def test_a_pointer_to_the_first_owner(*, aliased: bool) -> None:
    first_owner = (0xC000 | 12 + len(parse_name(WWW)) + 4).to_bytes(2)
    foreign = records(record(15, b"\0\1" + first_owner), record(15, b"\0\2\xc0\x0c"))
    asking = resolve(FRONT, "ANY", target=WWW)
    if not aliased:
        asking = structs.replace(asking, target_at=0)
    expected = plainly([OURS, f"{WWW} 9 MX 1 {WWW}", f"{WWW} 9 MX 2 {WWW}"])
    assert texts(read(respond(asking, foreign, foreign.wire))) == expected


def test_how_much_is_written_out_is_bounded() -> None:
    """Who chooses where names stand can put one where pointers just reach it, and behind an alias do not."""
    place = 0x3FF8
    filler = record(0xFF00, bytes(place - 14 - 12 - 12 - len(parse_name(WWW)) - 4))
    pointing = record(15, b"\0\1" + (0xC000 | place).to_bytes(2))
    foreign = records(filler, record(15, b"\0\1\2mx\0"), *[pointing] * 2500)
    message = read(respond(resolve(FRONT, "ANY", target=WWW, limit=65535), foreign, foreign.wire))
    assert (len(message.answer), bool(message.flags & TC)) == (501, True)
    assert texts(message)[-1] == f"{WWW} 9 MX 1 mx."


def test_written_out_it_is_longer_than_any_message() -> None:
    """The rest is cut, and it is said."""
    owner = ".".join(["x" * 60] * 3) + ".test."
    answer = [f"{owner} 9 TXT {number}" for number in range(3000)]
    foreign = walk(reply(owner, "TXT", answer), asked(owner, "TXT"))
    assert foreign.answers == 3000
    wire, cuts = behind(foreign, foreign.wire, parse_name(owner), 0, 0x4000)
    assert len(wire) == cuts[-1] < 65536
    assert len(cuts) < 3000
    message = read(respond(resolve(FRONT, "TXT", target=owner, limit=65535), foreign, foreign.wire))
    assert len(message.answer) == 3001


def test_the_question_as_the_client_wrote_it() -> None:
    foreign = taken(ADDRESS)
    response = respond(resolve("wWW.Example.com."), foreign, foreign.wire)
    assert response[12:29] == b"\3wWW\7Example\3com\0"
    assert texts(read(response)) == ["wWW.Example.com. 300 A 192.0.2.1"]


@pytest.mark.parametrize(
    ("flags", "edns", "target", "expected"),
    [
        (RD, b"", "", QR | RD | RA),
        (0, b"", "", QR | RA),
        (RD | CD, b"", "", QR | RD | RA | CD),
        (RD | AD, b"", "", QR | RD | RA | AD),
        (RD, opt(do=True), "", QR | RD | RA | AD),
        (RD, opt(), "", QR | RD | RA),
        (RD | AD, opt(do=True), WWW, QR | RD | RA),
    ],
)
def test_flags(flags: int, edns: bytes, target: str, expected: int) -> None:
    foreign = taken(ADDRESS)
    asking = resolve(FRONT if target else WWW, target=target, edns=edns, flags=flags)
    assert int.from_bytes(respond(asking, foreign, foreign.wire)[2:4]) == expected


def test_ad_only_where_it_was_said() -> None:
    foreign = walk(reply(WWW, "A", [ADDRESS]), asked(WWW))
    assert not respond(resolve(WWW, flags=RD | AD), foreign, foreign.wire)[3] & AD


def test_rcodes() -> None:
    """Those over 15 need an OPT."""
    absent = walk(reply(WWW, "A", [LINK], ["net. 5 SOA a. b. 1 2 3 4 5"], rcode=3), asked(WWW))
    assert read(respond(resolve(FRONT, target=WWW), absent, absent.wire)).rcode() == dns.rcode.NXDOMAIN
    odd = Foreign(23, False, b"", 0, 0, (), (), (), 0, parse_name(WWW))
    assert read(respond(resolve(WWW), odd, b"")).rcode() == 23
    assert read(respond(resolve(WWW, edns=b""), odd, b"")).rcode() == dns.rcode.SERVFAIL


def test_the_opt() -> None:
    foreign = walk(reply(WWW, "A", [ADDRESS], edns=opt(options=option(15, b"\0\x12theirs"))), asked(WWW))
    message = read(respond(resolve(WWW, edns=opt(do=True)), foreign, foreign.wire, option(3, b"me"), 1400))
    assert [one.to_text() for one in message.options] == ["NSID me", "EDE 18 (Prohibited): theirs"]
    assert (message.payload, message.ednsflags) == (1400, 0x8000)
    message = read(respond(resolve(WWW), foreign, foreign.wire, error=(3, "ours")))
    assert [one.to_text() for one in message.options] == ["EDE 3 (Stale Answer): ours"]
    assert read(respond(resolve(WWW, edns=b""), foreign, foreign.wire, option(3, b"me"))).edns == -1


PROOFS = (
    f"{WWW} 9 NSEC zzz.example.com. A",
    signature(WWW, "NSEC", 9),
    signature(WWW, "NSEC", 9).replace("13 2", "8 2"),
)


@given(st.integers(100, 2500), st.booleans(), st.booleans(), st.sampled_from([(), PROOFS]))
def test_what_does_not_fit(limit: int, aliased: bool, has_opt: bool, authority: tuple[str, ...]) -> None:
    foreign = taken(*LARGE[:4], rtype="TXT", authority=authority, do=True)
    edns = opt() if has_opt else b""
    asking = resolve(FRONT if aliased else WWW, "TXT", target=WWW if aliased else "", limit=limit, edns=edns)
    response = respond(asking, foreign, foreign.wire, option(3, b"me"), error=(3, "words"))
    message = read(response)
    whole = read(
        respond(
            resolve(FRONT if aliased else WWW, "TXT", target=WWW if aliased else "", edns=edns), foreign, foreign.wire
        )
    )
    assert len(response) <= limit
    assert (message.edns >= 0) == has_opt
    kept = len(message.answer)
    assert message.answer == whole.answer[:kept]
    if message.flags & TC:
        assert not message.authority
        assert kept == len(whole.answer) or len(response) + len(LARGE[0]) + 40 > limit, "as many as fit"
    else:
        assert (message.answer, message.authority) == (whole.answer, whole.authority)


def test_the_text_of_an_error_goes_before_any_record() -> None:
    foreign = taken(ADDRESS)
    whole = len(respond(resolve(WWW), foreign, foreign.wire, error=(3, "words")))
    message = read(respond(resolve(WWW, limit=whole - 1), foreign, foreign.wire, error=(3, "words")))
    assert not message.flags & TC
    assert (len(message.answer), [one.to_text() for one in message.options]) == (1, ["EDE 3 (Stale Answer)"])


def test_an_empty_answer_that_does_not_fit() -> None:
    foreign = taken(authority=(SOA,))
    message = read(respond(resolve(WWW, limit=60), foreign, foreign.wire))
    assert (bool(message.flags & TC), texts(message)) == (True, [])


@pytest.mark.parametrize("compress", [True, False], ids=["compressed", "in full"])
def test_continued(compress: bool) -> None:
    """The server of one zone says where an alias leads; another says what is there."""
    first = walk(reply(WWW, "A", [LINK], flags=QR | AA | AD, compress=compress), asked(WWW))
    second = walk(
        reply("web.example.net.", "A", ["web.example.net. 50 CNAME w.example.net.", "w.example.net. 40 A 192.0.2.1"]),
        asked("web.example.net."),
    )
    assert first.partial
    whole = at_once(continued(first, parse_name(WWW), second))
    expected = plainly([LINK, "web.example.net. 50 CNAME w.example.net.", "w.example.net. 40 A 192.0.2.1"])
    assert told(whole, WWW) == expected
    assert (whole.ttl, whole.partial, whole.authentic, whole.end) == (40, False, False, parse_name("w.example.net"))
    assert told(whole, WWW, age=45) == [
        one.replace(" 50 ", " 5 ").replace("200", "155").replace(" 40 ", " 0 ") for one in expected
    ]
    message = read(respond(resolve(FRONT, target=WWW), whole, whole.wire))
    assert texts(message) == [*plainly([OURS]), *expected]


def test_continued_a_little_at_a_time() -> None:
    """4,000 records take 30 ms."""
    first = walk(reply(WWW, "A", [LINK], flags=QR | AA), asked(WWW))
    addresses = [one.replace(WWW, "web.example.net.") for one in MANY]
    second = walk(reply("web.example.net.", "A", addresses), asked("web.example.net."))
    assert len([*continued(first, parse_name(WWW), second)]) > 30
    assert told(at_once(continued(first, parse_name(WWW), second)), WWW) == plainly([LINK, *addresses])


def test_continued_to_nothing() -> None:
    nsec = f"{WWW} 60 NSEC zzz.example.com. A"
    link = [LINK, signature(WWW, "CNAME", 200)]
    first = walk(reply(WWW, "A", link, [nsec], flags=QR | AA), asked(WWW, do=True))
    soa = "example.net. 30 SOA a.example.net. b.example.net. 1 2 3 4 30"
    second = walk(reply("web.example.net.", "A", [], [soa], rcode=3), asked("web.example.net.", do=True))
    whole = at_once(continued(first, parse_name(WWW), second))
    assert (whole.rcode, whole.answers, whole.authority, whole.ttl) == (3, 2, 2, 30)
    assert told(whole, WWW, do=True) == plainly([*link, nsec, soa])
