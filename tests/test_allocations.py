"""The file that keeps allocations over a restart."""

import logging
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import damaged
from support import writing_of

from clusterdns.controllers.memory import Memory
from clusterdns.sources.allocations import NAME, AllocationFile

MEMORY = Memory({"4/shop/web": "10.98.7.6"}, {"shop/web/80": 30999}, {"4/shop/web-0": "10.244.3.4"})


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    assert AllocationFile(str(tmp_path / "new" / "folder")).save(MEMORY)
    assert AllocationFile(str(tmp_path / "new" / "folder")).load() == MEMORY


def test_no_file_is_an_empty_memory_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert AllocationFile(str(tmp_path)).load() == Memory()
    assert not caplog.records


@settings(max_examples=200)
@given(st.data())
def test_any_torn_or_changed_file_is_ignored(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("state")
    AllocationFile(str(folder)).save(MEMORY)
    path = folder / NAME
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    assert AllocationFile(str(folder)).load() in (Memory(), MEMORY)  # white space may change without harm


def test_a_torn_file_is_told_and_written_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / NAME).write_bytes(b'{"format": "clusterdns alloc')
    file = AllocationFile(str(tmp_path))
    assert file.load() == Memory()
    assert "torn" in caplog.text
    assert file.save(MEMORY)
    assert AllocationFile(str(tmp_path)).load() == MEMORY


def test_what_did_not_change_is_not_written(tmp_path: Path) -> None:
    file = AllocationFile(str(tmp_path))
    file.save(MEMORY)
    before = writing_of(tmp_path / NAME)
    file.save(MEMORY)
    assert writing_of(tmp_path / NAME) == before


def test_a_disk_that_refuses_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "occupied").write_text("a file where the folder should be")
    file = AllocationFile(str(tmp_path / "occupied"))
    with caplog.at_level(logging.ERROR):
        assert not file.save(MEMORY)
        assert not file.save(Memory())
    (told,) = [record.getMessage() for record in caplog.records]
    assert told == (
        f"{tmp_path}/occupied/{NAME}: File exists; allocations are not kept over a restart: "
        "let this user write there, or set another state_dir"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk to be had")
def test_a_full_disk_is_told_as_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / NAME).with_suffix(".draft").symlink_to("/dev/full")
    assert not AllocationFile(str(tmp_path)).save(MEMORY)
    assert "No space left on device; " in caplog.text
    assert "free the disk, or set another state_dir" in caplog.text


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / NAME).symlink_to(NAME)
    assert AllocationFile(str(tmp_path)).load() == Memory()
    assert "may change: make it readable for this user, or set another state_dir" in caplog.text
