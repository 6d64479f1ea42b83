"""Credentials that go wrong while a server runs: nothing of it ends the server, and what is known is served on."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from fake_api import service
from test_live import WEB, Life, cluster, living

from clusterdns import backend
from clusterdns.errors import OperatorError
from clusterdns.sources.snapshot import NAME

VERSION = "client.authentication.k8s.io/v1"
MOMENT = "2001-01-01T00:00:00Z"  # long ago: the command is asked for every request


class Plugin:
    """A command that hands out what the test says."""

    def __init__(self, folder: Path) -> None:
        self.path, self._said = folder / "plugin", folder / "said"
        self.path.write_text(f"#!/bin/sh\nexec cat {self._said}\n")
        self.path.chmod(0o700)
        self.user = {"exec": {"command": str(self.path), "apiVersion": VERSION}}

    def says(self, **status: Any) -> None:
        draft = self._said.with_suffix(".draft")
        draft.write_text(json.dumps({"apiVersion": VERSION, "kind": "ExecCredential", "status": status}))
        draft.replace(self._said)

    def fails(self) -> None:
        self._said.unlink()


class Known(Life):
    """With a user of the kubeconfig."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.plugin = Plugin(self.folder)
        self.user = self.plugin.user
        self.write()

    async def told(self, what: str) -> None:
        """It is in the errors of a kind."""

        async def is_so() -> bool:
            return what in (await self.get("/api/v1/status"))[1]

        await self.until(is_so)


def with_plugin(folder: Path, story: Any, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
    monkeypatch.setattr("test_live.Life", Known)

    async def main() -> None:
        async with cluster() as api:
            await living(folder, api, story, **settings)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("there", "what"), [(False, "No such file or directory; install it"), (True, "neither a token nor a certificate")]
)
def test_after_the_first_patience(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    there: bool,
    what: str,
) -> None:
    """The command has not answered while the start waited for it, and then what it says is of no use."""
    monkeypatch.setattr(backend, "CREDENTIALS_SECONDS", 0.0)

    async def story(life: Life) -> None:
        assert isinstance(life, Known)
        life.plugin.says()
        if not there:
            life.plugin.path.unlink()
        await life.told(what)
        code, text = await life.get("/ready")
        assert code == 503
        assert what in text
        Plugin(tmp_path).says(token="good")
        await life.ready()
        assert (await life.ask(WEB))[1] == ["10.96.0.10"]

    with caplog.at_level(logging.INFO):
        with_plugin(tmp_path, story, monkeypatch)
    assert f"cannot be followed: {tmp_path}/kubeconfig" in caplog.text
    assert "followed again" in caplog.text


def test_while_credentials_are_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is known is answered, and the fault stands in all the places where people look."""

    async def story(life: Life) -> None:
        assert isinstance(life, Known)
        life.plugin.says(token="good", expirationTimestamp=MOMENT)
        await life.ready()
        life.plugin.fails()
        life.api.end()
        await life.told("failed with exit status 1")
        assert await life.ask(WEB) == ("NOERROR", ["10.96.0.10"], [])
        assert (await life.get("/ready"))[0] == 200
        assert "failed with exit status 1" in (await life.get("/ready?verbose"))[1]
        capsys.readouterr()
        assert await life.command("status") == 0
        assert "failed with exit status 1" in capsys.readouterr().out
        assert 'reason="credentials"' in (await life.get("/metrics"))[1]
        life.plugin.path.unlink()
        life.api.put(service("shop/web", "10.96.0.77"))
        await life.told("No such file or directory; install it")
        assert await life.ask(WEB) == ("NOERROR", ["10.96.0.10"], [])
        Plugin(tmp_path).says(token="good")

        async def moved() -> bool:
            return (await life.ask(WEB))[1] == ["10.96.0.77"]

        await life.until(moved)

    with_plugin(tmp_path, story, monkeypatch)


def test_a_snapshot_waits_for_no_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin may need what is away, and be slow to find out."""

    async def main() -> None:
        async with cluster() as api:
            await living(tmp_path, api, Life.ready, state_dir=tmp_path)
            assert (tmp_path / NAME).exists()
            monkeypatch.setattr("test_live.Life", Known)
            monkeypatch.setattr("test_live_credentials.Plugin.fails", lambda _: None)
            await living(tmp_path, api, second, state_dir=tmp_path)

    async def second(life: Life) -> None:
        assert isinstance(life, Known)
        await life.ready()
        assert await life.ask(WEB) == ("NOERROR", ["10.96.0.10"], [3])
        life.plugin.says(token="good")
        await life.synced()

    asyncio.run(main())


def test_wrong_from_the_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts it has mistaken something, and is there to read that."""

    async def story(life: Life) -> None:
        raise AssertionError("it does not start")

    class Mistaken(Known):
        def __init__(self, *arguments: Any, **settings: Any) -> None:
            super().__init__(*arguments, **settings)
            self.plugin.path.unlink()

    monkeypatch.setattr("test_live_credentials.Known", Mistaken)
    with pytest.raises(OperatorError, match="No such file or directory; install it"):
        with_plugin(tmp_path, story, monkeypatch)
