"""aiohttp without the certificates that it reads while it is imported.

Its connector makes two contexts of TLS then, each with every authority that the system trusts, for requests that do
not say whom they trust.  Ours always say it (``sources.kubernetes.access``), and a start need not take a tenth of a
second and two MiB for the others.
"""

import sys
from ssl import SSLContext
from threading import get_ident


def import_aiohttp() -> None:
    """Before anything else imports it; afterwards this does nothing."""
    if "aiohttp" in sys.modules:
        return
    read, importing = SSLContext.set_default_verify_paths, get_ident()

    def skip(context: SSLContext) -> None:
        if get_ident() != importing:  # somebody who will use it
            read(context)

    SSLContext.set_default_verify_paths = skip  # type: ignore[assignment, method-assign]
    try:
        import aiohttp  # noqa: F401, PLC0415
    finally:
        del SSLContext.set_default_verify_paths  # what it inherits is there again
