"""Credentials from a command (client.authentication.k8s.io), as cloud providers hand them out."""

import asyncio
import base64
import contextlib
import os
import signal
from datetime import UTC, datetime
from math import inf
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from clusterdns.errors import BackendError, OperatorError, printable, shortened
from clusterdns.sources.kubernetes.access import Access, tls_context
from clusterdns.sources.kubernetes.pace import Clock

VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
PATIENCE = 30.0  # seconds
LONGEST = 30.0  # seconds between two runs of one that fails; the first pause is one
_EARLY = 10.0  # seconds before they expire that new ones are asked for


class _Variable(Struct):
    name: str
    value: str = ""


class ExecConfig(Struct, rename="camel"):
    """``exec`` of a user."""

    command: str
    api_version: str = ""
    args: list[str] | None = None
    env: list[_Variable] | None = None
    install_hint: str = ""
    provide_cluster_info: bool = False
    interactive_mode: str = ""


class _Status(Struct, rename="camel"):
    token: str | None = None
    expiration_timestamp: datetime | None = None
    client_certificate_data: str | None = None
    client_key_data: str | None = None


class _ExecCredential(Struct, rename="camel"):
    api_version: str
    kind: str
    status: _Status | None = None


class ExecPlugin:
    """Keeps what the command said until it expires, and how it failed until it is worth another try."""

    def __init__(self, config: ExecConfig, folder: Path, origin: str, clock: Clock, patience: float = PATIENCE) -> None:
        """*folder*: what a command with a slash in it is relative to."""
        self.config = config
        self._folder, self._origin, self._clock, self._patience = folder, origin, clock, patience
        self._status = _Status()
        self._until = -inf  # wall clock
        self._lock = asyncio.Lock()  # one run serves all who wait
        self._failure = ""  # of the last run
        self._pause, self._next = 0.0, -inf  # seconds behind a failure; when the next run may be, monotonic

    async def complete(self, access: Access, *, renew: bool) -> Access:
        """Raises OperatorError where it cannot be run, BackendError where it fails."""
        known = self._status
        async with self._lock:
            outdated = self._clock.wall() >= self._until or (renew and self._status is known)
            if outdated:
                self._check()
                await self._ask(access)
        status = self._status
        headers = tuple(one for one in access.headers if one[0] != "Authorization" or not status.token)
        if status.token:
            headers = (("Authorization", f"Bearer {status.token}"), *headers)
        return replace(
            access,
            headers=headers,
            certificate=(status.client_certificate_data or "").encode() or access.certificate,
            key=(status.client_key_data or "").encode() or access.key,
        )

    async def _ask(self, access: Access) -> None:
        """A run takes a process and perhaps the patience of whom it asks: one that fails is not run for every try."""
        if self._clock.monotonic() < self._next:
            raise BackendError(self._failure)
        try:
            status = self._read(await self._run(access))
            await self._try(status)
        except BackendError as failure:
            self._failure, self._pause = str(failure), min(LONGEST, 2 * self._pause or 1.0)
            self._next = self._clock.monotonic() + self._pause
            raise
        self._status, self._pause, self._next = status, 0.0, -inf
        expires = status.expiration_timestamp
        self._until = expires.timestamp() - _EARLY if expires else inf

    def _check(self) -> None:
        if self.config.api_version not in VERSIONS:
            raise self._wrong(
                f'apiVersion "{self.config.api_version}" is not known', f"write {' or '.join(VERSIONS)} if it has that"
            )
        if self.config.interactive_mode == "Always":
            raise self._wrong("interactiveMode is Always", "a server has no terminal: use a plugin that can do without")

    async def _run(self, access: Access) -> bytes:
        command = self.config.command
        if "/" in command:
            command = str(self._folder / command)
        environment = {one.name: one.value for one in self.config.env or ()}
        environment["KUBERNETES_EXEC_INFO"] = self._info(access)
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                command,
                *(self.config.args or ()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=pipe,
                stderr=pipe,
                env=os.environ | environment,
                start_new_session=True,  # so that its children end with it: they may hold the pipes open
            )
        except (OSError, ValueError) as error:
            told = error.strerror if isinstance(error, OSError) else str(error)
            raise self._wrong(f"{told}", self.config.install_hint or "install it, or choose another user") from None
        try:
            async with asyncio.timeout(self._patience):
                output, complaints = await process.communicate()
        except TimeoutError:
            raise self._failed(f"gave no credentials within {self._patience:g} s") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode:
            told = shortened(complaints.decode(errors="replace").strip()) or "it said nothing"
            raise self._failed(f"failed with exit status {process.returncode}: {told}")
        return output

    def _info(self, access: Access) -> str:
        spec: dict[str, object] = {"interactive": False}
        if self.config.provide_cluster_info:
            cluster: dict[str, object] = {"server": access.server, "insecure-skip-tls-verify": access.insecure}
            cluster |= {"tls-server-name": access.server_name} if access.server_name else {}
            cluster |= {"proxy-url": access.proxy} if access.proxy else {}
            if access.authority:
                cluster["certificate-authority-data"] = base64.b64encode(access.authority).decode()
            spec["cluster"] = cluster
        info = {"apiVersion": self.config.api_version, "kind": "ExecCredential", "spec": spec}
        return msgspec.json.encode(info).decode()

    def _read(self, output: bytes) -> _Status:
        try:
            found = msgspec.json.decode(output, type=_ExecCredential)
        except msgspec.DecodeError as error:
            raise self._failed(f"printed no ExecCredential: {error}") from None
        if found.kind != "ExecCredential" or found.api_version != self.config.api_version:
            raise self._failed(f"printed {shortened(f'{found.api_version} {found.kind}', 80)}, not what was asked for")
        status = found.status or _Status()
        if not status.token and not status.client_certificate_data:
            raise self._failed("printed neither a token nor a certificate")
        if bool(status.client_certificate_data) != bool(status.client_key_data):
            raise self._failed("printed a certificate without its key, or a key alone")
        if status.token and not status.token.isprintable():
            raise self._failed("printed a token of several lines")
        if (expires := status.expiration_timestamp) and expires.tzinfo is None:
            return replace(status, expiration_timestamp=expires.replace(tzinfo=UTC))
        return status

    async def _try(self, status: _Status) -> None:
        """What cannot be used would be kept until the server refuses it, whom nobody can ask with it."""
        certificate, key = ((text or "").encode() for text in (status.client_certificate_data, status.client_key_data))
        try:
            await asyncio.to_thread(tls_context, Access("", certificate=certificate, key=key))
        except (OSError, ValueError) as error:
            told = shortened(str(error))
            raise self._failed(f"printed a certificate or a key that cannot be used: {told}") from None

    def _wrong(self, problem: str, remedy: str) -> OperatorError:
        return OperatorError(printable(f'{self._origin}: exec plugin "{self.config.command}": {problem}; {remedy}'))

    def _failed(self, problem: str) -> BackendError:
        return BackendError(printable(f'{self._origin}: exec plugin "{self.config.command}" {problem}'))
