"""What a page says of upstreams and the cache goes on over all that comes and goes beneath it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from behaviours import answer, hold, then, wrong_question
from farm import Farm
from fronting import at, story, until
from metered import Lines, Metered, metered, sum_of

from clusterdns import forwarding as forwarding_module
from clusterdns.forward import membership
from clusterdns.forward.servers import Server
from clusterdns.forward.upstream import Upstream

COUNTERS = ("coredns_cache_", "coredns_forward_", "coredns_proxy_", "clusterdns_forward_failures_total")


def fallen(before: Lines, after: Lines) -> dict[str, tuple[float, float | None]]:
    """Samples of counters, and what they were and are."""
    return {
        line: (value, after.get(line))
        for line, value in before.items()
        if line.startswith(COUNTERS) and "_entries" not in line and after.get(line, -1.0) < value
    }


async def used(server: Metered) -> Lines:
    """Some of everything has been counted."""
    for _ in range(4):
        await server.ask("www.example.com")
    await server.ask("other.example.com")
    lines = await server.lines()
    assert sum_of(lines, "coredns_cache_drops_total") == 2
    assert sum_of(lines, "coredns_cache_hits_total") == 3
    assert sum_of(lines, "coredns_proxy_conn_cache_misses_total") == 2
    return lines


def test_an_upstream_that_leaves_takes_nothing_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def told(farm: Farm) -> None:
        upstream = await farm.add(then(wrong_question, answer))

        def elsewhere(server: Server, **how: Any) -> Upstream:
            """A file names addresses only, and port 53 takes a privilege."""
            made = Upstream(upstream.server(), **how)
            made.server = server
            return made

        monkeypatch.setattr(forwarding_module, "Upstream", elsewhere)
        monkeypatch.setattr(membership, "LOOK_SECONDS", 0.001)
        conf = tmp_path / "resolv.conf"
        conf.write_text("nameserver 127.0.0.1\n")
        async with metered(tmp_path, monkeypatch, upstream=[str(conf)], prefetch=False) as server:
            before = await used(server)
            conf.write_text("nameserver 127.0.0.99\n")  # of another length: both may be written within a tick
            await until(lambda: server.upstreams() == ["127.0.0.99:53"])
            assert fallen(before, await server.lines()) == {}
            conf.write_text("nameserver 127.0.0.1\n")
            await until(lambda: server.upstreams() == ["127.0.0.1:53"])
            await server.ask("third.example.com")
            lines = await server.lines()
            assert fallen(before, lines) == {}
            assert sum_of(lines, "coredns_proxy_conn_cache_misses_total", "to=127.0.0.1:53", "proto=udp") == 3

    story(told)


def test_other_settings_take_nothing_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def told(farm: Farm) -> None:
        first, second = await farm.add(then(wrong_question, answer)), await farm.add(answer)
        async with metered(tmp_path, monkeypatch, upstream=[at(first)], prefetch=False) as server:
            before = await used(server)
            changes: list[dict[str, Any]] = [
                {"upstream": [at(first)], "prefetch": True},  # another forwarder, the same cache
                {"upstream": [at(first), at(second)], "forward_policy": "sequential"},  # another cache
                {"upstream": [at(second)], "stub_domains": {"corp.example": [at(first)]}},
                {"upstream": []},
                {"upstream": [at(first)], "prefetch": False},
            ]
            for settings in changes:
                server.write(**settings)
                await server.server.reload()
                if settings["upstream"]:
                    assert fallen(before, await server.lines()) == {}, settings
            await until(lambda: server.drained)
            lines = await server.lines()
            assert fallen(before, lines) == {}
            assert sum_of(lines, "coredns_cache_hits_total") == 3
            assert sum_of(lines, "coredns_cache_misses_total") == 2
            assert server.server.reloads_failed == 0

    story(told)


def test_who_waits_for_whom_settings_of_before_named_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def told(farm: Farm) -> None:
        slow, quick = await farm.add(hold), await farm.add(answer)
        async with metered(tmp_path, monkeypatch, upstream=[at(slow)], forward_per_client=1) as server:
            asking = asyncio.create_task(server.ask("www.example.com"))
            await slow.seen(1)
            await server.ask("refused.example.com")
            server.write(upstream=[at(quick)])
            await server.server.reload()
            lines = await server.lines()
            assert sum_of(lines, "clusterdns_forward_waiting") == 1
            assert sum_of(lines, "coredns_forward_max_concurrent_rejects_total") == 1
            slow.release()
            await asking
            await until(lambda: server.drained)
            lines = await server.lines()
            assert sum_of(lines, "clusterdns_forward_waiting") == 0
            assert sum_of(lines, "coredns_forward_max_concurrent_rejects_total") == 1
            assert sum_of(lines, "coredns_proxy_request_duration_seconds_count", f"to={at(slow)}") == 1

    story(told)
