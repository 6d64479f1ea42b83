"""How a server is, for people."""

from msgspec import convert, to_builtins
from msgspec.structs import replace

from clusterdns.cluster.events import KindStatus, SourceStatus
from clusterdns.views.status import Status, UpstreamStatus, status_text

KINDS = (
    KindStatus("Namespace", synced=True, objects=12, lag=3.2, bookmark_age=52.0),
    KindStatus("Service", synced=True, objects=120, lag=65.0, error="https://10.0.0.1:6443: connection refused"),
    KindStatus("EndpointSlice", synced=False, objects=0, lag=None),
)
LIVE = Status(
    version="1.2.3",
    started=1000.0,
    now=1000.0 + 3 * 86400 + 7200,
    ready=False,
    reasons=("kubernetes: not listed yet: EndpointSlice",),
    notes=(),
    source=SourceStatus("kubernetes", "https://10.0.0.1:6443", synced=False, kinds=KINDS),
    snapshot="",
    lag=None,
    rounds=1,
    serial=1795238932,
    names=98,
    services=24,
    zones=("cluster.local.", "in-addr.arpa."),
    listen=("127.0.0.1:1053",),
    queries=7,
    problems=0,
)


def test_a_live_api() -> None:
    expected = """\
Server:     clusterdns 1.2.3, up 3d2h
Ready:      no
Source:     kubernetes, https://10.0.0.1:6443
Zones:      cluster.local. in-addr.arpa.
Serial:     1795238932, after 1 round
Published:  24 Services, 98 names
Listening:  127.0.0.1:1053 (UDP and TCP), 7 queries
Problems:   0

kubernetes: not listed yet: EndpointSlice

SOURCE       KIND            SYNCED   OBJECTS   LAG       BOOKMARK   LAST ERROR
kubernetes   Namespace       yes      12        3s        52s        <none>
kubernetes   Service         yes      120       65s       <never>    https://10.0.0.1:6443: connection refused
kubernetes   EndpointSlice   no       0         <never>   <never>    <none>
"""
    assert status_text(LIVE) == expected


def test_what_is_wrong_with_all_kinds_is_told_once() -> None:
    error = "https://10.0.0.1:6443 cannot be reached: Connection refused; look whether it runs"
    kinds = [replace(one, error=error, error_since=1_800_000_060.0) for one in KINDS]
    source = replace(LIVE.source, kinds=tuple(kinds), error=error, error_since=1_800_000_000.0)
    assert source.unsynced() == f"not listed yet: EndpointSlice; since 2027-01-15T08:00:00Z: {error}"
    text = status_text(replace(LIVE, source=source, reasons=(f"kubernetes: {source.unsynced()}",)))
    assert text.count("Connection refused") == 1
    assert text.count("see above") == 3
    kinds = [replace(KINDS[0], synced=False, error=error, error_since=1_800_000_060.0), *KINDS[1:]]
    assert replace(source, kinds=tuple(kinds), error="").unsynced() == (
        f"not listed yet: Namespace (since 2027-01-15T08:01:00Z: {error}), EndpointSlice"
    )


def test_a_snapshot_is_told_first() -> None:
    text = status_text(replace(LIVE, ready=True, reasons=(), notes=("a note",), snapshot="2026-11-21T05:00:00Z"))
    assert "Snapshot:   of 2026-11-21T05:00:00Z: what is served is this old\n" in text
    assert "\n\na note\n\nSOURCE" in text


def test_manifests() -> None:
    source = SourceStatus("manifests", "zones/demo", synced=True, files=13, lag=1.5)
    text = status_text(replace(LIVE, ready=True, reasons=(), source=source, problems=2))
    assert "Problems:   2 (/ready?verbose tells them)\n" in text
    assert text.endswith(
        """
SOURCE      KIND    SYNCED   OBJECTS   LAG   LAST ERROR
manifests   files   yes      13        1s    <none>
"""
    )


def test_upstreams() -> None:
    upstreams = (
        UpstreamStatus("10.0.0.1:53", ".", "healthy", 0.0124, 0.04, 120, 3),
        UpstreamStatus("10.0.0.2:53", "corp.example.", "down", None, None, 0, 7),
    )
    expected = """
UPSTREAM      ZONES           STATE     MEDIAN   P95      REPLIES   FAILURES
10.0.0.1:53   .               healthy   12ms     40ms     120       3
10.0.0.2:53   corp.example.   down      <none>   <none>   0         7
"""
    assert status_text(replace(LIVE, upstreams=upstreams)).endswith(expected)


def test_json_there_and_back() -> None:
    assert convert(to_builtins(LIVE), Status) == LIVE


def test_what_a_server_says_moves_no_cursor() -> None:
    source = SourceStatus("kubernetes", "x", synced=False, kinds=(replace(KINDS[0], error="\x1b[2J"),))
    assert "\x1b" not in status_text(replace(LIVE, source=source, reasons=("a\x1b[2J",)))
