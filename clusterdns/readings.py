"""What all that counts says now, as samples of the metrics of ``clusterdns.metrics``."""

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, product
from typing import Protocol
from urllib.parse import urlsplit

from clusterdns import __version__
from clusterdns.backend import Backend
from clusterdns.cluster.events import Requests
from clusterdns.engine.tally import FOREIGN, Snapshot
from clusterdns.forwarding import Forwarding
from clusterdns.histogram import Histogram
from clusterdns.metrics import Sample
from clusterdns.pauses import Pauses
from clusterdns.query_log import QueryLogs
from clusterdns.readings_forward import of_forwarding
from clusterdns.transports.doors import Door
from clusterdns.transports.listeners import Listeners
from clusterdns.zone.names import to_text

_HASH = "sha512"
_SILENT = {"shorter than a header": "short", "a response": "response"}  # of ``engine.gate``


class Process(Protocol):
    """What is not a matter of one generation of settings."""

    panics: int

    @property
    def reloads_failed(self) -> int: ...

    @property
    def settings_hash(self) -> str: ...

    def ready_reasons(self) -> object: ...


class Readings:
    """*backend* gives the one that answers now; *deprecated*: names are wanted that CoreDNS has given up."""

    def __init__(
        self,
        process: Process,
        listeners: Listeners,
        backend: Callable[[], Backend],
        forwarding: Forwarding,
        pauses: Pauses,
        query_logs: QueryLogs,
        deprecated: Callable[[], bool],
    ) -> None:
        self._process, self._listeners, self._backend, self._pauses = process, listeners, backend, pauses
        self._forwarding, self._query_logs, self._deprecated = forwarding, query_logs, deprecated

    def take(self) -> Callable[[], Iterable[Sample]]:
        """Copies, which takes a millisecond; what it returns adds up, and may do so in another thread."""
        now = [*self._of_process(), *self._of_backend(), *self._of_connections()]
        doors = [(door, tally.snapshot()) for door, tally in self._listeners.doors.tallies.items()]
        return lambda: chain(now, _of_queries(doors), _of_silence(doors))

    def _of_process(self) -> Iterator[Sample]:
        process, pauses = self._process, self._pauses
        python = f"{platform.python_implementation()} {platform.python_version()}"
        yield Sample("coredns_build_info", 1, (__version__, "", python))
        yield Sample("coredns_panics_total", process.panics)
        yield Sample("coredns_reload_failed_total", process.reloads_failed)
        yield Sample("coredns_reload_version_info", 1, (_HASH, process.settings_hash))
        yield Sample("coredns_health_request_duration_seconds", pauses.health.copy())
        yield Sample("coredns_health_request_failures_total", pauses.health_failures)
        yield Sample("clusterdns_loop_lag_seconds", pauses.loop.copy())
        for generation, histogram in pauses.collector.items():
            yield Sample("clusterdns_gc_pause_seconds", histogram.copy(), (str(generation),))
        yield Sample("clusterdns_ready", not process.ready_reasons())
        for result, count in dict(self._query_logs.lines).items():
            yield Sample("clusterdns_query_log_lines_total", count, (result,))

    def _of_backend(self) -> Iterator[Sample]:
        backend = self._backend()
        world, publisher, source = backend.world, backend.publisher, backend.source
        yield Sample("clusterdns_snapshot_generation", publisher.rounds)
        if publisher.age is not None:
            yield Sample("clusterdns_snapshot_age_seconds", publisher.age)
        yield Sample("clusterdns_round_duration_seconds", publisher.seconds.copy())
        yield Sample("clusterdns_source_lag_seconds", publisher.lag.copy(), (source.name,))
        yield Sample("clusterdns_serial", world.serial)
        yield Sample("clusterdns_names", len(world.table.nodes))
        for kind, count in world.state.counts().items():
            yield Sample("clusterdns_store_objects", count, (kind,))
        severities = Counter(one.severity for one in chain(source.problems, backend.told))
        for severity in ("error", "warning"):
            yield Sample("clusterdns_bad_documents", severities[severity], (severity,))
        for server in self._listeners.servers:
            for zone, name in product(world.table.zones, backend.plugins.own):
                yield Sample("coredns_plugin_enabled", 1, (server, to_text(zone.apex), "", name))
            for name in backend.plugins.foreign:
                yield Sample("coredns_plugin_enabled", 1, (server, FOREIGN, "", name))
        first = (self._listeners.servers or [""])[0]
        yield from of_forwarding(self._forwarding, first, deprecated=self._deprecated())
        yield from _of_source(backend)

    def _of_connections(self) -> Iterator[Sample]:
        crowd = self._listeners.crowd
        yield Sample("clusterdns_tcp_connections", len(crowd))
        yield Sample("clusterdns_tcp_connections_opened_total", crowd.ever)
        ours = dict(crowd.ended)
        yield Sample(
            "clusterdns_tcp_connections_closed_total", crowd.ever - len(crowd) - sum(ours.values()), ("client",)
        )
        for reason, count in ours.items():
            yield Sample("clusterdns_tcp_connections_closed_total", count, (reason,))


