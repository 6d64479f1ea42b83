"""The same questions to clusterdns and to unbound, both of which forward to one authoritative server with odd zones."""

import shutil
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from textwrap import dedent, indent
from typing import NamedTuple

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset
from live.processes import running
from odd_zones import SEED, Kind, Known, Site, Zone, absent, site
from ports import free_port
from support import serving

NAMES = 5000
HOST = "127.0.0.1"
PAYLOAD = 1232
_TOGETHER = 32  # questions under way; more of one client at once may be refused as a flood
_SECONDS = 60.0  # only a fault waits so long
_AGAIN = 3.0  # seconds after which unbound is asked again: what takes it 1.9 s it does not answer (discard-timeout)
_PATIENT = 20_000  # milliseconds before unbound takes the server behind it for dead: on loopback nothing is lost
_COMPRESSED = ("CNAME", "DNAME", "MX", "NS", "PTR", "SOA", "SRV")
_SEARCHED = "/usr/sbin:/sbin:/usr/local/sbin"  # Debian's place for servers, which not everybody's PATH has


class Variant(NamedTuple):
    """How a question is put."""

    key: str
    edns: bool = True
    dnssec_ok: bool = False
    flags: int = 0


VARIANTS = (
    Variant("no EDNS", edns=False),
    Variant("EDNS"),
    Variant("DO", dnssec_ok=True),
    Variant("CD", flags=dns.flags.CD),
    Variant("AD", flags=dns.flags.AD),
)


class Question(NamedTuple):
    name: str  # in any letter case
    rtype: str
    kind: Kind
    variant: Variant
    wire: bytes  # the query, without an ID

    def __str__(self) -> str:
        return f"{self.name} {self.rtype} ({self.kind.name}, {self.variant.key})"


Key = tuple[str, str, str]  # owner, type, type that is covered


class Answer(NamedTuple):
    """What two servers of one mind agree on.  Owners are in lower case."""

    rcode: str
    flags: frozenset[str]
    answer: dict[Key, frozenset[str]]
    authority: dict[Key, frozenset[str]]
    ttls: dict[Key, int]
    edns: bool
    truncated: bool  # over UDP; what is here came over TCP then

    @property
    def types(self) -> frozenset[str]:
        return frozenset(rtype for _, rtype, _ in self.answer)

    def __str__(self) -> str:
        head = f"{self.rcode} {' '.join(sorted(self.flags))}{' (truncated)' if self.truncated else ''}"
        lines = []
        for name, section in (("answer", self.answer), ("authority", self.authority)):
            for key, data in section.items():
                owner, rtype, covered = key
                lines.append(f"{name}: {owner} {self.ttls[key]} {rtype} {covered} {' | '.join(sorted(data))[:200]}")
        return "\n    ".join([head, *lines])


class Difference(NamedTuple):
    question: Question
    aspect: str  # "rcode", "flags", "answer", "order", "ttl", "authority", "transport"
    ours: Answer
    theirs: Answer

    def __str__(self) -> str:
        return f"{self.question}: {self.aspect}\n  clusterdns: {self.ours}\n  unbound:    {self.theirs}"


class Run(NamedTuple):
    names: int
    asked: int
    kinds: Counter[str]  # of names
    answers: Counter[str]  # by what ours were: "answer", "NODATA", or the RCODE
    signed: int  # of ours
    truncated: int  # of ours, over UDP
    found: list[Difference]


def missing(*programs: str) -> str:
    """Why the run cannot be made; "": it can."""
    absent_ones = [program for program in programs if not found(program)]
    return f"{', '.join(absent_ones)} not installed" if absent_ones else ""


def found(program: str) -> str | None:
    return shutil.which(program) or shutil.which(program, path=_SEARCHED)


