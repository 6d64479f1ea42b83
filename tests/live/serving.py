"""``clusterdns serve --source kubernetes`` as a process."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import dns.edns
import dns.message
import dns.query
import dns.rcode
from ports import free_port

from live.processes import PATIENCE, Program


class Serve(NamedTuple):
    port: int
    url: str
    log: Path
    program: Program

    def ask(self, name: str) -> tuple[str, list[str], list[int]]:
        """The rcode, the addresses, and the codes of Extended DNS Errors."""
        question = dns.message.make_query(name, "A", use_edns=0)
        answer = dns.query.udp(question, "127.0.0.1", port=self.port, timeout=PATIENCE)
        codes = [int(one.code) for one in answer.options if isinstance(one, dns.edns.EDEOption)]
        return dns.rcode.to_text(answer.rcode()), sorted(str(one) for rrset in answer.answer for one in rrset), codes

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "clusterdns", *arguments, "--server", self.url]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def ready(self) -> bool:
        return "\nready: " in self.log.read_text()


@contextmanager
def serving(folder: Path, kubeconfig: Path, *options: str) -> Iterator[Serve]:
    """From the moment that its sockets are there.  State and log go to *folder*; a later block takes up the state."""
    port, page = free_port(), free_port()
    log = folder / f"serve-{port}.log"
    command: list[str | Path] = [sys.executable, "-u", "-m", "clusterdns", "serve", "--source", "kubernetes"]
    command += ["--kubeconfig", kubeconfig, "--listen", f"127.0.0.1:{port}", "--http", f"127.0.0.1:{page}"]
    command += ["--state-dir", folder / "state", "--lameduck", "0", *options]
    # It has as long as it takes: what it keeps for the next block is on disk when it has ended.
    program = Program(command, log, lambda: "\nhttp  " in log.read_text(), grace=PATIENCE)
    try:
        program.start()
        yield Serve(port, f"http://127.0.0.1:{page}", log, program)
    finally:
        program.end()
