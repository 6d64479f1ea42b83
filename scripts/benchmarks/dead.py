"""``scripts/bench dead``: what clients of local names notice of upstreams that are dead or hang, and of a flood."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Any, Self

import dns.edns
import dns.message
import dns.query
import dns.rcode
import dnsperf
from forwarders import UPSTREAM, ZONES, forwards
from processes import MeasureError, Process, pinned
from servers import HOST, free_port
from speed import progress

LOCAL = "web.shop.svc.cluster.local."
LOCAL_RATE = 1000.0  # good questions a second
OUTSIDE_RATE = 50.0  # questions a second that nobody answers, each for another name
MOST_TIMES, MOST_MORE = 1.5, 0.001  # of the p99 without load: times, and seconds more
STALE_SECONDS, ERROR_SECONDS = 1.8, 5.0
MARGIN = 0.1  # seconds that a busy machine may add to these
FLOOD = 0.6  # of the rate at which refusals can be sent
_RANDOM_NAMES = 100_000
_STEADY = Path(__file__).with_name("steady.py")

Goal = tuple[str, bool]


def main(arguments: Sequence[str]) -> int:
    """0: goals held; 1: one missed.  Raises MeasureError where nothing can be measured."""
    options = _options(arguments)
    dnsperf.need()
    goals: list[Goal] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clusterdns-bench-")))
        print(f"load     {os.getloadavg()[0]:.2f} before the run, {len(os.sched_getaffinity(0))} cores")
        for part in (_fallbacks, _latency, _flood):
            with Scene(folder / part.__name__) as scene:
                for goal in part(scene, options):
                    goals.append(goal)
                    print(f"goal     {goal[0]}, {'held' if goal[1] else 'MISSED'}", flush=True)
    return int(not all(held for _, held in goals))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench dead", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each half of a round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=10, help="without and with load (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or not 0.1 <= options.seconds <= 60:
        parser.error("at least one round, of 0.1 to 60 seconds")
    return options


class Scene(ExitStack):
    """clusterdns on a core of its own, in front of an upstream that can be made to hang and of a dead port."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        cores = sorted(os.sched_getaffinity(0))
        self.server_core, self.core = cores[0], cores[-1]

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def hang(self) -> None:
        """Packets reach the upstream from now on, and nothing comes back."""
        self._upstream.signal(signal.SIGSTOP)

    def ask(self, name: str, timeout: float = 8.0) -> tuple[dns.message.Message, float]:
        """The answer, and seconds until it came."""
        query = dns.message.make_query(name, "A", use_edns=0)
        begin = time.monotonic()
        return dns.query.udp(query, HOST, timeout, self.port), time.monotonic() - begin

    def steady(self, rate: float, seconds: float, name: str) -> "subprocess.Popen[str]":
        command = [sys.executable, str(_STEADY), str(self.port), str(rate), str(seconds), name]
        with pinned(self.core):
            return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ours

    def _start(self) -> None:
        self.folder.mkdir()
        port = free_port()
        command = [sys.executable, str(UPSTREAM), str(port), "1"]
        self._upstream = Process("upstream", command, self.folder, self.core)
        self.callback(self._end_upstream)
        self._upstream.wait_until(lambda: forwards(port), 30.0)
        self.port = free_port()
        upstreams = ["--upstream", f"{HOST}:{port}", "--upstream", f"{HOST}:{free_port()}"]
        listen = f"{HOST}:{self.port}"
        command = [sys.executable, "-m", "clusterdns", "serve", str(ZONES), "--listen", listen, "--http", ""]
        server = Process("clusterdns", [*command, *upstreams], self.folder, self.server_core)
        self.callback(server.stop)
        server.wait_until(lambda: forwards(self.port), 60.0)

    def _end_upstream(self) -> None:
        self._upstream.signal(signal.SIGCONT)
        self._upstream.stop()