def _of_source(backend: Backend) -> Iterator[Sample]:
    status = backend.source.status()
    if backend.live:
        yield from _of_api(backend.live.requests, backend.programming)
    if not status.kinds and status.lag is not None:
        yield Sample("clusterdns_source_unconfirmed_seconds", status.lag, (status.name, ""))
    for one in status.kinds:
        if one.lag is not None:
            yield Sample("clusterdns_source_unconfirmed_seconds", one.lag, (status.name, one.kind))
        if one.bookmark_age is not None:
            yield Sample("clusterdns_source_bookmark_age_seconds", one.bookmark_age, (status.name, one.kind))
        for reason, count in one.relists.items():
            yield Sample("clusterdns_relist_total", count, (one.kind, str(reason)))
        for reason, count in one.restarts.items():
            yield Sample("clusterdns_watch_restarts_total", count, (one.kind, str(reason)))
        yield Sample("clusterdns_divergence_total", one.repaired, (one.kind,))


def _of_api(requests: Requests, programming: Histogram) -> Iterator[Sample]:
    yield Sample("coredns_kubernetes_dns_programming_duration_seconds", programming.copy(), ("headless_with_selector",))
    host = urlsplit(requests.server).netloc
    seconds = requests.seconds.copy()
    yield Sample("coredns_kubernetes_rest_client_request_duration_seconds", seconds, ("GET", host))
    for code, count in requests.codes.items():
        yield Sample("coredns_kubernetes_rest_client_requests_total", count, (code, "GET", host))


def _of_queries(doors: Iterable[tuple[Door, Snapshot]]) -> Iterator[Sample]:
    """Doors of two families have the same ``server`` where both are wildcards: there they are one."""
    numbers: Counter[tuple[str, tuple[str, ...]]] = Counter()
    histograms: dict[tuple[str, tuple[str, ...]], Histogram] = {}

    def add(metric: str, labels: tuple[str, ...], histogram: Histogram) -> None:
        histograms.setdefault((metric, labels), Histogram(histogram.bounds)).add(histogram)

    for (server, proto, family), snapshot in doors:
        counted = snapshot.folded()
        for own, count in counted.counts.items():
            block = server, own.zone, ""
            numbers["coredns_dns_requests_total", (*block, proto, family, own.rtype)] += count
            numbers["coredns_dns_responses_total", (*block, own.rcode, own.plugin)] += count
            numbers["coredns_dns_do_requests_total", block] += count * own.dnssec_ok
        for zone, histogram in counted.seconds.items():
            add("coredns_dns_request_duration_seconds", (server, zone, ""), histogram)
        for zone, histogram in counted.asked.items():
            add("coredns_dns_request_size_bytes", (server, zone, "", proto), histogram)
        for zone, histogram in counted.answered.items():
            add("coredns_dns_response_size_bytes", (server, zone, "", proto), histogram)
    for (metric, labels), number in numbers.items():
        yield Sample(metric, number, labels)
    for (metric, labels), histogram in histograms.items():
        yield Sample(metric, histogram, labels)


def _of_silence(doors: Iterable[tuple[Door, Snapshot]]) -> Iterator[Sample]:
    numbers: Counter[tuple[str, ...]] = Counter()
    for door, snapshot in doors:
        for why, count in snapshot.silent.items():
            numbers[*door, _SILENT.get(why, why)] += count
    for labels, number in numbers.items():
        yield Sample("clusterdns_queries_dropped_total", number, labels)
