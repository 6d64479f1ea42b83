"""EDNS(0): what a client's OPT says, and ours (RFC 6891)."""

import dns.edns
import dns.message
import pytest
from packets import header, option

from clusterdns.engine.edns import Edns, Error, error_option, opt_record, parse_opt, with_errors
from clusterdns.errors import PeerError


@pytest.mark.parametrize(
    ("octets", "ttl", "rdata", "expected"),
    [
        (1232, 0, b"", Edns(0, 1232, dnssec_ok=False)),
        (4096, 0x8000, b"", Edns(0, 4096, dnssec_ok=True)),
        (0, 0, b"", Edns(0, 512, dnssec_ok=False)),
        (511, 0x00FF7FFF, b"", Edns(255, 512, dnssec_ok=False)),
        (1232, 0xFF010000, b"", Edns(1, 1232, dnssec_ok=False)),
        (1232, 0, option(10, b"8 octets"), Edns(0, 1232, dnssec_ok=False, cookie=b"8 octets")),
        (1232, 0, option(10, bytes(40)), Edns(0, 1232, dnssec_ok=False, cookie=bytes(40))),
        (1232, 0, option(10, b"8 octets") + option(10, b""), Edns(0, 1232, dnssec_ok=False, cookie=b"8 octets")),
        (1232, 0, option(3, b"?"), Edns(0, 1232, dnssec_ok=False, nsid=True)),
        (1232, 0, option(11, b""), Edns(0, 1232, dnssec_ok=False, keepalive=0)),
        (1232, 0, option(11, b"\0\1"), Edns(0, 1232, dnssec_ok=False, keepalive=2)),
        (1232, 0x00010000, b"who knows", Edns(1, 1232, dnssec_ok=False)),
        (1232, 0, option(100, b"") + option(65535, b"x" * 300), Edns(0, 1232, dnssec_ok=False)),
    ],
)
def test_what_an_opt_says(octets: int, ttl: int, rdata: bytes, expected: Edns) -> None:
    assert parse_opt(octets, ttl, rdata) == expected


@pytest.mark.parametrize(
    "rdata",
    [
        *(option(10, bytes(length)) for length in (0, 1, 7, 9, 15, 41, 300)),
        b"\0",
        b"\0\x0a\0",
        b"\0\x0a\0\1",
        option(10, b"xx")[:-1],
        option(10, b"") + b"\0\0\0",
        b"\0\0\xff\xff",
    ],
)
def test_options_that_overrun_the_record_and_cookies_of_odd_lengths(rdata: bytes) -> None:
    with pytest.raises(PeerError):
        parse_opt(1232, 0, rdata)


def test_our_opt_as_dnspython_reads_it() -> None:
    record = opt_record(16, dnssec_ok=True, options=error_option(14, "not yet"))
    message = dns.message.from_wire(header(0x8000, (0, 0, 0, 1)) + record)
    assert (message.edns, message.payload, message.ednsflags & 0xFFFF) == (0, 1232, 0x8000)
    assert message.rcode() == 16
    (error,) = message.options
    assert isinstance(error, dns.edns.EDEOption)
    assert (error.code, error.text) == (14, "not yet")


ERROR, OTHERS = (14, "not ready"), ((3, "stale"), (22, "nobody"), (3, "stale, too"))


@pytest.mark.parametrize(
    ("error", "others", "first", "codes"),
    [
        (None, (), None, []),
        (ERROR, (), ERROR, []),
        (None, OTHERS, (3, "stale"), [22]),
        (ERROR, OTHERS, ERROR, [3, 22]),
        (ERROR, (ERROR,), ERROR, []),
    ],
)
def test_one_error_has_words_and_the_others_are_codes(
    error: Error | None, others: tuple[Error, ...], first: Error | None, codes: list[int]
) -> None:
    told = b"".join(option(15, code.to_bytes(2)) for code in codes)
    assert with_errors(error, others, b"before") == (first, b"before" + told)


def test_our_opt_without_anything() -> None:
    assert opt_record(0, dnssec_ok=False) == b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
