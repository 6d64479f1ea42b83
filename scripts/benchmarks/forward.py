"""``scripts/bench forward``: what a cached answer of others costs, beside an echo loop and other forwarders."""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import dnsperf
from forwarders import NAMES, TTL, UPSTREAM, asked, forwards, known, names
from processes import MeasureError, Process
from report import HEAD, Sample, Samples, figures, row
from servers import ECHO, OURS, Running, Site, free_port, start
from speed import facts, progress

LOADS = ("edns", "plain")  # with and without EDNS
MOST = 2.5  # the CPU of clusterdns per query, in units of the echo loop's
_PRELOADS = 3  # times through the list, in case one is lost


def main(arguments: Sequence[str]) -> int:
    """0: goals held; 1: one missed.  Raises MeasureError where nothing can be measured."""
    options = _options(arguments)
    dnsperf.need()
    cores = sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clusterdns-bench-")))
        upstream = started_upstream(folder, TTL, cores[-1], stack)
        running, skipped = _start_all(options, folder, upstream, cores, stack)
        print(*(f"{name:<9}{text}" for name, text in facts(cores, options, f"{NAMES} names cached").items()), sep="\n")
        before = asked(upstream)
        samples = _measure(running, folder, options, cores[-1])
        missed = asked(upstream) - before
        return _report(running, skipped, samples, missed)


def coredns(options: Sequence[str | None]) -> str | None:
    """The first that is given; else that of the test binaries."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    return next(filter(None, (*options, os.environ.get("COREDNS"), assets and f"{assets}/coredns")), None)


def started_upstream(folder: Path, ttl: int, core: int | None, stack: ExitStack) -> int:
    """Its port; it ends with *stack*."""
    port = free_port()
    process = Process("upstream", [sys.executable, str(UPSTREAM), str(port), str(ttl)], folder, core)
    stack.callback(process.stop)
    process.wait_until(lambda: forwards(port), 30.0)
    return port


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench forward", description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.6, help="of one run of dnsperf (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="over all servers and loads (default: %(default)s)")
    everybody = [server.name for server in known(None, 0)]
    parser.add_argument("--servers", default=",".join(everybody), help="some of %(default)s; others are skipped")
    parser.add_argument("--coredns", metavar="PATH", help="its binary (or: COREDNS, KUBEBUILDER_ASSETS, PATH)")
    options = parser.parse_args(arguments)
    options.servers = options.servers.split(",")
    if unknown := [one for one in options.servers if one not in everybody]:
        parser.error(f"{', '.join(unknown)}: not one of {', '.join(everybody)}")
    if options.rounds < 1 or not 0.1 <= options.seconds <= 60:
        parser.error("at least one round, of 0.1 to 60 seconds")
    return options


def _start_all(
    options: argparse.Namespace, folder: Path, upstream: int, cores: Sequence[int], stack: ExitStack
) -> tuple[list[Running], dict[str, str]]:
    """Those that serve and know all names, and why the others do not.  They end with *stack*."""
    queries = folder / "names"
    dnsperf.write(queries, names())
    running, skipped = [], dict[str, str]()
    for server in known(coredns([options.coredns]), upstream):
        if server.name not in options.servers:
            continue
        progress(f"starting {server.name}")
        site = Site(folder / server.name, folder, folder, free_port())
        try:
            one = start(server, site, cores[0], None if server.name == ECHO else forwards)
        except (MeasureError, OSError) as problem:
            skipped[server.name] = str(problem)
            continue
        stack.callback(one.process.stop)
        for _ in range(_PRELOADS if server.name != ECHO else 0):
            dnsperf.ask(one.port, queries, cores[-1], ["-e", "-n", "1", "-q", "20"], 120.0)
        running.append(one)
    return running, skipped


def _measure(running: Sequence[Running], folder: Path, options: argparse.Namespace, core: int) -> Samples:
    """Rounds over all loads and servers: what disturbs the machine disturbs all of them."""
    samples: Samples = {}
    for number in range(options.rounds):
        for load in LOADS:
            progress(f"round {number + 1} of {options.rounds}: {load}")
            for one in running:
                before = one.process.cpu_ns()
                done = dnsperf.measure(one.port, folder / "names", options.seconds, core, edns=load == "edns")
                used = one.process.cpu_ns() - before
                sample = Sample(
                    queries_per_second=done.completed / done.seconds,
                    cpu_us=used / 1000 / max(done.completed, 1),
                    busy=used / 1e9 / done.seconds,
                    lost=done.lost,
                    wrong=0 if one.name == ECHO else done.completed - done.rcodes.get("NOERROR", 0),
                )
                samples.setdefault((one.name, load), []).append(sample)
    progress("")
    return samples


def _report(running: Sequence[Running], skipped: dict[str, str], samples: Samples, missed: int) -> int:
    for load in LOADS:
        print("", HEAD, *(row(figures(one.name, load, samples)) for one in running), sep="\n")
    print("", f"{'server':<11} {'version':<9} {'resident MiB':>12}  serves", sep="\n")
    for one in running:
        print(f"{one.name:<11} {one.version:<9} {one.process.resident_mib():>12.0f}  {one.serves}")
    for name, why in skipped.items():
        print(f"{name:<11} not measured: {why}")
    print(f"\nquestions that reached the upstream while cached answers were measured: {missed}")
    goals = [*_goals(samples)]
    for text, held in goals:
        print(f"goal     {text}, {'not measured' if held is None else 'held' if held else 'MISSED'}")
    return int(any(held is False for _, held in goals))


def _goals(samples: Samples) -> Iterator[tuple[str, bool | None]]:
    for load in LOADS:
        for other, most in (("coredns", 1.0), (ECHO, MOST)):
            pairs = zip(samples.get((OURS, load), []), samples.get((other, load), []), strict=False)
            ratios = [one.cpu_us / their.cpu_us for one, their in pairs]
            text = f"{load}: clusterdns's CPU per query at most {most:g} times {other}'s"
            yield (f"{text}: {median(ratios):.2f}", median(ratios) <= most) if ratios else (text, None)
