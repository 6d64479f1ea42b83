"""``scripts/fuzz``: mutated packets by count, or atheris without end."""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from packets import mutants

if TYPE_CHECKING:
    from fuzz.checking import Harness
    from fuzz.walking import Walker


def main(arguments: Sequence[str]) -> int:
    """0: nothing found.  What is found is printed with its octets, for the corpus, and ends the run with 1."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="packets (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations (default: %(default)s)")
    parser.add_argument("--replies", action="store_true", help="replies of upstreams to the walk, not queries")
    parser.add_argument("--atheris", action="store_true", help="coverage-guided; what follows goes to libFuzzer")
    options, rest = parser.parse_known_args(arguments)
    if options.atheris:
        return guided(rest, replies=options.replies)
    if rest:
        parser.error(f"unknown: {' '.join(rest)}")
    return mutated(options.count, options.seed, replies=options.replies)


def mutated(count: int, seed: int, *, replies: bool) -> int:
    harness, packets = target(replies=replies)
    started = time.monotonic()
    for number, packet in enumerate(mutants(Random(seed), count, packets), 1):
        try:
            harness.check(packet)
        except Exception:
            print(f"packet {number} of seed {seed}: {packet.hex()}", file=sys.stderr)
            raise
    kinds = ", ".join(f"{number} {kind}" for kind, number in harness.kinds.items())
    print(f"{count} packets, seed {seed}: {kinds}; {time.monotonic() - started:.0f} s")
    print(harness.work())
    return 0


def guided(arguments: Sequence[str], *, replies: bool) -> int:
    try:
        import atheris
    except ImportError:
        print("atheris is not installed: .venv/bin/pip install atheris", file=sys.stderr)
        return 2
    # They must not be imported before.
    with atheris.instrument_imports(include=["clusterdns.engine", "clusterdns.forward"]):
        harness, packets = target(replies=replies)
    with tempfile.TemporaryDirectory(prefix="clusterdns-fuzz-") as folder:
        for number, packet in enumerate(packets):
            Path(folder, str(number)).write_bytes(packet)
        atheris.Setup(["fuzz", *arguments, folder], harness.check)
        atheris.Fuzz()
    return 0


def target(*, replies: bool) -> "tuple[Harness | Walker, list[bytes]]":
    """Who is thrown at, and what mutations start from."""
    from fuzz.checking import Harness, corpus
    from fuzz.walking import REPLIES, Walker

    return (Walker(), corpus(REPLIES)) if replies else (Harness(), corpus())


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
