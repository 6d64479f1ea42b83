"""What counters say of the names of others: the cache and the upstreams."""

from collections import Counter
from collections.abc import Iterable, Iterator

from clusterdns.engine.tally import FOREIGN, OTHER, RCODES
from clusterdns.forward.cache import Cache
from clusterdns.forward.ledger import Ledger
from clusterdns.forwarding import Forwarding
from clusterdns.histogram import TIME, Histogram
from clusterdns.metrics import Sample
from clusterdns.transports.sockets import address_text

_PROXY = "forward"  # the plugin that asks, in CoreDNS's words
_STREAMS = {"tls": "tcp-tls"}  # the same


def of_forwarding(forwarding: Forwarding, server: str, *, deprecated: bool) -> Iterator[Sample]:
    """*server*: how metrics name where the cache is used.  *deprecated*: also under names that CoreDNS has given up.

    None where nobody is asked.
    """
    if forwarding.forwarder is None:
        return
    counted = forwarding.counted()
    yield from _of_cache(forwarding.forwarder.cache, counted, server)
    yield Sample("coredns_cache_drops_total", forwarding.ledger.foreign, (server, FOREIGN, ""))
    yield Sample("coredns_forward_healthcheck_broken_total", counted["broken"])
    yield Sample("coredns_forward_max_concurrent_rejects_total", counted["refused"])
    yield Sample("clusterdns_forward_waiting", forwarding.waiting)
    yield Sample("clusterdns_forward_loops_total", counted["loops"])
    upstreams = [*_of_upstreams(forwarding.ledger)]
    yield from upstreams
    if deprecated:
        yield from _under_former_names(upstreams)


def _of_cache(cache: Cache, counted: Counter[str], server: str) -> Iterator[Sample]:
    block = server, FOREIGN, ""
    tallies = {"success": cache.success, "denial": cache.denial}
    for kind, tally in tallies.items():
        labels = server, kind, FOREIGN, ""
        yield Sample("coredns_cache_entries", tally.entries, labels)
        yield Sample("coredns_cache_hits_total", counted[f"hits {kind}"], labels)
        yield Sample("coredns_cache_evictions_total", counted[f"evictions {kind}"], labels)
        yield Sample("clusterdns_cache_octets", tally.octets, (kind,))
    requests = sum(counted[one] for one in ("misses", "failures", *(f"hits {kind}" for kind in tallies)))
    yield Sample("coredns_cache_requests_total", requests, block)
    yield Sample("coredns_cache_misses_total", counted["misses"], block)
    yield Sample("coredns_cache_prefetch_total", counted["prefetches"], block)
    yield Sample("coredns_cache_served_stale_total", counted["stale"], block)


def _of_upstreams(ledger: Ledger) -> Iterator[Sample]:
    """One that is asked for several domains has several figures, and is one here."""
    numbers: Counter[tuple[str, tuple[str, ...]]] = Counter()
    seconds: dict[tuple[str, str], Histogram] = {}
    for server, figures in ledger:
        to = address_text((server.address, server.port))
        for rcode, histogram in figures.replies.items():
            seconds.setdefault((to, RCODES.get(rcode, OTHER)), Histogram(TIME)).add(histogram)
        for why, count in figures.failures.items():
            numbers["clusterdns_forward_failures_total", (to, why)] += count
        numbers["coredns_proxy_healthcheck_failures_total", (_PROXY, to)] += figures.probe_failures
        stream = _STREAMS.get(server.transport, "tcp")  # what is truncated over UDP is asked for over TCP
        numbers["coredns_proxy_conn_cache_hits_total", (_PROXY, to, stream)] += figures.reused
        numbers["coredns_proxy_conn_cache_misses_total", (_PROXY, to, stream)] += figures.opened
        if server.transport == "udp":
            numbers["coredns_proxy_conn_cache_hits_total", (_PROXY, to, "udp")] += 0  # each query has its own socket
            numbers["coredns_proxy_conn_cache_misses_total", (_PROXY, to, "udp")] += figures.sockets
    for (metric, labels), number in numbers.items():
        yield Sample(metric, number, labels)
    for replied, histogram in seconds.items():
        yield Sample("coredns_proxy_request_duration_seconds", histogram, (_PROXY, *replied))


def _under_former_names(upstreams: Iterable[Sample]) -> Iterator[Sample]:
    """What CoreDNS 1.10 had names of its own for in its plugin forward, and alerts still use."""
    requests: Counter[str] = Counter()
    for metric, value, labels in upstreams:
        if isinstance(value, Histogram):
            _, to, rcode = labels
            requests[to] += value.count
            yield Sample("coredns_forward_responses_total", value.count, (to, rcode))
            yield Sample("coredns_forward_request_duration_seconds", value, (to, rcode))
        elif metric == "coredns_proxy_healthcheck_failures_total":
            requests[labels[1]] += 0
            yield Sample("coredns_forward_healthcheck_failures_total", value, (labels[1],))
    for to, count in requests.items():
        yield Sample("coredns_forward_requests_total", count, (to,))
