"""Lists and watch events -> events of ours, and what a comparison says of them."""

from following import shown

from clusterdns.cluster.events import Event
from clusterdns.cluster.model import Key, Service
from clusterdns.sources.kubernetes.comparing import Comparison
from clusterdns.sources.kubernetes.decoding import Seen
from clusterdns.sources.kubernetes.faults import ApiError
from clusterdns.sources.kubernetes.store import Listing, Store


def seen(text: str) -> Seen:
    """``"MODIFIED web=b 12"``: the Service shop/web is an alias for b; ``"BOOKMARK 12"``; ``web=?``: unreadable."""
    action, *subject, version = text.split()
    name, _, target = subject[0].partition("=") if subject else ("", "", "")
    key = Key("shop", name)
    made = None if target == "?" or action in ("DELETED", "BOOKMARK") else Service(key, external_name=target)
    return Seen(action, key, version, made, "odd" if target == "?" else "")


def told(store: Store, text: str) -> str:
    """What one line of a watch leads to."""
    try:
        event = store.apply(seen(text))
    except ApiError as error:
        return error.reason.value
    return shown([event])[0] if event else ""


def listed(store: Store, version: str, *texts: str) -> list[str]:
    listing = Listing(store)
    for text in texts:
        listing.take(seen(text))
    events: list[Event] = [event for few in store.differences(listing) for event in few]
    store.replace(listing, version)
    return shown(events)


def held(store: Store) -> dict[str, str]:
    return {key.name: item.external_name for key, item in store.objects.items() if isinstance(item, Service)}


def a_store() -> Store:
    store = Store("Service")
    listed(store, "10", "ADDED web=a 5", "ADDED db=a 9")
    return store


def test_what_was_listed_later_than_the_list_is_not_set_back() -> None:
    """The beginning of a list that was compacted: it is listed again behind the rest."""
    store = Store("Service")
    listed(store, "10", "ADDED web=c 15", "ADDED db=a 9")
    table = [
        ("MODIFIED web=a 11", ""),
        ("DELETED web 12", ""),
        ("ADDED web=b 13", ""),
        ("ADDED new=a 14", "+Service shop/new"),
        ("MODIFIED web=c 15", ""),
        ("MODIFIED web=d 16", "+Service shop/web"),
    ]
    for text, expected in table:
        assert told(store, text) == expected, text
    assert store.position == "16"


def test_a_watch() -> None:
    store = a_store()
    table = [
        ("ADDED api=a 11", "+Service shop/api"),
        ("MODIFIED api=b 12", "+Service shop/api"),
        ("MODIFIED api=b 13", ""),  # nothing that we use
        ("BOOKMARK 20", ""),
        ("DELETED db 21", "-Service shop/db"),
        ("ADDED db=c 22", "+Service shop/db"),
        ("MODIFIED web=? 23", ""),  # stays as it was
        ("ADDED odd=? 24", ""),
    ]
    for line, expected in table:
        assert told(store, line) == expected, line
    assert held(store) == {"web": "a", "api": "b", "db": "c"}
    assert store.unreadable == {Key("shop", "web"): "odd", Key("shop", "odd"): "odd"}
    assert store.position == "24"
    told(store, "MODIFIED web=d 25")
    told(store, "DELETED odd 26")
    assert not store.unreadable


def test_what_was_told_before_is_nothing_new() -> None:
    store = a_store()
    told(store, "MODIFIED web=b 11")
    told(store, "DELETED db 12")
    for line in ("MODIFIED web=b 11", "DELETED db 12", "ADDED web=a 5", "DELETED never 3", "DELETED web 4"):
        assert told(store, line) == "", line
    assert held(store) == {"web": "b"}
    assert store.position == "12"


def test_what_cannot_follow_needs_a_list() -> None:
    for line, reason in (
        ("ADDED api=a 7", "disorder"),
        ("MODIFIED web=b 7", "disorder"),
        ("DELETED web 7", "disorder"),
        ("BOOKMARK 9", "history"),
    ):
        store = a_store()
        assert told(store, line) == reason, line
        assert held(store) == {"web": "a", "db": "a"}


def test_versions_that_are_no_numbers_are_taken_as_they_come() -> None:
    store = a_store()
    for line in ("MODIFIED web=b x", "DELETED db y", "ADDED db=a x"):
        assert told(store, line)
    assert store.position == "x"


def test_a_list_over_another() -> None:
    store = a_store()
    before = store.objects[Key("shop", "web")]
    assert listed(store, "30", "ADDED web=a 29", "ADDED api=a 30") == ["+Service shop/api", "-Service shop/db"]
    assert store.objects[Key("shop", "web")] is before
    assert (store.position, store.lists) == ("30", 2)
    assert listed(store, "31", "ADDED web=? 31", "ADDED api=a 30") == []
    assert held(store) == {"web": "a", "api": "a"}, "what cannot be read stays as it was"
    assert listed(store, "32", "ADDED api=a 30") == ["-Service shop/web"]
    assert not store.unreadable


def test_initial_events_come_in_any_order() -> None:
    store = Store("Service")
    listed(store, "9", "ADDED web=b 8", "ADDED web=a 5", "ADDED db=a 3", "DELETED db 7", "ADDED api=a 2")
    assert held(store) == {"web": "b", "api": "a"}


def compared(store: Store, at: str, *entries: tuple[str, str], meanwhile: tuple[str, ...] = ()) -> list[str]:
    deleted = set[Key]()
    store.deleted = deleted
    comparison = Comparison(store.versions)
    comparison.take((Key("shop", name), version) for name, version in entries)
    for line in meanwhile:
        told(store, line)
    return [key.name for key in comparison.diverged(at, deleted)]


def test_comparisons() -> None:
    same = ("web", "5"), ("db", "9")
    assert compared(a_store(), "10", *same) == []
    assert compared(a_store(), "12", *same, ("api", "11")) == ["api"]
    assert compared(a_store(), "12", *same, ("api", "11"), meanwhile=("ADDED api=a 11",)) == []
    assert compared(a_store(), "12", *same, ("api", "11"), meanwhile=("ADDED api=a 11", "DELETED api 13")) == []
    assert compared(a_store(), "12", ("web", "11"), ("db", "9")) == ["web"]
    assert compared(a_store(), "12", ("web", "11"), ("db", "9"), meanwhile=("MODIFIED web=b 14",)) == []
    assert compared(a_store(), "12", ("web", "5")) == ["db"]
    assert compared(a_store(), "12", ("web", "5"), meanwhile=("DELETED db 11",)) == []
    assert compared(a_store(), "12", ("web", "5"), meanwhile=("DELETED db 11", "ADDED db=a 13")) == []
    assert compared(a_store(), "10", ("web", "3"), ("db", "9")) == ["web"], "a history that was restored"
    ahead = a_store()
    told(ahead, "ADDED api=a 15")
    told(ahead, "MODIFIED web=b 16")
    assert compared(ahead, "10", *same) == [], "newer than the list"
    assert compared(Store("Service"), "10") == []
