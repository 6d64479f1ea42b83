"""``clusterdns``: finds the command, runs it, and turns what went wrong into plain lines and an exit code.

0 fine; 1 the answer is no; 2 wrong use or a wrong file; 3 NXDOMAIN and 4 NODATA (query, explain); 130 Ctrl-C.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from clusterdns import __version__
from clusterdns.cli.cache import cache
from clusterdns.cli.check import check
from clusterdns.cli.config import config
from clusterdns.cli.describe import describe
from clusterdns.cli.diff import diff
from clusterdns.cli.env import env
from clusterdns.cli.exec import execute
from clusterdns.cli.explain import explain
from clusterdns.cli.export import export
from clusterdns.cli.get import get
from clusterdns.cli.query import query
from clusterdns.cli.resolvconf import resolvconf
from clusterdns.cli.serve import serve
from clusterdns.cli.status import status
from clusterdns.errors import BackendError, OperatorError


def _width() -> int | None:
    """Columns of help; None: those of the terminal.  Off a terminal nothing is wrapped or cut."""
    return None if sys.stdout.isatty() else 10_000


app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "terminal_width": _width()},
)
for _command in (serve, query, get, describe, explain, diff, check, export, env, resolvconf, status, cache):
    app.command()(_command)
app.add_typer(config, name="config")
# What follows the first word is the other command's, options too.
app.command("exec", context_settings={"allow_interspersed_args": False})(execute)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"clusterdns {__version__}")
        raise typer.Exit


@app.callback()
def clusterdns(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """The DNS server of a cluster, from a folder of manifests."""


def main() -> None:
    """The entry point of the package."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """The exit code.  Commands return theirs, None being 0, and raise what an operator must mend."""
    try:
        code: int | None = app(arguments, prog_name="clusterdns", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        return _complain(_usage(error), 2)
    except OperatorError as error:
        return _complain(str(error), 2)
    except BackendError as error:
        return _complain(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        # Nobody reads on, as after ``| head``; the interpreter must not flush into the pipe again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code or 0


def _complain(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


def _usage(error: typer.TyperException) -> str:
    """``clusterdns query: Missing argument 'NAME'; see clusterdns query --help``."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        return error.format_message()
    command = context.command_path if context else "clusterdns"
    return f"{command}: {' '.join(error.format_message().split()).rstrip('.')}; see {command} --help"