def result(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """What ``steady.py`` prints.  Raises MeasureError."""
    text, _ = process.communicate()
    if process.returncode:
        raise MeasureError(f"steady.py ended with {process.returncode}")
    found: dict[str, Any] = json.loads(text)
    return found


def _fallbacks(scene: Scene, options: argparse.Namespace) -> Iterator[Goal]:  # noqa: ARG001 - as all parts
    """What outside names get while upstreams hang: what has expired, or an error that says why."""
    known = [f"known-{number}.example." for number in range(20)]
    for name in known:
        scene.ask(name)
    scene.hang()
    time.sleep(2.1)  # their TTL is 1 s
    stale = _together(scene, known)
    right = sum(message.rcode() == 0 and 3 in _errors(message) for message, _ in stale)
    longest = max(seconds for _, seconds in stale)
    text = f"{right} of {len(known)} expired names answered (stale), the last after {longest:.2f} s of {STALE_SECONDS}"
    yield text, right == len(known) and longest < STALE_SECONDS + MARGIN
    failed = _together(scene, [f"new-{number}.example." for number in range(20)])
    right = sum(message.rcode() == dns.rcode.SERVFAIL and bool(_errors(message)) for message, _ in failed)
    longest = max(seconds for _, seconds in failed)
    text = f"{right} of {len(failed)} unknown names SERVFAIL with a reason, the last after {longest:.2f} s"
    yield f"{text} of {ERROR_SECONDS:g}", right == len(failed) and longest < ERROR_SECONDS + MARGIN


def _together(scene: Scene, names: Sequence[str]) -> list[tuple[dns.message.Message, float]]:
    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(scene.ask, names))


def _errors(message: dns.message.Message) -> list[int]:
    return [int(one.code) for one in message.options if isinstance(one, dns.edns.EDEOption)]


def _latency(scene: Scene, options: argparse.Namespace) -> Iterator[Goal]:
    """Local names, by turns without and with questions that wait for dead upstreams."""
    scene.hang()
    p99s: dict[bool, list[float]] = {False: [], True: []}
    lost = 0
    for number in range(options.rounds):
        for loaded in (False, True) if number % 2 else (True, False):
            progress(f"round {number + 1} of {options.rounds}")
            outside = scene.steady(OUTSIDE_RATE, options.seconds + 1.0, "n{}.example.") if loaded else None
            if outside:
                time.sleep(0.5)
            local = result(scene.steady(LOCAL_RATE, options.seconds, LOCAL))
            if outside:
                result(outside)
            lost += local["lost"] + local["failed"]
            p99s[loaded].append(quantiles(local["waits"], n=100)[98])
    progress("")
    without, loaded_p99 = median(p99s[False]), median(p99s[True])
    times, more = loaded_p99 / without, loaded_p99 - without
    print(f"p99 of local names, medians of {options.rounds}: {1000 * without:.2f} ms without load,", end=" ")
    print(f"{1000 * loaded_p99:.2f} ms with {OUTSIDE_RATE:g} questions a second that nobody answers")
    yield f"p99 at most {MOST_TIMES} times that without load: {times:.2f}", times <= MOST_TIMES
    yield f"p99 below {1000 * MOST_MORE:g} ms more: {1000 * more:.2f}", more < MOST_MORE
    yield f"no local question lost: {lost}", not lost


def _flood(scene: Scene, options: argparse.Namespace) -> Iterator[Goal]:
    """Names that nobody knows at 60 % of the rate at which they can be refused, beside good local questions."""
    rng = Random(1)  # noqa: S311 - the same every time
    queries = scene.folder / "random"
    dnsperf.write(
        queries, [(f"{rng.randbytes(6).hex()}.{rng.randbytes(2).hex()}.example.", "A") for _ in range(_RANDOM_NAMES)]
    )
    scene.hang()
    seconds = options.seconds
    idle = result(scene.steady(LOCAL_RATE, 2 * seconds, LOCAL))
    full = dnsperf.ask(scene.port, queries, scene.core, ["-e", "-q", "2000", "-l", str(seconds + 2)], seconds + 40)
    rate = full.completed / full.seconds
    local = scene.steady(LOCAL_RATE, 2 * seconds, LOCAL)
    dnsperf_options = ["-e", "-q", "20000", "-Q", str(int(FLOOD * rate)), "-l", str(2 * seconds + 1)]
    flood = dnsperf.ask(scene.port, queries, scene.core, dnsperf_options, seconds + 60)
    found = result(local)
    lost = [one["lost"] + one["failed"] for one in (idle, found)]
    p99 = [1000 * quantiles(one["waits"], n=100)[98] for one in (idle, found)]
    print(f"refusals {rate:,.0f} a second at most; flood of {flood.completed / flood.seconds:,.0f} a second answered")
    print(f"p99 of local names: {p99[0]:.2f} ms idle, {p99[1]:.2f} ms under the flood")
    yield (
        f"no more of {found['sent']} good questions lost than of an idle server: {lost[1]}, {lost[0]}",
        lost[1] <= lost[0],
    )
