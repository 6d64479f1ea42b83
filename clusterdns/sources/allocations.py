"""What was allocated, on disk (the setting ``state_dir``): nobody moves over a restart."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from pathlib import Path

import msgspec
from msgspec import Struct

from clusterdns.controllers.memory import Memory
from clusterdns.sources.whole import InTurn, Kept, write_whole

logger = logging.getLogger("clusterdns.allocations")

NAME = "allocations.json"
FORMAT = "clusterdns allocations 1"
SAVE_SECONDS = 1.0


class _Envelope(Struct):
    format: str
    checksum: str  # of the octets of *memory*, as they stand in the file
    memory: msgspec.Raw


class AllocationFile:
    """One file in *folder*, replaced as a whole; a torn or foreign one is told and passed over."""

    def __init__(self, folder: str) -> None:
        self._path = Path(folder) / NAME
        self._saved: Memory | None = None
        self._kept = Kept(self._path, logger)

    def load(self) -> Memory:
        """Empty where there is no file yet, or none to be trusted."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return Memory()
        except OSError as fault:
            logger.error(
                "%s: %s; ClusterIPs and stand-in addresses may change: make it readable for this user, "
                "or set another state_dir",
                self._path,
                fault.strerror,
            )
            return Memory()
        try:
            envelope = msgspec.json.decode(data, type=_Envelope)
            trusted = envelope.format == FORMAT and envelope.checksum == _checksum(bytes(envelope.memory))
            memory = msgspec.json.decode(envelope.memory, type=Memory) if trusted else None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            memory = None
        if memory is None:
            logger.error("%s: torn, or not written by this program: it is ignored and written anew", self._path)
            return Memory()
        self._saved = memory
        return memory

    def save(self, memory: Memory) -> bool:
        """True when it is on disk.  A disk that is full or read-only is told once, not at every try."""
        if memory == self._saved:
            return True
        data = _encode(memory)
        whole = partial(write_whole, self._path, lambda file: file.write(data))
        if not self._kept.write(whole, "allocations are not kept over a restart"):
            return False
        self._saved = memory
        return True


class Keeper:
    """Saves what was allocated soon after it changed, off the loop."""

    def __init__(self, file: AllocationFile, export: Callable[[], Memory]) -> None:
        self._file, self._export = file, export
        self._changed = asyncio.Event()
        self._writing = InTurn()

    def note(self) -> None:
        """Something may have been allocated."""
        self._changed.set()

    async def run(self) -> None:
        """Endless; at most a write in SAVE_SECONDS, so that a folder in motion costs little."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self.save()
            await asyncio.sleep(SAVE_SECONDS)

    async def save(self) -> None:
        """Now, and behind what is being saved: nothing of this one reaches the disk later."""
        await self._writing.do(self._save)

    def _save(self) -> None:
        """In a thread: what is exported is copied in one step of the interpreter."""
        self._file.save(self._export())


def _encode(memory: Memory) -> bytes:
    octets = msgspec.json.encode(memory)
    return msgspec.json.encode(_Envelope(FORMAT, _checksum(octets), msgspec.Raw(octets)))


def _checksum(octets: bytes) -> str:
    return blake2b(octets, digest_size=16).hexdigest()
