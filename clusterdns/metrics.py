"""Every metric, once: docs/metrics.md says the same, and nothing else is on the page (``clusterdns.exposition``).

Those that CoreDNS has bear its names, labels and buckets, so that dashboards and alerts made for it work unchanged.
No label holds what somebody asked: the values of each are few, whatever comes.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from clusterdns.histogram import DEFAULT, PROGRAMMING, SIZE, SLIM_TIME, TIME, Histogram


class Metric(NamedTuple):
    name: str
    type: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: Sequence[float] = ()


class Sample(NamedTuple):
    """What a metric shows for one set of labels."""

    metric: str
    value: float | Histogram
    labels: tuple[str, ...] = ()  # in the metric's order


_BLOCK = ("server", "zone", "view")
_CACHE = ("server", "zones", "view")
_CACHE_TYPE = ("server", "type", "zones", "view")
_DOOR = ("server", "proto", "family")

METRICS = {
    metric.name: metric
    for metric in (
        Metric("coredns_build_info", "gauge", "Version of the program", ("version", "revision", "goversion")),
        # Queries.  server: the listening address, dns://:53 for a wildcard; zone: the matched zone, "." for names of
        # others, dropped for neither; view: always empty.
        Metric("coredns_dns_requests_total", "counter", "Queries", (*_BLOCK, "proto", "family", "type")),
        Metric(
            "coredns_dns_request_duration_seconds", "histogram", "Time that each response took", _BLOCK, buckets=TIME
        ),
        Metric("coredns_dns_request_size_bytes", "histogram", "Size of the queries", (*_BLOCK, "proto"), buckets=SIZE),
        Metric(
            "coredns_dns_response_size_bytes", "histogram", "Size of the responses", (*_BLOCK, "proto"), buckets=SIZE
        ),
        Metric("coredns_dns_do_requests_total", "counter", "Queries with the DO bit", _BLOCK),
        Metric("coredns_dns_responses_total", "counter", "Responses by their code", (*_BLOCK, "rcode", "plugin")),
        Metric("coredns_panics_total", "counter", "Faults of the program that did not end it"),
        Metric("coredns_plugin_enabled", "gauge", "What takes part in answering", (*_BLOCK, "name")),
        # Names of others.
        Metric("coredns_cache_entries", "gauge", "Answers in the cache", _CACHE_TYPE),
        Metric("coredns_cache_hits_total", "counter", "Queries answered by the cache", _CACHE_TYPE),
        Metric("coredns_cache_requests_total", "counter", "Queries that the cache was asked for", _CACHE),
        Metric("coredns_cache_misses_total", "counter", "Queries that the cache had no answer to", _CACHE),
        Metric("coredns_cache_prefetch_total", "counter", "Answers asked for again before they ended", _CACHE),
        Metric("coredns_cache_drops_total", "counter", "Answers that did not belong to their question", _CACHE),
        Metric("coredns_cache_served_stale_total", "counter", "Queries answered with what had ended", _CACHE),
        Metric(
            "coredns_cache_evictions_total",
            "counter",
            "Answers that made room for others",
            _CACHE_TYPE,
        ),
        Metric("coredns_forward_healthcheck_broken_total", "counter", "Queries that found all upstreams failing"),
        Metric("coredns_forward_max_concurrent_rejects_total", "counter", "Queries refused because too many waited"),
        Metric(
            "coredns_proxy_request_duration_seconds",
            "histogram",
            "Time that upstreams took to reply",
            ("proxy_name", "to", "rcode"),
            buckets=TIME,
        ),
        Metric(
            "coredns_proxy_healthcheck_failures_total", "counter", "Failed checks of an upstream", ("proxy_name", "to")
        ),
        Metric(
            "coredns_proxy_conn_cache_hits_total",
            "counter",
            "Queries to an upstream over an open connection",
            ("proxy_name", "to", "proto"),
        ),
        Metric(
            "coredns_proxy_conn_cache_misses_total",
            "counter",
            "Queries to an upstream that opened a connection, or over UDP a socket",
            ("proxy_name", "to", "proto"),
        ),
        Metric("clusterdns_cache_octets", "gauge", "Size of the answers in the cache", ("type",)),
        Metric("clusterdns_forward_failures_total", "counter", "Queries to an upstream that failed", ("to", "reason")),
        Metric("clusterdns_forward_waiting", "gauge", "Queries that wait for upstreams"),
        Metric("clusterdns_forward_loops_total", "counter", "Queries of ours that came back to us"),
        # The process.
        Metric(
            "coredns_health_request_duration_seconds",
            "histogram",
            "Time that a request to /health would have waited, once a second",
            buckets=SLIM_TIME,
        ),
        Metric(
            "coredns_health_request_failures_total", "counter", "Of these, how often it would have been over 5 seconds"
        ),
        Metric("coredns_reload_failed_total", "counter", "Changes of the settings that were refused"),
        Metric(
            "coredns_reload_version_info", "gauge", "Hash of the settings in use, secrets left out", ("hash", "value")
        ),
        # The live API.
        Metric(
            "coredns_kubernetes_dns_programming_duration_seconds",
            "histogram",
            "Time from a change of endpoints, as the cluster says, to its answer",
            ("service_kind",),
            buckets=PROGRAMMING,
        ),
        Metric(
            "coredns_kubernetes_rest_client_request_duration_seconds",
            "histogram",
            "Time that the API server took to begin its reply",
            ("verb", "host"),
            buckets=DEFAULT,
        ),
        Metric(
            "coredns_kubernetes_rest_client_requests_total",
            "counter",
            "Requests to the API server; code <error>: no reply",
            ("code", "method", "host"),
        ),
        # Those that CoreDNS has given up: only where ``metrics_deprecated`` wants them.
        Metric("coredns_forward_requests_total", "counter", "Deprecated: queries that an upstream replied to", ("to",)),
        Metric("coredns_forward_responses_total", "counter", "Deprecated: replies of an upstream", ("to", "rcode")),
        Metric(
            "coredns_forward_request_duration_seconds",
            "histogram",
            "Deprecated: time that upstreams took to reply",
            ("to", "rcode"),
            buckets=TIME,
        ),
        Metric(
            "coredns_forward_healthcheck_failures_total", "counter", "Deprecated: failed checks of an upstream", ("to",)
        ),
        # What CoreDNS has no name for.
        Metric("clusterdns_ready", "gauge", "Whether /ready says 200"),
        Metric("clusterdns_snapshot_generation", "gauge", "Rounds published since the start"),
        Metric("clusterdns_snapshot_age_seconds", "gauge", "Time since the last round"),
        Metric("clusterdns_round_duration_seconds", "histogram", "Time that rounds took", buckets=TIME),
        Metric("clusterdns_serial", "gauge", "Serial of the zones"),
        Metric("clusterdns_names", "gauge", "Names prepared"),
        Metric("clusterdns_store_objects", "gauge", "Objects as the sources have them", ("kind",)),
        Metric("clusterdns_bad_documents", "gauge", "Problems of manifests and between objects", ("severity",)),
        Metric(
            "clusterdns_source_lag_seconds",
            "histogram",
            "Time from a change (of the file, or the event of the API) to its answer",
            ("source",),
            buckets=PROGRAMMING,
        ),
        Metric(
            "clusterdns_source_unconfirmed_seconds",
            "gauge",
            "Time since the source last confirmed what is served",
            ("source", "kind"),
        ),
        Metric(
            "clusterdns_source_bookmark_age_seconds",
            "gauge",
            "Time since the API last said how far it is: in a list, a bookmark or a comparison",
            ("source", "kind"),
        ),
        Metric("clusterdns_relist_total", "counter", "Lists that were read anew", ("kind", "reason")),
        Metric("clusterdns_watch_restarts_total", "counter", "Watches that were begun anew", ("kind", "reason")),
        Metric("clusterdns_divergence_total", "counter", "Objects that a comparison found to be otherwise", ("kind",)),
        Metric(
            "clusterdns_queries_dropped_total",
            "counter",
            "Packets without a response",
            (*_DOOR, "reason"),
        ),
        Metric("clusterdns_tcp_connections", "gauge", "Open TCP connections of clients"),
        Metric("clusterdns_tcp_connections_opened_total", "counter", "TCP connections of clients"),
        Metric("clusterdns_tcp_connections_closed_total", "counter", "TCP connections closed", ("reason",)),
        Metric("clusterdns_query_log_lines_total", "counter", "Lines of the query log", ("result",)),
        Metric("clusterdns_gc_pause_seconds", "histogram", "Time that Python's collector took", ("generation",), TIME),
        Metric("clusterdns_loop_lag_seconds", "histogram", "How late the event loop was, once a second", buckets=TIME),
    )
}
