"""The corpus: bounded memory and time, every trap named, the rest served.

At full size, each trap in a process of its own (a few minutes)::

    HOSTILE_SCALE=1 scripts/test tests/hostile -s
"""

import json
import resource
import subprocess
import sys
from pathlib import Path

import corpus
import pytest

FULL = corpus.SCALE == 1
ADDRESS_SPACE = 3 << 30  # octets of a reading process; what it really uses is less
RESIDENT = (600 << 20) if FULL else (200 << 20)  # octets, interpreter and libraries (40 MiB) included
RESIDENT_LARGE = 1200 << 20  # of a file of 256 MiB
CPU = 300  # seconds, after which the system kills it


def bound() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU, CPU))


def read(folder: Path, names: list[str]) -> list[dict[str, object]]:
    for name in names:
        corpus.prepare(name, folder / name.replace("/", "|"))
    done = subprocess.run(
        [sys.executable, corpus.__file__, str(folder), *names],
        check=False,
        capture_output=True,
        text=True,
        preexec_fn=bound,
    )
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"after {[result['name'] for result in results][-1:]}: {done.stderr[-2000:]}"
    assert [result["name"] for result in results] == names
    return results


def peak_of(result: dict[str, object]) -> int:
    peak = result["peak"]
    assert isinstance(peak, int)
    return peak


def judge(result: dict[str, object]) -> None:
    name, problems = result["name"], result["problems"]
    assert isinstance(problems, list)
    assert "good" in result["served"], name  # type: ignore[operator]
    assert len(problems) <= 10_002, name
    assert (not problems) == (name in corpus.QUIET), (name, problems[:3])
    for problem in problems:
        assert problem.startswith("trap"), (name, problem)
        assert "; " in problem, (name, problem)
        assert problem.isprintable(), (name, problem)
        assert len(problem) < 2_000, name


def test_every_trap_is_named_and_the_rest_is_served(tmp_path: Path) -> None:
    if FULL:
        pytest.skip("at full size each has a process of its own")
    results = read(tmp_path, [name for name in corpus.TRAPS if name not in corpus.LARGE])
    for result in results:
        judge(result)
    assert peak_of(results[-1]) < RESIDENT


@pytest.mark.skipif(not FULL, reason="only with HOSTILE_SCALE=1")
@pytest.mark.parametrize("name", corpus.TRAPS)
def test_at_full_size(tmp_path: Path, name: str) -> None:
    (result,) = read(tmp_path, [name])
    print(f"{peak_of(result) >> 20:5} MiB {result['seconds']:6.2f} s CPU  {name}")
    judge(result)
    assert peak_of(result) < (RESIDENT_LARGE if name in corpus.LARGE else RESIDENT)
