"""From an edit of one of many manifests to the first answer that knows of it."""

import argparse
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from load import packet
from processes import MeasureError, Process
from servers import HOST, ask, free_port

FILES, EDITS = 300, 30
PAUSE = 0.5  # seconds between two edits: each is a round of its own
GIVE_UP = 30.0  # seconds
EVERY = 0.002  # seconds between two questions
SERVICE = """apiVersion: v1
kind: Service
metadata: {{name: web-{number}, namespace: shop}}
spec: {{clusterIP: {address}, ports: [{{name: http, port: 80}}]}}
"""


def main(arguments: Sequence[str]) -> int:
    """0: measured.  Raises MeasureError where nothing can be."""
    parser = argparse.ArgumentParser(prog="scripts/bench edit", description=__doc__)
    parser.add_argument("--files", type=int, default=FILES, help="with a Service each (default: %(default)s)")
    parser.add_argument("--edits", type=int, default=EDITS, help="one after the other (default: %(default)s)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="clusterdns-bench-") as folder:
        seconds = _measure(Path(folder), options.files, options.edits)
    shown = f"{1000 * median(seconds):.0f} ms (median of {len(seconds)}), {1000 * max(seconds):.0f} ms at most"
    print(f"an edit of one of {options.files} manifests shows after {shown}")
    return 0


def _measure(folder: Path, files: int, edits: int) -> list[float]:
    served, port = folder / "manifests", free_port()
    served.mkdir()
    for number in range(files):
        _write(served, number, f"10.96.{number >> 8}.{number & 255}")
    listen = ["--listen", f"{HOST}:{port}", "--http", ""]
    server = Process("clusterdns", [sys.executable, "-m", "clusterdns", "serve", str(served), *listen], folder, None)
    try:
        server.wait_until(lambda: "ready: " in server.log.read_text(), 60)
        return [_edited(served, port, number % files, f"10.97.0.{number % 256}") for number in range(edits)]
    finally:
        server.stop()


def _edited(served: Path, port: int, number: int, address: str) -> float:
    """Seconds from the write to the answer.  Raises MeasureError where none comes."""
    time.sleep(PAUSE)
    question = packet((f"web-{number}.shop.svc.cluster.local.", "A"))
    begin = time.monotonic()
    _write(served, number, address)
    while socket.inet_aton(address) not in ask(port, question):
        if time.monotonic() > begin + GIVE_UP:
            raise MeasureError(f"{address} is not answered after {GIVE_UP:.0f} s")
        time.sleep(EVERY)
    return time.monotonic() - begin


def _write(served: Path, number: int, address: str) -> None:
    """In place, as most editors do not: a reader may see half of it."""
    (served / f"web-{number}.yaml").write_text(SERVICE.format(number=number, address=address))
