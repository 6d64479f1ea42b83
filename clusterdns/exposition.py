"""The page of metrics as text: what ``clusterdns.metrics`` lists, and what Prometheus's client tells of the process.

It takes a tenth of a second to import, so only who needs it does.
"""

import gzip
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.gc_collector import GC_COLLECTOR
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.platform_collector import PLATFORM_COLLECTOR
from prometheus_client.process_collector import PROCESS_COLLECTOR
from prometheus_client.utils import floatToGoString

from clusterdns.histogram import Histogram
from clusterdns.metrics import METRICS, Metric, Sample

OPENMETRICS = "application/openmetrics-text"


class Written(NamedTuple):
    body: bytes
    headers: dict[str, str]


def write(samples: Iterable[Sample], accept: str, accept_encoding: str) -> Written:
    """The page in the form and encoding that the headers *accept* and *accept_encoding* of a request ask for."""
    headers = {"Vary": "Accept, Accept-Encoding"}
    if OPENMETRICS in accept:
        headers["Content-Type"] = openmetrics.CONTENT_TYPE_LATEST
        body: bytes = openmetrics.generate_latest(  # type: ignore[no-untyped-call]
            Page(samples, bound=_float_bound)
        )
    else:
        headers["Content-Type"] = CONTENT_TYPE_PLAIN_0_0_4
        body = generate_latest(Page(samples, bound=_go_bound))
    if any(part.partition(";")[0].strip().lower() == "gzip" for part in accept_encoding.split(",")):
        headers["Content-Encoding"] = "gzip"
        body = gzip.compress(body, compresslevel=1)
    return Written(body, headers)


class Page:
    """A collector as Prometheus's client wants it."""

    def __init__(self, samples: Iterable[Sample], *, bound: Callable[[float], str]) -> None:
        """*bound*: how a bucket's bound is written."""
        self._bound = bound
        self._samples: dict[str, list[Sample]] = {}
        for sample in samples:
            self._samples.setdefault(sample.metric, []).append(sample)

    def collect(self) -> Iterator[Family]:
        """In the order of the list.  A metric of which nothing is known is left out."""
        for metric in METRICS.values():
            if found := self._samples.get(metric.name):
                yield self._family(metric, found)
        yield from chain.from_iterable(own.collect() for own in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR))

    def _family(self, metric: Metric, samples: Iterable[Sample]) -> Family:
        if metric.type == "histogram":
            histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
            for sample in samples:
                if isinstance(sample.value, Histogram):
                    buckets = [(self._bound(bound), count) for bound, count in sample.value.cumulative()]
                    histogram.add_metric(sample.labels, buckets, sample.value.total)
            return histogram
        plain = (CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily)(
            metric.name, metric.help, labels=metric.labels
        )
        for sample in samples:
            if not isinstance(sample.value, Histogram):
                plain.add_metric(sample.labels, sample.value)
        return plain


def _go_bound(bound: float) -> str:
    """As CoreDNS writes it: ``0.5``, ``100``, ``+Inf``.  Prometheus 2 takes ``100`` and ``100.0`` for two series."""
    return _float_bound(bound).removesuffix(".0")


def _float_bound(bound: float) -> str:
    """As OpenMetrics has it: ``100.0``."""
    text: str = floatToGoString(bound)  # type: ignore[no-untyped-call]
    return text
