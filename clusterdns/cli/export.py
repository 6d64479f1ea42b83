"""``clusterdns export``."""

import os
import sys
from typing import Annotated

import typer

from clusterdns.errors import OperatorError


def export(
    sources: Annotated[
        list[str] | None, typer.Option("--from", metavar="PATH", help="Manifest file or folder; repeatable.")
    ] = None,
    zone: Annotated[str | None, typer.Option(metavar="ZONE", help="Which zone; without it the domain.")] = None,
    serial: Annotated[int | None, typer.Option(metavar="N", min=0, max=2**32 - 1, help="SOA serial.")] = None,
    config: Annotated[str | None, typer.Option(metavar="FILE", help="Settings in YAML.")] = None,
) -> None:
    """Print a zone as master-file text for Knot, NSD or BIND."""
    if not sources:
        raise OperatorError(
            "--from: no manifests; name a file or a folder, as in `clusterdns export --from zones/demo`"
        )
    from clusterdns import app
    from clusterdns.config import load_settings

    text, report = app.export(sources, load_settings({}, os.environ, config), zone, serial)
    for problem in report.problems:
        print(problem, file=sys.stderr)
    sys.stdout.write(text)
