"""When a snapshot was last confirmed: what is read is what was written of this very snapshot, and nothing else."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import damaged

from clusterdns.sources.confirmed import NAME, read_confirmed, write_confirmed

ONE, OTHER = bytes(range(16)), bytes(16)


@given(st.binary(min_size=16, max_size=16), st.floats(-1e10, 1e10))
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, snapshot: bytes, at: float) -> None:
    folder = tmp_path_factory.mktemp("state")
    write_confirmed(folder, snapshot, at)
    assert read_confirmed(folder, snapshot) == at


def test_the_last_word_counts_whatever_the_clock_said_before(tmp_path: Path) -> None:
    for at in (2.0, 3.0, 1.0):
        write_confirmed(tmp_path, ONE, at)
    assert read_confirmed(tmp_path, ONE) == 1.0
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_of_another_snapshot_nothing_is_said(tmp_path: Path) -> None:
    assert read_confirmed(tmp_path, ONE) is None
    write_confirmed(tmp_path, OTHER, 1.0)
    assert read_confirmed(tmp_path, ONE) is None


def test_what_is_no_file_says_nothing(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    assert read_confirmed(tmp_path, ONE) is None


@settings(max_examples=300)
@given(st.data())
def test_a_torn_or_changed_file_says_nothing(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("state")
    write_confirmed(folder, ONE, 1.0)
    path = folder / NAME
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    assert read_confirmed(folder, ONE) is None