def questions(names: int, count: int = 0, seed: int = SEED) -> list[Question]:
    """For *names* names, in every variant; with *count* a sample of so many names, of every kind."""
    rng = Random(f"{seed} questions")
    known = site(seed).known
    all_names: dict[str, Known] = {}
    for one in known:
        before = all_names.get(one.name)
        types = dict.fromkeys((*before.types, *one.types)) if before else one.types
        all_names[one.name] = one._replace(types=tuple(types))
    for one in absent(rng, known):
        if len(all_names) >= names:
            break
        all_names.setdefault(one.name, one)
    chosen = [*all_names.values()]
    rng.shuffle(chosen)
    made = []
    for one in _sample(chosen, count) if count else chosen:
        for rtype in one.types if one.kind is Kind.TYPES else rng.sample(one.types, min(2, len(one.types))):
            for variant in VARIANTS:
                name = flipped(rng, one.name) if rng.random() < 0.3 else one.name
                made.append(Question(name, rtype, one.kind, variant, _query(name, rtype, variant)))
    return made


def _query(name: str, rtype: str, variant: Variant) -> bytes:
    """dnspython takes longer for it than a server for the answer."""
    question = (dns.name.from_text(name).to_wire() or b"") + struct.pack("!HH", dns.rdatatype.from_text(rtype), 1)
    opt = struct.pack("!BHHHHH", 0, 41, PAYLOAD, 0, 0x8000 * variant.dnssec_ok, 0) if variant.edns else b""
    return struct.pack("!HHHHH", dns.flags.RD | variant.flags, 1, 0, 0, bool(opt)) + question + opt


def _sample(names: Sequence[Known], count: int) -> list[Known]:
    """Equally many of each kind, as far as there are so many."""
    by_kind: dict[Kind, list[Known]] = {}
    for one in names:
        by_kind.setdefault(one.kind, []).append(one)
    turns = max(map(len, by_kind.values()))
    mixed = [members[turn] for turn in range(turns) for members in by_kind.values() if turn < len(members)]
    return mixed[:count]


def flipped(rng: Random, name: str) -> str:
    """In a random mixture of capital and small letters."""
    return "".join(rng.choice((one.lower(), one.upper())) for one in name)


def run(folder: Path, asked: Sequence[Question]) -> Run:
    with ExitStack() as stack:
        upstream = stack.enter_context(knot(folder, site()))
        theirs = stack.enter_context(Client.to(stack.enter_context(unbound(folder, upstream)), again=_AGAIN))
        settings = {"source": "none", "upstream": [f"{HOST}:{upstream}"], "forward_timeout": "60s"}
        ours = stack.enter_context(Client.to(stack.enter_context(serving(**settings)).port))
        return _compare(asked, ours, theirs)


def _compare(asked: Sequence[Question], ours: "Client", theirs: "Client") -> Run:
    begin, differences, answers, signed, truncated = time.monotonic(), list[Difference](), Counter[str](), 0, 0
    for start in range(0, len(asked), _TOGETHER):
        together = asked[start : start + _TOGETHER]
        for one in (ours, theirs):
            one.send(together)
        for question, our, their in zip(together, ours.receive(together), theirs.receive(together), strict=True):
            answers[kind_of(our)] += 1
            signed += "RRSIG" in our.types
            truncated += our.truncated
            elapsed = time.monotonic() - begin
            differences += [Difference(question, aspect, our, their) for aspect in aspects(our, their, elapsed)]
    kinds = Counter(question.kind.name for question in asked)
    return Run(
        len({question.name.lower() for question in asked}), len(asked), kinds, answers, signed, truncated, differences
    )


def kind_of(answer: Answer) -> str:
    """NODATA is an empty answer, too, at the end of a chain."""
    if answer.rcode != "NOERROR":
        return answer.rcode
    return "answer" if answer.types - {"CNAME", "DNAME", "RRSIG"} else "NODATA"


