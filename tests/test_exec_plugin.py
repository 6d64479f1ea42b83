"""Commands that hand out credentials."""

import asyncio
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from following import Hands

from clusterdns.errors import BackendError, OperatorError
from clusterdns.sources.kubernetes.access import Access
from clusterdns.sources.kubernetes.exec_plugin import ExecConfig, ExecPlugin
from clusterdns.sources.kubernetes.kubeconfig import Kubeconfig

TLS = Path(__file__).parent / "tls"
VERSION = "client.authentication.k8s.io/v1"
ACCESS = Access("https://10.0.0.1", b"PEM", headers=(("Impersonate-User", "dns"),))


def credential(**status: Any) -> str:
    return json.dumps({"apiVersion": VERSION, "kind": "ExecCredential", "status": status})


class Command:
    """A shell script that counts its runs, and a plugin for it."""

    def __init__(self, folder: Path, script: str, *, patience: float = 30.0, **settings: Any) -> None:
        self.folder, self.hands = folder, Hands()
        path = folder / "plugin"
        path.write_text(f"#!/bin/sh\necho >> {folder}/runs\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        config = msgspec.convert({"command": "./plugin", "apiVersion": VERSION} | settings, ExecConfig)
        self.plugin = ExecPlugin(config, folder, "the test", self.hands.clock, patience)

    async def headers(self, *, renew: bool = False) -> dict[str, str]:
        return dict((await self.plugin.complete(ACCESS, renew=renew)).headers)

    @property
    def runs(self) -> int:
        return len((self.folder / "runs").read_text().splitlines())


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., Command]:
    return lambda script, **settings: Command(tmp_path, script, **settings)


def test_a_token_is_kept(command: Callable[..., Command]) -> None:
    async def main() -> None:
        made = command(f"echo '{credential(token='secret')}'")
        for _ in range(2):
            assert await made.headers() == {"Authorization": "Bearer secret", "Impersonate-User": "dns"}
        assert made.runs == 1
        await made.headers(renew=True)
        assert made.runs == 2

    asyncio.run(main())


def test_one_run_serves_all_who_wait(command: Callable[..., Command]) -> None:
    async def main() -> None:
        made = command(f"echo '{credential(token='secret')}'")
        await asyncio.gather(*(made.headers() for _ in range(5)))
        assert made.runs == 1
        await asyncio.gather(*(made.headers(renew=True) for _ in range(5)))
        assert made.runs == 2

    asyncio.run(main())


def test_it_is_asked_again_when_the_token_expires(command: Callable[..., Command]) -> None:
    async def main() -> None:
        # The clock begins at 1,000,001,000: 2001-09-09T02:03:20Z.
        made = command(f"echo '{credential(token='secret', expirationTimestamp='2001-09-09T02:05:00Z')}'")
        await made.headers()
        made.hands.advance(89)
        await made.headers()
        assert made.runs == 1
        made.hands.advance(2)
        await made.headers()
        assert made.runs == 2

    asyncio.run(main())


def test_what_it_is_told(command: Callable[..., Command], tmp_path: Path) -> None:
    made = command(
        f'echo "$KUBERNETES_EXEC_INFO" > {tmp_path}/info; echo "$1 $COLOUR" > {tmp_path}/words; '
        f"echo '{credential(token='x')}'",
        args=["hello"],
        env=[{"name": "COLOUR", "value": "blue"}],
        provideClusterInfo=True,
    )
    asyncio.run(made.headers())
    assert (tmp_path / "words").read_text() == "hello blue\n"
    server = {"server": "https://10.0.0.1", "insecure-skip-tls-verify": False, "certificate-authority-data": "UEVN"}
    assert json.loads((tmp_path / "info").read_text()) == {
        "apiVersion": VERSION,
        "kind": "ExecCredential",
        "spec": {"interactive": False, "cluster": server},
    }


