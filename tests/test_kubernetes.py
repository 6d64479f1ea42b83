"""The source against a server that does what real ones do on bad days."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from fake_api import FakeApi, Refusal, endpoint_slice, event, namespace, pod, service
from following import UNHURRIED, At, Follower, shown
from msgspec.structs import replace

from clusterdns.cluster.events import Replace
from clusterdns.errors import OperatorError
from clusterdns.sources.kubernetes import reflector
from clusterdns.sources.kubernetes.decoding import Versions, versions_of
from clusterdns.sources.kubernetes.faults import ApiError, Reason
from clusterdns.sources.kubernetes.in_cluster import InCluster
from clusterdns.sources.kubernetes.source import Kubernetes


def run(test: Callable[[FakeApi], Coroutine[Any, Any, None]]) -> None:
    """*test* with a server of one Service."""

    async def main() -> None:
        async with FakeApi() as api:
            for item in (namespace("shop"), service("shop/web"), endpoint_slice("shop/web", "10.1.0.1", "10.1.0.2")):
                api.put(item)
            await test(api)

    asyncio.run(main())


def test_first_everything_then_what_changes() -> None:
    async def main(api: FakeApi) -> None:
        async with Follower(api) as follower:
            await follower.first()
            assert [event.kind for event in follower.rounds[0] if isinstance(event, Replace)] == [
                "Namespace",
                "Service",
                "EndpointSlice",
            ]
            await follower.equal()
            for item in (service("shop/api", "10.96.0.11"), service("shop/api", "10.96.0.12")):
                api.put(item)
                await follower.equal()
            api.delete("Service", ("shop", "web"))
            await follower.equal()
            for item in (endpoint_slice("shop/web", "10.1.0.3"), namespace("ops", team="a")):
                api.put(item)
                await follower.equal()
            assert [shown(events) for events in follower.rounds[1:]] == [
                ["+Service shop/api"],
                ["+Service shop/api"],
                ["-Service shop/web"],
                ["+EndpointSlice shop/web"],
                ["+Namespace ops"],
            ]
            assert {kind for kind, _ in api.requests} == {"Namespace", "Service", "EndpointSlice"}

    run(main)


def test_pods_only_when_asked_for() -> None:
    async def main(api: FakeApi) -> None:
        api.put(pod("shop/web-0", "10.1.0.1"))
        async with Follower(api, pods=True) as follower:
            await follower.equal()
            assert "=Pod shop/web-0" in shown(follower.rounds[0])

    run(main)


def test_a_burst_is_one_round() -> None:
    async def main(api: FakeApi) -> None:
        async with Follower(api) as follower:
            await follower.first()
            for number in range(500):
                api.put(service(f"shop/s{number}", f"10.97.{number // 250}.{number % 250 + 1}"))
            await follower.equal()
            assert len(follower.rounds) < 50, "what waits is taken together"

    run(main)


def test_what_we_do_not_use_makes_no_round() -> None:
    async def main(api: FakeApi) -> None:
        async with Follower(api) as follower:
            await follower.first()
            touched = service("shop/web")
            touched["metadata"]["annotations"] = {"touched": "today"}
            api.put(touched)
            api.put(service("shop/api", "10.96.0.11"))
            await follower.equal()
            assert [shown(events) for events in follower.rounds[1:]] == [["+Service shop/api"]]

    run(main)


@pytest.mark.parametrize("how", ["yes", "refused", "error"])
def test_lists_by_stream_and_by_pages(how: str) -> None:
    async def main(api: FakeApi) -> None:
        api.streams_lists, api.page_limit, api.gzip = how, 7, True
        for number in range(60):
            api.put(service(f"shop/s{number}", f"10.97.0.{number + 1}"))
        async with Follower(api) as follower:
            await follower.first()
            assert follower.held() == follower.served()
            pages = api.requests.count(("Service", "list"))
            assert pages == (0 if how == "yes" else 9)
            assert follower.kind("Service").error == ""

    run(main)


@pytest.mark.parametrize("offers_rest", [True, False])
def test_a_list_whose_beginning_is_compacted_before_its_end(offers_rest: bool) -> None:
    """The rest is listed as it is now, where the server has a token for that, and the beginning again behind it."""

    async def main(api: FakeApi) -> None:
        api.streams_lists, api.page_limit, api.offers_rest = "refused", 7, offers_rest
        for number in range(10, 70):
            api.put(service(f"shop/s{number}", f"10.97.0.{number}"))

        def happens() -> None:
            pages = api.requests.count(("Service", "list"))
            if pages in (4, 6, 9, 11):
                for number in (11, 12, 30, 31, 60, 61):
                    api.put(service(f"shop/s{number}", f"10.97.{pages}.{number}"))
                api.delete("Service", ("shop", f"s{pages + 9}"))
                api.put(service(f"shop/n{pages}", f"10.97.1.{pages}"))
            if pages == 4:
                api.delete("Service", ("shop", "s33"))
                api.put(service("shop/s33", "10.97.2.33"))
                api.compact()

        api.paged = happens
        async with Follower(api) as follower:
            await follower.first()
            await follower.equal()
            pages = [what for kind, what in api.requests if kind == "Service"].count("list")
            assert pages == 4 + 1 + (5 + 4 if offers_rest else 9), "the rest and the beginning, or all"
            # Another kind that is behind when the history is compacted has to be listed again, too.
            assert follower.kind("Service").relists.get("expired", 0) == (0 if offers_rest else 1)
            held = follower.source._reflectors[1].store
            assert {key.name: version for key, version in held.versions.items()} == {
                name: int(item["metadata"]["resourceVersion"]) for (_, name), item in api.objects["Service"].items()
            }

    run(main)


def test_a_list_that_is_compacted_again_and_again() -> None:

    async def main(api: FakeApi) -> None:
        api.streams_lists, api.page_limit = "refused", 1
        api.put(service("shop/api", "10.96.0.11"))
        api.offers_rest, often = True, iter(range(8))

        def happens() -> None:
            if next(often, None) is not None:
                api.compact()

        api.paged = happens
        async with Follower(api) as follower:
            await follower.first()
            await follower.equal()

    run(main)


def test_a_server_that_does_not_answer_a_streaming_list() -> None:
    async def main(api: FakeApi) -> None:
        api.streams_lists = "silent"
        async with Follower(api, timing=replace(UNHURRIED, initial=0.2)) as follower:
            await follower.first()
            api.compact()
            api.end()
            await follower.until(lambda: follower.relists("expired") == 3)
            await follower.equal()
            assert api.requests.count(("Service", "streaming list")) == 1, "it is not asked so again"

    run(main)


def test_an_order_to_end_is_followed_at_once() -> None:
    async def main(api: FakeApi) -> None:
        async with Follower(api) as follower:
            await follower.first()
            api.end()
            await follower.until(lambda: follower.restarts("ended") == 3 and follower.watching())
            assert follower.hands.slept == [pytest.approx(s) for s in follower.hands.slept if s > 100], "no pause"
            api.put(service("shop/api", "10.96.0.11"))
            await follower.equal()

    run(main)


def test_changes_while_the_connection_is_lost() -> None:
    async def main(api: FakeApi) -> None:
        async with Follower(api) as follower:
            await follower.first()
            await api.stop()
            await follower.until(lambda: follower.restarts("refused") > 10)
            assert all(0.2 <= seconds <= 0.7 for seconds in follower.hands.slept if seconds < 100)
            assert follower.kind("Service").error
            assert follower.state.get("Service", next(iter(follower.state.all("Service"))).key), "what is known stays"
            api.put(service("shop/api", "10.96.0.11"))
            api.delete("EndpointSlice", ("shop", "web"))
            await api.start()
            await follower.equal()
            assert follower.kind("Service").error == ""

    run(main)


def test_lost_and_back_are_one_line_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "clusterdns.kubernetes")

    async def main(api: FakeApi) -> None:
        async with Follower(api) as follower:
            await follower.first()
            await api.stop()
            await follower.until(lambda: follower.restarts("refused") > 20)
            follower.hands.advance(12)
            await api.start()
            await follower.until(follower.watching)
            await follower.until(lambda: len(caplog.messages) > 1)

    run(main)
    lost, back = caplog.messages
    assert "cannot be followed" in lost
    assert "what is known is served on" in lost
    assert back == "the Kubernetes API is followed again after 12.0 s"


REFUSALS = [
    Refusal(403, "services is forbidden"),
    Refusal(429, "too many", (("Retry-After", "3"),)),
    Refusal(500, "etcd has no leader"),
    Refusal(503, "not ready"),
    Refusal(410, "too old"),
    Refusal(410, "too old", event=True),
    Refusal(500, "etcdserver: request timed out", event=True),
    Refusal(429, "storage is (re)initializing", event=True),
    Refusal(302, "elsewhere", (("Location", "http://127.0.0.1:1/"),)),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=[f"{one.status}{' event' * one.event}" for one in REFUSALS])
@pytest.mark.parametrize("how", ["yes", "refused"])
def test_refusals(refusal: Refusal, how: str) -> None:
    """At the start, and later, when what is known has to be kept."""

    async def main(api: FakeApi) -> None:
        api.streams_lists = how
        api.refuse("Service", refusal, refusal)
        async with Follower(api) as follower:
            await follower.first()
            assert follower.held() == follower.served()
            api.refuse("Service", *[refusal] * 5)
            api.cut()
            api.delete("Service", ("shop", "web"))
            api.put(service("shop/api", "10.96.0.11"))
            await follower.equal()
            assert not api.refusals["Service"]
            assert all(len(events) < 3 for events in follower.rounds[1:]), "differences only"
            if refusal.headers and refusal.status == 429:
                assert max(seconds for seconds in follower.hands.slept if seconds <= 30) >= 3

    run(main)


def test_a_storm_of_errors_in_watches_is_over_with_the_next_word(caplog: pytest.LogCaptureFixture) -> None:
    """To be let in is no news: each of these watches had begun well."""
    caplog.set_level(logging.INFO, "clusterdns.kubernetes")

    async def main(api: FakeApi) -> None:
        async with Follower(api) as follower:
            await follower.first()
            api.refuse("Service", *[Refusal(410, "too old", event=True)] * 5)
            api.end()
            await follower.until(lambda: not api.refusals["Service"] and follower.watching())
            assert follower.kind("Service").error
            api.put(service("shop/api", "10.96.0.11"))
            await follower.equal()
            assert follower.kind("Service").error == ""

    run(main)
    assert [message for message in caplog.messages if "is followed again" in message]


def test_deletions_are_seen_after_a_list() -> None:
    async def main(api: FakeApi) -> None:
        async with Follower(api) as follower:
            await follower.first()
            await api.stop()
            api.delete("Service", ("shop", "web"))
            api.put(service("shop/api", "10.96.0.11"))
            api.put(endpoint_slice("shop/web", "10.1.0.9"))
            api.compact()
            await api.start()
            await follower.equal()
            await follower.until(lambda: follower.relists("expired") == 3)  # of namespaces as well, which are the same
            told = [line for events in follower.rounds[1:] for line in shown(events)]
            assert sorted(told) == ["+EndpointSlice shop/web", "+Service shop/api", "-Service shop/web"]

    run(main)


def test_what_is_the_same_after_a_list_is_the_same_object() -> None:
    async def main(api: FakeApi) -> None:
        async with Follower(api) as follower:
            await follower.first()
            before = follower.held()
            api.compact()
            api.end()
            await follower.until(lambda: follower.relists("expired") == 3)
            await follower.until(lambda: {one.version for one in follower.source.status().kinds} == {str(api.version)})
            assert all(one is before[key] for key, one in follower.held().items())
            assert len(follower.rounds) == 1

    run(main)


def test_a_connection_that_goes_silent() -> None:
    async def main(api: FakeApi) -> None:
        async with Follower(api, timing=replace(UNHURRIED, silence=0.3)) as follower:
            await follower.first()
            api.hush()
            api.put(service("shop/api", "10.96.0.11"))
            await follower.equal()
            assert follower.restarts("silent")

    run(main)


def test_bookmarks_move_on_without_events() -> None:
    async def main(api: FakeApi) -> None:
        async with Follower(api) as follower:
            await follower.first()
            api.put(pod("shop/unseen", "10.1.0.1"))
            follower.hands.advance(50)
            assert follower.kind("Service").bookmark_age == 50
            api.bookmark()
            await follower.until(lambda: {one.version for one in follower.source.status().kinds} == {str(api.version)})
            assert follower.kind("Service").bookmark_age == 0
            assert follower.source.status().lag == 0
            api.compacted = api.version
            api.end()
            await follower.until(lambda: follower.restarts("ended") == 3 and follower.watching())
            assert not follower.relists("expired")
            assert len(follower.rounds) == 1

    run(main)


@pytest.mark.parametrize("compacted", [False, True])
def test_an_outage_that_is_over_leaves_no_lag(compacted: bool) -> None:
    """Whoever watches again, or has listed again, knows what there is now: nobody need wait for a bookmark."""

    async def main(api: FakeApi) -> None:
        async with Follower(api) as follower:
            await follower.first()
            await api.stop()
            follower.hands.advance(600)
            await follower.until(lambda: follower.restarts("refused") > 3)
            assert follower.source.status().lag == 600
            if compacted:
                api.compact()
            await api.start()
            await follower.until(lambda: follower.watching() and follower.source.status().lag == 0)
            api.put(service("shop/api", "10.96.0.11"))
            await follower.equal()  # so the answer to its watch has come
            follower.hands.advance(20)
            assert follower.source.status().lag == 20

    run(main)


def test_a_watch_that_only_begins_is_no_word_of_the_server() -> None:
    async def main(api: FakeApi) -> None:
        async with Follower(api) as follower:
            await follower.first()
            api.breaks_watches = True
            api.end()
            await follower.until(lambda: follower.restarts("failed") > 6)
            follower.hands.advance(600)
            await follower.until(lambda: follower.restarts("failed") > 20)
            assert follower.source.status().lag == 600
            api.breaks_watches = False
            api.put(service("shop/api", "10.96.0.11"))
            await follower.equal()

    run(main)


def test_duplicates_are_nothing_new() -> None:
    async def main(api: FakeApi) -> None:
        async with Follower(api) as follower:
            await follower.first()
            api.put(service("shop/api", "10.96.0.11"))
            api.delete("Service", ("shop", "web"))
            for change in list(api.history["Service"])[-2:]:
                api.say("Service", _line(change))
            api.put(service("shop/last", "10.96.0.12"))
            await follower.equal()
            assert not any(one.relists for one in follower.source.status().kinds)

    run(main)


def test_old_events_that_are_new_to_us() -> None:
    async def main(api: FakeApi) -> None:
        async with Follower(api) as follower:
            await follower.first()
            api.put(service("shop/late", "10.96.0.13"), told=False)
            api.put(service("shop/api", "10.96.0.11"))
            await follower.until(lambda: len(follower.rounds) == 2)
            item = api.objects["Service"]["shop", "late"]
            api.say("Service", _line(("ADDED", item)))
            await follower.equal()
            assert follower.relists("disorder") == 1

    run(main)


@pytest.mark.parametrize(
    "line",
    [
        b"garbage\n",
        b'{"type":"ADDED"}\n',
        b'{"type":"ADDED","object":{"metadata":{}}}\n',
        b'{"type":"NONSENSE","object":{"metadata":{"name":"x"}}}\n',
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
        b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"1"}}}\n',
        b'{"type":"ERROR","object":"?"}\n',
        b"\n\n",
        b'{"type":"ADDED","object":{"metadata":{"name":"half',
    ],
)
def test_nonsense(line: bytes) -> None:
    async def main(api: FakeApi) -> None:
        async with Follower(api) as follower:
            await follower.first()
            for number in range(5):
                api.say("Service", line)
                api.put(service(f"shop/s{number}", f"10.97.0.{number + 1}"))
                await follower.until(follower.watching)
            api.cut()  # the rest of a half line
            await follower.equal()

    run(main)


def test_objects_that_cannot_be_read_stay_as_they_were() -> None:
    async def main(api: FakeApi) -> None:
        async with Follower(api) as follower:
            await follower.first()
            before = follower.held()
            api.version += 1
            odd = service("shop/web")
            odd["metadata"]["resourceVersion"] = str(api.version)
            odd["spec"]["ports"] = "many"
            api.say("Service", _line(("MODIFIED", odd)))
            await follower.until(lambda: follower.kind("Service").unreadable == 1)
            (problem,) = follower.source.problems
            assert (problem.code, problem.subject) == ("CD310", "Service shop/web")
            assert follower.held() == before
            api.put(service("shop/web", "10.96.0.99"))
            await follower.equal()
            assert not follower.source.problems

    run(main)


def test_an_object_of_two_megabytes() -> None:
    async def main(api: FakeApi) -> None:
        async with Follower(api) as follower:
            await follower.first()
            huge = endpoint_slice("shop/web", *(f"10.{a}.{b}.1" for a in range(1, 5) for b in range(250)))
            huge["metadata"]["annotations"] = {"note": "x" * 2_000_000}
            api.put(huge)
            await follower.equal()

    run(main)


def test_a_restored_etcd() -> None:
    """The versions go back, and what was deleted is there again."""

    async def main(api: FakeApi) -> None:
        async with Follower(api) as follower:
            await follower.first()
            backup = {kind: dict(own) for kind, own in api.objects.items()}, api.version
            api.delete("Service", ("shop", "web"))
            for number in range(10):
                api.put(service(f"shop/s{number}", f"10.97.0.{number + 1}"))
            await follower.equal()
            await api.stop()
            api.restore(*backup)
            api.put(service("shop/other", "10.96.0.11"))
            await api.start()
            await follower.equal()
            assert follower.relists("history") >= 1

    run(main)


def test_a_missed_window_is_repaired_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    """EVE-K #6113: changes that no event told of, and no error."""

    async def main(api: FakeApi) -> None:
        async with Follower(api) as follower:
            await follower.first()
            api.put(service("shop/unseen", "10.96.0.13"), told=False)
            api.put(service("shop/web", "10.96.0.14"), told=False)
            api.delete("EndpointSlice", ("shop", "web"), told=False)
            api.put(service("shop/api", "10.96.0.11"))
            await follower.until(lambda: len(follower.rounds) == 2)
            assert follower.held() != follower.served()
            follower.hands.advance(450)  # seconds: it compares now
            await follower.until(lambda: follower.hands.sleepers == 3 and ("EndpointSlice", "compare") in api.requests)
            follower.hands.advance(31)  # the grace
            await follower.equal()
            assert follower.kind("Service").repaired == 2
            assert follower.kind("EndpointSlice").repaired == 1
            assert follower.relists("diverged") == 2

    run(main)
    assert sum("otherwise than the API has them" in message for message in caplog.messages) == 2


