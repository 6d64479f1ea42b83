"""Connections together: who goes when there are too many, over all listeners, and how many files that takes."""

import resource
from collections.abc import Iterator

import pytest

from clusterdns.transports.crowd import Crowd, Limits
from clusterdns.transports.listeners import Listeners
from clusterdns.transports.sockets import allow_files


class Member:
    def __init__(self, client: str) -> None:
        self.client = client
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


def opened(crowd: Crowd, *clients: str) -> list[Member]:
    members = [Member(client) for client in clients]
    for member in members:
        crowd.opened(member)
    return members


def test_over_its_limit_a_client_loses_its_most_silent_connection() -> None:
    crowd = Crowd(Limits(per_client=2))
    first, second, stranger = opened(crowd, "a", "a", "b")
    crowd.touched(first)
    (third,) = opened(crowd, "a")
    assert [one.aborted for one in (first, second, third, stranger)] == [False, True, False, False]
    assert len(crowd) == len(list(crowd)) == 3


def test_over_the_total_the_largest_client_loses_one() -> None:
    crowd = Crowd(Limits(total=3))
    lone, first, second, newcomer = opened(crowd, "b", "a", "a", "c")
    assert [one.aborted for one in (lone, first, second, newcomer)] == [False, True, False, False]


def test_who_has_gone_is_forgotten_and_may_be_forgotten_twice() -> None:
    crowd = Crowd()
    (member,) = opened(crowd, "a")
    crowd.closed(member)
    crowd.closed(member)
    crowd.touched(member)
    assert (len(crowd), list(crowd), crowd._clients) == (0, [], {})


def test_who_is_ended_is_outside_at_once_and_counted_once() -> None:
    """What clients ended themselves is told as the rest of all: it must never become less."""
    crowd = Crowd()
    silent, other = opened(crowd, "a", "b")
    crowd.closed(other)
    for why in ("idle", "unread"):
        crowd.end(silent, why)
        crowd.closed(silent)
        assert silent.aborted
        assert (crowd.ever - len(crowd) - sum(crowd.ended.values()), dict(+crowd.ended)) == (1, {"idle": 1})


def test_limits_may_change_while_it_is_open() -> None:
    crowd = Crowd(Limits(per_client=1))
    crowd.limits = Limits(per_client=3)
    assert not any(one.aborted for one in opened(crowd, "a", "a", "a"))


@pytest.fixture
def files() -> Iterator[tuple[int, int]]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_files_are_allowed_as_far_as_the_system_does(files: tuple[int, int]) -> None:
    _, hard = files
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    assert allow_files(100) == 100
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 200, "never fewer"
    assert allow_files(300) == 300
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 300
    if hard != resource.RLIM_INFINITY:
        assert allow_files(hard + 1) == hard


def test_no_more_connections_are_taken_than_there_are_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusterdns.transports.listeners.allow_files", lambda wanted: min(wanted, 1024))
    listeners = Listeners()
    listeners.limit(Limits(total=4096))
    assert listeners.crowd.limits.total == 1024 - 128
    listeners.limit(Limits(total=100, idle=3.0))
    assert listeners.crowd.limits == Limits(total=100, idle=3.0)
    listeners.limit(Limits(total=1000), others=3000)
    assert listeners.crowd.limits.total == (1024 - 128) // 4, "the sockets to upstreams need theirs"
    listeners.limit(Limits(total=100), others=300)
    assert listeners.crowd.limits.total == 100
