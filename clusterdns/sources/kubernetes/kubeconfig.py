"""A kubeconfig: one context of it, as kubectl would use it."""

import asyncio
import base64
import binascii
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml
from msgspec import Struct, field

from clusterdns.errors import OperatorError, printable
from clusterdns.sources.kubernetes.access import Access
from clusterdns.sources.kubernetes.exec_plugin import ExecConfig, ExecPlugin
from clusterdns.sources.kubernetes.pace import SYSTEM_CLOCK, Clock

READABLE = "name a kubeconfig that can be read"
_MOST_OCTETS = 4 << 20
T = TypeVar("T")


class _Cluster(Struct, rename="kebab"):
    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    proxy_url: str = ""


class _User(Struct, rename="kebab"):
    token: str = ""
    token_file: str = field(default="", name="tokenFile")
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    username: str = ""
    password: str = ""
    impersonate: str = field(default="", name="as")
    impersonate_uid: str = field(default="", name="as-uid")
    impersonate_groups: list[str] | None = field(default=None, name="as-groups")
    impersonate_extra: dict[str, list[str]] | None = field(default=None, name="as-user-extra")
    exec: ExecConfig | None = None
    auth_provider: Any = None


class _Context(Struct):
    cluster: str = ""
    user: str = ""


class _NamedCluster(Struct):
    name: str
    cluster: _Cluster | None = None


class _NamedUser(Struct):
    name: str
    user: _User | None = None


class _NamedContext(Struct):
    name: str
    context: _Context | None = None


class _Config(Struct, rename="kebab"):
    clusters: list[_NamedCluster] | None = None
    users: list[_NamedUser] | None = None
    contexts: list[_NamedContext] | None = None
    current_context: str = ""


class _Chosen(Struct):
    """One context, with what it refers to read."""

    cluster: _Cluster
    user: _User
    access: Access  # without what a plugin gives


class Kubeconfig:
    """It and the files that it names are read for every request, so that what others renew is used."""

    def __init__(self, path: str, context: str = "", clock: Clock = SYSTEM_CLOCK) -> None:
        """*context*: "" for the current one."""
        self._path, self._context, self._clock = path, context, clock
        self._plugin: ExecPlugin | None = None
        self._last: tuple[object, _Config] | None = None  # what the file was like when it was read, and what it said

    @property
    def origin(self) -> str:
        return f'{self._path}, context "{self._context}"' if self._context else self._path

    async def access(self, *, renew: bool = False) -> Access:
        """Raises OperatorError where the file, or one that it names, is missing or malformed."""
        chosen = await asyncio.to_thread(self._choose)
        config = chosen.user.exec
        if config is None:
            return chosen.access
        if self._plugin is None or self._plugin.config != config:
            self._plugin = ExecPlugin(config, Path(self._path).parent, self.origin, self._clock)
        return await self._plugin.complete(chosen.access, renew=renew)

    async def place(self) -> tuple[str, bytes]:
        """The API server's URL and who may sign for it (PEM), without asking a plugin, which may need what is away.

        Raises OperatorError.
        """
        access = (await asyncio.to_thread(self._choose)).access
        return access.server, access.authority

    def _choose(self) -> "_Chosen":
        reading = _Reading(Path(self._path))
        state = reading.state()
        if self._last is None or self._last[0] != state:
            self._last = state, reading.config()
        return choose(reading, self._last[1], self._context)


def choose(reading: "_Reading", config: _Config, context: str) -> _Chosen:
    """Raises OperatorError."""
    name = context or config.current_context
    if not name:
        raise reading.wrong("no current-context", "name a context: kubectl config use-context NAME")
    contexts = {one.name: one.context or _Context() for one in config.contexts or ()}
    if name not in contexts:
        known = ", ".join(sorted(contexts)) or "none"
        raise reading.wrong(f'no context "{name}"', f"choose one that is there: {known}")
    reading.context = name
    clusters = {one.name: one.cluster or _Cluster() for one in config.clusters or ()}
    users = {one.name: one.user or _User() for one in config.users or ()}
    chosen = contexts[name]
    if chosen.cluster not in clusters:
        raise reading.wrong(f'no cluster "{chosen.cluster}"', "write it under clusters, or choose another context")
    if chosen.user and chosen.user not in users:
        raise reading.wrong(f'no user "{chosen.user}"', "write it under users, or choose another context")
    cluster, user = clusters[chosen.cluster], users.get(chosen.user) or _User()
    return _Chosen(cluster, user, reading.access(cluster, user))


