"""Broken set-ups in ``tests/cases/explain/*.txt``: one a file, with what ``explain`` and ``check`` must say of it.

    ## what is broken
    ---settings
    pods: verified
    ---manifests
    (YAML documents, `---` alone between them)
    ---explain
    web -n shop SRV
      exit 3
      words that are in the first three lines
      other words that are there, too
    ---check
    7 CD503

The manifests are in a file ``manifests.yaml``, whose first line is the first one below ``---manifests``.  Without
``---check`` there is no lint for what is broken, as for all that the settings do.
"""

import io
import os
import re
import shlex
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml
from support import variables, write_manifests

from clusterdns.cli.main import run

FOLDER = Path(__file__).parent / "cases" / "explain"


@dataclass(frozen=True, slots=True)
class Broken:
    name: str
    title: str
    settings: dict[str, Any]
    manifests: str
    command: str  # what comes behind ``clusterdns explain``
    exit_code: int
    words: tuple[str, ...]
    check: tuple[tuple[int, str], ...]  # (line, code)

    def __str__(self) -> str:
        return self.name


def all_broken() -> list[Broken]:
    return [parse(path.read_text(), path.stem) for path in sorted(FOLDER.glob("*.txt"))]


def parse(text: str, name: str) -> Broken:
    title, *rest = re.split(r"^---(settings|manifests|explain|check)\n", text, flags=re.MULTILINE)
    sections = dict(zip(rest[::2], rest[1::2], strict=True))
    command, code, *words = (line.strip() for line in sections["explain"].strip().splitlines())
    found = (line.split() for line in sections.get("check", "").splitlines() if line.strip())
    return Broken(
        name,
        title.removeprefix("## ").strip(),
        yaml.safe_load(sections.get("settings", "")) or {},
        sections["manifests"],
        command,
        int(code.removeprefix("exit ")),
        tuple(words),
        tuple((int(line), code) for line, code in found),
    )


def clusterdns(folder: Path, case: Broken, *arguments: str) -> tuple[int, str]:
    """Exit code and standard output of a command that reads the manifests of *case*, or asks a server."""
    write_manifests(folder, case.manifests)
    output = io.StringIO()
    clean = {key: value for key, value in os.environ.items() if not key.startswith("CLUSTERDNS_")}
    with (
        patch.dict(os.environ, clean | variables(case.settings), clear=True),
        redirect_stdout(output),
        redirect_stderr(io.StringIO()),
    ):
        return run(arguments), output.getvalue()


def words_of(case: Broken) -> list[str]:
    return shlex.split(case.command)
