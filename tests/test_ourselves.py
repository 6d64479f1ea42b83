"""Which servers are this one."""

import pytest

from clusterdns.forward.ourselves import certain, places, reached
from clusterdns.forward.servers import Server, parse_server

MACHINE = {"0.0.0.0": ["127.0.0.1", "10.0.0.5"], "::": ["::1", "2001:db8::5"]}


def local(host: str) -> list[str]:
    return MACHINE.get(host, [host])


CASES = [
    # listen, upstream, is it this server?
    (("127.0.0.1", 53), "127.0.0.1", True),
    (("127.0.0.1", 53), "127.0.0.1:5353", False),
    (("127.0.0.1", 5353), "127.0.0.1", False),
    (("127.0.0.1", 5353), "127.0.0.1:5353", True),
    (("127.0.0.1", 53), "127.0.0.2", False),
    (("127.0.0.1", 53), "0.0.0.0", True),
    (("127.0.0.1", 53), "::ffff:127.0.0.1", True),
    (("10.0.0.5", 53), "127.0.0.1", False),
    (("127.0.0.1", 853), "tls://127.0.0.1", True),
    (("127.0.0.1", 53), "tls://127.0.0.1", False),
    (("::1", 53), "::1", True),
    (("::1", 53), "0:0::1", True),
    (("::1", 53), "::", True),
    (("::1", 53), "127.0.0.1", False),
    (("0.0.0.0", 53), "127.0.0.1", True),
    (("0.0.0.0", 53), "10.0.0.5", True),
    (("0.0.0.0", 53), "10.0.0.6", False),
    (("0.0.0.0", 53), "127.0.0.53", False),  # it is opened as one socket for each address
    (("0.0.0.0", 53), "::1", False),
    (("::", 53), "2001:db8::5", True),
    (("::", 53), "127.0.0.1", False),
    (("127.0.0.1", 0), "127.0.0.1", False),
]


@pytest.mark.parametrize(("listen", "upstream", "expected"), CASES)
def test_where_we_listen(listen: tuple[str, int], upstream: str, expected: bool) -> None:
    assert (reached(parse_server(upstream)) in places([listen], local)) is expected


def test_a_link_local_router_is_somebody_else() -> None:
    assert reached(Server("fe80::1%eth0")) not in places([("::", 53)], local)


def test_what_is_certain_on_every_machine() -> None:
    assert places([("0.0.0.0", 53), ("::", 54), ("10.0.0.5", 55)], certain) == {
        ("127.0.0.1", 53),
        ("::1", 54),
        ("10.0.0.5", 55),
    }
