"""What moves each metric that CoreDNS has a name for, on the page of a server that it happens to."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import test_metrics_live
from behaviours import FORGERIES, answer, hold, over, referral, refuse, saying, then, truncate, wrong_case
from farm import Behaviour, Fake, Farm, dead_port
from fronting import SOA, WEB, Client, at, story
from metered import Lines, Metered, metered, sum_of
from packets import opt, query

from clusterdns.metrics import METRICS

OUT = "www.example.com"
LIES = [forgery for what, forgery in FORGERIES.items() if what != "another port"]  # the kernel drops that
SECONDS = "coredns_proxy_request_duration_seconds_count"
HITS, MISSES = "coredns_proxy_conn_cache_hits_total", "coredns_proxy_conn_cache_misses_total"
FAILURES = "clusterdns_forward_failures_total"
SOME = "at least once"


class Scene(NamedTuple):
    server: Metered
    upstream: Fake


Act = Callable[[Scene], Awaitable[None]]


class Case(NamedTuple):
    """*moves*: a sample, and labels of it if need be -> by how much, or SOME."""

    act: Act
    moves: Mapping[str, int | str]
    does: Behaviour = answer
    settings: Mapping[str, Any] = {}
    asked: Callable[[Fake], str] = at  # which upstream


def asking(*names: str) -> Act:
    async def act(scene: Scene) -> None:
        for name in names:
            await scene.server.ask(name)

    return act


async def with_dnssec(scene: Scene) -> None:
    """One of ours."""
    got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    way = asyncio.get_running_loop().create_datagram_endpoint
    transport, _ = await way(lambda: Client(got), remote_addr=("127.0.0.1", scene.server.port))
    transport.sendto(query(WEB, edns=opt(do=True)))
    await got
    transport.close()


async def outage(scene: Scene) -> None:
    """What is kept has ended, and nobody knows more."""
    await scene.server.ask(OUT)
    scene.upstream.does = refuse(2)
    scene.server.clock.now += 301
    assert (await scene.server.ask(OUT)).answer


async def popular(scene: Scene) -> None:
    """It is asked for in the last tenth of its TTL."""
    for _ in range(5):
        await scene.server.ask(OUT)
    scene.server.clock.now += 290
    await scene.server.ask(OUT)


async def flood(scene: Scene) -> None:
    waiting = asyncio.create_task(scene.server.ask(OUT))
    await scene.upstream.seen(1)
    for number in range(3):
        assert not (await scene.server.ask(f"n{number}.example.com")).answer
    scene.upstream.release()
    assert (await waiting).answer


async def bad_settings(scene: Scene) -> None:
    scene.server.write(ttl="never")
    await scene.server.server.reload()


async def nobody_is_asked(scene: Scene) -> None:
    scene.server.write(upstream=[])
    await scene.server.server.reload()


async def fault(scene: Scene) -> None:
    asyncio.get_running_loop().call_soon(lambda: 1 // 0)


async def nothing(scene: Scene) -> None:
    pass


CASES = {
    "a name of ours": Case(
        with_dnssec,
        {
            "coredns_dns_requests_total type=A zone=cluster.local.": 1,
            "coredns_dns_do_requests_total": 1,
            "coredns_dns_responses_total plugin=kubernetes": 1,
            "coredns_dns_request_duration_seconds_count": 1,
            "coredns_dns_request_size_bytes_count": 1,
            "coredns_dns_response_size_bytes_count": 1,
            "coredns_cache_requests_total": 0,
        },
    ),
    "names of others": Case(
        asking(OUT, OUT, "other.example.com"),
        {
            "coredns_dns_responses_total plugin=forward": 2,
            "coredns_dns_responses_total plugin=cache": 1,
            "coredns_cache_requests_total": 3,
            "coredns_cache_misses_total": 2,
            "coredns_cache_hits_total type=success": 1,
            "coredns_cache_entries type=success": 2,
            "coredns_cache_drops_total": 0,
            f"{SECONDS} rcode=NOERROR": 2,
            f"{MISSES} proto=udp": 2,
            f"{HITS} proto=udp": 0,
            f"{MISSES} proto=tcp": 0,
        },
    ),
    "over TCP": Case(
        asking("a.example.com", "b.example.com", "c.example.com"),
        {f"{MISSES} proto=tcp": 1, f"{HITS} proto=tcp": 2},
        settings={"forward_tcp": True},
    ),
    "truncated": Case(
        asking("a.example.com", "b.example.com"),
        {f"{MISSES} proto=udp": 2, f"{MISSES} proto=tcp": 1, f"{HITS} proto=tcp": 1},
        does=over(udp=truncate, tcp=answer),
    ),
    "forgeries": Case(
        asking(OUT),
        {"coredns_cache_drops_total": 3 * len(LIES), FAILURES: 0, f"{SECONDS} rcode=NOERROR": 1},
        does=then(*LIES * 3, answer),
    ),
    "forgeries over TCP": Case(
        asking(OUT),
        {"coredns_cache_drops_total": len(LIES), FAILURES: 0},
        does=then(*LIES, answer),
        settings={"forward_tcp": True},
    ),
    "another letter case": Case(
        asking(OUT),
        {"coredns_cache_drops_total": 1, FAILURES: 0, f"{MISSES} proto=tcp": 1},
        does=over(udp=wrong_case, tcp=answer),
    ),
    "who does not know": Case(
        asking(OUT), {"coredns_cache_drops_total": 0, f"{FAILURES} reason=bad": SOME}, does=referral
    ),
    "nobody there": Case(
        asking(*(f"n{number}.example.com" for number in range(5))),
        {
            "coredns_proxy_healthcheck_failures_total": SOME,
            "coredns_forward_healthcheck_broken_total": SOME,
            "coredns_forward_healthcheck_failures_total": SOME,
            "coredns_forward_requests_total": 0,
        },
        settings={"metrics_deprecated": True},
        asked=lambda _: f"127.0.0.1:{dead_port()}",  # of now: others may take what was free at the start
    ),
    "an outage": Case(outage, {"coredns_cache_served_stale_total": 1, f"{SECONDS} rcode=SERVFAIL": SOME}),
    "a popular name": Case(popular, {"coredns_cache_prefetch_total": 1, "coredns_cache_misses_total": 1}),
    "a flood of one client": Case(
        flood,
        {"coredns_forward_max_concurrent_rejects_total": 3},
        does=hold,
        settings={"forward_per_client": 1},
    ),
    "a flood of all": Case(
        flood, {"coredns_forward_max_concurrent_rejects_total": 3}, does=hold, settings={"forward_total": 1}
    ),
    "a small cache": Case(
        asking(*(f"n{number}.example.com" for number in range(60))),
        {"coredns_cache_evictions_total type=success": SOME, "coredns_cache_evictions_total type=denial": 0},
        settings={"cache_octets": "16KiB"},
    ),
    "a small cache of what does not exist": Case(
        asking(*(f"n{number}.example.com" for number in range(60))),
        {"coredns_cache_evictions_total type=denial": SOME, "coredns_cache_evictions_total type=success": 0},
        does=saying(answer=[], authority=[SOA], rcode=3),
        settings={"cache_octets": "16KiB"},
    ),
    "names that CoreDNS has given up": Case(
        asking(OUT, "other.example.com"),
        {
            "coredns_forward_requests_total": 2,
            "coredns_forward_responses_total rcode=NOERROR": 2,
            "coredns_forward_request_duration_seconds_count rcode=NOERROR": 2,
            "coredns_forward_request_duration_seconds_bucket le=+Inf": 2,
        },
        settings={"metrics_deprecated": True},
    ),
    "a loop that comes late": Case(
        nothing, {"coredns_health_request_duration_seconds_count": SOME, "coredns_health_request_failures_total": SOME}
    ),
    "bad settings": Case(bad_settings, {"coredns_reload_failed_total": 1}),
    "other settings": Case(
        nobody_is_asked,
        {
            "coredns_plugin_enabled name=forward": -1,
            "coredns_reload_version_info": 0,  # another series
        },
    ),
    "a fault of ours": Case(fault, {"coredns_panics_total": 1}),
}
# The test of the live API that shows it.
OF_THE_API = {
    "coredns_kubernetes_dns_programming_duration_seconds": "test_how_long_changes_of_headless_services_took",
    "coredns_kubernetes_rest_client_requests_total": "test_requests_and_the_age_of_what_is_known",
    "coredns_kubernetes_rest_client_request_duration_seconds": "test_requests_and_the_age_of_what_is_known",
}
STANDING = {"coredns_build_info", "coredns_reload_version_info"}  # always 1: the labels tell something


def by(before: Lines, after: Lines, what: str) -> float:
    name, *labels = what.split()
    return (sum_of(after, name, *labels) or 0) - (sum_of(before, name, *labels) or 0)


def is_so(found: float, expected: int | str) -> bool:
    return found >= 1 if isinstance(expected, str) else found == expected


@pytest.mark.parametrize("what", CASES)
def test_it_moves(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[what]
    if case.act is nothing:
        monkeypatch.setattr("clusterdns.pauses.SECONDS", 0.01)
        monkeypatch.setattr("clusterdns.pauses.FAILED", -1.0)

    async def told(farm: Farm) -> None:
        upstream = await farm.add(case.does)
        async with metered(tmp_path, monkeypatch, upstream=[case.asked(upstream)], **case.settings) as server:
            before = await server.lines()
            await case.act(Scene(server, upstream))
            after = await server.until(lambda lines: all(by(before, lines, one) >= 1 for one in moving))
        found = {one: by(before, after, one) for one in case.moves}
        assert {one: found[one] for one in found if not is_so(found[one], case.moves[one])} == {}

    moving = [one for one, expected in case.moves.items() if isinstance(expected, str) or expected > 0]
    story(told)


def test_every_metric_of_coredns_is_shown_to_move() -> None:
    shown = {one.split()[0] for case in CASES.values() for one, expected in case.moves.items() if expected != 0}
    shown |= {one.removesuffix("_count") for one in shown if one.endswith("_count")}
    named = {name for name in METRICS if name.startswith("coredns_")}
    assert named - shown - STANDING == OF_THE_API.keys()
    for name, test in OF_THE_API.items():
        assert name in inspect.getsource(getattr(test_metrics_live, test))


def test_what_stands_always_is_there_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def told(_: Farm) -> None:
        async with metered(tmp_path, monkeypatch) as server:
            before = await server.lines()
            server.write(ttl=9)
            await server.server.reload()
            after = await server.lines()
        for name in STANDING:
            ((one, value),) = [(line, value) for line, value in before.items() if line.startswith(name)]
            (other,) = [line for line in after if line.startswith(name)]
            assert value == 1
            assert (one != other) == (name == "coredns_reload_version_info")

    story(told)


def test_what_coredns_has_given_up_is_there_for_who_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    former = {name for name, metric in METRICS.items() if metric.help.startswith("Deprecated")}
    assert len(former) == 4

    def there(lines: Lines) -> set[str]:
        return {name for name in former if any(line.startswith(name) for line in lines)}

    async def told(farm: Farm) -> None:
        upstream = await farm.add(answer)
        async with metered(tmp_path, monkeypatch, upstream=[at(upstream)]) as server:
            await server.ask(OUT)
            assert there(await server.lines()) == set()
            forwarder = server.server._forwarding.forwarder
            server.write(upstream=[at(upstream)], metrics_deprecated=True)
            await server.server.reload()
            lines = await server.lines()
            assert there(lines) == former
            assert server.server._forwarding.forwarder is forwarder
            for name in ("bucket", "sum", "count"):
                new = {
                    line.split("{")[1].replace('proxy_name="forward",', ""): value
                    for line, value in lines.items()
                    if line.startswith(f"coredns_proxy_request_duration_seconds_{name}")
                }
                old = {
                    line.split("{")[1]: value
                    for line, value in lines.items()
                    if line.startswith(f"coredns_forward_request_duration_seconds_{name}")
                }
                assert old == new != {}

    story(told)
