"""Protocol manners: what genreport, RFC 8906 §8 and Zonemaster ask of a server, and when they are content.

Every row is asked over UDP and TCP, of the apex where nothing else is said.
"""

from collections.abc import Callable

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from packets import AA, AD, CD, QR, RA, RD, TC, Z, header, opt, option, query, question, read, spelled
from strategies import SHOP, Responder, headless, many, table_of

from clusterdns.engine.cookies import Cookies
from clusterdns.engine.manners import Manners

APEX = "cluster.local"
WEB = "web.shop.svc.cluster.local"
CROWD = "crowd.shop.svc.cluster.local"
SECRET = bytes.fromhex("e5e973e5a6b2a43f48e7dc849e37bfcf")
NOW = 1559731985
COOKIE, NSID, EXPIRE, SUBNET, KEEPALIVE = 10, 3, 9, 8, 11
CLIENT = b"8 octets"

TABLE = table_of(*SHOP, headless("shop/crowd", *many(300)))
MANNERS = Manners(cookies=Cookies((SECRET,)), tcp_idle=10.0, clock=lambda: NOW)
SERVER = Responder(TABLE, manners=MANNERS)
TOLD = Responder(TABLE, manners=Manners(version="clusterdns", server_id="node-7", cookies=MANNERS.cookies))

ASKED = b"".join((option(NSID, b""), option(COOKIE, CLIENT), option(EXPIRE, b""), option(SUBNET, b"\0\1\0\0")))

Check = Callable[[dns.message.Message], bool]


def soa(message: dns.message.Message) -> bool:
    return [rrset.rdtype for rrset in message.answer] == [dns.rdatatype.SOA]


def noerror(message: dns.message.Message) -> bool:
    return message.rcode() == dns.rcode.NOERROR and bool(message.flags & AA)


def with_soa(message: dns.message.Message) -> bool:
    return noerror(message) and soa(message) and message.edns < 0


def with_soa_and_opt(message: dns.message.Message) -> bool:
    return noerror(message) and soa(message) and message.edns == 0 and not message.options


def with_cookie(message: dns.message.Message) -> bool:
    """Nothing but a cookie: 24 octets that begin with the client's eight."""
    whole = [one.to_wire() for one in message.options]
    return noerror(message) and soa(message) and len(whole) == 1 and len(whole[0]) == 24 and whole[0][:8] == CLIENT


def badvers(message: dns.message.Message) -> bool:
    """The version that we have, and nothing of the answer."""
    empty = not message.answer and not message.authority and not message.options
    return message.rcode() == dns.rcode.BADVERS and message.edns == 0 and empty


def nodata(message: dns.message.Message) -> bool:
    return noerror(message) and not message.answer and [one.rdtype for one in message.authority] == [6]


def refused(message: dns.message.Message) -> bool:
    empty = not message.answer and not message.authority
    return message.rcode() == dns.rcode.REFUSED and empty and not message.flags & AA


def clear(*bits: int) -> Check:
    return lambda message: with_soa(message) and not message.flags & sum(bits)


def edns1(options: bytes = b"", *, do: bool = False, flags: int = 0) -> tuple[bytes, Check]:
    return query(APEX, "SOA", edns=opt(4096, version=1, do=do, flags=flags, options=options)), badvers


