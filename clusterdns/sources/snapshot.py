"""The last good state of a live API, on disk (the setting ``state_dir``): served while the API is away at a start.

::

    clusterdns snapshot 1\n
    gzip of: length (4 octets) · Header · { length · [kind, objects] }... · length 0      (MessagePack)
    BLAKE2b of everything above (16 octets)

Beside it stands when the API last confirmed it, see ``confirmed``.

Everything that blocks is meant for a worker thread, and gives the interpreter away often.
"""

import asyncio
import gzip
import io
import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from clusterdns.cluster.events import Kind
from clusterdns.cluster.model import Object
from clusterdns.collector import collector_paused
from clusterdns.sources.confirmed import read_confirmed, write_confirmed
from clusterdns.sources.packed import TYPES, shared_again
from clusterdns.sources.whole import InTurn, Kept, write_whole

logger = logging.getLogger("clusterdns.snapshot")

NAME = "snapshot.bin"
SAVE_SECONDS = 30.0  # between two of them, however much changes
WORTH = 1.0  # seconds: who was confirmed less than this later is not worth a write

_MAGIC = b"clusterdns snapshot "
_FORMAT = 1
_HEAD = b"%s%d\n" % (_MAGIC, _FORMAT)
_DIGEST_OCTETS = 16
_AT_ONCE = 16  # objects encoded or decoded in one step, which holds the interpreter: a slice may have 1,000 endpoints
_DECODERS = {kind: msgspec.msgpack.Decoder(list[one]) for kind, one in TYPES.items()}  # type: ignore[valid-type]

Objects = Mapping[Kind, Sequence[Object]]


class Identity(Struct, frozen=True):
    """Whose objects they are: a snapshot of another cluster is worse than none."""

    server: str  # the API server's URL
    domain: str
    signers: tuple[str, ...] = ()  # fingerprints of who may sign for the server; (): nobody can say

    def __str__(self) -> str:
        return f"{self.server} for {self.domain}"

    def is_cluster_of(self, other: "Identity") -> bool:
        """A cluster that is built anew at the same URL has certificates of its own; where they are renewed, the old
        ones and the new ones are trusted for a while.
        """
        shared = {*self.signers} & {*other.signers}
        return self.server == other.server and (bool(shared) or not self.signers or not other.signers)


class Header(Struct, frozen=True):
    identity: Identity
    kinds: tuple[Kind, ...]
    written: float  # Unix seconds of the API's last word on them then


