"""Processes that a live test starts: on free ports of 127.0.0.1, each ended by its own id."""

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 240.0  # seconds; only a fault ever waits so long
_POLL = 0.05
GRACE = 5.0  # seconds between SIGTERM and SIGKILL: an API server with connected watchers does not end by itself


class Program:
    """Something that runs from ``start`` to ``end`` or ``kill``, any number of times; its output goes to *log*."""

    def __init__(
        self, command: Sequence[str | Path], log: Path, ready: Callable[[], bool], grace: float = GRACE
    ) -> None:
        """*ready*: whether it can be used, asked until it says so.  *grace*: seconds that it has to end."""
        self._command, self._log, self._ready, self._grace = list(map(str, command)), log, ready, grace
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> None:
        """Raises AssertionError with the end of its log if it ends instead of becoming ready."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        if wait:
            self.wait()

    def wait(self) -> None:
        wait_until(self._ready, f"{self._command[0]} to be ready", self._process, self._log)

    def kill(self) -> None:
        """As a crash: nothing is finished, nobody is told."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def end(self) -> None:
        if self._process:
            _end(self._process, self._grace)


@contextmanager
def running(command: Sequence[str | Path], log: Path, ready: Callable[[], bool]) -> Iterator[None]:
    """*command* from the moment that *ready* says so to the end of the block; its output goes to *log*."""
    program = Program(command, log, ready)
    try:
        program.start()
        yield
    finally:
        program.end()


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


def _end(process: "subprocess.Popen[bytes]", grace: float) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
