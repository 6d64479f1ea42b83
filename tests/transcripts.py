"""Golden files: what commands print, as a console shows it.

    $ clusterdns get ns
    NAME   STATUS   AGE
    shop   Active   <unknown>

Every command reads ``zones/demo``; ``UPDATE_GOLDEN=1`` writes the files anew.
"""

import io
import os
import shlex
import time
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from clusterdns.cli import shown as objects_shown
from clusterdns.cli.main import run
from clusterdns.cli.state import world
from clusterdns.world import World

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "golden"
NOW = 1_768_471_800.0  # 2026-01-15T10:10:00Z, ten minutes after a pod of the demo began to terminate
_PROMPT = "$ clusterdns "


class Block(NamedTuple):
    arguments: str
    output: str


def blocks(path: Path) -> list[Block]:
    parts = path.read_text().split(_PROMPT)[1:]
    return [Block(*part.partition("\n")[::2]) for part in parts]


def shown(arguments: str, *more: str) -> str:
    """Standard output of a command, at NOW."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as output:
        patch.chdir(ROOT)
        patch.setattr(time, "time", lambda: NOW)
        patch.setattr(objects_shown, "world", lambda sources, config: _world(tuple(sources), config))
        for name in [name for name in os.environ if name.startswith("CLUSTERDNS_")]:
            patch.delenv(name)
        run([*shlex.split(arguments), *(more or ("--from", "zones/demo"))])
    return output.getvalue()


@cache
def _world(sources: tuple[str, ...], config: str | None) -> World:
    """Read once for all commands."""
    return world(sources, config)


def update(path: Path) -> None:
    path.write_text("".join(f"{_PROMPT}{block.arguments}\n{shown(block.arguments)}" for block in blocks(path)))
