"""``clusterdns diff``."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from clusterdns.cli.shown import Origin
from clusterdns.errors import BackendError, OperatorError

if TYPE_CHECKING:
    from clusterdns.views.diff import Answers

_HELP = "Manifest file or folder, or http://ADDR:PORT of a running server."


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=_HELP)],
    b: Annotated[str, typer.Argument(metavar="B", help=_HELP)],
    output: Annotated[str, typer.Option("--output", "-o", metavar="FORMAT", help="text or json.")] = "text",
    config: Annotated[str | None, typer.Option(metavar="FILE", help="Settings in YAML, for manifests.")] = None,
) -> int:
    """Print which names and answers change from A to B; exit 1 if any does, 2 if A or B cannot be read.

    A line begins with - for a record that goes, + for one that comes, ~ for an answer that turns negative (NXDOMAIN:
    no such name; NODATA: the name exists, without that type). Serials count for nothing.
    """
    from clusterdns.views.diff import as_json, as_text, differences

    if output not in ("text", "json"):
        raise OperatorError(f"-o {output}: no such format; write text or json")
    try:
        found = differences(_answers(a, config), _answers(b, config))
    except BackendError as fault:  # 1 says that they differ
        raise OperatorError(str(fault)) from None
    sys.stdout.write(as_json(found) if output == "json" else as_text(found))
    return 1 if found else 0


def _answers(state: str, config: str | None) -> "Answers":
    from clusterdns.views.diff import answers

    remote = state.startswith(("http://", "https://"))
    origin = Origin(None, state, config, "or name manifests") if remote else Origin([state], None, config)
    return answers(*origin.answers())