def aspects(ours: Answer, theirs: Answer, elapsed: float) -> Iterator[str]:
    """In which respects they differ.  *elapsed*: seconds since the first question, by which TTLs may be apart."""
    if ours.rcode != theirs.rcode:
        yield "rcode"
    if ours.flags != theirs.flags or ours.edns != theirs.edns:
        yield "flags"
    if ours.answer != theirs.answer:
        yield "answer"
    elif chain(ours) != chain(theirs):
        yield "order"
    if ours.authority != theirs.authority:
        yield "authority"
    common = ours.ttls.keys() & theirs.ttls.keys()
    if any(abs(ours.ttls[key] - theirs.ttls[key]) > elapsed + 1 for key in common):
        yield "ttl"
    if ours.truncated != theirs.truncated:
        yield "transport"


def chain(answer: Answer) -> list[Key]:
    """The answer section in its order; signatures may stand anywhere."""
    return [key for key in answer.answer if key[1] != "RRSIG"]


class Client:
    """Asks one server: over UDP, and over TCP what that truncates."""

    def __init__(self, port: int, again: float) -> None:
        self._port = port
        self._first = 0  # number of the first question of those that are under way
        self._udp = socket.socket(type=socket.SOCK_DGRAM)
        self._udp.settimeout(again)
        self._udp.connect((HOST, port))

    @classmethod
    @contextmanager
    def to(cls, port: int, again: float = _SECONDS) -> Iterator["Client"]:
        """*again*: seconds without any answer after which it is asked again; by default it is asked once."""
        made = cls(port, again)
        try:
            yield made
        finally:
            made._udp.close()

    def send(self, questions: Sequence[Question]) -> None:
        for number, question in enumerate(questions, self._first):
            self._udp.send(_numbered(number, question))

    def receive(self, questions: Sequence[Question]) -> list[Answer]:
        """To what was sent, in that order."""
        waiting = {(query := _numbered(number, one))[:2]: query for number, one in enumerate(questions, self._first)}
        wanted, responses, deadline = list(waiting.values()), dict[bytes, bytes](), time.monotonic() + _SECONDS
        self._first += len(questions)
        while waiting:
            try:
                response = self._udp.recv(65535)
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise
                for query in waiting.values():
                    self._udp.send(query)
                continue
            if waiting.pop(response[:2], None):  # else it is the second one
                responses[response[:2]] = response
        return [
            self._read(question, query, responses[query[:2]]) for question, query in zip(questions, wanted, strict=True)
        ]

    def _read(self, question: Question, query: bytes, response: bytes) -> Answer:
        truncated = bool(response[2] & dns.flags.TC >> 8)
        assert len(response) <= (PAYLOAD if question.variant.edns else 512), f"{question}: too long for UDP"
        if truncated:
            with socket.create_connection((HOST, self._port), _SECONDS) as tcp, tcp.makefile("rb") as stream:
                tcp.sendall(len(query).to_bytes(2) + query)
                response = stream.read(int.from_bytes(stream.read(2)))
        end = len(query) - (11 if question.variant.edns else 0)
        assert response[12:end] == query[12:end], f"{question}: the question comes back otherwise"
        return parse(response, truncated=truncated)


def _numbered(number: int, question: Question) -> bytes:
    return (number & 0xFFFF).to_bytes(2) + question.wire


def parse(response: bytes, *, truncated: bool) -> Answer:
    message = dns.message.from_wire(response)
    ttls: dict[Key, int] = {}
    answer, authority = _section(message.answer, ttls), _section(message.authority, ttls)
    count = sum(map(len, (*message.answer, *message.authority)))
    assert count == int.from_bytes(response[6:8]) + int.from_bytes(response[8:10]), "a record twice"
    flags = frozenset(dns.flags.to_text(message.flags & ~dns.flags.TC).split())
    rcode = dns.rcode.to_text(message.rcode())
    return Answer(rcode, flags, answer, authority, ttls, message.edns >= 0, truncated)


