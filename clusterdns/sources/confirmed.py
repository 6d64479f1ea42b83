"""When the API last confirmed a snapshot, in a file beside it: a cluster that rests writes no snapshot anew.

::

    clusterdns confirmed 1\\n
    digest of the snapshot (16 octets) · Unix seconds (8 octets: IEEE 754, big-endian)
    BLAKE2b of everything above (16 octets)

Everything blocks.
"""

import contextlib
import struct
from hashlib import blake2b
from pathlib import Path

from clusterdns.sources.whole import write_whole

NAME = "confirmed.bin"

_HEAD = b"clusterdns confirmed 1\n"
_DIGEST_OCTETS = 16
_BODY = struct.Struct(f">{_DIGEST_OCTETS}sd")


def write_confirmed(folder: Path, snapshot: bytes, at: float) -> None:
    """*snapshot*: its digest, 16 octets; *at*: Unix seconds.  Raises OSError."""
    octets = _HEAD + _BODY.pack(snapshot, at)
    write_whole(folder / NAME, lambda file: file.write(octets + _digest(octets)), 0o600)


def read_confirmed(folder: Path, snapshot: bytes) -> float | None:
    """Unix seconds; None where nothing says of this very snapshot that it was confirmed later than it was written.

    No word is lost about a file that is torn or another snapshot's: what is served is taken for older then.
    """
    octets = b""
    with contextlib.suppress(OSError):
        octets = (folder / NAME).read_bytes()
    body, digest = octets[:-_DIGEST_OCTETS], octets[-_DIGEST_OCTETS:]
    if len(body) != len(_HEAD) + _BODY.size or not body.startswith(_HEAD) or _digest(body) != digest:
        return None
    of, at = _BODY.unpack_from(body, len(_HEAD))
    return float(at) if of == snapshot else None


def _digest(octets: bytes) -> bytes:
    return blake2b(octets, digest_size=_DIGEST_OCTETS).digest()
