"""``clusterdns config``."""

import os
import sys
from typing import Annotated

import typer

config = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Show the settings and what they can be.")


@config.command()
def show(
    path: Annotated[str | None, typer.Option("--config", metavar="FILE", help="Settings in YAML.")] = None,
) -> None:
    """Print the settings in use, as YAML that can be loaded, each with where it comes from. Secrets are hidden."""
    from clusterdns.config import effective_settings
    from clusterdns.config_names import odd_variables
    from clusterdns.config_text import yaml_of

    settings, places = effective_settings({}, os.environ, path)
    lines = {name: f"{name}: {yaml_of(settings, name)}" for name in places}
    width = max(len(line) for line in lines.values())
    for name, line in lines.items():
        print(f"{line:{width}}  # {places[name]}")
    sys.stdout.flush()
    for problem in odd_variables(os.environ):
        print(problem, file=sys.stderr)


@config.command()
def schema() -> None:
    """Print the JSON Schema of the file of settings, for editors."""
    import json

    from clusterdns.config_schema import json_schema

    print(json.dumps(json_schema(), indent=2))
