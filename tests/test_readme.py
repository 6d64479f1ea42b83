"""What the README says is true."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from clusterdns.config import SETTINGS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
DOCUMENTS = [ROOT / "README.md", ROOT / "zones" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def help_of(*command: str) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "clusterdns", *command, "--help"], capture_output=True, text=True, check=True
    )
    return run.stdout


def commands() -> list[str]:
    """The commands that ``clusterdns --help`` lists."""
    listed = help_of().partition("Commands:")[2]
    return re.findall(r"^  (\w+)", listed, re.MULTILINE)


def test_the_table_of_settings_has_every_setting_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]*)` \|", README, re.MULTILINE))
    defaults = {
        setting.name: setting.default if isinstance(setting.default, str) else f"[{', '.join(setting.default)}]"
        for setting in SETTINGS.values()
    }
    assert rows == defaults | {name: "{}" for name, setting in SETTINGS.items() if setting.mapping}


@pytest.mark.parametrize("command", commands())
def test_every_command_is_in_the_readme_with_options_that_exist(command: str) -> None:
    row = re.search(rf"^\| `clusterdns {command}\b([^`]*)`", README, re.MULTILINE)
    assert row, f"README.md has no row for {command}"
    known = help_of(command)
    for option in re.findall(r"--[a-z-]+", row[1]):
        assert option in known


def test_the_readme_names_no_command_that_does_not_exist() -> None:
    assert set(re.findall(r"^\| `clusterdns (\w+)", README, re.MULTILINE)) == set(commands())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_its_dig_lines_are_among_those_that_are_run() -> None:
    """``tests/test_zones_readme.py`` runs every one of zones/README.md."""
    run = [line for line in (ROOT / "zones" / "README.md").read_text().splitlines() if line]
    for command, output in re.findall(r"^\$ (dig .*)\n(.*)$", README, re.MULTILINE):
        at = [line.removesuffix(" A") for line in run].index(f"$ {command}")
        assert run[at + 1] == output
