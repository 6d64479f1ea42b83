"""The tables in ``tests/cases/*.txt``: manifests in, dig-like lines out.

    ## what the case shows
    ---settings
    ttl: 30
    ---manifests
    (YAML documents, `---` alone between them)
    ---answers
    web.shop.svc.cluster.local A AAAA
      NOERROR aa
      web.shop.svc.cluster.local. 5 IN A 10.96.0.10
      ;; authority cluster.local. SOA
      ;; additional
      web.shop.svc.cluster.local. 5 IN A 10.96.0.10

A case without manifests asks the world of the case above it.  A question is a name, types that all get the same
answer, and perhaps a class or an option: ``+noedns``, ``+bufsize=N``, ``+udp``, ``+tcp`` (default: EDNS with 1232
octets, over both transports).  The first line of an answer is the RCODE and the flags out of aa, tc, ra, ad; then come
the records of the answer section.  ``;; authority ZONE SOA`` stands for exactly that zone's SOA as negative answers
carry it; SERIAL stands for a serial.  Aliases keep their order, the records of an RRset and the additional section have
none.  ``*`` stands for what the case leaves open, such as an allocated address.  Lines that begin with ``#`` are notes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import yaml

FOLDER = Path(__file__).parent / "cases"
TRANSPORTS = ("udp", "tcp")
_FLAGS = ("aa", "tc", "ra", "ad")
_CLASSES = ("CH", "HS", "NONE")
_SOA_TIMERS = r"SERIAL 7200 1800 86400"


@dataclass(frozen=True, slots=True)
class Question:
    place: str  # "clusterip.txt:12"
    name: str
    rtype: str
    rclass: str
    payload: int  # octets announced by EDNS; 0: no EDNS
    transports: tuple[str, ...]
    expected: tuple[str, ...]

    def message(self) -> dns.message.QueryMessage:
        """As dig asks: RD set."""
        name = dns.name.from_text(self.name)
        edns = 0 if self.payload else False
        return dns.message.make_query(name, self.rtype, self.rclass, use_edns=edns, payload=self.payload or 1232)

    def __str__(self) -> str:
        return f"{self.place}: {self.name} {self.rclass} {self.rtype}"


@dataclass(frozen=True, slots=True)
class Case:
    place: str
    title: str
    settings: dict[str, Any]
    manifests: str
    questions: tuple[Question, ...]

    @property
    def world(self) -> tuple[str, str]:
        """What decides the answers: equal for the cases that share their manifests."""
        return self.manifests, repr(sorted(self.settings.items()))

    def __str__(self) -> str:
        return f"{self.place.split('.')[0]}: {self.title}"


def all_cases() -> list[Case]:
    return [case for path in sorted(FOLDER.glob("*.txt")) for case in parse(path.read_text(), path.name)]


def parse(text: str, file: str) -> list[Case]:
    """Raises ValueError with ``file:line`` where *text* is not in the format."""
    found: list[Case] = []
    settings: dict[str, Any] = {}
    manifests = ""
    for number, title, sections in _titled(text, file):
        if "manifests" in sections:
            manifests = "\n".join(sections["manifests"][1])
            settings = yaml.safe_load("\n".join(sections.get("settings", (0, []))[1])) or {}
        if "answers" not in sections or not manifests:
            raise ValueError(f"{file}:{number}: a case needs answers, and manifests of its own or of the case above")
        questions = tuple(_questions(*sections["answers"], file))
        found.append(Case(f"{file}:{number}", title, settings, manifests, questions))
    return found


Sections = dict[str, tuple[int, list[str]]]  # name -> (number of its first line, its lines)


def _titled(text: str, file: str) -> Iterator[tuple[int, str, Sections]]:
    title, started, section = "", 0, ""
    sections: Sections = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("## "):
            if title:
                yield started, title, sections
            title, started, section, sections = line[3:].strip(), number, "", {}
        elif match := re.fullmatch(r"---(settings|manifests|answers)", line):
            section = match[1]
            sections[section] = number + 1, []
        elif section:
            sections[section][1].append(line)
        elif line and not line.startswith("#"):
            raise ValueError(f"{file}:{number}: text outside a section")
    if title:
        yield started, title, sections


def _questions(first: int, lines: list[str], file: str) -> Iterator[Question]:
    asked: list[tuple[str, list[str]]] = []
    for number, line in enumerate(lines, first):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith(" "):
            if not asked:
                raise ValueError(f"{file}:{number}: an answer before the first question")
            asked[-1][1].append(" ".join(line.split()))
        else:
            asked.append((f"{file}:{number} {line}", []))
    for question, expected in asked:
        if not expected:
            raise ValueError(f"{question}: no answer is given")
        yield from _question(question.split(), tuple(normal(expected)))


def _question(words: list[str], expected: tuple[str, ...]) -> Iterator[Question]:
    place, name, *rest = words
    rclass = next((word for word in rest if word in _CLASSES), "IN")
    payload = 1232
    transports: tuple[str, ...] = TRANSPORTS
    for option in (word for word in rest if word.startswith("+")):
        if option.startswith("+bufsize="):
            payload = int(option.removeprefix("+bufsize="))
        elif option == "+noedns":
            payload = 0
        elif option[1:] in TRANSPORTS:
            transports = (option[1:],)
        else:
            raise ValueError(f"{place}: unknown option {option}")
    for rtype in rest:
        if rtype != rclass and not rtype.startswith("+"):
            yield Question(place, name, rtype, rclass, payload, transports, expected)


def answer_lines(response: bytes) -> list[str]:
    """A DNS message as the lines that a case expects."""
    message = dns.message.from_wire(response, one_rr_per_rrset=True)
    flags = dns.flags.to_text(message.flags).lower().split()
    rcode = dns.rcode.to_text(message.rcode())
    lines = [" ".join([rcode, *(flag for flag in _FLAGS if flag in flags)])]
    lines += _section(message.answer)
    if message.authority:
        lines += _authority(_section(message.authority))
    if message.additional:
        lines += [";; additional", *_section(message.additional)]
    return normal(lines)


def _section(rrsets: list[dns.rrset.RRset]) -> list[str]:
    serial = re.compile(r"(IN SOA \S+ \S+) \d+")
    return [serial.sub(r"\1 SERIAL", rrset.to_text()) for rrset in rrsets]


def _authority(lines: list[str]) -> list[str]:
    """One line for the SOA of a negative answer, if it is exactly that."""
    form = rf"(\S+) (\d+) IN SOA ns\.dns\.(\S+) hostmaster\.(\S+) {_SOA_TIMERS} (\d+)"
    match = re.fullmatch(form, lines[0])
    if len(lines) == 1 and match:
        owner, ttl, mname, rname, minimum = match.groups()
        # RFC 2308 §5: the TTL of the SOA bounds how long the answer may be kept.
        # The server of a reverse zone is the cluster's: its name lies in the domain (apex.txt shows which).
        named = mname == rname and (mname == owner or owner.lower().endswith("arpa."))
        if named and int(ttl) == min(int(minimum), 300):
            return [f";; authority {owner} SOA"]
    return [";; authority", *lines]


def normal(lines: list[str]) -> list[str]:
    """Records of one RRset sorted, and the whole additional section: order means something between aliases only."""
    body, additional = lines, []
    if ";; additional" in lines:
        at = lines.index(";; additional")
        body, additional = lines[:at], lines[at:]
    runs = (sorted(run) for _, run in groupby(body, key=_rrset))
    return [line for run in runs for line in run] + additional[:1] + sorted(additional[1:])


def _rrset(line: str) -> tuple[str, ...]:
    words = line.split()
    return (words[0], words[3]) if len(words) > 4 and words[2] == "IN" else tuple(words)


def same(expected: tuple[str, ...], got: list[str]) -> bool:
    return len(expected) == len(got) and all(map(fnmatchcase, got, expected))
