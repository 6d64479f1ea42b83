"""Faults of a real API while Services never rest: each answer is one that the API held, and in the end the last one.

How soon that is, depends on the machine, too: it is told, and judged by what only a fault takes.  LATE=1 judges it by
what is promised, where nothing else runs; ``test_long_outage`` does so by a clock of its own.  FAULTS=200 mixes so many
faults instead of a few.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from live.control_plane import ControlPlane, compact, control_plane, missing
from live.history import Outage, Seen, judge
from live.processes import wait_until
from live.proxy import Proxy
from live.serving import Serve, serving
from live.shop import Asker, Writer
from live.watched import ETCDS

MIXED = int(os.environ.get("FAULTS", "4"))
pytestmark = [
    pytest.mark.skipif(bool(why := missing("etcd", "kube-apiserver")), reason=why),
    pytest.mark.timeout(600 + 60 * MIXED),
]
WRITES = 60  # before and after each fault
LONG = 15.0  # seconds: more tries than those that come soon after one another
STALLED = 8.0  # seconds
KINDS = 3  # each has a connection of its own
LATE = float(os.environ.get("LATE", "10"))  # seconds that an answer may be behind

by_streaming_lists = pytest.mark.parametrize("cluster", ETCDS[:1], indirect=True)


class Cluster(NamedTuple):
    plane: ControlPlane
    writer: Writer
    proxy: Proxy
    kubeconfig: Path  # of the way through the proxy
    folder: Path
    numbers: Iterator[int]  # of replicas


@pytest.fixture(scope="module", params=ETCDS)
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("faults")
    with control_plane(folder, controllers=False, etcd_program=request.param) as plane, Proxy(plane.api.port) as proxy:
        kubeconfig = folder / "through-the-proxy.kubeconfig"
        kubeconfig.write_text(plane.kubeconfig.read_text().replace(f":{plane.api.port}", f":{proxy.port}"))
        writer = Writer(plane.api.another(), Random(8))
        writer.fill()
        yield Cluster(plane, writer, proxy, kubeconfig, folder, count())
        writer.close()


class Run:
    """A server under the eyes of an asker, and a writer that never rests."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.plane, self.proxy, self.writer = cluster, cluster.plane, cluster.proxy, cluster.writer
        self.outages: list[Outage] = []
        self.seen: list[Seen] = []
        self.server: Serve
        self.asker: Asker

    @contextmanager
    def asked(self, folder: Path, *, crashes: bool = False) -> Iterator[Serve]:
        """One process of the server; it is asked as soon as it is ready.  *crashes*: that is how it ends."""
        with serving(folder, self.cluster.kubeconfig) as self.server:
            wait_until(self.server.ready, "the ready line")
            questions = [*self.writer.writes[0].answers]
            self.asker = Asker(self.server.port, questions, Random(9), next(self.cluster.numbers))
            self.asker.start()
            try:
                yield self.server
            finally:
                self.asker.stop()
                self.seen += self.asker.seen
                assert self.asker.seen
            if crashes:
                self.server.program.kill()

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Ends with the first time that the API says that it is ready."""
        begun = time.monotonic()
        yield
        wait_until(self.plane.api.ready, "the API to be ready")
        self.outages.append(Outage(begun, time.monotonic()))

    def go_on(self, writes: int = WRITES) -> None:
        wanted = len(self.writer.writes) + writes
        wait_until(lambda: len(self.writer.writes) >= wanted or self.writer.failed, "writes to be committed")

    def settle(self) -> None:
        """Until each question is answered by what the last write has left."""
        self.writer.stop()
        wanted, first = self.writer.writes[-1].answers, len(self.asker.seen)

        def right() -> bool:
            last = {one.question: one.answer for one in self.asker.seen[first:]}
            return last == wanted

        wait_until(right, "the last writes to be answered")

    def rest(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() > end, "time to pass")


@contextmanager
def run_of(cluster: Cluster, capsys: pytest.CaptureFixture[str], name: str) -> Iterator[Run]:
    run = Run(cluster)
    first = len(cluster.writer.writes) - 1
    cluster.writer.start()
    try:
        yield run
    finally:
        cluster.writer.stop()
    writes = cluster.writer.writes[first:]
    verdict = judge(writes, run.seen, run.outages, LATE)
    down = sum(one.ended - one.begun for one in run.outages)
    with capsys.disabled():
        print(
            f"\n{name}: {len(writes)} writes, {len(run.seen)} answers, {len(run.outages)} outages of {down:.1f} s, "
            f"at most {verdict.lag:.2f} s late, {len(verdict.violations)} violations"
        )
    assert not verdict.violations, "\n".join(map(str, verdict.violations[:10]))


@by_streaming_lists
def test_quiet_times(cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with run_of(cluster, capsys, "no fault") as run, run.asked(tmp_path):
        run.go_on(5 * WRITES)
        run.settle()


def crash_of_the_api_server(run: Run) -> None:
    run.plane.api_server.kill()
    run.plane.api_server.start(wait=False)


def crash_of_etcd(run: Run) -> None:
    run.plane.etcd.kill()
    run.plane.etcd.start()


def crash_of_both(run: Run) -> None:
    run.plane.etcd.kill()
    run.plane.api_server.kill()
    run.plane.etcd.start()
    run.plane.api_server.start(wait=False)


def long_absence(run: Run) -> None:
    """Behind a load balancer that goes on accepting connections, and closes them."""
    run.plane.api_server.kill()
    run.rest(LONG)
    run.plane.api_server.start(wait=False)


def refused(run: Run) -> None:
    run.proxy.refuse()
    run.go_on()
    run.proxy.accept()


def stalled(run: Run) -> None:
    """Nothing gets through for a while, then all of it."""
    run.proxy.stall()
    run.rest(STALLED)
    run.proxy.resume()


def stalled_and_cut(run: Run) -> None:
    run.proxy.stall()
    run.rest(STALLED)
    run.proxy.refuse()
    run.proxy.resume()
    run.proxy.accept()


def compacted(run: Run) -> None:
    run.proxy.refuse()
    run.go_on()
    run.plane.api_server.kill()
    compact(run.plane)
    run.plane.api_server.start()
    run.proxy.accept()


Fault = Callable[[Run], None]
FAULTS: list[Fault] = [
    *(crash_of_the_api_server, crash_of_etcd, crash_of_both, long_absence),
    *(refused, stalled, stalled_and_cut),
]


@by_streaming_lists
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault(cluster: Cluster, fault: Fault, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with run_of(cluster, capsys, fault.__name__.replace("_", " ")) as run, run.asked(tmp_path):
        through(run, fault)
        run.settle()


def through(run: Run, fault: Fault) -> None:
    run.go_on()
    with run.outage():
        fault(run)
    run.go_on()


def test_a_list_again_is_needed_when_history_is_gone(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What happened meanwhile can be listed and no more watched (410)."""
    with run_of(cluster, capsys, "history is gone") as run, run.asked(tmp_path) as server:
        through(run, compacted)
        run.settle()
        kinds = json.loads(server.command("status", "-o", "json").stdout)["source"]["kinds"]
    assert any(one["relists"].get("expired") for one in kinds)


