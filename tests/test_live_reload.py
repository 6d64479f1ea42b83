"""Two generations of settings and one file on disk: what is there at the end is what the newest knew."""

import asyncio
import socket
import threading
from pathlib import Path

import pytest
from fake_api import service
from support import PATIENCE
from test_live import WEB, Life, cluster, living

from clusterdns.sources.snapshot import NAME, Identity, Objects, SnapshotFile


class Slow:
    """Saves of snapshots, each of which waits until the test lets it go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: list[str] = []  # domains
        self.landed: list[str] = []
        self.go_on = threading.Event()
        self._really = SnapshotFile.save

        def save(file: SnapshotFile, objects: Objects, now: float, identity: Identity) -> bool:
            return self._save(file, objects, now, identity)

        monkeypatch.setattr(SnapshotFile, "save", save)

    def _save(self, file: SnapshotFile, objects: Objects, now: float, identity: Identity) -> bool:
        domain = identity.domain
        self.begun.append(domain)
        assert self.go_on.wait(PATIENCE)
        saved = self._really(file, objects, now, identity)
        self.landed.append(domain)
        return saved


async def until_begun(life: Life, slow: Slow) -> None:
    async def so() -> bool:
        await life.get("/ready")
        return bool(slow.begun)

    await life.until(so)


def test_the_newest_state_is_the_last_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old generation is in the middle of a save when the new one takes over."""
    slow = Slow(monkeypatch)

    async def story(life: Life) -> None:
        await until_begun(life, slow)
        life.write(domain="new.example")
        reloading = asyncio.create_task(life.server.reload())

        async def answered() -> bool:
            return (await life.ask("web.shop.svc.new.example"))[1] == ["10.96.0.10"]

        await life.until(answered)
        assert slow.begun == ["cluster.local."]
        slow.go_on.set()
        await reloading

    async def main() -> None:
        async with cluster() as api:
            await living(tmp_path, api, story, state_dir=tmp_path)

    asyncio.run(main())
    assert slow.landed == sorted(slow.landed), "the old one's first"
    assert slow.landed[-1] == "new.example."


def test_a_server_that_ends_while_generations_change_loses_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(monkeypatch)

    async def story(life: Life) -> None:
        await until_begun(life, slow)
        life.write(ttl=7)
        life.server._spawn_reload()

        async def answered() -> bool:
            [rrset] = (await life.query(WEB)).answer
            return rrset.ttl == 7

        await life.until(answered)
        life.api.put(service("shop/last", "10.96.0.99"))

        async def known() -> bool:
            return (await life.ask("last.shop.svc.cluster.local"))[1] == ["10.96.0.99"]

        await life.until(known)
        asyncio.get_running_loop().call_soon(slow.go_on.set)

    async def main() -> None:
        async with cluster() as api:
            await living(tmp_path, api, story, state_dir=tmp_path)
        await living(tmp_path, api, again, state_dir=tmp_path)

    async def again(life: Life) -> None:
        assert (await life.ask("last.shop.svc.cluster.local"))[1] == ["10.96.0.99"]

    asyncio.run(main())


def test_settings_that_are_refused_leave_nothing_on_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story(life: Life) -> None:
        await life.ready()

        async def saved() -> bool:
            await life.get("/ready")
            return (tmp_path / NAME).exists()

        await life.until(saved)
        before = (tmp_path / NAME).read_bytes()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            life.write(domain="new.example", listen=[f"127.0.0.1:{taken.getsockname()[1]}"])
            await life.server.reload()
        assert "settings not reloaded: listen 127.0.0.1:" in caplog.text
        assert (tmp_path / NAME).read_bytes() == before
        life.write()
        await life.server.reload()

    async def main() -> None:
        async with cluster() as api:
            await living(tmp_path, api, story, state_dir=tmp_path)

    asyncio.run(main())
