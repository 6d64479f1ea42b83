"""Samples -> what is printed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median

from load import LOADS
from servers import ECHO, OURS, Running

GOAL = 1.7  # clusterdns's CPU per query of the mix, in units of the echo loop's
HEAD = f"{'load':<9} {'server':<11} {'queries/s':>10} {'CPU µs/query':>13} {'x echo':>7}"
HEAD += f" {'busy':>6} {'lost':>5} {'wrong':>6}"


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one load on one server."""

    queries_per_second: float
    cpu_us: float  # server CPU per query
    busy: float  # server CPU per wall time; below 1 the client was the slower one
    lost: int
    wrong: int  # answers with another rcode than the load asks for


Samples = dict[tuple[str, str], list[Sample]]  # by server and load, in the order of rounds


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians over the rounds, and sums of what should not be."""

    server: str
    load: str
    queries_per_second: float
    cpu_us: float
    ratio: float | None  # of cpu_us to the echo loop's of the same round
    busy: float
    lost: int
    wrong: int


@dataclass(frozen=True, slots=True)
class Report:
    facts: Mapping[str, str]
    servers: list[dict[str, object]]
    skipped: Mapping[str, str]
    figures: list[Figures]
    goal: float
    goal_ratio: float | None
    goal_held: bool | None  # None: not measured

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    def to_text(self) -> str:
        lines = [f"{name:<9}{text}" for name, text in self.facts.items()]
        for load in LOADS:
            rows = [row(one) for one in self.figures if one.load == load]
            lines += ["", HEAD, *rows] if rows else []
        lines += ["", f"{'server':<11} {'version':<9} {'resident MiB':>12}  serves"]
        lines += ["{name:<11} {version:<9} {resident_mib:>12.0f}  {serves}".format_map(one) for one in self.servers]
        lines += [f"{name:<11} not measured: {why}" for name, why in self.skipped.items()]
        return "\n".join([*lines, "", self._verdict()])

    def _verdict(self) -> str:
        if self.goal_ratio is None:
            return f"goal     {OURS} on the mix at most {self.goal} times {ECHO}: not measured"
        held = "held" if self.goal_held else "MISSED"
        return f"goal     {OURS} on the mix at most {self.goal} times {ECHO}: {self.goal_ratio:.2f}, {held}"


def summarise(
    facts: Mapping[str, str], running: Sequence[Running], skipped: Mapping[str, str], samples: Samples
) -> Report:
    """While the servers still run: their memory is read here, after all questions."""
    found = [figures(server, load, samples) for server, load in samples]
    servers: list[dict[str, object]] = [
        {"name": one.name, "version": one.version, "serves": one.serves, "resident_mib": one.process.resident_mib()}
        for one in running
    ]
    ratio = next((each.ratio for each in found if (each.server, each.load) == (OURS, "mix")), None)
    return Report(facts, servers, skipped, found, GOAL, ratio, None if ratio is None else ratio <= GOAL)


def figures(server: str, load: str, samples: Samples) -> Figures:
    rounds, echoes = samples[server, load], samples.get((ECHO, load))
    pairs = zip(rounds, echoes, strict=True) if echoes else ()
    ratios = [one.cpu_us / echo.cpu_us for one, echo in pairs if echo.cpu_us]
    return Figures(
        server=server,
        load=load,
        queries_per_second=median(one.queries_per_second for one in rounds),
        cpu_us=median(one.cpu_us for one in rounds),
        ratio=median(ratios) if ratios else None,
        busy=median(one.busy for one in rounds),
        lost=sum(one.lost for one in rounds),
        wrong=sum(one.wrong for one in rounds),
    )


def row(one: Figures) -> str:
    ratio = "-" if one.ratio is None else f"{one.ratio:.2f}"
    return (
        f"{one.load:<9} {one.server:<11} {one.queries_per_second:>10,.0f} {one.cpu_us:>13.2f} {ratio:>7}"
        f" {one.busy:>6.0%} {one.lost:>5} {one.wrong:>6}"
    )
