"""What is wrong with a document, before it is known at which line: the field's path instead."""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from clusterdns.cluster.documents import Path
from clusterdns.errors import shortened

# Every code of files, syntax and objects, for searching and for the docs.  Codes are never given a second meaning.
CODES: dict[str, str] = {
    "CD100": "more problems than are told one by one",
    "CD101": "the file is not UTF-8 text",
    "CD102": "a document is too large, too deep or has too many aliases; a file holds too many documents",
    "CD103": "the YAML cannot be read",
    "CD104": "the JSON cannot be read",
    "CD105": "a key is there twice in one mapping",
    "CD106": "a key, alias or merge that Kubernetes could not have read",
    "CD107": "the document is no Kubernetes object",
    "CD108": "an item of a List is no Kubernetes object",
    "CD109": "a mistake in clusterdns: a document that it fails at",
    "CD201": "a field has the wrong shape: a list, a mapping, text",
    "CD202": "a field should be a number, true or false",
    "CD203": "a name or namespace breaks the rules for names",
    "CD204": "a label's key or value breaks the rules for labels",
    "CD205": "a required field is missing",
    "CD206": "a port number is out of range",
    "CD207": "a protocol is none of TCP, UDP, SCTP",
    "CD208": "a port's name breaks the rules for port names",
    "CD209": "two ports have the same name, or the same number and protocol",
    "CD210": "a value is none of those supported",
    "CD211": "an address is no IP address, or of a kind that is not allowed here",
    "CD212": "clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy contradict each other or the type",
    "CD213": "externalName is missing, or no DNS name",
    "CD214": "a hostname or subdomain is no DNS label",
    "CD215": "a selector does not match its own template",
    "CD216": "too many endpoints or addresses in one object",
    "CD217": "a number is negative",
    "CD218": "a node port where there can be none",
    "CD219": "a selector's expression is incomplete",
    "CD231": "a pod without an IP is pending: nothing points to it",
    "CD232": "a field is probably misspelt",
    "CD233": "a slice says no Service: nothing is published from it",
    "CD234": "a kind or version is probably misspelt",
}


class Fault(Struct, frozen=True):
    """A Problem in the making."""

    path: Path
    severity: Literal["error", "warning"]
    code: str
    text: str
    remedy: str
    count: int = 1  # of the faults that it stands for


MOST_FAULTS = 100  # of one object and severity; nobody mends more at once, and a file can have millions


class Faults:
    """All faults of one object, the first MOST_FAULTS errors and as many warnings one by one.

    *texts_are_quoted*: a number written as text is wrong, as in JSON; in a YAML tree only Quoted text is.
    """

    __slots__ = ("_counts", "_faults", "failed", "texts_are_quoted")

    def __init__(self, *, texts_are_quoted: bool = False) -> None:
        self.texts_are_quoted = texts_are_quoted
        self._faults: list[Fault] = []
        self._counts: dict[Literal["error", "warning"], int] = {"error": 0, "warning": 0}
        self.failed = False  # there is an error among them

    def __bool__(self) -> bool:
        return bool(self._faults)

    def __iter__(self) -> Iterator[Fault]:
        yield from self._faults
        if more := sum(self._counts.values()) - len(self._faults):
            yield and_more((), "error" if self._counts["error"] > MOST_FAULTS else "warning", more)

    def error(self, code: str, path: Path, text: str, remedy: str) -> None:
        self.failed = True
        self._add(path, "error", code, text, remedy)

    def warning(self, code: str, path: Path, text: str, remedy: str) -> None:
        self._add(path, "warning", code, text, remedy)

    def _add(self, path: Path, severity: Literal["error", "warning"], code: str, text: str, remedy: str) -> None:
        self._counts[severity] += 1
        if self._counts[severity] <= MOST_FAULTS:
            text = f"{shortened(show(path))}: {shortened(text)}"
            self._faults.append(Fault(path, severity, code, text, shortened(remedy)))


def and_more(path: Path, severity: Literal["error", "warning"], count: int) -> Fault:
    """In place of *count* faults that are not told one by one."""
    return Fault(
        path,
        severity,
        "CD100",
        f"and {count} more problem{'s' * (count > 1)}",
        "mend the others first, then look again",
        count,
    )


def show(path: Path) -> str:
    """``spec.ports[1].name``, as Kubernetes writes it."""
    shown = ""
    for part in path:
        if isinstance(part, int) or not part or not part.replace("-", "").isalnum():
            shown += f"[{part}]"
        else:
            shown += f".{part}" if shown else part
    return shown
