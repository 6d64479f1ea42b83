"""``clusterdns config``."""

import os
from typing import Annotated

import typer

config = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Show the settings and what they can be.")


@config.command()
def show(
    path: Annotated[str | None, typer.Option("--config", metavar="FILE", help="Settings in YAML.")] = None,
) -> None:
    """Print the settings in use, as YAML that can be loaded, each with where it comes from."""
    from clusterdns.config import SETTINGS, effective_settings

    given = effective_settings({}, os.environ, path)
    lines = {
        name: f"{name}: {_mapping(each.value) if SETTINGS[name].mapping else _yaml(each.value)}"
        for name, each in given.items()
    }
    width = max(len(line) for line in lines.values())
    for name, line in lines.items():
        print(f"{line:{width}}  # {given[name].where}")


@config.command()
def schema() -> None:
    """Print the JSON Schema of the file of settings, for editors."""
    import json

    from clusterdns.config_schema import json_schema

    print(json.dumps(json_schema(), indent=2))


def _mapping(items: str | list[str]) -> str:
    pairs = [item.partition("=") for item in ([items] if isinstance(items, str) else items)]
    return "{" + ", ".join(f"{_yaml(key)}: {_yaml(values.split())}" for key, _, values in pairs) + "}"


def _yaml(value: str | list[str]) -> str:
    """In flow style; quoted where YAML would take a scalar for something else."""
    import json

    if isinstance(value, list):
        return f"[{', '.join(map(json.dumps, value))}]"
    plain = value.replace("-", "").replace(".", "").replace("_", "").isalnum()
    return value if plain else json.dumps(value)
