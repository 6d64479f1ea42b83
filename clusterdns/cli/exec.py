"""``clusterdns exec``."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from clusterdns.cli.env import Links, Namespace, variables
from clusterdns.cli.state import Config, Server, Sources

NOT_EXECUTABLE, NOT_FOUND = 126, 127  # as in every shell


def execute(
    command: Annotated[list[str], typer.Argument(metavar="COMMAND", hidden=True)],
    namespace: Namespace = "default",
    links: Links = True,
    sources: Sources = None,
    server: Server = None,
    config: Config = None,
) -> int:
    """Run a command with the service variables of a namespace.

    Variables that are already set win. The command takes the place of this process: signals reach it, and its
    exit status is the one you see; 127 when there is no such command, 126 when it cannot be run.
    """
    environment = variables(namespace, sources, server, config, links=links) | os.environ
    sys.stdout.flush()
    try:
        with _default_signals():
            os.execvpe(command[0], command, environment)  # noqa: S606 - running what the user says is what this is for
    except (FileNotFoundError, ValueError):  # ValueError: an empty COMMAND
        print(f"{command[0]}: command not found", file=sys.stderr)
        return NOT_FOUND
    except OSError as error:
        print(f"{command[0]}: {(error.strerror or str(error)).lower()}", file=sys.stderr)
        return NOT_EXECUTABLE


@contextmanager
def _default_signals() -> Iterator[None]:
    """Python ignores these for its own sake, and what is ignored stays so over an exec."""
    ignored = [getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ") if hasattr(signal, name)]
    before = [(one, signal.signal(one, signal.SIG_DFL)) for one in ignored]
    try:
        yield
    finally:
        for one, handler in before:
            signal.signal(one, handler)
