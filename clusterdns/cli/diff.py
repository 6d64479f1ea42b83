"""``clusterdns diff``."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from clusterdns.cli.shown import Origin
from clusterdns.cli.state import Config
from clusterdns.errors import OperatorError

if TYPE_CHECKING:
    from clusterdns.views.diff import Answers

_State = Annotated[str, typer.Argument(help="Manifest file or folder, or http://ADDR:PORT of a running server.")]


def diff(
    a: _State,
    b: _State,
    output: Annotated[str, typer.Option("--output", "-o", metavar="FORMAT", help="text or json.")] = "text",
    config: Config = None,
) -> int:
    """Print which names and answers change from A to B; exit 1 if any does.

    A line begins with - for a record that goes, + for one that comes, ~ for an answer that turns negative (NXDOMAIN:
    no such name; NODATA: the name exists, without that type). Serials count for nothing.
    """
    from clusterdns.views.diff import as_json, as_text, differences

    if output not in ("text", "json"):
        raise OperatorError(f"-o {output}: no such format; write text or json")
    found = differences(_answers(a, config), _answers(b, config))
    sys.stdout.write(as_json(found) if output == "json" else as_text(found))
    return 1 if found else 0


def _answers(state: str, config: str | None) -> "Answers":
    from clusterdns.views.diff import answers

    remote = state.startswith(("http://", "https://"))
    origin = Origin(None, state, config) if remote else Origin([state], None, config)
    return answers(*origin.answers())
