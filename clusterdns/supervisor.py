"""What a service manager is told, if one started us (sd_notify(3))."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Mapping

logger = logging.getLogger("clusterdns")

_ALIVE_SHARE = 0.4  # of the time after which it takes us for dead


class Supervisor:
    """Sends nothing where there is none.  Never raises: a manager that cannot be told is no reason to stop."""

    def __init__(self, environ: Mapping[str, str], pid: int) -> None:
        """*environ* is only read: NOTIFY_SOCKET and, when they are meant for *pid*, WATCHDOG_USEC."""
        address = environ.get("NOTIFY_SOCKET", "")
        # A name that begins with "@" is one of the abstract namespace.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        watched = environ.get("WATCHDOG_PID", str(pid)) == str(pid)
        micros = environ.get("WATCHDOG_USEC", "") if watched else ""
        self._stopping = False
        self._patience = int(micros) / 1_000_000 if micros.isdecimal() else 0.0  # seconds; 0: nobody waits

    def ready(self, status: str) -> None:
        """After the start and after every reload."""
        if not self._stopping:
            self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        if not self._stopping:
            self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Nothing is told afterwards of reloads that are under way."""
        self._stopping = True
        self._tell("STOPPING=1", "STATUS=answering until nobody asks")

    async def run(self) -> None:
        """Says again and again that the loop turns; returns at once if nobody wants to know."""
        while self._address and self._patience:
            self._tell("WATCHDOG=1")
            await asyncio.sleep(self._patience * _ALIVE_SHARE)

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sock:
            sock.setblocking(False)
            try:
                sock.sendto("\n".join(line.replace("\n", " ") for line in lines).encode(), self._address)
            except OSError as fault:
                logger.warning("the service manager cannot be told %s: %s", lines[0], fault.strerror)
