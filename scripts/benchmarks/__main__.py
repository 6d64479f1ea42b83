"""``scripts/bench NAME``: one benchmark per module, by name."""

import compileall
import os
import signal
import sys
from pathlib import Path
from types import FrameType

import cli
import dead
import edit
import forward
import kubernetes
import reload
import restart
import scale
import speed
from processes import MeasureError

PACKAGE = Path(__file__).parents[2] / "clusterdns"
BENCHMARKS = {
    "cli": cli.main,
    "dead": dead.main,
    "edit": edit.main,
    "forward": forward.main,
    "kubernetes": kubernetes.main,
    "reload": reload.main,
    "restart": restart.main,
    "scale": scale.main,
    "speed": speed.main,
}


def main(arguments: list[str]) -> int:
    """0: measured, goals held; 1: a goal missed; 2: wrong use, or something is not installed."""
    if not arguments or arguments[0] not in BENCHMARKS:
        print(f"usage: scripts/bench {{{','.join(BENCHMARKS)}}} [--help]", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _end)
    _with_byte_code()
    try:
        return BENCHMARKS[arguments[0]](arguments[1:])
    except (MeasureError, OSError) as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _with_byte_code() -> None:
    """Python compiles nothing at the starts that are measured, as it does not after an installation."""
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"):
        os.environ.pop(name, None)
    sys.pycache_prefix = None
    compileall.compile_dir(PACKAGE, quiet=2)


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the form of a handler
    """As an exception, so that everything started is stopped on the way out."""
    sys.exit(128 + number)


sys.exit(main(sys.argv[1:]))
