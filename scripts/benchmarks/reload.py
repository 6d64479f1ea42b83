"""Queries lost while settings change: 200 reloads, every tenth of them wrong, under a steady load."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import dnsperf
from processes import Process
from servers import free_port

ROOT = Path(__file__).parent.parent.parent
RELOADS, RATE, WRONG_EVERY = 200, 5000, 10
NAMES = ("web.shop", "carts.shop", "checkout.shop", "database.data")


def main(arguments: Sequence[str]) -> int:
    """0: none lost; 1: some.  Raises MeasureError where nothing can be measured."""
    parser = argparse.ArgumentParser(prog="scripts/bench reload", description=__doc__)
    parser.add_argument("--reloads", type=int, default=RELOADS)
    parser.add_argument("--rate", type=int, default=RATE, help="queries a second")
    options = parser.parse_args(arguments)
    dnsperf.need()
    with tempfile.TemporaryDirectory() as folder:
        return _measure(Path(folder), options.reloads, options.rate)


def _measure(folder: Path, reloads: int, rate: int) -> int:
    port, path = free_port(), folder / "clusterdns.yaml"
    _write(path, port, ttl="5")
    cores = sorted(os.sched_getaffinity(0))
    command = [sys.executable, "-m", "clusterdns", "serve", "--config", str(path)]
    server = Process("clusterdns", command, folder, cores[0])
    try:
        server.wait_until(lambda: "ready: " in server.log.read_text(), 60)
        queries = folder / "queries"
        dnsperf.write(queries, [(f"{name}.svc.cluster.local.", "A") for name in NAMES])
        # Its own buffers hold 40 answers unless it is told otherwise (-b, KiB): what it loses is not ours.
        limits = ["-l", "3600", "-Q", str(rate), "-q", "200", "-b", "4096", "-t", "5"]
        load = subprocess.Popen(  # noqa: S603 - a command of ours
            ["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", str(queries), "-e", *limits],  # noqa: S607
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            done = _reload_all(server, path, port, reloads)
            dropped = _dropped(port)
            load.send_signal(signal.SIGINT)
            text, _ = load.communicate(timeout=60)
        finally:
            load.kill()
            load.wait()
    finally:
        server.stop()
    seconds, sent = dnsperf.number(text, r"Run time \(s\)"), dnsperf.number(text, "Queries sent")
    lost = int(dnsperf.number(text, "Queries lost"))
    print(f"{done} reloads, {done // WRONG_EVERY} of them wrong, in {float(seconds):.1f} s")
    print(f"{sent} queries sent, {lost} lost; goal 0: {'MISSED' if lost else 'held'}")
    print(f"{dropped} dropped at the server's socket")
    return int(lost > 0)


def _reload_all(server: Process, path: Path, port: int, reloads: int) -> int:
    """One after the other: the log says when each has been taken over or refused."""
    for number in range(1, reloads + 1):
        _write(path, port, ttl="wrong" if number % WRONG_EVERY == 0 else str(5 + number % 50))
        server.signal(signal.SIGHUP)
        server.wait_until(lambda number=number: _answered(server.log) >= number, 60)  # type: ignore[misc]
    return reloads


def _answered(log: Path) -> int:
    text = log.read_text(errors="replace")
    return text.count(": settings reloaded: ") + text.count(": settings not reloaded: ")


def _write(path: Path, port: int, ttl: str) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(f'manifests: ["{ROOT}/zones/demo"]\nlisten: ["127.0.0.1:{port}"]\nhttp: []\nttl: {ttl}\n')
    draft.replace(path)


def _dropped(port: int) -> int:
    """Datagrams that the kernel threw away because the server's buffer was full."""
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return sum(int(row[-1]) for row in rows if row[1].endswith(f":{port:04X}"))
