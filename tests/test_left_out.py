"""Names that DNS cannot hold are told, and only those."""

import pytest
from strategies import alias, cluster_ip, headless

from clusterdns.cluster.model import Published
from clusterdns.zone.left_out import left_out
from clusterdns.zone.names import Name, parse_name
from clusterdns.zone.records import all_records

SHORT = parse_name("cluster.local")
LONG = parse_name(".".join(["d" * 63, "e" * 63, "f" * 62]))
LONGER = Name(b"\x05extra" + LONG)


@pytest.mark.parametrize(
    ("published", "apex", "expected"),
    [
        (cluster_ip("shop/web", "10.96.0.1", ports=["http/tcp/80"], endpoints=["10.1.0.1"]), SHORT, []),
        (cluster_ip("shop/web", "10.96.0.1", ports=["y" * 62 + "/tcp/80"]), SHORT, []),
        (cluster_ip("shop/web", "10.96.0.1", ports=["y" * 63 + "/tcp/80"]), SHORT, ["CD502 port name " + "y" * 63]),
        (headless("shop/web", "10.1.0.1", ports=["y" * 63 + "/tcp/80"]), SHORT, ["CD502 port name " + "y" * 63]),
        (cluster_ip("s/" + "n" * 60, "10.96.0.1"), LONG, ["CD501 its name in"]),
        (alias("s/" + "n" * 60, "example.org"), LONG, ["CD501 its name in"]),
        (headless("s/w", "10.1.0.1 " + "h" * 50, "10.1.0.2 " + "h" * 60, "10.1.0.3 h"), LONGER,
         ["CD501 the names of endpoint " + "h" * 50 + " and 1 more"]),
        (headless("s/w", "!10.1.0.1 " + "h" * 63), LONG, []),
        (cluster_ip("shop/web", "10.96.0.1", ports=["p" * 50 + "/tcp/80", "/tcp/81"]), LONG,
         ["CD501 the name of port " + "p" * 50]),
    ],
)  # fmt: skip
def test_what_no_zone_can_hold_is_told(published: Published, apex: Name, expected: list[str]) -> None:
    told = [f"{one.code} {one.text}" for one in left_out(published, apex)]
    assert [text.startswith(start) for text, start in zip(told, expected, strict=True)] == [True] * len(expected)
    assert all(len(rrset.owner) <= 255 for rrset in all_records(published, apex, 5))


def test_a_name_of_255_octets_is_held() -> None:
    room = 255 - len(LONG) - len(b"\x01s\x03svc") - 1
    fits, over = (cluster_ip(f"s/{'w' * octets}", "10.96.0.1") for octets in (room, room + 1))
    assert (len(all_records(fits, LONG, 5)), list(left_out(fits, LONG))) == (1, [])
    assert (all_records(over, LONG, 5), [one.code for one in left_out(over, LONG)]) == ([], ["CD501"])
