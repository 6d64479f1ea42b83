"""``scripts/bench NAME``: one benchmark per module, by name."""

import signal
import sys
from types import FrameType

import cli
import dead
import forward
import kubernetes
import reload
import restart
import scale
import speed

BENCHMARKS = {
    "cli": cli.main,
    "dead": dead.main,
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
    try:
        return BENCHMARKS[arguments[0]](arguments[1:])
    except KeyboardInterrupt:
        return 130


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the form of a handler
    """As an exception, so that everything started is stopped on the way out."""
    sys.exit(128 + number)


sys.exit(main(sys.argv[1:]))
