"""What every view prints for the example cluster, to the letter."""

import os
from pathlib import Path

import pytest
from transcripts import GOLDEN, blocks, shown, update

FILES = sorted(GOLDEN.glob("*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_views_print_what_the_golden_file_says(path: Path) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        update(path)
    for block in blocks(path):
        assert shown(block.arguments) == block.output, block.arguments


def test_no_file_is_missing() -> None:
    assert {path.stem for path in FILES} == {
        "describe-ep",
        "describe-pod",
        "describe-svc",
        "get-ep",
        "get-ns",
        "get-pod",
        "get-svc",
        "output",
        "records",
    }