@pytest.mark.parametrize("fault", [RuntimeError("a mistake of ours"), ApiError(Reason.BUSY, "too many")])
def test_one_comparison_that_fails_is_not_the_last(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    """Whatever it fails of: without comparisons a lost event would stay lost."""
    failing = [fault] * 3

    def failing_first(text: bytes) -> Versions:
        if failing:
            raise failing.pop()
        return versions_of(text)

    async def main(api: FakeApi) -> None:
        async with Follower(api, timing=replace(UNHURRIED, grace=0.0)) as follower:
            await follower.first()
            monkeypatch.setattr(reflector, "versions_of", failing_first)

            def compared(wanted: bool) -> bool:
                follower.source.refresh()
                return wanted

            await follower.until(lambda: compared(not failing))
            api.put(service("shop/unseen", "10.96.0.13"), told=False)
            await follower.until(lambda: compared(follower.held() == follower.served()))
            assert follower.kind("Service").repaired == 1

    run(main)


def test_a_comparison_that_finds_nothing_is_word_of_the_server() -> None:
    async def main(api: FakeApi) -> None:
        async with Follower(api) as follower:
            await follower.first()
            follower.hands.advance(70.0)
            assert follower.source.status().lag == 70.0

            def confirmed() -> bool:
                follower.source.refresh()
                return follower.source.status().lag == 0.0

            await follower.until(confirmed)
            assert not follower.restarts("ended")

    run(main)


def test_a_watch_that_is_behind_the_list_is_no_divergence() -> None:
    async def main(api: FakeApi) -> None:
        async with Follower(api) as follower:
            await follower.first()
            behind = [service("shop/new", "10.96.0.13"), service("shop/web", "10.96.0.14")]
            for item in behind:
                api.put(item, told=False)
            api.delete("EndpointSlice", ("shop", "web"), told=False)
            follower.source.refresh()
            await follower.until(lambda: api.requests.count(("EndpointSlice", "compare")) == 1)
            await follower.until(lambda: api.requests.count(("Service", "compare")) == 1)
            await follower.until(lambda: follower.hands.sleepers == 3)
            for item in behind:
                api.say("Service", _line(("MODIFIED", item)))
            gone = endpoint_slice("shop/web")
            gone["metadata"]["resourceVersion"] = str(api.version)
            api.say("EndpointSlice", _line(("DELETED", gone)))
            await follower.equal()
            slept = len(follower.hands.slept)
            follower.hands.advance(31)
            await follower.until(lambda: len(follower.hands.slept) >= slept + 2)  # both have compared, and rest
            assert not follower.relists("diverged")
            assert not follower.kind("Service").repaired

    run(main)


def test_a_token_is_renewed() -> None:
    async def main(api: FakeApi) -> None:
        api.authorization = "Bearer first"
        async with Follower(api, credentials=At(api, "first", "second", "third")) as follower:
            await follower.first()
            api.authorization = "Bearer second"
            api.end()
            api.put(service("shop/api", "10.96.0.11"))
            await follower.equal()
            assert follower.restarts("unauthorized")

    run(main)


def test_a_server_that_does_not_know_us_for_a_while() -> None:
    """There are no newer credentials, and those of before are good again."""

    async def main(api: FakeApi) -> None:
        async with Follower(api, credentials=At(api, "only")) as follower:
            await follower.first()
            api.authorization = "Bearer another"
            api.end()
            await follower.until(lambda: follower.restarts("credentials") > 3)
            api.authorization = "Bearer only"
            api.put(service("shop/api", "10.96.0.11"))
            await follower.equal()

    run(main)


def test_a_server_that_comes_late() -> None:
    async def main(api: FakeApi) -> None:
        await api.stop()
        async with Follower(api) as follower:
            await follower.until(lambda: follower.restarts("refused") > 5)
            status = follower.source.status()
            assert not status.synced
            assert "Service" in status.unsynced()
            assert not follower.rounds
            await api.start()
            await follower.first()
            assert len(follower.rounds) == 1
            await follower.equal()

    run(main)


def test_asked_for_it_a_pause_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(api: FakeApi) -> None:
        api.refuse("Service", *[Refusal(429, "busy")] * 8)
        async with Follower(api) as follower:

            async def long(seconds: float) -> None:
                await asyncio.Event().wait()

            for one in follower.source._reflectors:
                monkeypatch.setattr(one, "_around", replace(one._around, clock=one._around.clock._replace(sleep=long)))
            while not follower.rounds:
                follower.source.refresh()
                await asyncio.sleep(0.001)
            await follower.equal()

    run(main)


def test_no_cluster_is_the_operators_business() -> None:
    async def main() -> None:
        source = Kubernetes(InCluster({}))
        with pytest.raises(OperatorError, match="KUBERNETES_SERVICE_HOST"):
            await source.client.prepare()

    asyncio.run(main())


def _line(change: tuple[Any, ...]) -> bytes:
    """Of something that ends with the event's type and object."""
    return event(*change[-2:])
