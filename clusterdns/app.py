"""The entry points behind the commands: serve, check, export."""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from clusterdns.config import Settings
from clusterdns.config_names import odd_variables
from clusterdns.errors import OperatorError, Problem, printable
from clusterdns.options import controller_options, file_limits, zone_options
from clusterdns.server import Server
from clusterdns.sources.reading import load
from clusterdns.supervisor import Supervisor
from clusterdns.transports.inherited import Pairs, inherited_sockets, paired
from clusterdns.transports.sockets import Address, address_text
from clusterdns.world import build
from clusterdns.zone.names import parse_name, to_text
from clusterdns.zone.zonefile import zone_text

logger = logging.getLogger("clusterdns")

# While another thread decodes, every system call of a query gives the interpreter away and waits so long to have it
# back, twice per query: at Python's 5 ms, and at 1 ms still, 1,000 questions a second queue up.  With nothing to decode
# it changes nothing.
SWITCH_SECONDS = 0.0001


_MOST_KINDS = 10  # that are counted one by one


class Report(Struct, frozen=True):
    """What ``check`` found."""

    problems: tuple[Problem, ...]  # by path and line
    summary: str
    settings: tuple[str, ...] = ()  # files of settings that lie among the manifests


def serve(
    load_settings: Callable[[], Settings], config_path: str | None = None, started: Callable[[], None] = lambda: None
) -> int:
    """Runs the server until a signal ends it.  Returns the exit status; raises OperatorError.

    *load_settings* reads the settings, at the start and for every reload; *config_path* is watched.  *started* is
    called before the first query can be answered.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    sys.setswitchinterval(SWITCH_SECONDS)
    for problem in odd_variables(os.environ):
        logger.warning("%s: %s; %s", problem.path, problem.text, problem.remedy)

    inherited = paired(inherited_sockets(os.environ, os.getpid()))
    loaded = with_sockets(load_settings, inherited) if inherited else load_settings

    async def run() -> int:
        return await Server(loaded, config_path, inherited, Supervisor(os.environ, os.getpid()), started).run()

    return asyncio.run(run())


def with_sockets(load_settings: Callable[[], Settings], inherited: Pairs) -> Callable[[], Settings]:
    """*load_settings*, but ``listen`` is where the parent's sockets are: that is what it wants to be listened on.

    Whoever writes another ``listen`` meanwhile is told that it does nothing.
    """
    addresses = tuple(inherited)
    written: tuple[Address, ...] | None = None  # when it was last read

    def loaded() -> Settings:
        nonlocal written
        settings = load_settings()
        if written not in (None, settings.listen) and {*settings.listen} != {*addresses}:
            logger.warning(
                "listen: %s changes nothing: the sockets are the parent's (LISTEN_FDS), on %s; "
                "change ListenDatagram and ListenStream in its socket unit, and restart that",
                ", ".join(map(address_text, settings.listen)),
                ", ".join(map(address_text, addresses)),
            )
        written = settings.listen
        return replace(settings, listen=addresses)

    return loaded


def check(paths: Sequence[str], settings: Settings, holds_settings: Callable[[str], bool] = lambda _: False) -> Report:
    """Everything wrong with the manifests of *paths*, read once.  Raises OperatorError where one cannot be read.

    *holds_settings*: whether a file that holds no object is one of settings, and no stray.
    """
    from clusterdns.lints.every import findings  # noqa: PLC0415 - not for a server to import
    from clusterdns.lints.scene import Scene  # noqa: PLC0415
    from clusterdns.sources.pinpoint import pinpoint  # noqa: PLC0415

    limits, options = file_limits(settings), zone_options(settings, ("127.0.0.1",))
    loaded = load(paths, limits=limits)
    world = build(loaded.objects, options, controller_options(settings))
    lints = pinpoint(findings(Scene(world.state, world.controllers, options, settings.service_cidr)), limits)
    strays = {problem.path for problem in loaded.report.problems if problem.code == "CD107"}
    own = tuple(sorted(filter(holds_settings, strays)))
    told = (problem for problem in loaded.report.problems if problem.path not in own)
    problems = tuple(sorted((*told, *world.problems(), *lints)))
    errors = sum(problem.severity == "error" for problem in problems)
    stand_ins = sum(1 for _ in world.controllers.stand_ins())
    skipped = loaded.report.skipped
    others = f"{_some(sum(skipped.values()), 'document')} of other kinds{_counted(skipped)}"
    summary = (
        f"{_some(loaded.report.files, 'file')}, {_some(len(loaded.objects), 'object')}, "
        f"{others}, {_some(stand_ins, 'stand-in pod')}: "
        f"{_some(errors, 'error')}, {_some(len(problems) - errors, 'warning')}"
    )
    return Report(problems, summary, own)


def export(paths: Sequence[str], settings: Settings, zone: str | None, serial: int | None) -> tuple[str, Report]:
    """A zone as master-file text, and what was wrong with the manifests.

    *zone* defaults to the domain.  Raises OperatorError for an unreadable path or a zone that is not served.
    """
    loaded = load(paths, limits=file_limits(settings))
    options = zone_options(settings, ("127.0.0.1",))
    world = build(loaded.objects, options, controller_options(settings), serial=serial or 1)
    try:
        apex = parse_name(zone or settings.domain)
    except ValueError as fault:
        raise OperatorError(f"--zone {zone}: {fault}") from None
    for candidate in world.table.zones:
        if candidate.apex == apex:
            text = "".join(zone_text(world.table.tree, candidate))
            return text, Report(loaded.report.problems, "")
    served = ", ".join(to_text(candidate.apex) for candidate in world.table.zones)
    raise OperatorError(f"--zone {zone}: not one of the zones served: {served}")


def _counted(kinds: Mapping[str, int]) -> str:
    """`` (ConfigMap 3, Ingress 1)``, the most frequent first."""
    ordered = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    told = [f"{kind} {count}" for kind, count in ordered[:_MOST_KINDS]] + ["…"] * (len(ordered) > _MOST_KINDS)
    return f" ({', '.join(map(printable, told))})" if told else ""


def _some(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
