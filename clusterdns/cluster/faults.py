"""What is wrong with a document, before it is known at which line: the field's path instead."""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from clusterdns.cluster.documents import Path

# Every code of files, syntax and objects, for searching and for the docs.  Codes are never given a second meaning.
CODES: dict[str, str] = {
    "CD101": "the file is not UTF-8 text",
    "CD102": "a document is too large, too deep or has too many aliases",
    "CD103": "the YAML cannot be read",
    "CD104": "the JSON cannot be read",
    "CD105": "a key is there twice in one mapping",
    "CD106": "a key, alias or merge that Kubernetes could not have read",
    "CD107": "the document is no Kubernetes object",
    "CD108": "an item of a List is no Kubernetes object",
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
}


class Fault(Struct, frozen=True):
    """A Problem in the making."""

    path: Path
    severity: Literal["error", "warning"]
    code: str
    text: str
    remedy: str


class Faults:
    """All faults of one object.

    *texts_are_quoted*: a number written as text is wrong, as in JSON; in a YAML tree only Quoted text is.
    """

    def __init__(self, *, texts_are_quoted: bool = False) -> None:
        self.texts_are_quoted = texts_are_quoted
        self._faults: list[Fault] = []
        self.failed = False  # there is an error among them

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults)

    def error(self, code: str, path: Path, text: str, remedy: str) -> None:
        self.failed = True
        self._faults.append(Fault(path, "error", code, f"{show(path)}: {text}", remedy))

    def warning(self, code: str, path: Path, text: str, remedy: str) -> None:
        self._faults.append(Fault(path, "warning", code, f"{show(path)}: {text}", remedy))


def show(path: Path) -> str:
    """``spec.ports[1].name``, as Kubernetes writes it."""
    shown = ""
    for part in path:
        if isinstance(part, int) or not part or not part.replace("-", "").isalnum():
            shown += f"[{part}]"
        else:
            shown += f".{part}" if shown else part
    return shown
