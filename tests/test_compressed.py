"""Names that may end in a pointer: read as dnspython reads them, or refused."""

import dns.exception
import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packets import QR, header, question
from strategies import OPTIONS

from clusterdns.errors import PeerError
from clusterdns.forward.compressed import Names
from clusterdns.zone.names import Name, parse_name

assert OPTIONS  # its module sets the profile of hypothesis

WWW = parse_name("www.example.com")
BEFORE = header(QR) + question("wWw.example.com")
START = len(BEFORE)


def names(*octets: bytes) -> Names:
    return Names(BEFORE + b"".join(octets), WWW)


@pytest.mark.parametrize(
    ("octets", "name", "end", "pointer"),
    [
        (b"\0", "", 1, 0),
        (b"\3Web\4test\0", "web.test", 10, 0),
        (b"\xc0\x0c", "www.example.com", 2, START),
        (b"\xc0\x1c", "", 2, START),
        (b"\3web\xc0\x10", "web.example.com", 6, START + 4),
    ],
)
def test_names(octets: bytes, name: str, end: int, pointer: int) -> None:
    reader = names(octets)
    assert reader.read(START) == (parse_name(name or "."), START + end, pointer)
    assert not reader.loose


def test_pointers_to_what_was_read() -> None:
    reader = names(b"\1a\4Test\0", b"\1b\xc0\x23", b"\xc0\x29", b"\xc0\x2d")
    assert reader.read(START)[0] == parse_name("a.test")
    assert reader.read(START + 8) == (parse_name("b.test"), START + 12, START + 10)
    assert reader.read(START + 12)[0] == parse_name("b.test")
    assert reader.read(START + 14) == (parse_name("b.test"), START + 16, START + 14), "by two pointers"
    assert reader.cased == [(START, START + 7)]
    assert not reader.loose
    assert reader.known()[START + 2] == parse_name("test")


def test_a_pointer_to_what_is_no_name_of_a_record() -> None:
    reader = names(b"\1x\0", b"\xc0\x21")
    assert reader.read(START + 3)[0] == parse_name("x")
    assert reader.loose


def test_steps_are_counted() -> None:
    """Of pointers that go to labels that nobody has read, each another one."""
    labels = b"".join(b"\1x" for _ in range(126)) + b"\0"
    reader = names(labels, *[(0xC000 | START + 2 * number).to_bytes(2) for number in range(126)])
    with pytest.raises(PeerError, match="more labels"):
        _ = [reader.read(START + len(labels) + 2 * number) for number in range(126)]


@given(
    st.lists(
        st.sampled_from([b"\1a", b"\2BC", b"\0", b"\xc0\x0c", b"\xc0\x21", b"\xc0\x23", b"\x40", b"\3"]),
        max_size=9,
    )
)
def test_the_same_as_dnspython(parts: list[bytes]) -> None:
    """One name behind the other, until there is none; only that pointers into the header lead nowhere here."""
    octets, at = BEFORE + b"".join(parts), START
    reader = Names(octets, WWW)
    while True:
        try:
            oracle, used = dns.name.from_wire(octets, at)
        except (dns.exception.DNSException, IndexError):
            with pytest.raises((PeerError, IndexError)):
                reader.read(at)
            return
        name, end, _ = reader.read(at)
        assert (name, end) == (Name(oracle.canonicalize().to_wire() or b""), at + used)
        at = end
