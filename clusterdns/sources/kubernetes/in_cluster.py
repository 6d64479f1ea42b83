"""The service account of a pod."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from clusterdns.errors import OperatorError
from clusterdns.sources.kubernetes.access import Access

FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"


class InCluster:
    """Its token is renewed by the kubelet, every hour or so: it is read for every request."""

    def __init__(self, environment: Mapping[str, str], folder: str = FOLDER) -> None:
        """*environment*: with KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, as in every container."""
        self._host = environment.get("KUBERNETES_SERVICE_HOST", "")
        self._port = environment.get("KUBERNETES_SERVICE_PORT", "")
        self._folder = Path(folder)

    @property
    def origin(self) -> str:
        return f"the service account in {self._folder}"

    async def access(self, *, renew: bool = False) -> Access:  # noqa: ARG002 - there is nothing newer than the file
        """Raises OperatorError where there is no service account, or none that can be read."""
        server = self._server()
        token, authority = await asyncio.to_thread(self._read)
        return Access(server, authority, headers=(("Authorization", f"Bearer {token}"),))

    async def place(self) -> tuple[str, bytes]:
        """The API server's URL and who may sign for it (PEM).  Raises OperatorError outside of a cluster."""
        server = self._server()
        try:
            return server, await asyncio.to_thread(self._file, "ca.crt")
        except OperatorError:  # a matter of the credentials
            return server, b""

    def _server(self) -> str:
        """Raises OperatorError outside of a cluster."""
        if not self._host or not self._port:
            raise OperatorError(
                "KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT: not set: this is no pod of a cluster; "
                "name a kubeconfig"
            )
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"https://{host}:{self._port}"

    def _read(self) -> tuple[str, bytes]:
        token = self._file("token").decode(errors="replace").strip()
        if not token.isprintable():
            raise OperatorError(f"{self._folder / 'token'}: of several lines; let the pod have a service account")
        return token, self._file("ca.crt")

    def _file(self, name: str) -> bytes:
        path = self._folder / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise OperatorError(
                f"{path}: {error.strerror}; let the pod have a service account (automountServiceAccountToken)"
            ) from None
        if not content.strip():
            raise OperatorError(f"{path}: empty; let the pod have a service account (automountServiceAccountToken)")
        return content
