"""``scripts/bench cli``: the CPU that short commands take, from the start of Python to the end."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median

DEMO = Path(__file__).parents[2] / "zones" / "demo"
COMMAND = [sys.executable, "-m", "clusterdns"]
ROUNDS = 10
# Words -> at most so many milliseconds.
GOALS = {
    ("--help",): 150.0,
    ("env", "-n", "shop", "--from", str(DEMO)): 250.0,
}


def main(arguments: list[str]) -> int:
    """0: goals held; 1: one missed."""
    parser = argparse.ArgumentParser(prog="scripts/bench cli", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of each command; the median counts")
    rounds = max(1, parser.parse_args(arguments).rounds)
    return 0 if _measure(rounds) else 1


def _measure(rounds: int) -> bool:
    """Whether all goals were held."""
    held = True
    print(f"{'CPU ms':>7} {'lowest':>7} {'goal':>6}  command, median of {rounds}")
    samples = _samples([sys.executable, "-c", "pass"], rounds)
    _show(samples, None, "python -c pass, for comparison")
    for words, goal in GOALS.items():
        samples = _samples([*COMMAND, *words], rounds)
        shown = " ".join(os.path.relpath(word) if word == str(DEMO) else word for word in words)
        held &= _show(samples, goal, f"clusterdns {shown}")
    return held


def _show(samples: Sequence[float], goal: float | None, command: str) -> bool:
    """A row; whether the goal was held."""
    middle = median(samples)
    held = goal is None or middle <= goal
    aim = "-" if goal is None else f"{goal:.0f}"
    print(f"{middle:>7.0f} {min(samples):>7.0f} {aim:>6}  {command}{'' if held else ': MISSED'}")
    return held


def _samples(command: Sequence[str], rounds: int) -> list[float]:
    """After one run that does not count: it reads files that later ones find in memory."""
    return [_cpu_ms(command) for _ in range(rounds + 1)][1:]


def _cpu_ms(command: Sequence[str]) -> float:
    """User and system time of one run.  Raises CalledProcessError where it fails."""
    before = getrusage(RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)  # noqa: S603 - commands are ours
    after = getrusage(RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
