"""What several tests share: a world made in this process, and a server that really runs."""

import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from strategies import Responder

from clusterdns.cluster.events import Delete, Event, Replace, Upsert
from clusterdns.cluster.model import Object, identity
from clusterdns.config import load_settings
from clusterdns.options import controller_options, manners, zone_options
from clusterdns.sources.reading import load
from clusterdns.world import World, build

Answer = Callable[[bytes, str], bytes | None]  # (query, "udp" | "tcp") -> response, or None for silence

SETTLED = {"answer_order": "fixed"}  # unless a test asks for another order: the same question, the same octets
PATIENCE = 60.0  # seconds for a server to become ready; only a fault ever waits so long
_READY = re.compile(r"ready: .* (\d+\.\d+\.\d+\.\d+):(\d+)")


class Server(NamedTuple):
    address: str
    port: int
    pid: int
    output: list[str]  # what it has printed so far, line by line


def world(manifests: str, **settings: Any) -> Answer:
    """A function that answers as a server would that serves the YAML text *manifests* under *settings*."""
    chosen = load_settings({}, variables(SETTLED | settings))
    made = build(objects_of(manifests), zone_options(chosen, ("127.0.0.1",)), controller_options(chosen))
    return Responder(made.table, order=chosen.answer_order, manners=manners(chosen)).answer


def edited_world(manifests: str, others: str, questions: Sequence[bytes], seed: str, **settings: Any) -> Answer:
    """The same, but it came there by edits: from a cluster of *others*, which go, and objects that come twice.

    *questions* are asked after every round, so that answers of before would be found if they were kept.
    """
    chosen = load_settings({}, variables(SETTLED | settings))
    made = World(zone_options(chosen, ("127.0.0.1",)), controller_options(chosen))
    responder = Responder(made.table, order=chosen.answer_order, manners=manners(chosen))
    for serial, events in enumerate(edits(objects_of(manifests), objects_of(others), Random(seed)), 1):
        steps = made.steps("test", events)
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                made.commit(stop.value[1], serial)
                break
        for question in questions:
            responder.answer(question)
    return responder.answer


def edits(own: Sequence[Object], others: Sequence[Object], rng: Random) -> Iterator[list[Event]]:
    """Rounds that begin with *others* and end with exactly *own*."""
    kept = {identity(item) for item in own}
    mixed = rng.sample(own, len(own))
    half = mixed[: len(mixed) // 2]
    yield [Upsert(item) for item in others]
    yield [Upsert(item) for item in half]
    yield [Delete(*which) for which in sorted({identity(item) for item in others} - kept)]
    yield [Delete(*identity(item)) for item in half[::2]]
    yield [Upsert(item) for item in mixed]
    for kind in {item.kind for item in own}:
        yield [Replace(kind, tuple(item for item in own if item.kind == kind))]


def objects_of(manifests: str) -> Sequence[Object]:
    with TemporaryDirectory() as folder:
        return load([str(write_manifests(Path(folder), manifests))]).objects


def variables(settings: dict[str, Any]) -> dict[str, str]:
    """Settings as the environment names them."""
    lists = {name: ",".join(map(str, value)) for name, value in settings.items() if isinstance(value, list)}
    return {f"CLUSTERDNS_{name.upper()}": str(value) for name, value in (settings | lists).items()}


def write_manifests(folder: Path, manifests: str) -> Path:
    """Whole from one moment to the next, and as if written a while ago: a server waits until a file has settled."""
    path, draft = folder / "manifests.yaml", folder / ".manifests.yaml"
    draft.write_text(manifests)
    past = draft.stat().st_mtime - 10
    os.utime(draft, (past, past))
    return draft.replace(path)


def writing_of(path: Path) -> tuple[int, int]:
    """Which writing of a file this is, however often it was read since (a reader may change its atime)."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


@contextmanager
def serving(*arguments: str | Path, **settings: Any) -> Iterator[Server]:
    """A ``clusterdns serve`` process on a free port of 127.0.0.1, from its ready line to the end of the block."""
    command = [sys.executable, "-m", "clusterdns", "serve", *map(str, arguments), "--listen", "127.0.0.1:0"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CLUSTERDNS_")}
    # No lame duck: nobody but the test asks this server.
    environment |= {"CLUSTERDNS_HTTP": "", "CLUSTERDNS_LAMEDUCK": "0", "PYTHONUNBUFFERED": "1"} | variables(
        SETTLED | settings
    )
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines: queue.Queue[str] = queue.Queue()
    output: list[str] = []
    reader = threading.Thread(target=_read, args=(process, lines, output))
    reader.start()
    try:
        address, port = _ready(lines, output)
        yield Server(address, port, process.pid, output)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join()
        if process.stdout:
            process.stdout.close()


def _read(process: "subprocess.Popen[str]", lines: "queue.Queue[str]", output: list[str]) -> None:
    """Until the end of its output: a server must never block on a full pipe."""
    for line in process.stdout or ():
        output.append(line)
        lines.put(line)
    lines.put("")


def _ready(lines: "queue.Queue[str]", output: list[str]) -> tuple[str, int]:
    while line := lines.get(timeout=PATIENCE):
        if match := _READY.search(line):
            return match[1], int(match[2])
    raise AssertionError("the server ended before it was ready:\n" + "".join(output))
