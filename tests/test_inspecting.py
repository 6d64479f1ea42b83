"""``/api/v1/cache``: what is told of the cache, to whom, and flushing it."""

import asyncio
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cached import Filled, telling
from foreign import A, asked, foreign

from clusterdns.admin.cache import _in_slices
from clusterdns.forward.answers import Foreign, Question
from clusterdns.forward.asking import Asker
from clusterdns.forward.cache import Cache
from clusterdns.forward.inspecting import Inspection
from clusterdns.forward.kept import Bounds, Outcome
from clusterdns.views.cache import Counts, Entry, Numbers
from clusterdns.zone.names import parse_name


def request(url: str, method: str = "GET", **headers: str) -> tuple[int, Any]:
    """Status and what was read, as JSON where it is that."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method, headers=headers)) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        for _ in iter(condition, True):
            await asyncio.sleep(0)


@pytest.fixture
def filled() -> Filled:
    return Filled()


@pytest.fixture
def url(filled: Filled) -> Iterator[str]:
    with telling(filled.inspection) as found:
        yield f"{found}/api/v1/cache"


def test_the_counts(filled: Filled) -> None:
    counts = filled.inspection.counts()
    success, denial = filled.cache.success, filled.cache.denial
    assert counts == Counts(
        limit=1 << 20,
        success=Numbers(4, success.octets, 2, 0),
        denial=Numbers(2, denial.octets, 0, 0),
        failure=Numbers(1, int(filled.cache.failures.currsize), 0, 0),
        misses=1,
        served_stale=0,
        prefetches=0,
        flights=0,
        prefetching=0,
        waiting=0,
    )
    assert min(success.octets, denial.octets, counts.failure.octets) > 0


def test_every_entry(filled: Filled) -> None:
    found = {
        (entry.name, entry.type, entry.dnssec_ok): entry for entry in filled.inspection.entries(lambda _: True) if entry
    }
    shown = {key: (one.kind, one.rcode, one.ttl, one.stale, one.hits) for key, one in found.items()}
    assert shown == {
        ("web.example.", "A", False): ("success", "NOERROR", 200, False, 2),
        ("web.example.", "A", True): ("success", "NOERROR", 200, False, 0),
        ("web.example.", "AAAA", False): ("denial", "NOERROR", -40, True, 0),
        ("nix.web.example.", "A", False): ("denial", "NXDOMAIN", 50, False, 0),
        ("a.other.", "A", False): ("success", "NOERROR", 400, False, 0),
        ("b.other.", "A", False): ("success", "NOERROR", 400, False, 0),
        ("bad.example.", "A", False): ("failure", "SERVFAIL", 9, False, 0),
    }
    octets = sum(one.octets for one in found.values() if one.kind != "failure")
    assert octets == filled.cache.success.octets + filled.cache.denial.octets


def test_what_can_be_served_no_more_is_not_shown(filled: Filled) -> None:
    filled.now += 100_000
    assert not [*filter(None, filled.inspection.entries(lambda _: True))]


SELECTED = {
    "": 7,
    "?limit=2": 2,
    "?limit=0": 0,
    "?name=web.example": 3,
    "?name=WEB.example.": 3,
    "?name=other": 0,
    "?suffix=web.example.": 4,
    "?suffix=example": 5,
    "?suffix=ample": 0,  # by labels
    "?suffix=.": 7,
    "?all=true&limit=10000": 7,
}


@pytest.mark.parametrize(("query", "number"), SELECTED.items(), ids=SELECTED)
def test_entries_are_selected_by_name(url: str, query: str, number: int) -> None:
    status, answer = request(url + query)
    assert (status, len(answer["entries"])) == (200, number)
    assert answer["more"] is (query == "?limit=2")
    assert answer["counts"]["misses"] == 1


def test_an_entry_in_json(url: str, filled: Filled) -> None:
    (entry,) = request(url + "?name=nix.web.example")[1]["entries"]
    assert entry.pop("octets") > 500
    assert entry == {
        "name": "nix.web.example.",
        "type": "A",
        "dnssec_ok": False,
        "checking_disabled": False,
        "kind": "denial",
        "rcode": "NXDOMAIN",
        "ttl": 50,
        "stale": False,
        "hits": 0,
    }


FLUSHED = {"?name=web.example": 3, "?suffix=example.": 5, "?all=true": 7, "?name=missing.example.": 0}


@pytest.mark.parametrize(("query", "number"), FLUSHED.items(), ids=FLUSHED)
def test_flushing_tells_how_many_went(url: str, filled: Filled, query: str, number: int) -> None:
    assert request(f"{url}/flush{query}", "POST") == (200, {"flushed": number})
    assert request(f"{url}/flush{query}", "POST") == (200, {"flushed": 0})
    assert len(filled.cache.entries) + len(filled.cache.failures) == 7 - number
    assert len(request(url)[1]["entries"]) == 7 - number
    if number == 7:
        assert (filled.cache.success.octets, filled.cache.denial.octets) == (0, 0)


WRONG = {
    "?name=a&suffix=b": "and one of them only",
    "?all=yes": "and one of them only",
    "?all=true&name=a": "and one of them only",
    "?name=a..b": "a..b: not a domain name",
    "?suffix=%FC": "not a domain name",
}


@pytest.mark.parametrize(("query", "message"), WRONG.items(), ids=WRONG)
@pytest.mark.parametrize("flush", [False, True])
def test_wrong_use(url: str, query: str, message: str, flush: bool) -> None:
    status, text = request(f"{url}/flush{query}", "POST") if flush else request(url + query)
    assert status == 400
    assert message in text


@pytest.mark.parametrize("limit", ["-1", "10001", "x", "1e3", "²", "9" * 5000])
def test_wrong_limits(url: str, limit: str) -> None:
    assert request(f"{url}?limit={urllib.parse.quote(limit)}")[0] == 400


def test_nothing_is_flushed_by_mistake(url: str, filled: Filled) -> None:
    assert request(f"{url}/flush", "POST")[0] == 400
    assert request(f"{url}/flush?all=true")[0] == 405  # GET
    # A page of the web may send a browser of this machine here.
    assert request(f"{url}/flush?all=true", "POST", Origin="https://example.com")[0] == 403
    assert request(f"{url}/flush?all=true", "POST", Host="example.com")[0] == 404
    assert len(filled.cache.entries) == 6


def test_with_a_token_only_who_shows_it_is_told() -> None:
    with telling(Filled().inspection, "secret") as url:
        for path, method in (("/api/v1/cache", "GET"), ("/api/v1/cache/flush?all=true", "POST")):
            assert request(url + path, method)[0] == 401
            assert request(url + path, method, Authorization="Bearer secret")[0] == 200


def test_without_forwarding_there_is_no_cache() -> None:
    with telling(None) as url:
        for path, method in (("/api/v1/cache", "GET"), ("/api/v1/cache/flush?all=true", "POST")):
            assert request(url + path, method) == (
                404,
                "there is no cache: names of others are not forwarded; set `upstream`\n",
            )


def test_what_comes_while_it_is_looked_through_harms_nothing(filled: Filled) -> None:
    entries, flushing = filled.inspection.entries(lambda _: True), filled.inspection.flush(lambda _: True)
    assert isinstance(next(entries), Entry)
    assert next(flushing)
    for number in range(100):
        question = asked(f"n{number}.example.")
        filled.cache.put(question, foreign(question, [(A, 50)]), filled.now)
    filled.cache.forget(asked("a.other."))
    assert len([*filter(None, entries)]) == 5
    assert sum(flushing) == 5
    assert len(filled.cache.entries) == 100


def test_what_is_under_way_when_it_is_flushed_is_not_kept() -> None:
    """Of the server of the moment, and of one before it that shares its cache or leaves it what it has."""
    web, api = asked("web.example."), asked("api.example.")

    async def story() -> None:
        said: list[asyncio.Future[Foreign]] = []

        async def others(_: Question) -> Foreign:
            said.append(asyncio.get_running_loop().create_future())
            return await said[-1]

        loop = asyncio.get_running_loop()
        shared, former = Cache(Bounds()), Cache(Bounds())
        now, before, parted = (Asker(others, cache, lambda: 0.0, loop) for cache in (shared, shared, former))
        former.put(web, foreign(web), 0.0)
        former.put(api, foreign(api), 0.0)
        outcomes: list[Outcome] = []
        for asker in (now, before, parted):
            for question in (web, api):
                asker.ask(question, outcomes.append)
        await until(lambda: len(said) == 6)
        inspection = Inspection(shared, now, lambda: 0.0, [(shared, before), (former, parted)])
        assert sum(inspection.flush(parse_name("web.example").__eq__)) == 1
        for one, question in zip(said, (web, api) * 3, strict=True):
            one.set_result(foreign(question))
        await until(lambda: len(outcomes) == 6)
        assert all(one.foreign for one in outcomes)
        assert {*shared.entries} == {*former.entries} == {api}

    asyncio.run(story())


def test_others_have_their_turn_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusterdns.admin.cache.SLICE_SECONDS", 0.0)

    async def turns() -> int:
        count, running = 0, True

        async def others() -> None:
            nonlocal count
            while running:
                count += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(others())
        assert [one async for one in _in_slices(iter(range(50)))] == [*range(50)]
        running = False
        await task
        return count

    assert asyncio.run(turns()) >= 50
