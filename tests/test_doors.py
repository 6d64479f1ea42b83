"""A Tally for each door, for the life of the process."""

import pytest

from clusterdns.transports.doors import Door, Doors, server_of


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (("10.96.0.10", 53), "dns://10.96.0.10:53"),
        (("fd00::10", 53), "dns://[fd00::10]:53"),
        (("0.0.0.0", 53), "dns://:53"),
        (("::", 1053), "dns://:1053"),
    ],
)
def test_servers_are_named_as_coredns_names_them(address: tuple[str, int], shown: str) -> None:
    assert server_of(address) == shown


def test_the_same_door_has_the_same_tally() -> None:
    doors = Doors()
    first = doors.tally(("0.0.0.0", 53), "udp")
    assert doors.tally(("0.0.0.0", 53), "udp") is first
    assert doors.tally(("0.0.0.0", 53), "tcp") is not first
    assert doors.tally(("::", 53), "udp") is not first
    assert list(doors.tallies) == [
        Door("dns://:53", proto, family) for proto, family in (("udp", "1"), ("tcp", "1"), ("udp", "2"))
    ]
