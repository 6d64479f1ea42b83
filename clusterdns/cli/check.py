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

    PATH is a file or a folder of manifests, or a file of settings. Prints one line per problem.
    Exits with 1 if there are errors, with 2 if a PATH cannot be read.
    """
    from clusterdns.config import check_config, load_settings

    settings = load_settings({}, os.environ, config)
    configs = [path for path in paths if _holds_settings(path)]
    manifests = [path for path in paths if path not in configs]
    problems = [problem for path in configs for problem in check_config(path)]
    summaries = [_summary(len(configs), len(problems))] if configs else []
    if manifests:
        from clusterdns import app

        report = app.check(manifests, settings)
        problems += report.problems
        summaries.append(report.summary)
    for problem in sorted(problems):
        print(problem)
    sys.stdout.flush()  # the summary comes last, also where both go to one file
    print("; ".join(summaries), file=sys.stderr)
    return int(any(strict or problem.severity == "error" for problem in problems))


def _holds_settings(path: str) -> bool:
    """Only a file that is named itself: whatever else lies in a folder of manifests is no configuration of ours."""
    from clusterdns.config import is_config

    try:
        return Path(path).suffix in {".yaml", ".yml"} and is_config(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return False


def _summary(files: int, errors: int) -> str:
    return f"{files} configuration file{'s' * (files != 1)}: {errors} error{'s' * (errors != 1)}"
