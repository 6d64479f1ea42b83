"""The upstreams that files name, and what happens to files."""

import asyncio
import logging
import os
from pathlib import Path

import pytest
from behaviours import answer
from farm import Farm, running
from replies import asked, told

from clusterdns.forward import membership
from clusterdns.forward.choosing import Group
from clusterdns.forward.membership import Membership, ResolvFile, Upstreams
from clusterdns.forward.servers import Server
from clusterdns.forward.upstream import Upstream


def write(path: Path, text: str) -> None:
    """As a whole, and under another inode."""
    draft = path.with_suffix(".new")
    draft.write_text(text)
    draft.replace(path)


def shown(file: ResolvFile) -> list[str]:
    return [str(one) for one in file.servers]


def test_a_file_is_read_when_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    write(path, "nameserver 10.0.0.1\n")
    file = ResolvFile(str(path))
    assert file.look()
    assert not file.look()
    write(path, "nameserver 10.0.0.2\nnameserver ::1\n")
    assert file.look()
    assert shown(file) == ["10.0.0.2:53", "[::1]:53"]
    write(path, "search example.com\nnameserver 10.0.0.2\nnameserver ::1\n")
    assert not file.look()  # they are the same


def test_an_edit_in_place_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 10.0.0.1\n")
    file = ResolvFile(str(path))
    assert file.look()
    path.write_text("nameserver 10.0.0.2\n")
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert file.look()
    assert shown(file) == ["10.0.0.2:53"]


BROKEN = {"empty": "", "without a nameserver": "search example.com\n", "nonsense": "nameserver nonsense\n"}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_the_last_good_ones_stay_and_this_is_said_once(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "resolv.conf"
    write(path, "nameserver 10.0.0.1\n")
    file = ResolvFile(str(path))
    assert file.look()
    for _ in range(3):
        write(path, text)
        assert not file.look()
    assert shown(file) == ["10.0.0.1:53"]
    assert caplog.messages == [f"{path}: it names no nameserver; 10.0.0.1:53 stay in use"]


def test_a_file_that_cannot_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "resolv.conf"
    file = ResolvFile(str(path))
    for _ in range(3):
        assert not file.look()
    write(path, "nameserver 10.0.0.1\n")
    assert file.look()
    path.unlink()
    assert not file.look()
    os.mkfifo(path)
    assert not file.look()
    path.unlink()
    write(path, "nameserver 10.0.0.1\n")
    assert not file.look()
    assert caplog.messages == [
        f"{path}: no such file or directory; write a line like: nameserver 10.0.0.1",
        f"{path}: no such file or directory; 10.0.0.1:53 stay in use",
        f"{path}: it is no regular file; 10.0.0.1:53 stay in use",
    ]


def test_lines_that_are_no_address_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "resolv.conf"
    write(path, "nameserver 10.0.0.1\nnameserver dns.example\x1b[2J\n")
    assert ResolvFile(str(path)).look()
    (line,) = caplog.messages
    assert "is no address; it is left out" in line
    assert "\x1b" not in line


def test_members_follow_and_those_that_stay_keep_what_is_known(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = tmp_path / "resolv.conf"
    write(path, "nameserver 127.0.0.2\nnameserver 127.0.0.3\n")

    async def main() -> None:
        group = Group(())
        members = Membership(group, ["127.0.0.9", str(path), "127.0.0.2:53", "tls://127.0.0.1#dns.test"], Upstream)
        tls = "tls://127.0.0.1:853#dns.test"
        assert list(map(str, group.upstreams)) == ["127.0.0.9:53", "127.0.0.2:53", "127.0.0.3:53", tls]
        before = {str(one): one for one in group.upstreams}
        write(path, "nameserver 127.0.0.3\nnameserver 127.0.0.4\n")
        assert members.look()
        assert list(map(str, group.upstreams)) == ["127.0.0.9:53", "127.0.0.3:53", "127.0.0.4:53", "127.0.0.2:53", tls]
        assert all(before.get(str(one), one) is one for one in group.upstreams)
        assert not members.look()
        await group.close()

    asyncio.run(main())
    assert caplog.messages[-1].startswith("upstreams: 127.0.0.9:53, 127.0.0.3:53, ")


def test_this_server_in_a_file_is_left_out_and_that_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "resolv.conf"
    write(path, "nameserver 127.0.0.1\nnameserver 127.0.0.2\n")

    async def main() -> None:
        group = Group(())
        members = Membership(group, [str(path), "127.0.0.1:54"], Upstream, own={("127.0.0.1", 53)})
        assert list(map(str, group.upstreams)) == ["127.0.0.2:53", "127.0.0.1:54"]
        for _ in range(3):
            assert not members.look()
        write(path, "nameserver 127.0.0.1\n")
        assert members.look()
        assert list(map(str, group.upstreams)) == ["127.0.0.1:54"]
        members.own = {("127.0.0.9", 53)}
        assert members.look(), "it listens elsewhere now"
        assert list(map(str, group.upstreams)) == ["127.0.0.1:53", "127.0.0.1:54"]
        members.own = {("127.0.0.1", 53)}
        assert members.look()
        await group.close()

    asyncio.run(main())
    assert caplog.messages == [
        f"{path}: 127.0.0.1:53 is this server, and left out",
        f"{path}: 127.0.0.1:53 is this server, and left out; nobody else is named, write other servers into upstream",
    ]


def test_no_server() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="is no upstream; write"):
            Membership(Group(()), ["nonsense"], Upstream)

    asyncio.run(main())


def test_over_tcp_only() -> None:
    async def main() -> None:
        group = Group(())
        Membership(group, ["127.0.0.1", "tls://127.0.0.1"], Upstream, tcp=True)
        assert [one.server.transport for one in group.upstreams] == ["tcp", "tls"]
        await group.close()

    asyncio.run(main())


def test_a_running_group_follows_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "LOOK_SECONDS", 0)
    path = tmp_path / "resolv.conf"
    write(path, "nameserver 127.0.0.1\n")
    question = asked("www.example.com.")

    async def scenario(farm: Farm) -> None:
        fakes = {f"127.0.0.{number}": await farm.add(answer) for number in (1, 2)}
        made: list[Server] = []

        def make(server: Server) -> Upstream:
            made.append(server)
            return Upstream(fakes[server.address].server())

        group = Upstreams([str(path)], "random", make=make)
        try:
            assert told(await group.resolve(question), "www.example.com.")[0].endswith("192.0.2.1")
            write(path, "nameserver 127.0.0.2\n")
            while len(made) < 2:  # noqa: ASYNC110 - it has no event for this
                await asyncio.sleep(0)
            assert told(await group.resolve(question), "www.example.com.")[0].endswith("192.0.2.2")
        finally:
            await group.close()

    running(scenario)