def test_a_certificate(command: Callable[..., Command], tmp_path: Path) -> None:
    certificate, key = ((TLS / f"{name}.pem").read_text() for name in ("certificate", "key"))
    (tmp_path / "said").write_text(credential(clientCertificateData=certificate, clientKeyData=key))
    made = command(f"cat {tmp_path}/said")
    found = asyncio.run(made.plugin.complete(ACCESS, renew=False))
    assert (found.certificate, found.key, found.headers) == (certificate.encode(), key.encode(), ACCESS.headers)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo sorry >&2; exit 3", "failed with exit status 3: sorry"),
        ("exit 3", "failed with exit status 3: it said nothing"),
        ("echo nonsense", "printed no ExecCredential"),
        ("echo '{}'", "printed no ExecCredential"),
        (f"echo '{credential()}'", "printed neither a token nor a certificate"),
        (f"echo '{credential(clientKeyData='KEY')}'", "printed neither a token nor a certificate"),
        (f"echo '{credential(clientCertificateData='CERT')}'", "without its key"),
        (f"echo '{credential(clientCertificateData='CERT', clientKeyData='KEY')}'", "a key that cannot be used"),
        (f"echo '{credential(token='x')}' | sed s/v1/v2/", "not what was asked for"),
    ],
)
def test_failures_may_mend_themselves(command: Callable[..., Command], script: str, message: str) -> None:
    made = command(script)
    for run in (1, 2):
        with pytest.raises(BackendError, match=message):
            asyncio.run(made.headers())
        assert made.runs == run
        made.hands.advance(1)


def test_one_that_fails_is_run_ever_more_rarely(command: Callable[..., Command]) -> None:
    """Whoever asks meanwhile is told how it failed; one that went well makes a new beginning."""

    async def main() -> None:
        made = command(f"test -e mended && echo '{credential(token='x')}' || {{ echo sorry >&2; exit 3; }}")
        script = made.folder / "plugin"
        script.write_text(script.read_text().replace("mended", f"{made.folder}/mended"))
        began, runs_at = made.hands.now, list[float]()
        while made.hands.now < began + 100:
            with pytest.raises(BackendError, match="status 3: sorry"):
                await made.headers()
            if made.runs > len(runs_at):
                runs_at.append(made.hands.now - began)
            made.hands.advance(0.5)
        assert runs_at == [0, 1, 3, 7, 15, 31, 61, 91]
        (made.folder / "mended").touch()
        made.hands.advance(30)
        await made.headers()
        (made.folder / "mended").unlink()
        for runs in (10, 11):
            with pytest.raises(BackendError, match="sorry"):
                await made.headers(renew=True)
            assert made.runs == runs
            made.hands.advance(1)

    asyncio.run(main())


def test_one_that_hangs_is_ended(command: Callable[..., Command]) -> None:
    made = command("exec sleep 600", patience=0.2)
    with pytest.raises(BackendError, match=r"gave no credentials within 0\.2 s"):
        asyncio.run(made.headers())


def test_what_one_that_hangs_has_started_ends_with_it(command: Callable[..., Command]) -> None:
    """It would hold the pipe open that its credentials are read from, and nobody would ever have any."""
    made = command("sleep 600; echo", patience=0.2)
    with pytest.raises(BackendError, match=r"gave no credentials within 0\.2 s"):
        asyncio.run(asyncio.wait_for(made.headers(), 60))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"command": "./gone", "installHint": "apt install gone"}, "No such file or directory; apt install gone"),
        ({"command": "clusterdns-gone"}, "No such file or directory; install it"),
        ({"apiVersion": "client.authentication.k8s.io/v1alpha1"}, 'v1alpha1" is not known; write'),
        ({"interactiveMode": "Always"}, "a server has no terminal"),
    ],
)
def test_what_only_a_person_can_mend(command: Callable[..., Command], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(OperatorError, match=message):
        asyncio.run(command("", **settings).headers())


def test_in_a_kubeconfig(command: Callable[..., Command], tmp_path: Path) -> None:
    made = command(f"echo '{credential(token='secret')}'")
    tree = {
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1"}}],
        "users": [{"name": "u", "user": {"exec": {"command": "./plugin", "apiVersion": VERSION, "env": None}}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (tmp_path / "config").write_text(yaml.safe_dump(tree))

    async def main() -> None:
        credentials = Kubeconfig(str(tmp_path / "config"))
        for _ in range(2):
            assert (await credentials.access()).headers == (("Authorization", "Bearer secret"),)
        assert made.runs == 1
        await credentials.access(renew=True)
        assert made.runs == 2

    asyncio.run(main())