def _section(rrsets: Sequence[dns.rrset.RRset], ttls: dict[Key, int]) -> dict[Key, frozenset[str]]:
    found = {}
    for rrset in rrsets:
        covered = dns.rdatatype.to_text(rrset.covers) if rrset.covers else ""
        key = rrset.name.to_text().lower(), dns.rdatatype.to_text(rrset.rdtype), covered
        assert key not in found, f"an RRset in two parts: {key}"
        found[key], ttls[key] = frozenset(map(_text, rrset)), rrset.ttl
    return found


def _text(rdata: dns.rdata.Rdata) -> str:
    """Names that are compressed show the letter case of whatever they share octets with."""
    return rdata.to_text().lower() if dns.rdatatype.to_text(rdata.rdtype) in _COMPRESSED else rdata.to_text()


@contextmanager
def knot(folder: Path, zones: Site) -> Iterator[int]:
    """Serves the zones on the port that it gives."""
    port, place = free_port(), folder / "knot"
    place.mkdir()
    text = dedent(f"""\
        server:
            rundir: {place}
            listen: {HOST}@{port}
            udp-workers: 1
            tcp-workers: 1
            background-workers: 1
            udp-max-payload: {PAYLOAD}
            tcp-idle-timeout: 60
        database:
            storage: {place}
        log:
          - target: stderr
            any: warning
        policy:
          - id: nsec
            single-type-signing: on
          - id: nsec3
            single-type-signing: on
            nsec3: on
            nsec3-iterations: 0
        zone:
        """)
    for zone in zones.zones:
        path = place / f"{zone.apex}zone"
        path.write_text("\n".join([*zone.lines, ""]))
        text += indent(_knot_zone(zone, path), "  ")
    (place / "knot.conf").write_text(text)
    command: list[str | Path] = [found("knotd") or "knotd", "-c", place / "knot.conf", "-s", place / "knot.sock"]
    probes = [_probe(zone.apex, "DNSKEY" if zone.signing else "SOA") for zone in zones.zones]
    with running(command, place / "log", lambda: all(_answers(port, probe) for probe in probes)):
        yield port


def _knot_zone(zone: Zone, path: Path) -> str:
    signing = f"dnssec-signing: on\n  dnssec-policy: {zone.signing}" if zone.signing else "dnssec-signing: off"
    return (
        f"- domain: {zone.apex}\n  file: {path}\n  zonefile-sync: -1\n  journal-content: none\n"
        f"  semantic-checks: soft\n  {signing}\n"
    )


@contextmanager
def unbound(folder: Path, upstream: int) -> Iterator[int]:
    """As a plain forwarder, on the port that it gives: no validation, no filters."""
    port, place = free_port(), folder / "unbound"
    place.mkdir()
    text = f"""
        server:
            interface: {HOST}@{port}
            num-threads: 1
            username: ""
            chroot: ""
            directory: "{place}"
            pidfile: ""
            use-syslog: no
            do-daemonize: no
            module-config: "iterator"
            do-not-query-localhost: no
            edns-buffer-size: {PAYLOAD}
            max-udp-size: {PAYLOAD}
            cache-max-negative-ttl: 3600
            minimal-responses: yes
            unknown-server-time-limit: {_PATIENT}
            infra-cache-min-rtt: {_PATIENT}
        remote-control:
            control-enable: no
        forward-zone:
            name: "."
            forward-addr: {HOST}@{upstream}
        """
    (place / "unbound.conf").write_text(dedent(text))
    command: list[str | Path] = [found("unbound") or "unbound", "-d", "-c", place / "unbound.conf"]
    probe = _probe("version.server.", "TXT", "CH")
    with running(command, place / "log", lambda: bool(_answer(port, probe))):
        yield port


def _probe(name: str, rtype: str, rclass: str = "IN") -> bytes:
    return dns.message.make_query(name, rtype, rclass, use_edns=0).to_wire()


def _answers(port: int, probe: bytes) -> bool:
    return _answer(port, probe)[6:8] > b"\0\0"


def _answer(port: int, probe: bytes) -> bytes:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.5)
        sock.connect((HOST, port))
        try:
            sock.send(probe)
            return sock.recv(65535)
        except OSError:
            return b""
