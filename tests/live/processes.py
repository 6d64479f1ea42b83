"""Processes that a live test starts: on free ports of 127.0.0.1, each ended by its own id."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 120.0  # seconds; only a fault ever waits so long
_POLL = 0.05
_GRACE = 5.0  # seconds between SIGTERM and SIGKILL: an API server with connected watchers does not end by itself


def free_port() -> int:
    """One that is free over UDP and TCP; CoreDNS would silently share a taken one (SO_REUSEPORT)."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        port: int = tcp.getsockname()[1]
        try:
            udp.bind(("127.0.0.1", port))
        except OSError:
            return free_port()
        return port


@contextmanager
def running(command: Sequence[str | Path], log: Path, ready: Callable[[], bool]) -> Iterator[None]:
    """*command* from the moment that *ready* says so to the end of the block; its output goes to *log*."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_until(ready, f"{command[0]} to be ready", process, log)
        yield
    finally:
        _end(process)


def wait_until(
    condition: Callable[[], bool], what: str, process: "subprocess.Popen[bytes] | None" = None, log: Path | None = None
) -> None:
    """Raises AssertionError after PATIENCE, and at once when *process* ends instead."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if process and process.poll() is not None:
            raise AssertionError(f"ended while waiting for {what}:\n{_tail(log)}")
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE:.0f} s for {what}:\n{_tail(log)}")
        time.sleep(_POLL)


def _tail(log: Path | None) -> str:
    return log.read_text(errors="replace")[-2000:] if log else ""


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
