"""Domain names in uncompressed wire form, lower case (RFC 1035 §3.1, RFC 4343 §3).

One immutable value: ``bytes`` hash, compare and slice in C.  All names are absolute.
"""

from typing import NewType

Name = NewType("Name", bytes)

ROOT = Name(b"\0")
MAX_OCTETS = 255  # RFC 1035 §2.3.4

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_/*")


def label(text: str) -> bytes:
    """``"web"`` -> ``b"\\x03web"``.  Raises ValueError: empty, not ASCII, or over 63 octets (RFC 1035 §2.3.4)."""
    octets = text.encode("ascii").lower()  # in this order: str.lower() makes a "k" of the Kelvin sign
    if not 1 <= len(octets) <= 63:
        raise ValueError(f"label {text!r} has {len(octets)} octets: 1 to 63 are possible")
    return len(octets).to_bytes() + octets


def child(labels: bytes, parent: Name) -> Name:
    """*labels* in wire form, without the root, before *parent*.  Raises ValueError over 255 octets."""
    if len(labels) + len(parent) > MAX_OCTETS:
        raise ValueError(f"{len(labels) + len(parent)} octets: a name has at most {MAX_OCTETS}")
    return Name(labels + parent)


def parse_name(text: str) -> Name:
    """``"Web.shop."`` -> ``b"\\x03web\\x04shop\\x00"``; the final dot may be missing.

    Raises ValueError: empty, not ASCII, empty label, label over 63 or name over 255 octets.
    """
    if not text:
        raise ValueError("an empty name")
    bare = text.removesuffix(".")
    return child(b"".join(map(label, bare.split("."))) if bare else b"", ROOT)


def to_text(name: bytes) -> str:
    """``b"\\x03web\\x00"`` -> ``"web."``; odd octets escaped as in master files (RFC 1035 §5.1)."""
    return ".".join(map(_label_text, labels(name))) + "."


def labels(name: bytes) -> list[bytes]:
    """Without their lengths, without the root: ``b"\\x03web\\x00"`` -> ``[b"web"]``."""
    found, at = [], 0
    while length := name[at]:
        found.append(name[at + 1 : at + 1 + length])
        at += 1 + length
    return found


def parent(name: Name) -> Name:
    """The name without its first label; the root is its own parent."""
    return Name(name[1 + name[0] :]) if name[0] else name


def is_below(name: bytes, apex: bytes) -> bool:
    """True for the apex itself too.  By labels: a label's content can imitate an apex."""
    at = 0
    while len(name) - at > len(apex):
        at += 1 + name[at]
    return name[at:] == apex


def _label_text(octets: bytes) -> str:
    if _PLAIN.issuperset(octets):
        return octets.decode("ascii")
    return "".join(chr(o) if o in _PLAIN else f"\\{chr(o)}" if 33 <= o <= 126 else f"\\{o:03d}" for o in octets)
