"""Queries lost over restarts: 20 of them under a steady load, while the parent holds the sockets, as systemd does."""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import dnsperf
from processes import MeasureError

ROOT = Path(__file__).parent.parent.parent
RESTARTS, RATE = 20, 5000
NAMES = ("web.shop", "carts.shop", "checkout.shop", "database.data")
LAMEDUCK = 1.0  # seconds; nobody is quiet here, so that each end takes all of them
_RECEIVE_OCTETS = 8 << 20
_SO_RCVBUFFORCE = 33
# What systemd does between fork and exec: the sockets become descriptors from 3 on, and the variables name them.
_HAND_OVER = """
import os, sys
for place, descriptor in enumerate(map(int, sys.argv[1].split(",")), 3):
    os.dup2(descriptor, place)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2"}
os.execv(sys.executable, [sys.executable, "-m", "clusterdns", *sys.argv[2:]])
"""


def main(arguments: Sequence[str]) -> int:
    """0: none lost; 1: some.  Raises MeasureError where nothing can be measured."""
    parser = argparse.ArgumentParser(prog="scripts/bench restart", description=__doc__)
    parser.add_argument("--restarts", type=int, default=RESTARTS)
    parser.add_argument("--rate", type=int, default=RATE, help="queries a second")
    options = parser.parse_args(arguments)
    dnsperf.need()
    with tempfile.TemporaryDirectory() as folder:
        return _measure(Path(folder), options.restarts, options.rate)


def _measure(folder: Path, restarts: int, rate: int) -> int:
    udp, tcp = _sockets()
    with udp, tcp:
        port = udp.getsockname()[1]
        process, gaps = _start(udp, tcp), []
        queries = folder / "queries"
        dnsperf.write(queries, [(f"{name}.svc.cluster.local.", "A") for name in NAMES])
        # As many may be under way as come in four seconds: the load does not wait for the server.
        limits = ["-l", "3600", "-Q", str(rate), "-q", str(4 * rate), "-b", "8192", "-t", "5"]
        load = subprocess.Popen(  # noqa: S603 - a command of ours
            ["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", str(queries), "-e", *limits],  # noqa: S607
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            for _ in range(restarts):
                process.send_signal(signal.SIGTERM)
                process.wait(60)
                ended = time.monotonic()
                process = _start(udp, tcp)
                gaps.append(time.monotonic() - ended)
            load.send_signal(signal.SIGINT)
            text, _ = load.communicate(timeout=60)
        finally:
            load.kill()
            load.wait()
            process.terminate()
            process.wait(60)
    sent, lost = dnsperf.number(text, "Queries sent"), int(dnsperf.number(text, "Queries lost"))
    print(f"{restarts} restarts; from the end of one to the ready line of the next {max(gaps):.2f} s at most")
    print(f"{sent} queries sent at {rate} a second, {lost} lost; goal 0: {'MISSED' if lost else 'held'}")
    return int(lost > 0)


def _sockets() -> tuple[socket.socket, socket.socket]:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        udp.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_OCTETS)
    except OSError:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_OCTETS)
    udp.bind(("127.0.0.1", 0))
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    tcp.bind(udp.getsockname())
    tcp.listen(1024)
    return udp, tcp


def _start(udp: socket.socket, tcp: socket.socket) -> "subprocess.Popen[str]":
    """Returns behind the ready line."""
    held = (udp.fileno(), tcp.fileno())
    arguments = ["serve", f"{ROOT}/zones/demo", "--http", "", "--lameduck", str(LAMEDUCK)]
    process = subprocess.Popen(  # noqa: S603 - a command of ours
        [sys.executable, "-c", _HAND_OVER, ",".join(map(str, held)), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=held,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    for line in process.stdout or ():
        if line.startswith("ready: "):
            return process
    raise MeasureError(f"clusterdns ended with {process.wait()}")
