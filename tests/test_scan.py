"""What is taken from folders and when: real files, a clock that is set by hand."""

import os
import socket
from itertools import count
from math import inf
from pathlib import Path

import pytest
from folders import START, Desk, service, write

from clusterdns.cluster.decode import DocumentCache
from clusterdns.errors import Problem
from clusterdns.sources import scan as scanning
from clusterdns.sources.folder import Listing, Signature, list_files
from clusterdns.sources.scan import RESTLESS, SETTLED


def found(*roots: Path | str) -> list[str]:
    return sorted(list_files([str(root) for root in roots]).files)


# Which files


def test_names(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yml", "c.json", "d/e/f.yaml", ".h.yaml", ".i/j.yaml", "k.txt", "l.yaml~", "yaml"):
        write(tmp_path / name, "")
    assert found(tmp_path) == [str(tmp_path / name) for name in ("a.yaml", "b.yml", "c.json", "d/e/f.yaml")]
    assert found(tmp_path / "k.txt", tmp_path / ".i") == [str(tmp_path / name) for name in (".i/j.yaml", "k.txt")]


def test_a_file_is_listed_once_whatever_roots_lead_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "zones/web.yaml", "")
    monkeypatch.chdir(tmp_path)
    assert found("zones/web.yaml", "zones", "./zones", ".") == ["./zones/web.yaml"]
    assert found("zones/web.yaml", "./zones/web.yaml") == ["zones/web.yaml"]


def test_links(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside/web.yaml", "")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file.yaml").symlink_to(outside)
    (folder / "folder").symlink_to(outside.parent)
    (folder / "folder.yaml").symlink_to(outside.parent)
    (folder / "up").symlink_to(folder)
    (folder / "gone.yaml").symlink_to("nowhere.yaml")
    (folder / "loop.yaml").symlink_to("loop.yaml")
    (folder / "loop").symlink_to("loop")
    listing = list_files([str(folder)])
    assert list(listing.files) == [str(folder / "file.yaml")]
    assert sorted((one.code, Path(one.path).name) for one in listing.problems) == [
        ("CD303", "gone.yaml"),
        ("CD304", "loop.yaml"),
    ]
    assert listing.watched[str(outside.parent)] == {"web.yaml"}


def test_what_is_not_a_file_is_named_and_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's whole path may have 107 octets
    os.mkfifo(tmp_path / "fifo.yaml")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "device.yaml").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.yaml")
        problems = list_files([str(tmp_path)]).problems
    texts = {Path(one.path).name: one.text for one in problems}
    assert texts == {
        "fifo.yaml": "a FIFO is not read",
        "device.yaml": "a device is not read",
        "socket.yaml": "a socket is not read",
    }


def test_a_name_that_would_garble_messages(tmp_path: Path) -> None:
    for name in (b"new\nline.yaml", b"not-utf8-\xff.yaml"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).touch()
    listing = list_files([str(tmp_path)])
    assert listing.files == {}
    assert sorted(str(one) for one in listing.problems) == [
        f"{tmp_path}/{name}: error CD305: its name has characters that cannot be shown; rename it"
        for name in (r"new\nline.yaml", r"not-utf8-\udcff.yaml")
    ]


# When


