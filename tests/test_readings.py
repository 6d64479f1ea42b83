"""How many samples a page has at most: docs/metrics.md says so, and nobody can make it more."""

import re
from collections import Counter
from itertools import product
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from clusterdns.config import Settings
from clusterdns.engine.tally import (
    CACHE,
    CHAOS,
    DROPPED,
    FOREIGN,
    FORWARD,
    KUBERNETES,
    NOBODY,
    RCODES,
    TYPES,
    Tally,
    kind,
)
from clusterdns.exposition import write
from clusterdns.forward.ledger import MOST_GONE, Ledger
from clusterdns.forward.servers import Server
from clusterdns.forward.tries import Why
from clusterdns.metrics import Sample
from clusterdns.options import plugins
from clusterdns.readings import _of_queries, _of_silence
from clusterdns.readings_forward import _of_upstreams, _under_former_names
from clusterdns.transports.doors import Door

PAGE = re.sub(r"\s+", " ", (Path(__file__).parent.parent / "docs" / "metrics.md").read_text())
OF_AN_ADDRESS, OF_ITS_ZONE = 343, 170
OF_AN_UPSTREAM, OF_A_DEPRECATED_ONE = 390, 792
OF_ALL_ELSE = 400

ZONES = [f"zone{number}.test." for number in range(3)]
WRITERS = {FOREIGN: (CACHE, FORWARD, CHAOS), DROPPED: (NOBODY,)}  # else those of zones of ours


def on_the_page(samples: list[Sample]) -> int:
    text = write(samples, "", "").body.decode()
    return sum(
        len(family.samples)
        for family in text_string_to_metric_families(text)
        if family.name.startswith(("coredns_", "clusterdns_"))
    )


def flooded() -> Tally:
    """Everything has been asked, and answered in every way."""
    tally = Tally()
    for zone in (*ZONES, FOREIGN, DROPPED):
        for rtype, rcode in product([*TYPES, 65280], [*RCODES, 4000]):
            for plugin, dnssec_ok in product(WRITERS.get(zone, (KUBERNETES, NOBODY)), (False, True)):
                tally.add(kind(zone, rtype, rcode, plugin, dnssec_ok=dnssec_ok), 40, 400, 0.001)
    return tally


def test_of_a_listening_address() -> None:
    udp, tcp = flooded(), flooded()
    udp.silent = Counter({"shorter than a header": 1, "a response": 1, "unsent": 1})
    tcp.silent = Counter({"shorter than a header": 1, "a response": 1})
    doors = [(Door("dns://:53", "udp", "1"), udp.snapshot()), (Door("dns://:53", "tcp", "1"), tcp.snapshot())]
    found = on_the_page([*_of_queries(doors), *_of_silence(doors)])
    part = plugins(Settings(upstream=("192.0.2.1:53",)))
    found += len(ZONES) * len(part.own) + len(part.foreign)  # coredns_plugin_enabled
    assert found == OF_AN_ADDRESS + OF_ITS_ZONE * len(ZONES)
    assert f"{OF_AN_ADDRESS}, and {OF_ITS_ZONE} for each zone" in PAGE
    assert f"{found} with the three that there are by default" in PAGE


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_of_an_upstream(transport: str) -> None:
    ledger = Ledger()
    figures = ledger.of(".", Server("192.0.2.1", transport=transport))  # type: ignore[arg-type]
    for rcode in [*RCODES, 11, 4000]:
        figures.replied(rcode, 0.01)
    whys: list[Why] = ["silence", "network", "local", "bad", "spent"]
    figures.failures.update(whys)
    samples = [*_of_upstreams(ledger)]
    streams = 2 * (transport != "udp")  # only UDP has two protocols
    assert on_the_page(samples) == OF_AN_UPSTREAM - streams
    assert on_the_page([*samples, *_under_former_names(samples)]) == OF_A_DEPRECATED_ONE - streams
    assert f"{OF_AN_UPSTREAM}, {OF_A_DEPRECATED_ONE} with `metrics_deprecated`" in PAGE


def test_of_the_rest() -> None:
    """That it holds is seen where servers run: test_metrics."""
    assert f"under {OF_ALL_ELSE} for everything else" in PAGE
    assert f"latest {MOST_GONE} stay on the page" in PAGE
