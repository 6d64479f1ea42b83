"""Every error raised on purpose, by who must act.  Anything else that escapes is a bug."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Literal

import msgspec


class PeerError(Exception):
    """A client broke the protocol: count it, answer or drop it, never log above DEBUG."""


class BackendError(Exception):
    """The API server or an upstream resolver failed us: back off, then retry."""


class OperatorError(Exception):
    """A file or a command line is wrong.  Each line of the text reads ``path:line: problem``."""


class Problem(msgspec.Struct, frozen=True, order=True):
    """One thing an operator must mend in a file; whatever it is about, the last good state stays in use."""

    path: str
    line: int  # 1-based; 0: the file as a whole
    severity: Literal["error", "warning"]
    code: str  # stable, for searching: "CD104"
    subject: str  # "Service shop/web", or "" when the document could not be told
    text: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else self.path
        subject = f" {self.subject}" if self.subject else ""
        begin = f"{where}: " if where else ""  # an object of an API is in no file
        return printable(f"{begin}{self.severity} {self.code}{subject}: {self.text}; {self.remedy}")


def foremost(problems: Sequence[Problem], most: int) -> tuple[Problem, ...]:
    """*most* of them in their order, warnings only as far as errors leave room."""
    if len(problems) <= most:
        return tuple(problems)
    errors = [*islice((at for at, one in enumerate(problems) if one.severity == "error"), most)]
    warnings = islice((at for at, one in enumerate(problems) if one.severity == "warning"), most - len(errors))
    return tuple(problems[at] for at in sorted((*errors, *warnings)))


def printable(text: str) -> str:
    """On one line and without what a terminal obeys: what stands in a file must not forge a line of the log."""
    return text if text.isprintable() else "".join(one if one.isprintable() else _escaped(one) for one in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def moment(seconds: float) -> str:
    """``2026-01-15T10:00:00Z`` of Unix seconds: how messages tell since when."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def shortened(text: str, most: int = 400) -> str:
    """*most* characters of it, from both ends: a message tells of a value and is no place to keep it."""
    half = most // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"