def test_a_file_counts_once_it_has_been_left_alone(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write("web.yaml", service("web", "half"), age=0.02)
    scan = desk.scanner.scan(hold=2)
    assert scan.versions is None
    assert scan.due == pytest.approx(SETTLED - 0.02, abs=0.001)
    desk.now += 0.02
    desk.write("web.yaml", service("web", "whole"), age=0)  # the writer goes on
    desk.now += 0.03
    assert desk.scan() is None
    desk.now += 0.03
    assert desk.scan() == {"web.yaml": "whole"}
    assert desk.scan() == {}


def test_a_file_from_the_future_counts_by_our_own_watch(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write("web.yaml", service("web", "future"), age=-3600)
    assert desk.scan() is None
    desk.now += 0.06
    assert desk.scan() == {"web.yaml": "future"}


def test_a_file_that_changes_under_our_hands_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    desk.write("web.yaml", service("web", "old"))

    def list_then_write(roots: list[str]) -> Listing:
        listing = list_files(roots)
        desk.write("web.yaml", service("web", "new"))
        return listing

    with monkeypatch.context() as patch:
        patch.setattr(scanning, "list_files", list_then_write)
        assert desk.scan() is None
    assert desk.scan() == {"web.yaml": "new"}


def test_a_change_that_keeps_size_and_mtime_is_seen(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    path = desk.write("web.yaml", service("web", "a.example"))
    assert desk.scan() == {"web.yaml": "a.example"}
    before = path.stat()
    path.write_text(service("web", "b.example"))
    while path.stat().st_ctime_ns == before.st_ctime_ns:
        path.touch()  # until the kernel's clock has ticked
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert desk.scan() == {"web.yaml": "b.example"}


def test_read_again_trusts_no_signature(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write("web.yaml", service("web", "a.example"))
    assert desk.scan() == {"web.yaml": "a.example"}
    desk.scanner.read_again()
    assert desk.scan() == {"web.yaml": "a.example"}


def test_edits_close_together_are_one_round(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write("a.yaml", service("a", "settled"))
    desk.write("b.yaml", service("b", "young"), age=0.02)
    assert desk.scan() is None
    desk.now += 0.04
    assert desk.scan() == {"a.yaml": "settled", "b.yaml": "young"}


def test_a_file_written_for_ever_holds_nothing_back_for_long(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write("a.yaml", service("a", "settled"))
    taken: dict[str, float] = {}
    while desk.now < START + RESTLESS + 1:
        desk.write("log.yaml", service("log", f"t{desk.now}"), age=0)
        taken |= dict.fromkeys(desk.scan() or {}, desk.now - START)
        desk.now += 0.04
    assert list(taken) == ["a.yaml"]
    assert taken["a.yaml"] == pytest.approx(0.2, abs=0.05)
    assert desk.problems() == [("CD306", "log.yaml")]
    desk.now += 1
    assert desk.problems() == []


def test_what_is_known_of_a_file_that_is_gone_is_let_go_of_bit_by_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, a quarter of a million items would hold the interpreter."""
    forgotten: list[DocumentCache] = []
    monkeypatch.setattr(DocumentCache, "forget", lambda *caches: forgotten.extend(caches))
    desk = Desk(tmp_path)
    path = desk.write("web.yaml", service("web", "a.example"))
    desk.scan()
    path.unlink()
    desk.scan()
    desk.now += 0.06
    assert desk.scan() == {"web.yaml": "gone"}
    assert len(forgotten) == 1


def test_gone_is_what_stays_gone(tmp_path: Path) -> None:
    """Some editors remove a file before they write it anew."""
    desk = Desk(tmp_path)
    path = desk.write("web.yaml", service("web", "a.example"))
    desk.scan()
    path.unlink()
    assert desk.scan() is None
    desk.now += 0.03
    desk.write("web.yaml", service("web", "b.example"))
    assert desk.scan() == {"web.yaml": "b.example"}
    path.unlink()
    assert desk.scan() is None
    desk.now += 0.06
    assert desk.scan() == {"web.yaml": "gone"}
    assert desk.scanner.scan(0).due == inf


# Generations


def test_a_swap_is_seen_whole(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.swap("2026_a", {"web.yaml": service("web", "a"), "sub/api.yaml": service("api", "a")})
    assert desk.scan() == {"web.yaml": "a", "sub/api.yaml": "a"}
    desk.swap("2026_b", {"web.yaml": service("web", "b"), "db.yaml": service("db", "b")})
    assert desk.scan() is None  # sub/api.yaml has to stay gone for a while
    desk.now += 0.06
    assert desk.scan() == {"web.yaml": "b", "db.yaml": "b", "sub/api.yaml": "gone"}
    assert desk.problems() == []


def test_a_swap_in_the_middle_of_a_scan_gives_no_mixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    generations: list[str] = []

    def swap() -> None:
        generations.append(f"g{len(generations)}.example")
        desk.swap(generations[-1], {f"{name}.yaml": service(name, generations[-1]) for name in "abc"})

    read, calls = scanning._read_stable, count()

    def read_and_swap(path: str, expected: Signature | None) -> bytes | None:
        data = read(path, expected)
        if next(calls) % 4 == 1:
            swap()
        return data

    monkeypatch.setattr(scanning, "_read_stable", read_and_swap)
    served: dict[str, str] = {}
    for _ in range(60):
        swap()
        desk.now += 0.1
        served |= desk.scan(hold=0) or {}
        assert len(set(served.values())) <= 1
    monkeypatch.setattr(scanning, "_read_stable", read)
    desk.now += 0.1
    served |= desk.scan(hold=0) or {}
    assert served == dict.fromkeys(("a.yaml", "b.yaml", "c.yaml"), generations[-1])
    assert len(generations) > 60


def test_a_young_file_keeps_its_whole_generation_waiting(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.swap("a", {"a.yaml": service("a", "a"), "b.yaml": service("b", "a")})
    desk.scan()
    desk.swap("b", {"a.yaml": service("a", "b"), "b.yaml": service("b", "b")})
    os.utime(tmp_path / "..b/b.yaml", (desk.now, desk.now))
    assert desk.scan(hold=0) == {}
    desk.now += 0.06
    assert desk.scan(hold=0) == {"a.yaml": "b", "b.yaml": "b"}


def test_a_root_that_is_a_link_changes_whole(tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to("one")
    desk = Desk(tmp_path, tmp_path / "current")
    for commit in ("one", "two"):
        for name in ("a.yaml", "b.yaml"):
            desk.write(f"{commit}/{name}", service("web", commit))
    assert desk.scan() == {"current/a.yaml": "one", "current/b.yaml": "one"}
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").rename(tmp_path / "current")
    os.utime(tmp_path / "two/a.yaml", (desk.now, desk.now))
    assert desk.scan(hold=0) == {}
    desk.now += 0.06
    assert desk.scan(hold=0) == {"current/a.yaml": "two", "current/b.yaml": "two"}


def test_single_files_of_a_volume_change_together(tmp_path: Path) -> None:
    desk = Desk(tmp_path, tmp_path / "a.yaml", tmp_path / "b.yaml")
    desk.swap("a", {"a.yaml": service("a", "a"), "b.yaml": service("b", "a"), "c.yaml": service("c", "a")})
    assert desk.scan() == {"a.yaml": "a", "b.yaml": "a"}
    desk.swap("b", {"a.yaml": service("a", "b"), "b.yaml": service("b", "b")})
    os.utime(tmp_path / "..b/b.yaml", (desk.now, desk.now))
    assert desk.scan(hold=0) == {}


def test_a_generation_with_a_file_written_for_ever_is_taken_in_the_end(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.swap("a", {"a.yaml": service("a", "a"), "log.yaml": service("log", "a")})
    taken: dict[str, float] = {}
    while desk.now < START + RESTLESS + 1:
        desk.write("..a/log.yaml", service("log", f"t{desk.now}"), age=0)
        taken |= dict.fromkeys(desk.scan() or {}, desk.now - START)
        desk.now += 0.04
    assert list(taken) == ["a.yaml"]
    assert taken["a.yaml"] >= RESTLESS


# What cannot be read


def _refuse(*_: object) -> bytes | None:
    raise PermissionError(13, "Permission denied")


def test_a_file_that_cannot_be_read_is_told_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    desk.write("web.yaml", service("web", "a.example"))
    with monkeypatch.context() as patch:
        patch.setattr(scanning, "_read_stable", _refuse)
        versions = desk.scanner.scan(0).versions
    (version,) = (versions or {}).values()
    assert version is not None
    assert version.broken == (None,)
    assert version.problems == (
        Problem(
            str(tmp_path / "web.yaml"), 0, "error", "CD304", "", "cannot be read: permission denied",
            "give the server access to it",
        ),
    )  # fmt: skip
    assert desk.scan() == {"web.yaml": "a.example"}


def test_a_file_too_large_for_memory_is_not_read(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with (tmp_path / "huge.json").open("wb") as file:
        file.write(b"[")
        file.truncate((256 << 20) + 1)
    os.utime(tmp_path / "huge.json", (desk.now - 60, desk.now - 60))
    desk.write("web.yaml", service("web", "a.example"))
    versions = desk.scanner.scan(0).versions or {}
    huge = versions[str(tmp_path / "huge.json")]
    assert huge is not None
    assert [problem.code for problem in huge.problems] == ["CD309"]
    assert len(versions) == 2


@pytest.mark.parametrize("call", ["scandir", "stat"])
def test_a_folder_that_cannot_be_looked_at_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    desk = Desk(tmp_path)
    desk.write("deep/er/web.yaml", service("web", "a.example"))
    desk.scan()
    real = getattr(os, call)

    def refuse(path: str) -> object:
        if path == str(tmp_path / "deep"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        for _ in range(2):
            desk.now += 1
            assert desk.scan() == {}
        assert desk.problems() == [("CD304", "deep")]
    assert desk.scan() == {}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permissions_of_the_system(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write("web.yaml", service("web")).chmod(0)
    desk.write("deep/api.yaml", service("api"))
    (tmp_path / "deep").chmod(0)
    assert desk.scan() == {"web.yaml": "nothing"}
    (tmp_path / "deep").chmod(0o755)
    (tmp_path / "web.yaml").chmod(0o644)
    assert desk.scan() == {"web.yaml": "example.org", "deep/api.yaml": "example.org"}
