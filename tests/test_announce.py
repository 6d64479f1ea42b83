"""What ``serve`` prints for a person."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from clusterdns.announce import _own_command


def executable(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("started", "python", "in_path", "expected"),
    [
        ("/x/bin/clusterdns", "venv/bin/python", ["clusterdns"], "clusterdns"),
        ("/x/clusterdns/__main__.py", "venv/bin/python", ["clusterdns"], "clusterdns"),
        ("/x/bin/clusterdns", "venv/bin/python", [], "/x/bin/clusterdns"),
        ("/my x/bin/clusterdns", "venv/bin/python", [], "'/my x/bin/clusterdns'"),
        ("/x/clusterdns/__main__.py", "venv/bin/python", [], "{folder}/venv/bin/python -m clusterdns"),
        ("/x/clusterdns/__main__.py", "my venv/bin/python", [], "'{folder}/my venv/bin/python' -m clusterdns"),
        ("/x/clusterdns/__main__.py", "venv/bin/python", ["python"], "{folder}/venv/bin/python -m clusterdns"),
        ("/x/clusterdns/__main__.py", "path/python3", ["python3"], "python3 -m clusterdns"),
    ],
)
def test_a_command_that_a_shell_finds(
    started: str, python: str, in_path: list[str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in in_path:
        executable(tmp_path / "path" / name)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(sys, "argv", [started, "serve"])
    monkeypatch.setattr(sys, "executable", executable(tmp_path / python))
    assert _own_command() == expected.format(folder=tmp_path)


def test_what_is_printed_by_a_module_can_be_run(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv[0] = '/x/clusterdns/__main__.py'\nfrom clusterdns.announce import _own_command as own\n"
    )
    environ = {**os.environ, "PATH": str(tmp_path)}
    printed = subprocess.run(
        [sys.executable, "-c", f"{code}print(own())"], env=environ, check=True, capture_output=True, text=True
    ).stdout
    ran = subprocess.run([*shlex.split(printed), "--version"], env=environ, check=False, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout.partition(" ")[0]) == (0, "clusterdns"), ran.stderr