ROWS: dict[str, tuple[bytes, Check]] = {
    # Without EDNS: header bits (genreport; RFC 8906 §8.1.1, §8.1.3).
    "dns": (query(APEX, "SOA", flags=0), clear(RD, AD, CD, RA, TC)),
    "aa": (query(APEX, "SOA", flags=AA), clear(RD)),
    "ad": (query(APEX, "SOA", flags=AD), clear(RD, CD)),
    "cd": (query(APEX, "SOA", flags=CD), lambda message: with_soa(message) and bool(message.flags & CD)),
    "ra": (query(APEX, "SOA", flags=RA), clear(RD, RA)),
    "rd": (query(APEX, "SOA", flags=RD), lambda message: with_soa(message) and bool(message.flags & RD)),
    "tc": (query(APEX, "SOA", flags=TC), clear(TC, RD)),
    "zflag": (query(APEX, "SOA", flags=Z), clear(Z, RD)),
    # Types (§8.1.2).
    "type666": (query(APEX, 666), nodata),
    "TYPE1000": (query(APEX, 1000), nodata),
    # EDNS (§8.2): version 0.
    "edns": (query(APEX, "SOA", edns=opt(4096)), with_soa_and_opt),
    "do": (
        query(APEX, "SOA", edns=opt(4096, do=True)),
        lambda message: with_soa_and_opt(message) and message.ednsflags == 0x8000),
    "docd": (
        query(APEX, "SOA", flags=CD, edns=opt(4096, do=True)),
        lambda message: with_soa_and_opt(message) and bool(message.flags & CD)),
    "ednsflags": (
        query(APEX, "SOA", edns=opt(4096, flags=0x0080)),
        lambda message: with_soa_and_opt(message) and message.ednsflags == 0),
    "ednsopt": (query(APEX, "SOA", edns=opt(4096, options=option(100, b""))), with_soa_and_opt),
    "ednsnsid": (query(APEX, "SOA", edns=opt(4096, options=option(NSID, b""))), with_soa_and_opt),
    "ednsexpire": (query(APEX, "SOA", edns=opt(4096, options=option(EXPIRE, b""))), with_soa_and_opt),
    "ednssubnet": (query(APEX, "SOA", edns=opt(4096, options=option(SUBNET, b"\0\1\0\0"))), with_soa_and_opt),
    "ednscookie": (query(APEX, "SOA", edns=opt(4096, options=option(COOKIE, CLIENT))), with_cookie),
    "optlist": (query(APEX, "SOA", edns=opt(4096, options=ASKED)), with_cookie),
    "bind11": (query(APEX, "SOA", edns=opt(4096, do=True, options=option(COOKIE, CLIENT))), with_cookie),
    "dig11": (query(APEX, "SOA", flags=RD | AD, edns=opt(4096, options=option(COOKIE, CLIENT))), with_cookie),
    "padding": (query(APEX, "SOA", edns=opt(4096, options=option(12, bytes(64)))), with_soa_and_opt),
    # EDNS: other versions (§8.2.2, §8.2.5, §8.2.6), whose options nobody can read.
    "edns1": edns1(),
    "edns1opt": edns1(option(100, b"")),
    "edns1do": edns1(do=True),
    "edns1flags": edns1(flags=0x0080),
    "edns1nsid": edns1(option(NSID, b"")),
    "edns1cookie": edns1(option(COOKIE, CLIENT)),
    "edns1expire": edns1(option(EXPIRE, b"")),
    "edns1subnet": edns1(option(SUBNET, b"\0\1\0\0")),
    "edns1 of another form": edns1(b"\0"),
    "edns255": (query(APEX, "SOA", edns=opt(4096, version=255)), badvers),
    # Classes, names, meta types.
    "class CH": (query("version.bind", "TXT", rclass=3), refused),
    "class CH, id.server": (query("id.server", "TXT", rclass=3), refused),
    "class HS": (query(APEX, "SOA", rclass=4), refused),
    "class ANY": (query(APEX, "SOA", rclass=255), refused),
    "a name of others": (query("example.org"), refused),
    "the root": (query(".", "NS"), refused),
    "AXFR": (query(APEX, 252), refused),
    "IXFR": (
        header(counts=(1, 0, 1, 0)) + question(APEX, 251) + b"\xc0\x0c\0\6\0\1" + bytes(4) + b"\0\x16" + bytes(22),
        refused),
    "MAILA": (query(APEX, 254), lambda message: message.rcode() == dns.rcode.NOTIMP),
    "type 0": (query(APEX, 0), lambda message: message.rcode() == dns.rcode.FORMERR),
    "type OPT": (query(APEX, 41), lambda message: message.rcode() == dns.rcode.FORMERR),
    "type NXNAME": (query(APEX, 128), lambda message: message.rcode() == dns.rcode.FORMERR),
    "ANY is minimal (RFC 8482)": (
        query(APEX, 255),
        lambda message: noerror(message) and [one.rdtype for one in message.answer] == [dns.rdatatype.NS]),
}  # fmt: skip


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("row", ROWS)
def test_manners(row: str, transport: str) -> None:
    packet, passes = ROWS[row]
    message = read(SERVER.answer(packet, transport))
    assert passes(message), f"\n{message}"
    assert not message.flags & AD
    assert message.payload in {0, 1232}, "the size is the server's own"
    assert message.question
    assert (message.edns >= 0) == (packet[11] > 0), "an OPT for an OPT, and only then"


