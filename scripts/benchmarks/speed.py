"""``scripts/bench speed``: what a query costs, beside an echo loop and the other servers of this machine."""

import argparse
import os
import platform
import re
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import dnsperf
from load import LOADS, RCODES, SERVICES, manifests, questions
from processes import MeasureError, run
from report import Sample, Samples, summarise
from servers import ECHO, Running, Site, free_port, known, start


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    dnsperf.need()
    cores = sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clusterdns-bench-")))
        running, skipped = _start_all(options, folder, cores[0], stack)
        known_facts = facts(cores, options, f"{SERVICES} Services")
        samples = _measure(running, folder, options, cores[-1])
        report = summarise(known_facts, running, skipped, samples)
    print(report.to_json() if options.output == "json" else report.to_text())
    return 1 if report.goal_held is False else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench speed", description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.6, help="of one run of dnsperf (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="over all servers and loads (default: %(default)s)")
    parser.add_argument("--loads", default=",".join(LOADS), help="some of %(default)s")
    names = [server.name for server in known()]
    parser.add_argument("--servers", default=",".join(names), help="some of %(default)s; those not here are skipped")
    parser.add_argument(
        "--coredns", default=os.environ.get("COREDNS"), metavar="PATH", help="its binary, if not on PATH (or: COREDNS)"
    )
    parser.add_argument("-o", dest="output", choices=["text", "json"], default="text")
    options = parser.parse_args(arguments)
    options.servers = options.servers.split(",")
    options.loads = options.loads.split(",")
    for chosen, allowed in ((options.servers, names), (options.loads, LOADS)):
        if unknown := [one for one in chosen if one not in allowed]:
            parser.error(f"{', '.join(unknown)}: not one of {', '.join(allowed)}")
    if options.rounds < 1 or not 0.1 <= options.seconds <= 60:
        parser.error("at least one round, of 0.1 to 60 seconds")
    return options


def _start_all(
    options: argparse.Namespace, folder: Path, core: int, stack: ExitStack
) -> tuple[list[Running], dict[str, str]]:
    """Those that serve, and why the others do not.  They end with *stack*."""
    served = folder / "manifests"
    served.mkdir()
    (served / "services.json").write_bytes(manifests())
    zone = folder / "zone"
    zone.write_text(_export(served))
    running, skipped = [], dict[str, str]()
    for server in known(options.coredns):
        if server.name not in options.servers:
            continue
        progress(f"starting {server.name}")
        try:
            one = start(server, Site(folder / server.name, served, zone, free_port()), core)
        except (MeasureError, OSError) as problem:
            skipped[server.name] = str(problem)
        else:
            stack.callback(one.process.stop)
            running.append(one)
    if not running:
        raise MeasureError("nothing to measure: " + "; ".join(f"{name}: {why}" for name, why in skipped.items()))
    return running, skipped


def _export(served: Path) -> str:
    progress("exporting the zone")
    text = run([sys.executable, "-m", "clusterdns", "export", "--from", str(served)])
    if not re.search(r"\sSOA\s", text):
        raise MeasureError(f"clusterdns export: {text.strip()[-300:]}")
    return text


def _measure(running: Sequence[Running], folder: Path, options: argparse.Namespace, core: int) -> Samples:
    """Rounds over all loads and servers: what disturbs the machine disturbs all of them."""
    samples: Samples = {}
    for load in options.loads:
        dnsperf.write(folder / f"{load}.txt", questions(load))
    for number in range(options.rounds):
        for load in options.loads:
            progress(f"round {number + 1} of {options.rounds}: {load}")
            for one in running:
                sample = _sample(one, load, folder / f"{load}.txt", options.seconds, core)
                samples.setdefault((one.name, load), []).append(sample)
    progress("")
    return samples


def _sample(one: Running, load: str, queries: Path, seconds: float, core: int) -> Sample:
    before = one.process.cpu_ns()
    done = dnsperf.measure(one.port, queries, seconds, core, cookie=load == "cookies")
    used = one.process.cpu_ns() - before
    right = sum(done.rcodes.get(code, 0) for code in RCODES[load])
    return Sample(
        queries_per_second=done.completed / done.seconds,
        cpu_us=used / 1000 / max(done.completed, 1),
        busy=used / 1e9 / done.seconds,
        lost=done.lost,
        wrong=0 if one.name == ECHO else done.completed - right,
    )


def facts(cores: Sequence[int], options: argparse.Namespace, served: str) -> dict[str, str]:
    """What of the machine and the run bears on the figures."""
    model = re.search(r"^model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    alone = "its own core" if len(cores) > 1 else "the same core: the figures of a machine with two are better"
    return {
        "machine": f"{len(cores)} cores, {model[1] if model else platform.machine()}, Linux {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load": f"{os.getloadavg()[0]:.2f} before the run",
        "servers": f"one at a time, core {cores[0]}; {served}",
        "client": f"dnsperf {dnsperf.version()}, EDNS, {dnsperf.OUTSTANDING} outstanding, core {cores[-1]} ({alone})",
        "rounds": f"{options.rounds} of {options.seconds:g} s each, interleaved; medians",
    }


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text:<60}", end="" if text else "\r", file=sys.stderr, flush=True)
