"""A server that really runs, while its folder changes faster than it can look.

At full size (some ten minutes)::

    SWAPS=100000 BURST=25000 scripts/test tests/test_under_change.py -s
"""

import os
import re
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Self

import pytest
from support import PATIENCE, Server, serving

SWAPS = int(os.environ.get("SWAPS", "400"))  # generations, each with all of NAMES
BURST = int(os.environ.get("BURST", "1000"))  # files made while the server is stopped
NAMES = ("api", "db", "queue", "search", "web")

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: shop}}
spec: {{type: ExternalName, externalName: g{generation:06}.example}}
"""
_GENERATION = re.compile(rb"\x07g(\d{6})\x07example")


def query(name: str, number: int) -> bytes:
    labels = (name, "shop", "svc", "cluster", "local", "")
    wire = b"".join(bytes([len(label)]) + label.encode() for label in labels)
    return (number & 0xFFFF).to_bytes(2) + b"\1\0\0\1\0\0\0\0\0\0" + wire + b"\0\5\0\1"


class Asker:
    """Asks for one name after the other without a pause, from a thread of its own."""

    def __init__(self, server: Server) -> None:
        self.answers, self.generations = 0, 0
        self.seen = -1  # the generation of the last answer
        self.faults: list[str] = []
        self._server, self._stopped = server, threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _ask(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((self._server.address, self._server.port))
            client.settimeout(PATIENCE)
            while not self._stopped.is_set() and not self.faults:
                name = NAMES[self.answers % len(NAMES)]
                client.send(query(name, self.answers))
                self._judge(name, client.recv(4096))

    def _judge(self, name: str, response: bytes) -> None:
        """Each generation is served whole: asked in turn, the names never go back."""
        self.answers += 1
        found = _GENERATION.search(response, 12)
        if not found or int(found[1]) < self.seen:
            self.faults.append(f"{name}: {response!r} after generation {self.seen}")
        elif int(found[1]) > self.seen:
            self.seen, self.generations = int(found[1]), self.generations + 1


def swap(volume: Path, generation: int) -> None:
    """As kubelet publishes a ConfigMap; the files look old, so that nothing makes the server wait for them."""
    folder = volume / f"..{generation:06}"
    folder.mkdir(parents=True)
    for name in NAMES:
        path = folder / f"{name}.yaml"
        path.write_text(SERVICE.format(name=name, generation=generation))
        os.utime(path, (1_700_000_000 + generation, 1_700_000_000 + generation))
    (volume / "..data_tmp").symlink_to(folder.name)
    (volume / "..data_tmp").rename(volume / "..data")
    for name in NAMES:
        if not (volume / f"{name}.yaml").is_symlink():
            (volume / f"{name}.yaml").symlink_to(f"..data/{name}.yaml")
    shutil.rmtree(volume / f"..{generation - 1:06}", ignore_errors=True)


def test_no_answer_ever_mixes_two_generations(tmp_path: Path) -> None:
    random, generation = Random(4), 0
    swap(tmp_path, generation)
    with serving(tmp_path) as server, Asker(server) as asker:
        while generation < SWAPS and not asker.faults:
            for _ in range(random.randint(1, max(100, SWAPS // 400))):
                generation += 1
                swap(tmp_path, generation)
                if not random.randrange(4):
                    time.sleep(random.random() / 500)  # swaps at all phases of a scan
            wait_for(asker, generation)
        assert asker.faults == []
    print(f"{generation} swaps, {asker.answers} answers of {asker.generations} generations, no mixture")
    assert asker.generations > 1


def wait_for(asker: Asker, generation: int) -> None:
    end = time.monotonic() + PATIENCE
    while asker.seen < generation and not asker.faults:
        assert time.monotonic() < end, f"generation {generation} is never served, {asker.seen} is"
        time.sleep(0.005)


@contextmanager
def stopped(process: int) -> Iterator[None]:
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def test_nothing_is_lost_of_what_changed_while_it_was_stopped(tmp_path: Path) -> None:
    """More than the system remembers hints for, in folders that are new, too."""
    for number in range(0, BURST, 10):
        make(tmp_path, number, 1)
    with serving(tmp_path) as server:
        with stopped(server.pid):
            for number in range(BURST):
                make(tmp_path, number, 2)
            for number in range(0, BURST, 7):
                path_of(tmp_path, number).unlink()
        started = time.monotonic()
        expected = {number: None if number % 7 == 0 else 2 for number in range(BURST)}
        left = set(expected)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((server.address, server.port))
            client.settimeout(PATIENCE)
            while left:
                assert time.monotonic() - started < 3 * PATIENCE, f"{len(left)} of {BURST} are wrong, as {min(left)}"
                left = {number for number in left if generation_of(client, number) != expected[number]}
        print(f"{BURST} files: all right after {time.monotonic() - started:.1f} s")


def path_of(folder: Path, number: int) -> Path:
    return folder / f"{number % 25}" / f"s{number}.yaml"


def make(folder: Path, number: int, generation: int) -> None:
    path = path_of(folder, number)
    path.parent.mkdir(exist_ok=True)
    path.write_text(SERVICE.format(name=f"s{number}", generation=generation))


def generation_of(client: socket.socket, number: int) -> int | None:
    client.send(query(f"s{number}", number))
    found = _GENERATION.search(client.recv(4096), 12)
    return int(found[1]) if found else None


def test_a_folder_that_is_removed_and_made_anew_while_it_was_stopped(tmp_path: Path) -> None:
    zones = tmp_path / "zones"
    zones.mkdir()
    make(zones, 1, 1)
    with serving(zones) as server:
        with stopped(server.pid):
            shutil.rmtree(zones)
            zones.mkdir()
            make(zones, 1, 2)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((server.address, server.port))
            client.settimeout(PATIENCE)
            end = time.monotonic() + PATIENCE
            while (seen := generation_of(client, 1)) != 2:
                assert seen == 1, "an answer between the two"
                if time.monotonic() > end:
                    pytest.fail("the new folder is never served")
