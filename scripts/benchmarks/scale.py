"""``scripts/bench scale``: a large cluster: seconds until it is answered, memory, waits while it is loaded again."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import clusters
from asking import answers
from clusters import Size, Writer, addresses, name
from load import packet
from processes import Process, pinned
from servers import ask, free_port

SETTLED = 10.0  # seconds after the first answer: when memory is read
ROUNDS = 3
RATE = 1000.0  # questions per second while the state is loaded again
QUIET, AFTER = 5.0, 2.0  # seconds of questions without a reload, and behind it
START_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Goals:
    """At most."""

    ready: float = 2.0  # seconds from the start of the process to its first answer
    ready_pods: float = 3.0
    resident: float = 160.0  # MiB
    wait: float = 50.0  # ms


GOALS = Goals()


def main(arguments: Sequence[str]) -> int:
    """0: goals held; 1: one missed.  Raises MeasureError where nothing can be measured."""
    options = _options(arguments)
    size = Size(options.services, options.endpoints, options.selectors)
    loads = f"{size.services} Services with {size.services * size.endpoints} endpoints in EndpointSlices; "
    print(f"{loads}{size.selectors} selectors over {size.selectors * clusters.PODS_PER_SELECTOR} Pods")
    print(f"machine: {len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f} before the run")
    print()
    print(_row("", "first answer", "best", "goal", "CPU s", "resident MiB", "goal", "peak"))
    with TemporaryDirectory(prefix="clusterdns-bench-") as byte_code:
        # Python compiles each module once, as it does for its users, before anything is measured.
        os.environ.update(PYTHONPYCACHEPREFIX=byte_code, PYTHONDONTWRITEBYTECODE="")
        for what in ("(almost nothing, new)", "almost nothing"):
            _started(options, Size(2), what, clusters.as_list, None, None)
        held = [_started(options, size, *each) for each in _starts(options)]
        held.append(_reloaded(size))
    return 0 if all(held) else 1


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench scale", description=__doc__)
    parser.add_argument("--services", type=int, default=Size().services, help="(default: %(default)s)")
    parser.add_argument("--endpoints", type=int, default=Size().endpoints, help="of each (default: %(default)s)")
    parser.add_argument("--selectors", type=int, default=Size().selectors, help="(default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of each start; the median counts")
    parser.add_argument("--seconds", type=float, default=SETTLED, help="until memory is read (default: %(default)s)")
    parser.add_argument("--no-yaml", action="store_true", help="leave out YAML, which takes longest")
    return parser.parse_args(arguments)


Start = tuple[str, Writer, float | None, float | None]  # what it is called, what writes it, goals: seconds, MiB


def _starts(options: argparse.Namespace) -> list[Start]:
    found: list[Start] = [
        ("one JSON list", clusters.as_list, GOALS.ready, GOALS.resident),
        ("100 JSON files", clusters.as_files, GOALS.ready, GOALS.resident),
        ("Pods and selectors", clusters.as_pods, GOALS.ready_pods, None),
    ]
    return found if options.no_yaml else [*found, ("100 YAML files", clusters.as_yaml, None, None)]


def _started(
    options: argparse.Namespace, size: Size, what: str, write: Writer, ready: float | None, resident: float | None
) -> bool:
    """Prints a row; whether its goals were held."""
    with TemporaryDirectory(prefix="clusterdns-bench-") as folder:
        served = _served(Path(folder))
        write(served, size)
        rounds = options.rounds if ready else 1
        samples = [_start(Path(folder), served, options.seconds if ready else 0) for _ in range(rounds)]
    seconds, used, weight, peak = (median(column) for column in zip(*samples, strict=True))
    best = min(samples)[0]
    held = (ready is None or seconds <= ready) and (resident is None or weight <= resident)
    figures = (f"{seconds:.2f} s", f"{best:.2f}", _goal(ready), f"{used:.2f}", f"{weight:.0f}", _goal(resident))
    print(_row(what, *figures, f"{peak:.0f}") + ("" if held else "  MISSED"), flush=True)
    return held


def _goal(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _row(what: str, *columns: str) -> str:
    widths = (12, 6, 5, 6, 13, 5, 5)
    return " ".join([f"{what:<22}", *(f"{text:>{width}}" for text, width in zip(columns, widths, strict=True))])


def _served(folder: Path) -> Path:
    served = folder / "manifests"
    served.mkdir()
    return served


def _start(folder: Path, served: Path, rest: float) -> tuple[float, float, float, float]:
    """Seconds to the first answer, and of CPU; MiB resident *rest* seconds later, and at most until then."""
    port, begin = free_port(), time.monotonic()
    process = _serve(folder, served, port)
    try:
        _until(process, port, generation=0)
        seconds, used = time.monotonic() - begin, process.cpu_ns() / 1e9
        time.sleep(rest)
        return seconds, used, process.resident_mib(), process.peak_mib()
    finally:
        process.stop()


def _serve(folder: Path, served: Path, port: int) -> Process:
    http = next(other for other in iter(free_port, None) if other != port)
    listening = ["--listen", f"127.0.0.1:{port}", "--http", f"127.0.0.1:{http}"]
    return Process("clusterdns", [sys.executable, "-m", "clusterdns", "serve", str(served), *listening], folder, None)


def _until(process: Process, port: int, generation: int) -> None:
    """Until the right addresses of that generation come."""
    query, expected = packet((name(1), "A")), addresses(1, Size(), generation)
    process.wait_until(lambda: answers(ask(port, query)) == expected, START_SECONDS, every=0.01)


def _reloaded(size: Size) -> bool:
    """Every Service changes while questions come; whether nobody waited too long or got what never was."""
    with TemporaryDirectory(prefix="clusterdns-bench-") as folder:
        served = _served(Path(folder))
        clusters.write_list(served / "dump.json", clusters.dumped(size))
        clusters.write_list(Path(folder) / "next.json", clusters.dumped(size, 1))
        port = free_port()
        process = _serve(Path(folder), served, port)
        try:
            _until(process, port, generation=0)
            time.sleep(2)
            asking = _asker(port, size)
            time.sleep(QUIET)
            quiet = _result(asking)
            asking = _asker(port, size)
            time.sleep(1)
            begin = time.monotonic()
            (Path(folder) / "next.json").rename(served / "dump.json")
            _until(process, port, generation=1)
            seconds = time.monotonic() - begin
            time.sleep(AFTER)
            loud = _result(asking)
            return _told(quiet, loud, seconds, process)
        finally:
            process.stop()


def _told(quiet: dict[str, object], loud: dict[str, object], seconds: float, process: Process) -> bool:
    longest = float(str(loud["longest"])) * 1000
    held = longest < GOALS.wait and not loud["wrong"] and not loud["lost"]
    print(f"\nloaded again with every Service changed: {seconds:.2f} s from the rename to the first new answer")
    print(f"longest wait of a question, {RATE:.0f} a second: {longest:.1f} ms, goal {GOALS.wait:g}", end="")
    print(f"; above 10 ms: {loud['late']}; without a reload: {float(str(quiet['longest'])) * 1000:.1f} ms")
    print(f"answers: {loud['old']} old, {loud['new']} new, {len(list(loud['wrong']))} others, {loud['lost']} lost")  # type: ignore[call-overload]
    for wrong in list(loud["wrong"]):  # type: ignore[call-overload]
        print(f"  {wrong}")
    print(f"resident {process.resident_mib():.0f} MiB afterwards, peak {process.peak_mib():.0f}", end="")
    print("" if held else "  MISSED")
    return held


def _asker(port: int, size: Size) -> "subprocess.Popen[bytes]":
    """Asks until ``_result`` is called."""
    words = [port, size.services, size.endpoints, RATE]
    command = [sys.executable, str(Path(__file__).with_name("asking.py")), *map(str, words)]
    with pinned(max(os.sched_getaffinity(0))):
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - ours


def _result(asking: "subprocess.Popen[bytes]") -> dict[str, object]:
    text, _ = asking.communicate(timeout=120)
    found: dict[str, object] = json.loads(text)
    return found
