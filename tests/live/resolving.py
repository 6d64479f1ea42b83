"""Names as programs in a pod look them up: dig and glibc behind files in /etc that a mount namespace changes.

The server is asked at port 53 of an address of 127.0.0.0/8 that nobody else uses.
"""

import os
import random
import socket
import subprocess
from pathlib import Path

from live.processes import PATIENCE

_SCRIPT = """
for file in resolv.conf nsswitch.conf hosts; do mount --bind "$0/$file" "/etc/$file" || exit 3; done
exec "$@"
"""
_LOCALHOST = "127.0.0.1 localhost\n"


def why_not() -> str:
    """Why this cannot be done here, or ""."""
    try:
        with socket.socket(type=socket.SOCK_DGRAM) as udp:
            udp.bind((free_address(), 53))
        done = subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True)
    except OSError as error:
        return f"no port 53 or no unshare: {error.strerror}"
    if not Path("/etc/nsswitch.conf").exists():
        return "there is no /etc/nsswitch.conf"
    return "unshare may make no mount namespace" if done.returncode else ""


def free_address() -> str:
    """Of 127.0.0.0/8, and hardly anybody else's."""
    rng = random.Random(os.urandom(8))
    return f"127.{rng.randint(64, 127)}.{rng.randint(1, 254)}.{rng.randint(1, 254)}"


class Pod:
    """What kubelet puts into a pod's /etc; *hosts*: lines beside the one of localhost."""

    def __init__(self, folder: Path, resolv_conf: str, hosts: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self.resolv_conf = folder, resolv_conf
        (folder / "resolv.conf").write_text(resolv_conf)
        (folder / "nsswitch.conf").write_text("hosts: files dns\n")
        (folder / "hosts").write_text(_LOCALHOST + hosts)

    def dig(self, name: str, rtype: str = "A", *, tcp: bool = False) -> list[str]:
        """As the conformance suite asks; the data of the answer's records, sorted."""
        transport = "+tcp" if tcp else "+notcp"
        return sorted(
            self._run("dig", transport, "+short", "+tries=1", "+time=60", "+search", name, rtype).splitlines()
        )

    def getent(self, name: str, database: str = "ahostsv4") -> list[str]:
        """glibc's resolver; the addresses, sorted; none where it finds none."""
        found = self._run("getent", database, name, status=(0, 2))
        return sorted({line.split()[0] for line in found.splitlines()})

    def name_of(self, address: str) -> str:
        """glibc's reverse look-up."""
        return self._run("getent", "hosts", address, status=(0, 2)).split()[1]

    def _run(self, *command: str, status: tuple[int, ...] = (0,)) -> str:
        words = ["unshare", "--mount", "bash", "-c", _SCRIPT, str(self._folder), *command]
        environment = {key: one for key, one in os.environ.items() if key != "LOCALDOMAIN"}
        environment |= {"RES_OPTIONS": "timeout:30"}  # beside the file's options; the most that glibc takes
        done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=PATIENCE, env=environment)
        assert done.returncode in status, f"{command}: {done.returncode} {done.stdout}{done.stderr}"
        return done.stdout
