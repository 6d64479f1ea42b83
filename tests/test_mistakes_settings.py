"""Eighty mistakes in settings: each message names the place and the remedy (``tests/mistakes/settings.txt``)."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterdns.config import load_settings
from clusterdns.errors import OperatorError

GOLDEN = Path(__file__).parent / "mistakes" / "settings.txt"
SAID = "  > "


def blocks() -> Iterator[tuple[str, list[str]]]:
    """(the file, what is said about it); a tab is written ``\\t``, other octets that cannot be shown like ``\\x07``."""
    for block in GOLDEN.read_text().split("\n\n")[1:]:
        lines = block.strip("\n").split("\n")
        written = [line for line in lines if not line.startswith(SAID)]
        yield "\n".join(written), [line.removeprefix(SAID) for line in lines if line.startswith(SAID)]


def said(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(folder)
    data = text.replace("\\t", "\t").encode() + b"\n"
    Path("c.yaml").write_bytes(re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes.fromhex(found[1].decode()), data))
    with pytest.raises(OperatorError) as caught:
        load_settings({}, {}, "c.yaml")
    return str(caught.value).splitlines()


@pytest.mark.skipif(os.environ.get("CLUSTERDNS_GOLDEN") != "write", reason="rewrites the golden file on demand only")
def test_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = GOLDEN.read_text().split("\n\n")[0]
    found = ["\n".join([text, *(SAID + line for line in said(text, tmp_path, monkeypatch))]) for text, _ in [*blocks()]]
    GOLDEN.write_text("\n\n".join([head, *found]) + "\n")


def test_there_are_enough() -> None:
    assert len([*blocks()]) >= 60


@pytest.mark.parametrize(("text", "expected"), [*blocks()], ids=lambda value: value if isinstance(value, str) else "")
def test_message(text: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(text, tmp_path, monkeypatch) == expected


def test_every_message_has_a_place_and_a_remedy() -> None:
    for _, expected in blocks():
        for line in expected:
            assert re.match(r"c\.yaml:\d+:\d+: [^;]+; .+", line), line
