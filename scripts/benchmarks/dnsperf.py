"""One run of dnsperf (DNS-OARC, in Debian's package of that name)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from load import Question
from processes import MeasureError, run
from servers import find

OUTSTANDING = 100  # queries under way: dnsperf sends the next when one is answered
COOKIE = "10:2464c4abcf10c957"  # EDNS option and content: a client's cookie, the same in every query
TIMEOUT = 1  # seconds after which a query counts as lost


@dataclass(frozen=True, slots=True)
class Run:
    seconds: float
    completed: int
    lost: int
    rcodes: dict[str, int]


def need() -> None:
    """Raises MeasureError where it is not installed."""
    if find("dnsperf") is None:
        raise MeasureError("dnsperf is missing: install it (Debian and Ubuntu: apt-get install dnsperf)")


def write(path: Path, questions: Sequence[Question]) -> None:
    path.write_text("".join(f"{name} {rtype}\n" for name, rtype in questions))


def measure(port: int, queries: Path, seconds: float, core: int, *, edns: bool = True, cookie: bool = False) -> Run:
    """Raises MeasureError with what dnsperf said where that is no result."""
    options = ["-l", f"{seconds:g}", "-q", str(OUTSTANDING), *(["-e"] if edns else [])]
    if cookie:
        options += ["-E", COOKIE]
    return ask(port, queries, core, options, seconds + 30)


def ask(port: int, queries: Path, core: int, options: Sequence[str], seconds: float = 60.0) -> Run:
    """With *options* of dnsperf, which must not take longer than *seconds*.  Raises as ``measure``."""
    command = ["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", str(queries), "-t", str(TIMEOUT), *options]
    text = run(command, core, seconds)
    rcodes = re.search(r"Response codes:\s+(.*)", text)
    return Run(
        seconds=float(number(text, r"Run time \(s\)")),
        completed=int(number(text, "Queries completed")),
        lost=int(number(text, "Queries lost")),
        rcodes={code: int(count) for code, count in re.findall(r"([A-Z]+) (\d+)", rcodes[1] if rcodes else "")},
    )


def version() -> str:
    found = re.search(r"Version (\S+)", run(["dnsperf", "-h"]))
    return found[1] if found else "of unknown version"


def number(text: str, label: str) -> str:
    """A figure of its summary.  Raises MeasureError where it is not there."""
    found = re.search(rf"{label}:\s+([0-9.]+)", text)
    if not found:
        raise MeasureError(f"dnsperf: no {label} in its output: {text.strip()[-200:]}")
    return found[1]