@by_streaming_lists
def test_a_connection_that_is_dead_without_a_word(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half open: nothing comes any more, not even bookmarks.  New connections work, so it is ours to try one."""
    with run_of(cluster, capsys, "half open") as run, run.asked(tmp_path):
        run.go_on()
        with run.outage():
            run.proxy.abandon()
            wait_until(lambda: run.proxy.connections >= KINDS, "connections to be made anew")
        run.go_on()
        run.settle()


@by_streaming_lists
def test_a_start_without_the_api(cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The snapshot is served at once, and the API as soon as it is there."""
    with run_of(cluster, capsys, "start without the API") as run:
        with run.asked(tmp_path):
            run.go_on()
            run.settle()
        with ExitStack() as stack:
            with run.outage():
                run.plane.api_server.kill()
                server = stack.enter_context(run.asked(tmp_path))
                assert "Snapshot:" in server.command("status").stdout
                run.rest(STALLED / 4)
                run.plane.api_server.start(wait=False)
            run.writer.start()
            run.go_on()
            run.settle()
            assert "Snapshot:" not in server.command("status").stdout


@by_streaming_lists
def test_a_crash_of_the_server(cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is back with a snapshot of before, and right as soon as it has read the API."""
    with run_of(cluster, capsys, "crash of the server") as run, ExitStack() as stack:
        with run.outage():  # so long the snapshot may be
            with run.asked(tmp_path, crashes=True):
                run.go_on()
            run.go_on()
            server = stack.enter_context(run.asked(tmp_path))
            wait_until(lambda: "Snapshot:" not in server.command("status").stdout, "the API to be read")
        run.go_on()
        run.settle()


def test_mixed_faults(cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The way to the API fails, and the API too; sometimes what happened is forgotten meanwhile."""
    rng = Random(MIXED)
    with run_of(cluster, capsys, f"{MIXED} mixed faults") as run, run.asked(tmp_path):
        for _ in range(MIXED):
            run.go_on(rng.randrange(WRITES))
            with run.outage():
                mixed(run, rng)
        run.go_on()
        run.settle()


def mixed(run: Run, rng: Random) -> None:
    way = rng.choice(("open", "refused", "stalled", "cut"))
    down = rng.sample((run.plane.etcd, run.plane.api_server), rng.randint(0, 2))
    if way == "refused":
        run.proxy.refuse()
    elif way != "open":
        run.proxy.stall()
    run.rest(rng.random())
    for program in down:
        program.kill()
    run.rest(rng.random() * 2)
    if run.plane.etcd in down:
        run.plane.etcd.start()
    if run.plane.api_server in down:
        if rng.random() < 0.5:
            compact(run.plane)
        run.plane.api_server.start()
    if way == "cut":
        run.proxy.refuse()
    run.proxy.resume()
    if way in ("refused", "cut"):
        run.proxy.accept()
