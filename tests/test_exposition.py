"""The page of metrics: two formats, every metric in its form, and nothing on which Prometheus's own tool frowns."""

import gzip
import math
import shutil
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text

from clusterdns.exposition import write
from clusterdns.histogram import Histogram
from clusterdns.metrics import METRICS, Metric, Sample

ODD = 'a "quoted" \\ value\nand ü'


def samples() -> list[Sample]:
    """Two of each."""
    return [
        Sample(metric.name, _value(metric, number), tuple(f"{label}-{number}" for label in metric.labels))
        for metric in METRICS.values()
        for number in range(2 if metric.labels else 1)
    ]


def _value(metric: Metric, number: int) -> float | Histogram:
    if metric.type != "histogram":
        return float(number + 1)
    made = Histogram(metric.buckets)
    made.observe(metric.buckets[1], number + 1)
    return made


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
def test_every_metric_is_there_with_its_type_its_labels_and_its_buckets(accept: str) -> None:
    body = write(samples(), accept, "").body.decode()
    families = {family.name: family for family in (openmetrics if accept else text)(body)}
    for metric in METRICS.values():
        family = families[metric.name.removesuffix("_total") if metric.type == "counter" else metric.name]
        assert (family.type, family.documentation) == (metric.type, metric.help)
        for sample in family.samples:
            assert sample.labels.keys() - {"le"} == {*metric.labels}
        bounds = {float(one.labels["le"]) for one in family.samples if one.name == f"{metric.name}_bucket"}
        assert bounds == ({*metric.buckets, math.inf} if metric.buckets else set())


def test_the_process_tells_of_itself() -> None:
    names = {family.name for family in text(write([], "", "").body.decode())}
    assert {"process_resident_memory_bytes", "process_cpu_seconds", "process_open_fds", "python_info"} <= names


def test_bounds_are_written_as_coredns_writes_them() -> None:
    """Prometheus 2 takes le="100" and le="100.0" for two series."""
    histogram = Histogram(METRICS["coredns_dns_request_size_bytes"].buckets)
    found = [Sample("coredns_dns_request_size_bytes", histogram, ("dns://:53", ".", "", "udp"))]
    assert 'le="100",proto="udp",server="dns://:53",view="",zone="."} 0.0' in write(found, "", "").body.decode()
    assert 'le="100.0"' in write(found, "application/openmetrics-text", "").body.decode()


def test_values_of_labels_are_escaped() -> None:
    body = write([Sample("clusterdns_store_objects", 1, (ODD,))], "", "").body.decode()
    (family,) = [one for one in text(body) if one.name == "clusterdns_store_objects"]
    assert family.samples[0].labels == {"kind": ODD}


@pytest.mark.parametrize(
    ("accept_encoding", "packed"), [("", False), ("gzip", True), ("deflate, GZIP;q=0.5", True), ("br", False)]
)
def test_it_is_packed_for_who_takes_it(accept_encoding: str, packed: bool) -> None:
    page = write(samples(), "text/plain", accept_encoding)
    assert page.headers.get("Content-Encoding") == ("gzip" if packed else None)
    assert (gzip.decompress(page.body) if packed else page.body).startswith(b"# HELP coredns_build_info ")


def test_the_content_type_is_that_of_the_format() -> None:
    assert write([], "*/*", "").headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    of_prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
    assert write([], of_prometheus, "").headers["Content-Type"].startswith("application/openmetrics-text; version=1.0")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed")
def test_promtool_has_nothing_to_say() -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=write(samples(), "", "").body, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
