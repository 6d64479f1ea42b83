"""How to reach an API server, and as whom: what kubeconfig and service account come down to."""

import os
import ssl
import tempfile
from typing import Protocol

from msgspec import Struct


class Access(Struct, frozen=True):
    """As of now; files and plugins may say something else a minute later.  PEM as octets, b"" where there is none."""

    server: str  # "https://10.96.0.1:443", with a path where there is one, without a slash at its end
    authority: bytes = b""  # certificates that may sign the server's; none: those of the system
    certificate: bytes = b""  # of the client
    key: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()  # Authorization and what belongs to it
    insecure: bool = False  # the server's certificate is not looked at
    server_name: str = ""  # that it must be for; "": the host of *server*
    proxy: str = ""

    @property
    def connection(self) -> tuple[object, ...]:
        """What a connection depends on: it is made anew where this changes."""
        return self.server, self.authority, self.certificate, self.key, self.insecure, self.server_name, self.proxy


class Credentials(Protocol):
    """Where an Access comes from."""

    @property
    def origin(self) -> str:
        """For messages: ``/root/.kube/config, context "prod"``."""

    async def access(self, *, renew: bool = False) -> Access:
        """As of now.  *renew*: the server did not accept the last one.

        Raises OperatorError for what only a person can mend, BackendError for what may mend itself.
        """


def tls_context(access: Access) -> ssl.SSLContext:
    """Raises ssl.SSLError (an OSError) or ValueError where certificates or keys are none."""
    context = ssl.create_default_context(cadata=access.authority.decode("ascii") if access.authority else None)
    # Strictness (Python's default since 3.13) asks for key identifiers, which many clusters' certificates do without.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if access.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if access.certificate:
        _load_identity(context, access.certificate + b"\n" + access.key)
    return context


def _load_identity(context: ssl.SSLContext, chain: bytes) -> None:
    """OpenSSL reads files only: here one in memory, or of our own and gone at once."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("clusterdns-identity"), "wb") as file:
            file.write(chain)
            file.flush()
            context.load_cert_chain(f"/proc/self/fd/{file.fileno()}", password=_no_password)
        return
    with tempfile.NamedTemporaryFile() as named:  # mode 0600
        named.write(chain)
        named.flush()
        context.load_cert_chain(named.name, password=_no_password)


def _no_password() -> str:
    """Instead of a question on the terminal."""
    raise ValueError("the client's key is encrypted")
