"""``clusterdns check``."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer


def check(
    paths: Annotated[list[str], typer.Argument(metavar="PATH", hidden=True)],
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail the check, too.")] = False,
    config: Annotated[str | None, typer.Option(metavar="FILE", help="Settings in YAML.")] = None,
) -> int:
    """Tell every problem of manifests and configuration files.

    PATH is a file or a folder of manifests, or a file of settings, which may also lie in such a folder.
    Prints one line per problem.
    Exits with 1 if there are errors, with 2 if a PATH cannot be read.
    """
    from clusterdns.config import check_config, load_settings
    from clusterdns.config_names import odd_variables

    settings = load_settings({}, os.environ, config)
    configs = [path for path in paths if _holds_settings(path)]
    manifests = [path for path in paths if path not in configs]
    problems = [*odd_variables(os.environ)]
    summaries = [f"{len(problems)} variable{'s' * (len(problems) != 1)} without effect"] if problems else []
    if manifests:
        from clusterdns import app

        report = app.check(manifests, settings, _holds_settings)
        configs += report.settings
        problems += report.problems
        summaries.append(report.summary)
    found = [problem for path in configs for problem in check_config(path)]
    summaries[:0] = [_summary(len(configs), len(found))] if configs else []
    for problem in sorted([*problems, *found]):
        print(problem)
    sys.stdout.flush()  # the summary comes last, also where both go to one file
    print("; ".join(summaries), file=sys.stderr)
    return int(any(strict or problem.severity == "error" for problem in [*problems, *found]))


def _holds_settings(path: str) -> bool:
    from clusterdns.config_names import is_config

    try:
        return Path(path).suffix in {".yaml", ".yml"} and is_config(Path(path).read_text("utf-8"), path)
    except (OSError, UnicodeDecodeError):
        return False


def _summary(files: int, errors: int) -> str:
    return f"{files} configuration file{'s' * (files != 1)}: {errors} error{'s' * (errors != 1)}"
