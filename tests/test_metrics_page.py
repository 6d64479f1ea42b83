"""docs/metrics.md lists every metric with the words of the code, and no other; CoreDNS's are as it has them."""

import re
from pathlib import Path

from clusterdns.histogram import DEFAULT, PROGRAMMING, SIZE, SLIM_TIME, TIME
from clusterdns.metrics import METRICS

PAGE = (Path(__file__).parent.parent / "docs" / "metrics.md").read_text()
BUCKETS = {TIME: "time", SLIM_TIME: "slim", PROGRAMMING: "programming", DEFAULT: "default", SIZE: "size"}

_BLOCK = "server, zone, view"
# From CoreDNS's code: labels as it has them.
COREDNS = {
    "build_info": "version, revision, goversion",
    "dns_requests_total": f"{_BLOCK}, proto, family, type",
    "dns_request_duration_seconds": _BLOCK,
    "dns_request_size_bytes": f"{_BLOCK}, proto",
    "dns_response_size_bytes": f"{_BLOCK}, proto",
    "dns_do_requests_total": _BLOCK,
    "dns_responses_total": f"{_BLOCK}, rcode, plugin",
    "panics_total": "",
    "plugin_enabled": f"{_BLOCK}, name",
    "cache_entries": "server, type, zones, view",
    "cache_hits_total": "server, type, zones, view",
    "cache_evictions_total": "server, type, zones, view",
    "cache_requests_total": "server, zones, view",
    "cache_misses_total": "server, zones, view",
    "cache_prefetch_total": "server, zones, view",
    "cache_drops_total": "server, zones, view",
    "cache_served_stale_total": "server, zones, view",
    "forward_healthcheck_broken_total": "",
    "forward_max_concurrent_rejects_total": "",
    "proxy_request_duration_seconds": "proxy_name, to, rcode",
    "proxy_healthcheck_failures_total": "proxy_name, to",
    "proxy_conn_cache_hits_total": "proxy_name, to, proto",
    "proxy_conn_cache_misses_total": "proxy_name, to, proto",
    "health_request_duration_seconds": "",
    "health_request_failures_total": "",
    "kubernetes_dns_programming_duration_seconds": "service_kind",
    "kubernetes_rest_client_request_duration_seconds": "verb, host",
    "kubernetes_rest_client_requests_total": "code, method, host",
    "forward_requests_total": "to",
    "forward_responses_total": "to, rcode",
    "forward_request_duration_seconds": "to, rcode",
    "forward_healthcheck_failures_total": "to",
    "reload_failed_total": "",
    "reload_version_info": "hash, value",
}


def test_the_page_says_what_the_list_says() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+)(?: \((\w+)\))? \| ([^|]*) \| (.*) \|$", PAGE, re.MULTILINE)
    assert rows == sorted(
        (
            (one.name, one.type, BUCKETS[tuple(one.buckets)] if one.buckets else "", ", ".join(one.labels), one.help)
            for one in METRICS.values()
        ),
        key=lambda row: not row[0].startswith("coredns_"),
    )


def test_those_of_coredns_are_as_it_has_them() -> None:
    ours = {
        name.removeprefix("coredns_"): ", ".join(metric.labels)
        for name, metric in METRICS.items()
        if name.startswith("coredns_")
    }
    assert ours == COREDNS


def test_names_follow_the_conventions() -> None:
    for name, metric in METRICS.items():
        assert name.startswith(("coredns_", "clusterdns_"))
        assert name.endswith("_total") == (metric.type == "counter")
        assert bool(metric.buckets) == (metric.type == "histogram")
