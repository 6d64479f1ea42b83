"""Processes that are measured: each on a core of its own, read through /proc, ended by its id."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

STOP_SECONDS = 5.0  # between SIGTERM and SIGKILL
_TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")


class MeasureError(Exception):
    """Why something cannot be measured."""


class Process:
    """A running program.  Its output goes to ``NAME.log`` in *folder*."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        core: int | None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """*core*: the only one it runs on; None: any."""
        self.name = name
        self.log = folder / f"{name}.log"
        # A session of its own: Ctrl-C is for us, we end the others one by one.
        with self.log.open("wb") as log, nullcontext() if core is None else pinned(core):
            self._process = subprocess.Popen(  # noqa: S603 - commands are ours
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    def wait_until(self, ready: Callable[[], bool], seconds: float, every: float = 0.05) -> None:
        """Raises MeasureError when the process ends before, or is not ready in time.  *every*: seconds."""
        end = time.monotonic() + seconds
        while not ready():
            if self._process.poll() is not None:
                raise MeasureError(f"ended with {self._process.returncode}: {self.last_line()}")
            if time.monotonic() > end:
                raise MeasureError(f"does not answer after {seconds:.0f} s: {self.last_line()}")
            time.sleep(every)

    def last_line(self) -> str:
        lines = self.log.read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "it printed nothing")

    def cpu_ns(self) -> int:
        """User and system time of all its threads and children so far."""
        return sum(_cpu_ns(pid) for pid in self._tree())

    def resident_mib(self) -> float:
        """Of its largest process: forked ones share most of their pages."""
        return max((_kib(pid, "VmRSS") for pid in self._tree()), default=0) / 1024

    def peak_mib(self) -> float:
        """What that was at most so far."""
        return max((_kib(pid, "VmHWM") for pid in self._tree()), default=0) / 1024

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def stop(self) -> None:
        pids = self._tree()
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()

    def _tree(self) -> list[int]:
        """Its id and those of its children, while it lives: an id that was waited for may be anybody's."""
        if self._process.poll() is not None:
            return []
        found = [self._process.pid]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                with suppress(OSError):
                    found += map(int, children.read_text().split())
        return found


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """What is started inside runs on *core* only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def run(command: Sequence[str], core: int | None = None, seconds: float = 60) -> str:
    """What *command* prints, errors included.  It does not outlive *seconds*, nor us; MeasureError if it would."""
    with nullcontext() if core is None else pinned(core):
        try:
            done = subprocess.run(  # noqa: S603 - commands are ours
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise MeasureError(f"{command[0]} was not done after {seconds:.0f} s") from None
    return done.stdout.decode(errors="replace")


def _cpu_ns(pid: int) -> int:
    """From schedstat, in ns, where the kernel has it; else from stat, in ticks."""
    try:
        return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    except OSError:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK_NS


def _kib(pid: int, what: str) -> int:
    try:
        found = re.search(rf"^{what}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0
