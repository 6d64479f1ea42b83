"""Server cookies: the examples of RFC 9018, and what must not be taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterdns.engine.cookies import Cookies, age_of

SECRET = bytes.fromhex("e5e973e5a6b2a43f48e7dc849e37bfcf")
OLD, NEW = bytes.fromhex("dd3bdf9344b678b185a6f5cb60fca715"), bytes.fromhex("445536bcd2513298075a5d379663c962")
ONE, OTHER, SIX = "198.51.100.100", "203.0.113.203", "2001:db8:220:1:59de:d0f4:8769:82b8"
CLIENT = "2464c4abcf10c957"
LEARNED = CLIENT + "010000005cf79f111f8130c3eee29480"
NOW = 1559731985

# RFC 9018 appendix A: (secrets, address, Unix seconds, cookie, cookie of the response)
EXAMPLES = {
    "A.1 learning": ((SECRET,), ONE, NOW, CLIENT, LEARNED),
    "A.2 renewing": ((SECRET,), ONE, 1559734385, LEARNED, CLIENT + "010000005cf7a871d4a564a1442aca77"),
    "A.3 another client": (
        (SECRET,), OTHER, 1559734700,
        "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"),
    "A.4 IPv6, a new secret": (
        (NEW, OLD), SIX, 1559741961,
        "22681ab97d52c298010000005cf7c57926556bd0934c72f8", "22681ab97d52c298010000005cf7c609a6bb79d16625507a"),
}  # fmt: skip


def reply(cookies: Cookies, cookie: str, address: str = ONE, now: int = NOW) -> str:
    option = cookies.option(bytes.fromhex(cookie), address, now)
    assert option[:4] == b"\0\x0a\0\x18"
    return option[4:].hex()


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_rfc_9018(example: str) -> None:
    secrets, address, now, cookie, expected = EXAMPLES[example]
    assert reply(Cookies(secrets), cookie, address, now) == expected


def test_reserved_octets_are_hashed_as_they_came() -> None:
    """Example A.3 again, when its cookie was young: another server may have a use for them."""
    cookie = bytes.fromhex(EXAMPLES["A.3 another client"][3])
    assert Cookies((SECRET,)).is_valid(cookie, OTHER, 0x5CF78F71)
    assert not Cookies((SECRET,)).is_valid(cookie[:9] + b"\0" + cookie[10:], OTHER, 0x5CF78F71)


@pytest.mark.parametrize(
    ("age", "valid", "kept"),
    [(-301, False, False), (-300, True, True), (0, True, True), (1800, True, True), (1801, True, False),
     (3600, True, False), (3601, False, False), (1 << 31, False, False)],
)  # fmt: skip
def test_ages(age: int, valid: bool, kept: bool) -> None:
    assert Cookies((SECRET,)).is_valid(bytes.fromhex(LEARNED), ONE, NOW + age) is valid
    assert (reply(Cookies((SECRET,)), LEARNED, now=NOW + age) == LEARNED) is kept


def test_the_second_secret_verifies_and_does_not_sign() -> None:
    rolled = Cookies((NEW, SECRET))
    assert rolled.is_valid(bytes.fromhex(LEARNED), ONE, NOW)
    fresh = reply(rolled, LEARNED)
    assert fresh != LEARNED
    assert Cookies((NEW,)).is_valid(bytes.fromhex(fresh), ONE, NOW), "a replica that has dropped the old one takes it"
    assert not Cookies((NEW,)).is_valid(bytes.fromhex(LEARNED), ONE, NOW)


@given(st.integers(0, 24 * 8 - 1))
def test_a_single_changed_bit_makes_it_invalid(bit: int) -> None:
    cookie = bytearray(bytes.fromhex(LEARNED))
    cookie[bit // 8] ^= 1 << bit % 8
    cookies = Cookies((SECRET,))
    assert not cookies.is_valid(bytes(cookie), ONE, NOW)
    fresh = bytes.fromhex(reply(cookies, cookie.hex()))
    assert fresh[:8] == cookie[:8]
    assert cookies.is_valid(fresh, ONE, NOW)


@pytest.mark.parametrize("server", ["", "01", "01" * 8, "01" * 15, "01" * 17, "01" * 32])
def test_other_sizes_are_somebody_elses(server: str) -> None:
    cookies = Cookies((SECRET,))
    assert not cookies.is_valid(bytes.fromhex(CLIENT + server), ONE, NOW)
    assert reply(cookies, CLIENT + server) == LEARNED


def test_another_address_makes_it_invalid() -> None:
    assert not Cookies((SECRET,)).is_valid(bytes.fromhex(LEARNED), OTHER, NOW)
    assert Cookies((SECRET,)).is_valid(bytes.fromhex(reply(Cookies((SECRET,)), CLIENT, "fe80::1%eth0")), "fe80::1", NOW)


def test_for_a_minute_the_same_question_gets_the_same_cookie() -> None:
    cookies = Cookies((SECRET,))
    assert {reply(cookies, CLIENT, now=NOW + after) for after in range(60)} == {LEARNED}
    assert reply(cookies, CLIENT, now=NOW + 60) != LEARNED
    assert reply(cookies, CLIENT, now=NOW - 1) != reply(cookies, CLIENT, now=NOW + 61), "a clock may go back"


def test_what_is_kept_is_bounded() -> None:
    cookies = Cookies((SECRET,))
    for number in range(10_000):
        cookies.option(number.to_bytes(8), ONE, NOW)
    assert len(cookies._kept) <= 4096


def test_time_goes_on_after_2106() -> None:
    cookies, late = Cookies((SECRET,)), (1 << 32) - 10
    cookie = bytes.fromhex(reply(cookies, CLIENT, now=late))
    assert age_of(cookie[8:], late + 20) == 20
    assert cookies.is_valid(cookie, ONE, late + 20)