@pytest.mark.parametrize(
    "number", [*range(1, 53), 55, 56, 57, 59, 60, 61, 64, 65, 99, *range(100, 110), 256, 257, 258, 32769]
)
def test_any_type_at_the_apex_is_data_or_nodata(number: int) -> None:
    if number == 41:
        return
    message = read(SERVER.answer(query(APEX, number, edns=opt())))
    assert noerror(message)
    assert message.answer or nodata(message)


@pytest.mark.parametrize("edns", [b"", opt(512, do=True), opt(0), opt(511)], ids=["none", "512", "0", "511"])
def test_edns_at_512(edns: bytes) -> None:
    """RFC 8906 §8.2.7, Zonemaster NAMESERVER13: short, cut, and the OPT is still there; whole over TCP."""
    packet = query(CROWD, edns=edns)
    response = SERVER.answer(packet)
    message = read(response)
    assert response is not None
    assert len(response) <= 512
    assert message.flags & TC
    assert message.edns == (0 if edns else -1)
    whole = read(SERVER.answer(packet, "tcp"))
    assert not whole.flags & TC
    assert len(whole.answer) == 300
    assert whole.edns == message.edns


@pytest.mark.parametrize("limit", [512, 513, 1232, 1400, 4096])
def test_the_most_over_udp_is_a_setting(limit: int) -> None:
    server = Responder(TABLE, manners=Manners(udp_octets=limit))
    for offered in (512, 1000, 1232, 1233, 4096, 65535):
        response = server.answer(query(CROWD, edns=opt(offered)))
        most = min(offered, limit)
        assert response is not None
        assert most - 16 < len(response) <= most
        assert read(response).payload == limit


@pytest.mark.parametrize("opcode", [*range(1, 16)])
def test_other_opcodes_are_not_implemented_on_any_transport(opcode: int) -> None:
    """NOTIFY (4), UPDATE (5) and what nobody has defined, with every flag (genreport's opcode and opcodeflg)."""
    for flags in (0, 0x07FF):
        packet = header(opcode << 11 | flags, (1, 0, 0, 1)) + question(APEX, "SOA") + opt()
        for transport in ("udp", "tcp"):
            assert SERVER.answer(packet, transport) == header(QR | opcode << 11 | 4, (0, 0, 0, 0))


def test_a_response_is_never_answered() -> None:
    for transport in ("udp", "tcp"):
        assert SERVER.answer(query(APEX, "SOA", flags=QR), transport) is None
        assert SERVER.answer(SERVER.answer(query(APEX, "SOA")) or b"", transport) is None
        assert SERVER.answer(header()[:11], transport) is None


# TSIG (genreport's dnswkk).


def tsig(key: str = ".", *, mac: bytes = bytes(32), other: bytes = b"", rclass: int = 255) -> bytes:
    rdata = spelled("hmac-sha256.") + bytes.fromhex("00005cf79f11") + b"\1\x2c" + len(mac).to_bytes(2) + mac
    rdata += b"\x12\x34" + b"\0\0" + len(other).to_bytes(2) + other
    return spelled(key) + b"\0\xfa" + rclass.to_bytes(2) + bytes(4) + len(rdata).to_bytes(2) + rdata


def signed(record: bytes, edns: bytes = b"", rtype: str | int = "SOA") -> bytes:
    return header(counts=(1, 0, 0, 1 + bool(edns))) + question(APEX, rtype) + edns + record


@pytest.mark.parametrize("rtype", ["SOA", "A", 252])
@pytest.mark.parametrize("edns", [b"", opt(), opt(version=1)], ids=["none", "edns", "edns1"])
@pytest.mark.parametrize("key", [".", "example.key"])
def test_a_key_that_nobody_knows(key: str, edns: bytes, rtype: str | int) -> None:
    """RFC 8945 §5.2.1: NOTAUTH, and a TSIG record with BADKEY that is not signed, as the last one."""
    for transport in ("udp", "tcp"):
        message = read(SERVER.answer(signed(tsig(key), edns, rtype), transport))
        assert message.rcode() == dns.rcode.NOTAUTH
        assert (message.answer, message.authority) == ([], [])
        assert message.edns == (0 if edns else -1)
        assert message.tsig is not None
        assert message.tsig.name.to_text() == key.rstrip(".") + "."
        (record,) = message.tsig
        assert (record.error, record.mac, record.other) == (17, b"", b"")
        assert (record.algorithm.to_text(), record.time_signed, record.fudge) == ("hmac-sha256.", 0x5CF79F11, 300)
        assert record.original_id == 0x1234