class _Reading:
    """Of one file and those that it names; remembers what messages tell."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.context = ""

    def wrong(self, problem: str, remedy: str, path: Path | None = None, line: int = 0) -> OperatorError:
        where = f"{path or self._path}:{line}" if line else f"{path or self._path}"
        context = f'context "{self.context}": ' if self.context else ""
        return OperatorError(printable(f"{where}: {context}{problem}; {remedy}"))

    def state(self) -> tuple[int, ...]:
        """Other numbers, other content: a cluster has thousands of pages, and YAML takes a millisecond or two."""
        try:
            found = self._path.stat()
        except (OSError, ValueError) as error:
            raise self.wrong(shown(error), READABLE) from None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def config(self) -> _Config:
        """Raises OperatorError."""
        text = self._file(self._path, READABLE)
        if len(text) > _MOST_OCTETS:
            raise self.wrong("too large", "name a kubeconfig")
        try:
            tree = yaml.safe_load(text)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 0
            raise self.wrong(str(error.problem), "mend the YAML", line=line) from None
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise self.wrong(shown(error), "mend the YAML") from None
        if not isinstance(tree, dict):
            raise self.wrong("no kubeconfig", "name a file with clusters, users and contexts")
        return self._convert(tree)

    def _convert(self, tree: Any) -> _Config:
        try:
            return msgspec.convert(_without_nulls(tree), _Config)
        except msgspec.ValidationError as error:
            raise self.wrong(str(error), "mend what stands there") from None

    def access(self, cluster: _Cluster, user: _User) -> Access:
        if not cluster.server.startswith(("https://", "http://")):
            raise self.wrong(f'server "{cluster.server}" is no URL', "write https://HOST:PORT")
        if user.auth_provider is not None:
            raise self.wrong("auth-provider is gone since Kubernetes 1.26", "use an exec plugin")
        certificate = self._pem(user.client_certificate_data, user.client_certificate, "client-certificate")
        key = self._pem(user.client_key_data, user.client_key, "client-key")
        if bool(certificate) != bool(key):
            raise self.wrong("a client certificate needs its key, and a key its certificate", "write both")
        return Access(
            cluster.server.rstrip("/"),
            self._pem(cluster.certificate_authority_data, cluster.certificate_authority, "certificate-authority"),
            certificate,
            key,
            self._headers(user),
            cluster.insecure_skip_tls_verify,
            cluster.tls_server_name,
            cluster.proxy_url,
        )

    def _headers(self, user: _User) -> tuple[tuple[str, str], ...]:
        found = []
        token = user.token
        if user.token_file:  # the file is newer than what was copied from it
            token = self._file(self._beside(user.token_file), "write the token there").decode(errors="replace").strip()
            if not token and not user.token:
                raise self.wrong("tokenFile is empty", "write the token there", self._beside(user.token_file))
            token = token or user.token
        if token:
            found.append(("Authorization", f"Bearer {token}"))
        elif user.username:
            text = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
            found.append(("Authorization", f"Basic {text}"))
        if user.impersonate:
            found.append(("Impersonate-User", user.impersonate))
            found += [("Impersonate-Uid", user.impersonate_uid)] if user.impersonate_uid else []
            found += [("Impersonate-Group", group) for group in user.impersonate_groups or ()]
            extra = user.impersonate_extra or {}
            found += [(f"Impersonate-Extra-{name}", value) for name, values in extra.items() for value in values]
        if any("\n" in value or "\r" in value or "\0" in value for _, value in found):
            raise self.wrong("a token or a name of several lines", "write it on one line")
        return tuple(found)

    def _pem(self, data: str, path: str, what: str) -> bytes:
        """Inline data win, as in kubectl."""
        if data:
            try:
                found = base64.b64decode("".join(data.split()), validate=True)
            except (binascii.Error, ValueError):
                raise self.wrong(f"{what}-data is no base64", "copy it again") from None
            if b"-----BEGIN" not in found:
                raise self.wrong(f"{what}-data is no PEM", "copy it again")
            return found
        if not path:
            return b""
        found = self._file(self._beside(path), f"write the file that {what} names")
        if b"-----BEGIN" not in found:
            raise self.wrong(f"{what} is no PEM", "name a file in PEM", self._beside(path))
        return found

    def _beside(self, path: str) -> Path:
        """Relative to the kubeconfig."""
        return self._path.parent / path

    def _file(self, path: Path, remedy: str) -> bytes:
        try:
            return path.read_bytes()
        except (OSError, ValueError) as error:
            raise self.wrong(shown(error), remedy, path) from None


def shown(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def _without_nulls(tree: Any) -> Any:
    """kubectl writes ``users: null``; absent and null are the same in Go."""
    if isinstance(tree, dict):
        return {key: _without_nulls(value) for key, value in tree.items() if value is not None}
    return [_without_nulls(one) for one in tree] if isinstance(tree, list) else tree
