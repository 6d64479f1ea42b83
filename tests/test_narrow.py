"""Looks at what was hinted at: never other than a look at everything, and never at everything without need."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from folders import Desk, service, write
from hypothesis import given
from hypothesis import strategies as st

from clusterdns.sources import mounts
from clusterdns.sources.folder import list_files
from clusterdns.sources.mounts import distant_folders, is_distant, parse
from clusterdns.sources.narrow import look_again

# What happens in a folder that holds web.yaml, .hidden.yaml, deep/api.yaml and link.yaml -> web.yaml; the names hinted
# at; whether the hints alone tell what there is now.
CHANGES: dict[str, tuple[Callable[[Path], object], tuple[str, ...], bool]] = {
    "a new file": (lambda folder: write(folder / "new.yaml", ""), ("new.yaml",), True),
    "a change": (lambda folder: (folder / "deep/api.yaml").write_text("#"), ("deep/api.yaml",), True),
    "a change behind a link": (lambda folder: (folder / "web.yaml").write_text("#"), ("web.yaml",), False),
    "a file goes deeper": (lambda folder: (folder / "deep/api.yaml").unlink(), ("deep/api.yaml",), True),
    "a rename": (
        lambda folder: (folder / "deep/api.yaml").rename(folder / "deep/b.yaml"),
        ("deep/api.yaml", "deep/b.yaml"),
        True,
    ),
    "a name that does not count": (lambda folder: write(folder / "new.txt", ""), ("new.txt",), True),
    "a hidden file": (lambda folder: write(folder / ".hidden.yaml", "#"), (".hidden.yaml",), True),
    "a new folder": (lambda folder: write(folder / "new/web.yaml", ""), ("new",), False),
    "a folder goes": (lambda folder: shutil.rmtree(folder / "deep"), ("deep",), False),
    "a FIFO": (lambda folder: os.mkfifo(folder / "fifo.yaml"), ("fifo.yaml",), False),
    "a link": (lambda folder: (folder / "new.yaml").symlink_to("web.yaml"), ("new.yaml",), False),
    "a name that cannot be shown": (lambda folder: write(folder / "a\nb.yaml", ""), ("a\nb.yaml",), False),
    "a generation": (lambda folder: (folder / "..data").symlink_to("."), ("..data",), False),
}


def house(folder: Path) -> None:
    for name in ("web.yaml", ".hidden.yaml", "deep/api.yaml"):
        write(folder / name, service("web"))
    (folder / "link.yaml").symlink_to("web.yaml")


@pytest.mark.parametrize(("change", "names", "enough"), CHANGES.values(), ids=CHANGES)
def test_a_narrow_look_is_as_good_as_a_whole_one(
    tmp_path: Path, change: Callable[[Path], object], names: tuple[str, ...], enough: bool
) -> None:
    house(tmp_path)
    before = list_files([str(tmp_path)])
    change(tmp_path)
    narrow, whole = look_again(before, [str(tmp_path / name) for name in names]), list_files([str(tmp_path)])
    if enough:
        assert narrow is not None
        assert (narrow.files, narrow.problems) == (whole.files, whole.problems)
    else:
        assert narrow is None


def test_hints_of_other_folders_and_of_problems_need_a_whole_look(tmp_path: Path) -> None:
    house(tmp_path / "zones")
    (tmp_path / "zones/gone.yaml").symlink_to("nowhere")
    before = list_files([str(tmp_path / "zones")])
    assert look_again(before, [str(tmp_path / "zones")]) is None
    assert look_again(before, [str(tmp_path / "zones/gone.yaml")]) is None
    assert look_again(before, []) == before


def test_an_edit_among_many_files_looks_at_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    for number in range(100):
        desk.write(f"{number}.yaml", service(f"web-{number}"))
    desk.scan()
    path = desk.write("7.yaml", service("web-7", "b.example"))
    looked: list[object] = []
    real = os.lstat

    def count(path: str) -> os.stat_result:
        looked.append(path)
        return real(path)

    monkeypatch.setattr(os, "lstat", count)
    monkeypatch.setattr(os, "scandir", lambda _: pytest.fail("a whole look"))
    assert desk.shown(desk.scanner.scan(0.2, [str(path)])) == {"7.yaml": "b.example"}
    assert looked == [str(path)]


def test_what_had_not_settled_is_looked_at_again_without_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path)
    desk.write("web.yaml", service("web", "a.example"))
    desk.scan()
    path = desk.write("web.yaml", service("web", "b.example"), age=0.02)
    assert desk.shown(desk.scanner.scan(0.2, [str(path)])) is None
    desk.now += 0.04
    assert desk.shown(desk.scanner.scan(0.2, [])) == {"web.yaml": "b.example"}


@given(st.lists(st.sampled_from("abc"), max_size=6))
def test_hints_may_be_wrong(names: list[str]) -> None:
    before = list_files(["/nonexistent"])
    assert look_again(before, [f"/nonexistent/{name}.yaml" for name in names]) in (None, before)


def test_a_file_that_changes_within_a_tick_is_read_again(tmp_path: Path) -> None:
    """Its size, its mtime (set back) and even its ctime may be those of the version that was read."""
    desk = Desk(tmp_path)
    path = desk.write("web.yaml", service("web", "a.example"))
    desk.now = path.stat().st_ctime + 0.01
    assert desk.scan() == {"web.yaml": "a.example"}
    desk.now += 1
    assert desk.scan() == {"web.yaml": "a.example"}, "read again, though it looks the same"
    assert desk.scan() == {}


# Which file systems give hints

MOUNTS = r"""
22 1 0:21 / / rw,relatime shared:1 - overlay overlay rw,lowerdir=/x - y
30 22 0:30 / /srv rw - ext4 /dev/sda1 rw
31 30 0:31 / /srv/nfs rw,relatime shared:2 - nfs4 server:/export rw,vers=4.2
32 22 0:32 / /mnt/my\040share rw - cifs //server/share rw
33 22 0:33 / /mnt/s rw - fuse.sshfs user@host: rw
34 22 0:34 / /mnt/twice rw - nfs4 server:/old rw
35 22 0:35 / /mnt/twice rw - tmpfs tmpfs rw
garbage
"""


def test_the_type_of_a_folder_is_that_of_the_nearest_mount_point_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS)
    monkeypatch.setattr(mounts, "MOUNTS", str(tmp_path / "mountinfo"))
    folders = ("/srv/a", "/srv/nfs", "/srv/nfs/a/b", "/srv/nfsx", "/mnt/my share/x", "/mnt/s/y", "/mnt/twice/z", "/")
    assert distant_folders(folders) == {
        "/srv/nfs": "nfs4",
        "/srv/nfs/a/b": "nfs4",
        "/mnt/my share/x": "cifs",
        "/mnt/s/y": "fuse.sshfs",
    }
    monkeypatch.setattr(mounts, "MOUNTS", str(tmp_path / "none"))
    assert distant_folders(folders) == {}


def test_every_line_of_this_machine_is_understood() -> None:
    if not Path("/proc/self/mountinfo").exists():
        pytest.skip("not Linux")
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    assert len(list(parse(lines))) == len(lines)


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "ceph", "fuse.sshfs", "fuse.ceph"])
def test_distant(kind: str) -> None:
    assert is_distant(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "overlay", "tmpfs", "fuseblk", "zfs", ""])
def test_near(kind: str) -> None:
    assert not is_distant(kind)