@pytest.mark.parametrize(
    "packet",
    [
        signed(tsig(rclass=1)),
        signed(tsig()[:-1]),
        signed(tsig() + b"\0"),
        signed(tsig().replace(b"\0\x20", b"\0\x21", 1)),
        signed(b"\xc0\x0c" + tsig()[1:]),
        header(counts=(1, 0, 0, 2)) + question(APEX) + tsig() + opt(),
        header(counts=(1, 0, 0, 2)) + question(APEX) + tsig() * 2,
        header(counts=(1, 0, 1, 0)) + question(APEX) + tsig(),
        signed(b"\0\0\xfa\0\xff" + bytes(4) + b"\0\0"),
        signed(b"\0\0\xfa\0\xff" + bytes(4) + b"\0\x01\0"),
    ],
    ids=["class IN", "cut", "too long", "a MAC too long", "compressed", "before OPT", "twice", "authority", "empty",
         "short"],
)  # fmt: skip
def test_a_malformed_tsig_is_a_format_error(packet: bytes) -> None:
    assert SERVER.answer(packet) == packet[:2] + b"\x81\x01" + bytes(8)


def test_a_tsig_that_does_not_fit_is_left_out_and_said_over_tcp() -> None:
    long = ".".join(["k" * 63] * 3 + ["k" * 61])
    packet = header(counts=(1, 0, 0, 1)) + question(long) + tsig(long)
    response = SERVER.answer(packet)
    message = read(response)
    assert response is not None
    assert len(response) <= 512
    assert (message.rcode(), message.tsig, bool(message.flags & TC)) == (dns.rcode.NOTAUTH, None, True)
    assert read(SERVER.answer(packet, "tcp")).tsig


# Who the server is: told only where a setting says so (Zonemaster NAMESERVER15; RFC 4892, RFC 5001).


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("version.bind", "clusterdns"), ("version.server", "clusterdns"), ("VERSION.bind", "clusterdns"),
        ("hostname.bind", "node-7"), ("id.server", "node-7"), ("authors.bind", None), ("bind", None), (WEB, None),
    ],
)  # fmt: skip
def test_class_ch(name: str, text: str | None) -> None:
    message = read(TOLD.answer(query(name, "TXT", rclass=3, edns=opt())))
    if text is None:
        assert refused(message)
        return
    assert noerror(message)
    assert [str(rrset) for rrset in message.answer] == [f'{name}. 0 CH TXT "{text}"']
    assert read(TOLD.answer(query(name, "ANY", rclass=3))).answer == message.answer
    for rtype in ("A", "SOA"):
        other = read(TOLD.answer(query(name, rtype, rclass=3)))
        assert (other.rcode(), other.answer, other.authority) == (dns.rcode.NOERROR, [], [])
    assert refused(read(TOLD.answer(query(name, 252, rclass=3), "tcp")))
    assert refused(read(TOLD.answer(query(name, "TXT")))), "in class IN it is a name of others"


def test_one_may_be_told_without_the_other() -> None:
    server = Responder(TABLE, manners=Manners(server_id="node-7"))
    assert refused(read(server.answer(query("version.bind", "TXT", rclass=3))))
    assert noerror(read(server.answer(query("id.server", "TXT", rclass=3))))


def test_nsid_for_those_who_ask() -> None:
    asked = query(WEB, edns=opt(options=option(NSID, b"")))
    (told,) = read(TOLD.answer(asked)).options
    assert told.to_wire() == b"node-7"
    assert read(TOLD.answer(query(WEB, edns=opt()))).options == ()
    assert read(SERVER.answer(asked)).options == ()


# Cookies (RFC 7873, RFC 9018); their octets are test_cookies.py's.


def cookies_of(response: bytes | None) -> list[bytes]:
    return [one.to_wire() for one in read(response).options if one.otype == COOKIE]


def with_option(content: bytes, name: str = WEB) -> bytes:
    return query(name, edns=opt(options=option(COOKIE, content)))


@pytest.mark.parametrize(
    "name", [WEB, "nothing.shop.svc.cluster.local", "example.org", CROWD, "idle.shop.svc.cluster.local"]
)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_cookie_for_a_cookie_whatever_the_answer(name: str, transport: str) -> None:
    plain = read(SERVER.answer(query(name, edns=opt()), transport, ("192.0.2.1", 5353)))
    (first,) = cookies_of(SERVER.answer(with_option(CLIENT, name), transport, ("192.0.2.1", 5353)))
    assert first[:8] == CLIENT
    assert MANNERS.cookies is not None
    assert MANNERS.cookies.is_valid(first, "192.0.2.1", NOW)
    again = read(SERVER.answer(with_option(first, name), transport, ("192.0.2.1", 5353)))
    assert cookies_of(again.wire) == [first]
    assert (again.rcode(), again.authority) == (plain.rcode(), plain.authority)
    assert again.answer == plain.answer or again.flags & TC


