"""``clusterdns check``."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clusterdns.errors import Problem

_STANDARD_INPUT = "-"


def check(
    paths: Annotated[list[str], typer.Argument(metavar="PATH", hidden=True)],
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail the check, too.")] = False,
    config: Annotated[str | None, typer.Option(metavar="FILE", help="Settings in YAML.")] = None,
) -> int:
    """Tell every problem of manifests and configuration files.

    PATH is a file or a folder of manifests, or a file of settings, which may also lie in such a folder.
    - is standard input, as in `kustomize build | clusterdns check -`. Prints one line per problem.
    Exits with 1 if there are errors, with 2 if a PATH cannot be read.
    """
    with _files(paths) as files:
        problems, summary = _found([files.get(path, path) for path in paths], config)
        for problem in sorted(problems):
            print(str(problem).replace(files.get(_STANDARD_INPUT, _STANDARD_INPUT), _STANDARD_INPUT))
    sys.stdout.flush()  # the summary comes last, also where both go to one file
    print(summary, file=sys.stderr)
    return int(any(strict or problem.severity == "error" for problem in problems))


@contextmanager
def _files(paths: Sequence[str]) -> Iterator[dict[str, str]]:
    """``-`` -> a file with what standard input says: objects are read again where something is wrong with them."""
    if _STANDARD_INPUT not in paths:
        yield {}
        return
    import shutil
    import tempfile

    with tempfile.NamedTemporaryFile(prefix="clusterdns-", suffix=".yaml") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.flush()
        yield {_STANDARD_INPUT: copy.name}


def _found(paths: Sequence[str], config: str | None) -> "tuple[list[Problem], str]":
    """What is wrong, and a line about all of it."""
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
    return [*problems, *found], "; ".join(summaries)


def _holds_settings(path: str) -> bool:
    from clusterdns.config_names import is_config

    try:
        return Path(path).suffix in {".yaml", ".yml"} and is_config(Path(path).read_text("utf-8"), path)
    except (OSError, UnicodeDecodeError):
        return False


def _summary(files: int, errors: int) -> str:
    return f"{files} configuration file{'s' * (files != 1)}: {errors} error{'s' * (errors != 1)}"
