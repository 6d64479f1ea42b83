"""The page of metrics of a server that runs: what moves when it is asked something, and what never may."""

import gzip
import re
import shutil
import socket
import subprocess
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import product
from pathlib import Path

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from packets import header, opt, query, with_ipv6
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from support import PATIENCE, Server, serving, write_manifests
from test_readings import OF_ALL_ELSE, OF_AN_ADDRESS, OF_AN_UPSTREAM, OF_ITS_ZONE

from clusterdns import __version__
from clusterdns.engine.framing import frame
from clusterdns.engine.tally import TYPES
from clusterdns.metrics import METRICS

MANIFESTS = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.1.10, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: away, namespace: shop}
spec: {type: ExternalName, externalName: web.shop.svc.cluster.local}
"""
WEB, AWAY, NIX = (f"{name}.shop.svc.cluster.local" for name in ("web", "away", "nix"))
Z, DROPPED = "cluster.local.", "dropped"
OF_THE_CACHE = 11  # samples, which bear the name of one listening address

# What is asked; as whose, of which type and with DO it counts; the response's code, and who answered.
ASKED = {
    "hit": (query(WEB), Z, "A", False, "NOERROR", "kubernetes"),
    "hit, DO": (query(WEB, edns=opt(do=True)), Z, "A", True, "NOERROR", "kubernetes"),
    "NODATA": (query(WEB, "AAAA"), Z, "AAAA", False, "NOERROR", "kubernetes"),
    "NXDOMAIN": (query(NIX), Z, "A", False, "NXDOMAIN", "kubernetes"),
    "NXDOMAIN with EDNS": (query(NIX, edns=opt()), Z, "A", False, "NXDOMAIN", "kubernetes"),
    "alias": (query(AWAY), Z, "A", False, "NOERROR", "kubernetes"),
    "a rare type": (query(WEB, 65280), Z, "other", False, "NOERROR", "kubernetes"),
    "apex": (query(Z, "SOA"), Z, "SOA", False, "NOERROR", "kubernetes"),
    "reverse": (query("10.1.96.10.in-addr.arpa", "PTR"), "in-addr.arpa.", "PTR", False, "NOERROR", "kubernetes"),
    "of others": (query("www.example.org", "MX"), DROPPED, "MX", False, "REFUSED", ""),
    "transfer": (query(Z, 252), DROPPED, "AXFR", False, "REFUSED", ""),
    "version": (query("version.bind", "TXT", rclass=3), ".", "TXT", False, "NOERROR", "chaos"),
    "opcode": (header(0x2000, (1, 0, 0, 0)), DROPPED, "other", False, "NOTIMP", ""),
    "malformed": (query(WEB)[:-1], DROPPED, "other", False, "FORMERR", ""),
    "EDNS version": (query(WEB, edns=opt(version=1)), DROPPED, "A", False, "BADVERS", ""),
}

Values = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


class Page:
    """A server's, as often as it is read."""

    def __init__(self, server: Server) -> None:
        line = next(line for line in server.output if line.startswith("http "))
        self.url = line.split()[1].replace("/health", "/metrics")

    def text(self, **headers: str) -> str:
        asked = urllib.request.Request(self.url, headers={"Accept-Encoding": "identity"} | headers)
        with urllib.request.urlopen(asked, timeout=PATIENCE) as response:
            body: bytes = response.read()
            packed = response.headers.get("Content-Encoding") == "gzip"
        return (gzip.decompress(body) if packed else body).decode()

    def values(self) -> Values:
        return {
            (line.name, frozenset(line.labels.items())): line.value
            for family in plain(self.text())
            for line in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        return self.values().get((name, frozenset(labels.items())))


@contextmanager
def measured(tmp_path: Path, *arguments: str, **settings: object) -> Iterator[tuple[Server, Page]]:
    write_manifests(tmp_path, MANIFESTS)
    with serving(tmp_path, *arguments, http="127.0.0.1:0", **settings) as server:
        yield server, Page(server)


def over_udp(peer: tuple[str, int], packet: bytes) -> int:
    """Octets of the response."""
    with socket.socket(socket.AF_INET6 if ":" in peer[0] else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(peer)
        sock.send(packet)
        return len(sock.recv(65535))


def over_tcp(peer: tuple[str, int], packet: bytes) -> int:
    with socket.create_connection(peer, PATIENCE) as sock:
        sock.sendall(frame(packet))
        stream = sock.makefile("rb")
        return len(stream.read(int.from_bytes(stream.read(2))))


def openmetrics_of(page: Page) -> Iterable[Metric]:
    parsed: Iterable[Metric] = openmetrics(page.text(Accept="application/openmetrics-text"))  # type: ignore[no-untyped-call]
    return parsed


def moved(before: Values, after: Values, name: str) -> dict[frozenset[tuple[str, str]], float]:
    return {
        labels: value - before.get((metric, labels), 0)
        for (metric, labels), value in after.items()
        if metric == name and value != before.get((metric, labels), 0)
    }


@pytest.mark.parametrize(
    ("send", "proto", "family"),
    [(over_udp, "udp", "1"), (over_tcp, "tcp", "1"), pytest.param(over_udp, "udp", "2", marks=with_ipv6)],
)
def test_every_query_counts_once_as_what_it_is(tmp_path: Path, send: object, proto: str, family: str) -> None:
    extra = ("--listen", "[::1]:0") if family == "2" else ()
    with measured(tmp_path, *extra, server_version="v1") as (server, page):
        peer = (server.address, server.port)
        if family == "2":
            port = next(int(m[1]) for line in server.output if (m := re.search(r"\[::1\]:(\d+)", line)))
            peer = ("::1", port)
        shown = f"dns://[::1]:{peer[1]}" if family == "2" else f"dns://{peer[0]}:{peer[1]}"
        for what, (packet, zone, rtype, do, rcode, plugin) in ASKED.items():
            before = page.values()
            for _ in range(2):  # the first of its form, and the next
                octets = (over_udp if proto == "udp" else over_tcp)(peer, packet)
            change = partial(moved, before, page.values())
            block = {("server", shown), ("zone", zone), ("view", "")}
            carried = block | {("proto", proto)}
            asked = frozenset(carried | {("family", family), ("type", rtype)})
            answered = frozenset(block | {("rcode", rcode), ("plugin", plugin)})
            assert change("coredns_dns_requests_total") == {asked: 2}, what
            assert change("coredns_dns_responses_total") == {answered: 2}, what
            assert change("coredns_dns_do_requests_total") == ({frozenset(block): 2} if do else {}), what
            assert change("coredns_dns_request_size_bytes_sum") == {frozenset(carried): 2 * len(packet)}, what
            assert change("coredns_dns_response_size_bytes_sum") == {frozenset(carried): 2 * octets}, what
            assert change("coredns_dns_request_size_bytes_count") == {frozenset(carried): 2}, what
            assert change("coredns_dns_response_size_bytes_count") == {frozenset(carried): 2}, what
            assert change("coredns_dns_request_duration_seconds_count") == {frozenset(block): 2}, what
            (seconds,) = change("coredns_dns_request_duration_seconds_sum").values()
            assert 0 < seconds < PATIENCE


@contextmanager
def upstream() -> Iterator[str]:
    """ADDR:PORT of a server that answers A with an address, and everything else with NXDOMAIN."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))

    def serve() -> None:
        while (received := sock.recvfrom(4096))[0]:
            packet, peer = received
            asked = dns.message.from_wire(packet)
            reply = dns.message.make_response(asked)
            if asked.question[0].rdtype == dns.rdatatype.A:
                reply.answer.append(dns.rrset.from_text(asked.question[0].name, 60, "IN", "A", "192.0.2.1"))
            else:
                reply.set_rcode(dns.rcode.NXDOMAIN)
                reply.authority.append(dns.rrset.from_text(".", 60, "IN", "SOA", "a. b. 1 2 3 4 60"))
            sock.sendto(reply.to_wire(), peer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{sock.getsockname()[1]}"
    finally:
        sock.sendto(b"", sock.getsockname())
        thread.join()
        sock.close()


def test_names_of_others_count_by_who_answered(tmp_path: Path) -> None:
    with upstream() as to, measured(tmp_path, upstream=[to], prefetch="false") as (server, page):
        peer, name = (server.address, server.port), f"dns://{server.address}:{server.port}"
        before = page.values()
        for packet in [query("www.example.org", edns=opt(do=True))] * 3 + [query("nix.example.org", "MX")] * 2:
            over_udp(peer, packet)
        change = partial(moved, before, page.values())
        block, cache = {"server": name, "zone": ".", "view": ""}, {"server": name, "zones": ".", "view": ""}

        def of(labels: Mapping[str, str], **more: str) -> frozenset[tuple[str, str]]:
            return frozenset({**labels, **more}.items())

        assert change("coredns_dns_responses_total") == {
            of(block, rcode="NOERROR", plugin="forward"): 1,
            of(block, rcode="NOERROR", plugin="cache"): 2,
            of(block, rcode="NXDOMAIN", plugin="forward"): 1,
            of(block, rcode="NXDOMAIN", plugin="cache"): 1,
        }
        assert change("coredns_dns_do_requests_total") == {of(block): 3}
        assert change("coredns_dns_request_duration_seconds_count") == {of(block): 5}
        proxy = {"proxy_name": "forward", "to": to}
        assert change("coredns_proxy_request_duration_seconds_count") == {
            of(proxy, rcode="NOERROR"): 1,
            of(proxy, rcode="NXDOMAIN"): 1,
        }
        assert change("coredns_cache_hits_total") == {of(cache, type="success"): 2, of(cache, type="denial"): 1}
        assert change("coredns_cache_misses_total") == {of(cache): 2}
        assert change("coredns_cache_requests_total") == {of(cache): 5}
        assert change("coredns_cache_entries") == {of(cache, type="success"): 1, of(cache, type="denial"): 1}
        assert page.values()["coredns_plugin_enabled", of(block, name="forward")] == 1


def test_silence_counts_by_its_reason(tmp_path: Path) -> None:
    with measured(tmp_path) as (server, page), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((server.address, server.port))
        for packet in (b"short", b"", query(WEB, flags=0x8000)):
            sock.send(packet)
        over_udp((server.address, server.port), query(WEB))  # behind them
        door = {"server": f"dns://{server.address}:{server.port}", "proto": "udp", "family": "1"}
        assert page.value("clusterdns_queries_dropped_total", **door, reason="short") == 2
        assert page.value("clusterdns_queries_dropped_total", **door, reason="response") == 1
        assert sum(value for (name, _), value in page.values().items() if name == "coredns_dns_requests_total") == 1


def test_connections_count(tmp_path: Path) -> None:
    with measured(tmp_path, tcp_per_client="2") as (server, page):
        peer = (server.address, server.port)
        with socket.create_connection(peer) as one, socket.create_connection(peer) as two:
            for sock in (one, two):
                sock.sendall(frame(query(WEB)))
                assert sock.recv(1)
            assert page.value("clusterdns_tcp_connections") == 2
            over_tcp(peer, query(WEB))
            closed = partial(page.value, "clusterdns_tcp_connections_closed_total")
            assert closed(reason="evicted") == 1
            assert page.value("clusterdns_tcp_connections_opened_total") == 3


def test_what_is_served_shows(tmp_path: Path) -> None:
    with measured(tmp_path) as (server, page):
        assert page.value("clusterdns_ready") == 1
        assert page.value("clusterdns_snapshot_generation") == 1
        assert page.value("clusterdns_store_objects", kind="Service") == 2
        assert page.value("clusterdns_bad_documents", severity="error") == 0
        assert page.value("coredns_panics_total") == 0
        zone = {"server": f"dns://{server.address}:{server.port}", "zone": Z, "view": ""}
        assert page.values()["coredns_plugin_enabled", frozenset({**zone, "name": "kubernetes"}.items())] == 1
        (build,) = [dict(labels) for name, labels in page.values() if name == "coredns_build_info"]
        assert build["version"] == __version__
        names, serial = page.value("clusterdns_names"), page.value("clusterdns_serial")
        write_manifests(tmp_path, MANIFESTS.replace("name: web,", "name: shop-front,") + "---\nkind: [}\n")
        for _ in range(1_000_000):
            if page.value("clusterdns_snapshot_generation") == 2:
                break
        assert page.value("clusterdns_bad_documents", severity="error")
        assert page.value("clusterdns_names") != names
        assert (page.value("clusterdns_serial") or 0) > (serial or 0)
        assert page.value("clusterdns_source_lag_seconds_count", source="manifests") == 1


def test_settings_that_are_refused_count_and_those_in_use_have_a_hash(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    file = config / "clusterdns.yaml"
    file.write_text("ttl: 7\nhttp_token: a\n")
    with measured(tmp_path, "--config", str(file)) as (server, page):

        def settings_hash() -> str:
            (labels,) = [dict(labels) for name, labels in page.values() if name == "coredns_reload_version_info"]
            assert labels["hash"] == "sha512"
            return labels["value"]

        before = settings_hash()
        # Whole from one moment to the next, and found by the server itself: a SIGHUP may be one reload more.
        for text in ("ttl: never\nhttp_token: a\n", "ttl: 9\nhttp_token: a\n"):
            draft = config / "draft"
            draft.write_text(text)
            draft.replace(file)
            for _ in range(1_000_000):
                if page.value("coredns_reload_failed_total"):
                    break
            assert page.value("coredns_reload_failed_total") == 1
        for _ in range(1_000_000):
            if settings_hash() != before:
                break
        assert over_udp((server.address, server.port), query(WEB)) > 12


def test_both_formats_can_be_read_and_packed(tmp_path: Path) -> None:
    with measured(tmp_path) as (server, page):
        over_udp((server.address, server.port), query(WEB))
        names = {family.name for family in plain(page.text())}
        assert {family.name for family in openmetrics_of(page)} == names
        assert {family.name for family in plain(page.text(**{"Accept-Encoding": "gzip"}))} == names
        listed = {metric.name.removesuffix("_total") for metric in METRICS.values()}
        assert {name for name in names if name.startswith(("coredns_", "clusterdns_"))} <= listed
        if shutil.which("promtool"):
            done = subprocess.run(
                ["promtool", "check", "metrics"], input=page.text(), capture_output=True, check=False, text=True
            )
            assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_page_is_bounded_whatever_is_asked(tmp_path: Path) -> None:
    hosts = [f"127.0.0.{number}" for number in range(1, 5)]
    listen = [word for host in hosts[1:] for word in ("--listen", f"{host}:0")]
    with (
        upstream() as one,
        upstream() as other,
        measured(tmp_path, *listen, upstream=[one, other], server_version="v1") as (server, page),
    ):
        bound = {(host, int(port)) for host, port in re.findall(r"(127\.0\.0\.[1-4]):(\d+)", ready(server))}
        assert {host for host, _ in bound} == {*hosts}
        for peer, send in product(bound, (over_udp, over_tcp)):
            for packet, *_ in ASKED.values():
                send(peer, packet)
            for number, suffix in product(range(20), ("shop.svc.cluster.local", "example.org", "in-addr.arpa")):
                send(peer, query(f'x{number}"\n.{suffix}', [*TYPES, 9999][number], edns=opt(512 + number, do=True)))
        values = page.values()
        lines = Counter(_whose(dict(labels)) for _, labels in values)
        assert {whose for whose in lines if whose.startswith("dns://")} == {f"dns://{h}:{port}" for h, port in bound}
        assert {one, other} <= lines.keys()
        for whose, count in lines.items():
            if whose.startswith("dns://"):
                assert count <= OF_AN_ADDRESS + 3 * OF_ITS_ZONE + OF_THE_CACHE
            else:
                assert count <= (OF_AN_UPSTREAM if whose else OF_ALL_ELSE), whose
        assert not [labels for _, labels in values if any("x1" in value for _, value in labels)]


def _whose(labels: Mapping[str, str]) -> str:
    """The listening address or the upstream that a sample is of; "": neither."""
    return labels.get("server") or labels.get("to") or ""


def ready(server: Server) -> str:
    return next(line for line in server.output if line.startswith("ready: "))