def fingerprints(pem: bytes) -> tuple[str, ...]:
    """Of the certificates in it."""
    found = re.findall(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", pem, re.DOTALL)
    return tuple(sorted({blake2b(b"".join(one.split()), digest_size=16).hexdigest() for one in found}))


class Snapshot(Struct, frozen=True):
    """*confirmed*: Unix seconds of the API's last word on them."""

    confirmed: float
    objects: Objects


class SnapshotFile:
    """One file in *folder*, replaced as a whole.  Whatever is wrong with it costs a message and nothing else."""

    def __init__(self, folder: str, identity: Identity) -> None:
        self.path = Path(folder) / NAME
        self._identity = identity
        self._kept = Kept(self.path, logger)
        self._saved: tuple[bytes, float] | None = None  # by this object: its digest, and when it was confirmed

    def load(self, kinds: Sequence[Kind]) -> Snapshot | None:
        """None where there is none, or none to be trusted that has all *kinds*.  Blocks."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as fault:
            logger.error("%s: %s; make it readable for this user, or set another state_dir", self.path, fault.strerror)
            return None
        try:
            with collector_paused():
                return self._read(data, kinds)
        except _Ignored as why:
            logger.error("%s: %s", self.path, why)
            return None

    def save(self, objects: Objects, now: float, identity: Identity | None = None) -> bool:
        """True when it is on disk.  A disk that is full or read-only is told once, not at every try.  Blocks.

        *now*: Unix seconds of the API's last word on *objects*.  *identity*: as of now, if it is another than at the
        start.
        """
        header = Header(identity or self._identity, tuple(objects), now)
        digest = bytearray()

        def write(file: BinaryIO) -> None:
            digest[:] = _write(file, header, objects)

        whole = partial(write_whole, self.path, write, 0o600)
        if not self._kept.write(whole, "a start without the API has nothing to serve"):
            return False
        self._saved = bytes(digest), now
        return True

    def confirm(self, at: float) -> None:
        """Unix seconds: so late the API said that the objects saved last are still as they were.  Blocks.

        Where none has been saved, what is on disk is not what the API was asked about.
        """
        if self._saved is None or abs(at - self._saved[1]) < WORTH:
            return
        digest = self._saved[0]
        word = partial(write_confirmed, self.path.parent, digest, at)
        if self._kept.write(word, "a start without the API takes what it serves for older"):
            self._saved = digest, at

    def _read(self, data: bytes, kinds: Sequence[Kind]) -> Snapshot:
        """Raises _Ignored."""
        if data.startswith(_MAGIC) and not data.startswith(_HEAD) and (end := data.find(b"\n", 0, 40)) > 0:
            found = data[len(_MAGIC) : end].decode("ascii", "backslashreplace")
            raise _Ignored(f"written by another version of clusterdns (format {found}): it is ignored and written anew")
        body, digest = memoryview(data)[:-_DIGEST_OCTETS], data[-_DIGEST_OCTETS:]
        if not data.startswith(_HEAD) or blake2b(body, digest_size=_DIGEST_OCTETS).digest() != digest:
            raise _Ignored("torn, or not written by this program: it is ignored and written anew")
        try:
            snapshot = self._trusted(io.BytesIO(body[len(_HEAD) :]), kinds)
        except (msgspec.MsgspecError, KeyError, EOFError, OSError) as fault:
            raise _Ignored(f"not understood ({fault}): it is ignored and written anew") from None
        confirmed = read_confirmed(self.path.parent, digest)
        return snapshot if confirmed is None else Snapshot(confirmed, snapshot.objects)

    def _trusted(self, body: io.BytesIO, kinds: Sequence[Kind]) -> Snapshot:
        with gzip.GzipFile(fileobj=body) as pieces:
            header = msgspec.msgpack.decode(_piece(pieces), type=Header)
            whose = header.identity
            if (whose.server, whose.domain) != (self._identity.server, self._identity.domain):
                raise _Ignored(f"of {whose}, not of {self._identity}: set another state_dir for each cluster")
            if not whose.is_cluster_of(self._identity):
                raise _Ignored(f"of another cluster at {whose.server}, with other certificates: it is written anew")
            if missing := [kind for kind in kinds if kind not in header.kinds]:
                raise _Ignored(f"without {', '.join(missing)}, which is needed now: it is ignored and written anew")
            objects: dict[Kind, list[Object]] = {kind: [] for kind in kinds}
            while piece := _piece(pieces):
                kind, found = msgspec.msgpack.decode(piece, type=tuple[str, msgspec.Raw])
                if kind in objects:
                    objects[kind] += map(shared_again, _DECODERS[kind].decode(found))
        return Snapshot(header.written, objects)


class _Ignored(Exception):  # noqa: N818 - caught above, in the one place that reads
    """Why nothing is taken from a file."""


class SnapshotKeeper:
    """Saves soon after something changed, and at most every SAVE_SECONDS.  While nothing does, it is kept as often that
    the API has confirmed what is saved.
    """

    def __init__(self, file: SnapshotFile, collect: Callable[[], Awaitable[tuple[Identity, Objects] | None]]) -> None:
        """*collect* gives the objects between two rounds, and whose they are; None: they are not to be kept now."""
        self._file, self._collect = file, collect
        self._changed = asyncio.Event()
        self._writing = InTurn()

    def note(self) -> None:
        """Something has changed."""
        self._changed.set()

    async def run(self, confirmed: Callable[[], float]) -> None:
        """Endless.  *confirmed*: Unix seconds of the API's last word."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(SAVE_SECONDS):
                    await self._changed.wait()
            changed = self._changed.is_set()
            await self.save(confirmed)
            if changed:
                await asyncio.sleep(SAVE_SECONDS)

    async def save(self, confirmed: Callable[[], float]) -> None:
        """Now: all if anything has changed since, else that it is confirmed."""
        at = confirmed()  # before the objects are taken, which are at least so new
        if not self._changed.is_set():
            await self._writing.do(self._file.confirm, at)
            return
        self._changed.clear()
        saved = False
        try:
            collected = await self._collect()
            if collected:
                identity, objects = collected
                saved = await self._writing.do(self._file.save, objects, at, identity)
            else:
                saved = True
        finally:
            if not saved:  # or nobody waited until it was
                self._changed.set()

    async def done(self) -> None:
        """Nothing of this one will reach the disk any more, unless it is asked to save."""
        await self._writing.done()


def _write(file: BinaryIO, header: Header, objects: Objects) -> bytes:
    """The digest."""
    sink = _Digesting(file)
    sink.write(_HEAD)
    with gzip.GzipFile("", "wb", 1, sink, 0) as pieces:
        for octets in _pieces(header, objects):
            pieces.write(len(octets).to_bytes(4) + octets)
    digest = sink.digest.digest()
    file.write(digest)
    return digest


def _pieces(header: Header, objects: Objects) -> Iterator[bytes]:
    yield msgspec.msgpack.encode(header)
    for kind, items in objects.items():
        for at in range(0, len(items), _AT_ONCE):
            yield msgspec.msgpack.encode((kind, items[at : at + _AT_ONCE]))
    yield b""


def _piece(pieces: gzip.GzipFile) -> bytes:
    """b"" at the end.  Raises EOFError before it."""
    length = pieces.read(4)
    octets = pieces.read(int.from_bytes(length))
    if len(length) < 4 or len(octets) < int.from_bytes(length):
        raise EOFError("it ends too soon")
    return octets


class _Digesting:
    """A file that is written, and the digest of what was."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = blake2b(digest_size=_DIGEST_OCTETS)

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()
