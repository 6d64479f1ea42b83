"""Which settings need another world when they change."""

from clusterdns.changes import differences, inside
from clusterdns.config import load_settings

HOSTS = ["127.0.0.1"]
BEFORE = load_settings({"ttl": "5"}, {})


def test_settings_of_how_to_listen_and_to_end_need_no_other_world() -> None:
    after = load_settings({"ttl": "5", "lameduck": "9", "listen": ["127.0.0.1:5353"]}, {})
    assert differences(BEFORE, after) == ["listen", "lameduck"]
    assert inside(after, HOSTS) == inside(BEFORE, HOSTS)


def test_all_others_do() -> None:
    after = load_settings({"ttl": "6"}, {})
    assert differences(BEFORE, after) == ["ttl"]
    assert inside(after, HOSTS) != inside(BEFORE, HOSTS)


def test_the_addresses_of_the_name_server_follow_from_those_that_are_listened_on() -> None:
    assert inside(BEFORE, HOSTS) != inside(BEFORE, ["127.0.0.2"])
    named = load_settings({"ns_addresses": "10.0.0.1"}, {})
    assert inside(named, HOSTS) == inside(named, ["127.0.0.2"])