@pytest.mark.parametrize("server", [b"x" * 8, b"x" * 16, b"x" * 32], ids=len)
def test_a_cookie_that_is_not_ours_is_none(server: bytes) -> None:
    """No query is refused for it; the client learns a good one."""
    response = SERVER.answer(with_option(CLIENT + server), "udp", ("192.0.2.1", 5353))
    assert cookies_of(response) == cookies_of(SERVER.answer(with_option(CLIENT), "udp", ("192.0.2.1", 5353)))
    assert [str(rrset) for rrset in read(response).answer] == [f"{WEB}. 5 IN A 10.96.0.10"]


@pytest.mark.parametrize("length", [0, 1, 7, 9, 15, 41, 100])
def test_a_cookie_of_a_length_that_none_has_is_a_format_error(length: int) -> None:
    assert SERVER.answer(with_option(bytes(length))) == b"\x12\x34\x81\x01" + bytes(8)


def test_of_two_cookies_the_first_counts() -> None:
    twice = opt(options=option(COOKIE, CLIENT) + option(COOKIE, b"another!"))
    assert [cookie[:8] for cookie in cookies_of(SERVER.answer(query(WEB, edns=twice)))] == [CLIENT]


def test_who_asks_for_a_cookie_alone_gets_it_alone() -> None:
    """RFC 7873 §5.4; an old one that is no good is told so."""

    def ask(cookie: bytes) -> dns.message.Message:
        packet = header(counts=(0, 0, 0, 1)) + opt(options=option(COOKIE, cookie))
        message = read(SERVER.answer(packet, "udp", ("192.0.2.1", 5353)))
        assert (message.question, message.answer, message.authority) == ([], [], [])
        return message

    first = ask(CLIENT)
    assert first.rcode() == dns.rcode.NOERROR
    (good,) = cookies_of(first.wire)
    assert ask(good).rcode() == dns.rcode.NOERROR
    bad = ask(CLIENT + bytes(16))
    assert bad.rcode() == dns.rcode.BADCOOKIE
    assert cookies_of(bad.wire) == [good]
    for options in (b"", option(NSID, b""), option(COOKIE, b"")):
        assert SERVER.answer(header(counts=(0, 0, 0, 1)) + opt(options=options)) == b"\x12\x34\x81\x01" + bytes(8)


def test_replicas_take_each_others_cookies() -> None:
    one, two = (Responder(TABLE, manners=Manners(cookies=Cookies((SECRET,)), clock=lambda: NOW)) for _ in "12")
    (cookie,) = cookies_of(one.answer(with_option(CLIENT), "udp", ("2001:db8::1", 5353, 0, 0)))
    assert cookies_of(two.answer(with_option(cookie), "udp", ("2001:db8::1", 5353, 0, 0))) == [cookie]


# Keepalive (RFC 7828).


def test_how_long_a_connection_may_be_silent_is_told_over_tcp_to_those_who_ask() -> None:
    asked = query(WEB, edns=opt(options=option(KEEPALIVE, b"")))
    (told,) = read(SERVER.answer(asked, "tcp")).options
    assert told.to_wire() == (100).to_bytes(2), "in units of 100 ms"
    assert read(SERVER.answer(asked, "udp")).options == (), "ignored"
    assert read(SERVER.answer(query(WEB, edns=opt()), "tcp")).options == ()


def test_a_client_must_not_say_how_long() -> None:
    asked = query(WEB, edns=opt(options=option(KEEPALIVE, b"\0\1")))
    assert read(SERVER.answer(asked, "tcp")).rcode() == dns.rcode.FORMERR
    assert noerror(read(SERVER.answer(asked, "udp"))), "ignored"


def test_an_hour_and_more_is_told_as_what_the_option_can_hold() -> None:
    server = Responder(TABLE, manners=Manners(tcp_idle=7200.0))
    (told,) = read(server.answer(query(WEB, edns=opt(options=option(KEEPALIVE, b""))), "tcp")).options
    assert told.to_wire() == b"\xff\xff"
