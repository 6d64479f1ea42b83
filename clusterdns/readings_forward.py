"""What counters say of the names of others: the cache and the upstreams."""

from collections import Counter
from collections.abc import Iterator

from clusterdns.engine.tally import FOREIGN, OTHER, RCODES
from clusterdns.forward.cache import Cache
from clusterdns.forward.membership import Upstreams
from clusterdns.forward.stages import Forwarder
from clusterdns.forward.upstream import Upstream
from clusterdns.histogram import TIME, Histogram
from clusterdns.metrics import Sample
from clusterdns.transports.sockets import address_text

_PROXY = "forward"  # the plugin that asks, in CoreDNS's words
_PROTOS = {"tls": "tcp-tls"}  # the same


def of_forwarding(forwarder: Forwarder, server: str) -> Iterator[Sample]:
    """*server*: how metrics name where the cache is used."""
    yield from _of_cache(forwarder.cache, server)
    groups = [group for group in forwarder.groups if isinstance(group, Upstreams)]
    upstreams = [upstream for group in groups for upstream in group.upstreams]
    bad = sum(one.figures.failures["bad"] for one in upstreams)
    yield Sample("coredns_cache_drops_total", bad, (server, FOREIGN, ""))
    yield Sample("coredns_forward_healthcheck_broken_total", sum(group.broken for group in groups))
    yield Sample("coredns_forward_max_concurrent_rejects_total", forwarder.admission.refused)
    yield Sample("clusterdns_forward_waiting", forwarder.admission.inside)
    yield Sample("clusterdns_forward_loops_total", forwarder.loops)
    yield from _of_upstreams(upstreams)


def _of_cache(cache: Cache, server: str) -> Iterator[Sample]:
    block = server, FOREIGN, ""
    tallies = {"success": cache.success, "denial": cache.denial}
    for kind, tally in tallies.items():
        labels = server, kind, FOREIGN, ""
        yield Sample("coredns_cache_entries", tally.entries, labels)
        yield Sample("coredns_cache_hits_total", tally.hits, labels)
        yield Sample("coredns_cache_evictions_total", tally.evictions, labels)
        yield Sample("clusterdns_cache_octets", tally.octets, (kind,))
    requests = sum(tally.hits for tally in tallies.values()) + cache.misses + cache.failure_hits
    yield Sample("coredns_cache_requests_total", requests, block)
    yield Sample("coredns_cache_misses_total", cache.misses, block)
    yield Sample("coredns_cache_prefetch_total", cache.prefetches, block)
    yield Sample("coredns_cache_served_stale_total", cache.served_stale, block)


def _of_upstreams(upstreams: list[Upstream]) -> Iterator[Sample]:
    """One that is asked for several domains stands in several groups, and is one here."""
    numbers: Counter[tuple[str, tuple[str, ...]]] = Counter()
    seconds: dict[tuple[str, str], Histogram] = {}
    for one in upstreams:
        to, figures, streams = address_text((one.server.address, one.server.port)), one.figures, one.streams
        for rcode, histogram in figures.replies.items():
            seconds.setdefault((to, RCODES.get(rcode, OTHER)), Histogram(TIME)).add(histogram)
        for why, count in figures.failures.items():
            numbers["clusterdns_forward_failures_total", (to, why)] += count
        numbers["coredns_proxy_healthcheck_failures_total", (_PROXY, to)] += figures.probe_failures
        proto = _PROTOS.get(one.server.transport, "tcp")
        numbers["coredns_proxy_conn_cache_hits_total", (_PROXY, to, proto)] += streams.reused
        numbers["coredns_proxy_conn_cache_misses_total", (_PROXY, to, proto)] += streams.opened
    for (metric, labels), number in numbers.items():
        yield Sample(metric, number, labels)
    for replied, histogram in seconds.items():
        yield Sample("coredns_proxy_request_duration_seconds", histogram, (_PROXY, *replied))
