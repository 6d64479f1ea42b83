"""What is said of names of others without asking anybody."""

import pytest

from clusterdns.forward.routing import UPSTREAM, Routes
from clusterdns.forward.telling import Telling
from clusterdns.zone.names import parse_name
from clusterdns.zone.tree import ZoneOptions

SERVERS = {0: ["10.0.0.7:53"], UPSTREAM: ["10.0.0.1:53 (down)", "10.0.0.2:53"]}
STUBS = (parse_name("corp.example"),)
OWN = ZoneOptions((parse_name("cluster.local"),), upstream=True, stubs=STUBS).apexes()
ROUTES = Routes(
    OWN,
    STUBS,
    kept=(parse_name("localhost"), parse_name("local"), parse_name("10.in-addr.arpa")),
    upstream=True,
)
SAID = {
    "www.example.com": ("forwarded", "would be forwarded to 10.0.0.1:53 (down), 10.0.0.2:53 (upstream)"),
    "a.corp.example": ("forwarded", "would be forwarded to 10.0.0.7:53 (stub domain corp.example.)"),
    "localhost": ("kept-home", "is kept home: it is the client itself"),
    "printer.local": ("kept-home", "is kept home: nobody is asked for names below local."),
    "7.0.0.10.in-addr.arpa": (
        "kept-home",
        "is kept home: what 10.in-addr.arpa. stands for are Services, pods or private networks",
    ),
}


@pytest.mark.parametrize(("name", "said"), SAID.items(), ids=SAID)
def test_who_would_be_asked_as_they_are_now(name: str, said: tuple[str, str]) -> None:
    cause = Telling(ROUTES, SERVERS.__getitem__).cause(parse_name(name))
    assert cause
    assert (cause.code, cause.text) == (said[0], f"{name}. {said[1]}")


def test_nobody() -> None:
    routes = Routes(OWN, STUBS, upstream=False)
    assert Telling(routes, SERVERS.__getitem__).cause(parse_name("www.example.com")) is None
