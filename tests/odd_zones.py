"""Zones with what is rare in one place: made from a seed, the same octets every time, as text for any server.

Each zone is a list of lines; each name of it that is worth asking for goes with what it is there for (``Kind``).
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from random import Random
from typing import NamedTuple

import dns.name

SEED = 7
APEX = "example."  # the root of all of them is not served
PLAIN, OTHER, SIGNED, NSEC3, DNAMES, CHILD = (
    f"{label}.{APEX}" for label in ("plain", "other", "signed", "nsec3", "dname", "child.plain")
)
LOST = f"lost.{PLAIN}"  # delegated to somebody else
SOA = "ns hostmaster 1 7200 3600 1209600 300"
HUGE = 2**31 - 1


class Kind(StrEnum):
    """What is special about a name."""

    APEX = "the apex of a zone"
    HOST = "an ordinary name"
    LARGE = "more than fits into a datagram"
    TYPES = "rare and unknown types"
    SPELLED = "odd octets or lengths"
    TTL = "a TTL of 0, or a huge one"
    ALIAS = "CNAMEs that end well"
    CROSSING = "CNAMEs into another zone"
    DANGLING = "CNAMEs that end nowhere"
    LEAVING = "CNAMEs to a zone that is not served"
    LONG = "more than eight CNAMEs"
    LOOP = "CNAMEs in a circle"
    EMPTY = "an empty non-terminal"
    WILDCARD = "what a wildcard stands for"
    DNAME = "DNAMEs"
    DELEGATED = "a zone below, on the same server"
    LOST = "a zone below, on another server"
    ABSENT = "a name that is not there"
    FOREIGN = "a zone that is not served"


class Zone(NamedTuple):
    apex: str
    lines: list[str]
    signing: str = ""  # "nsec", "nsec3", or ""


class Known(NamedTuple):
    """A name, and the types that are worth asking for."""

    name: str
    types: tuple[str, ...]
    kind: Kind


class Site(NamedTuple):
    zones: list[Zone]
    known: list[Known]


def site(seed: int = SEED) -> Site:
    makers = {PLAIN: _plain, OTHER: _other, SIGNED: _signed, NSEC3: _signed, DNAMES: _dnames, CHILD: _child}
    signing = {SIGNED: "nsec", NSEC3: "nsec3"}
    zones, known = [], []
    for apex, make in makers.items():
        draft = _Draft(apex, Random(f"{seed} {apex}"))
        make(draft)
        zones.append(Zone(apex, draft.lines, signing.get(apex, "")))
        known += draft.known
    return Site(zones, known)


class _Draft:
    """A zone that is being written."""

    def __init__(self, apex: str, rng: Random) -> None:
        self.apex, self.rng = apex, rng
        self.lines = [f"$ORIGIN {apex}", "$TTL 300", f"@ 3600 SOA {SOA}", "@ 3600 NS ns", "ns A 192.0.2.53"]
        self.known: list[Known] = [Known(apex, ("SOA", "NS", "A", "DNSKEY", "TYPE65280"), Kind.APEX)]

    def add(self, label: str, *records: str, kind: Kind, ask: tuple[str, ...] = (), ttl: int | None = None) -> None:
        """*label*: below the apex.  *ask*: the types of the records if empty."""
        for record in records:
            self.lines.append(f"{label} {'' if ttl is None else ttl} {record}")
        self.note(label, *(ask or dict.fromkeys(record.split()[0] for record in records)), kind=kind)

    def note(self, label: str, *types: str, kind: Kind) -> None:
        self.known.append(Known(f"{label}.{self.apex}", types, kind))

    def address(self) -> str:
        return f"A 198.51.{self.rng.randrange(100, 200)}.{self.rng.randrange(256)}"

    def six(self) -> str:
        return f"AAAA 2001:db8::{self.rng.randrange(1 << 16):x}:{self.rng.randrange(1 << 16):x}"


def _plain(draft: _Draft) -> None:
    _hosts(draft, 250)
    _large(draft)
    _rare_types(draft)
    _spelled(draft)
    _ttls(draft, (0, 1, 2, 5, 86399, 86400, 86401, 604800, HUGE))
    _aliases(draft, 60)
    _chains(draft)
    _empty_and_wild(draft)
    _delegations(draft)


def _other(draft: _Draft) -> None:
    _hosts(draft, 100)
    _empty_and_wild(draft)
    for number in range(60):
        draft.add(f"back{number}", f"CNAME host{number}.{PLAIN}", kind=Kind.CROSSING, ask=("A", "AAAA", "CNAME"))
        draft.add(f"there{number}", f"CNAME here{number}.{PLAIN}", kind=Kind.CROSSING, ask=("A", "TXT"))
    draft.add("circle", f"CNAME circle.{PLAIN}", kind=Kind.LOOP, ask=("A", "CNAME"))


def _signed(draft: _Draft) -> None:
    _hosts(draft, 120)
    _aliases(draft, 30)
    _empty_and_wild(draft)
    _rare_types(draft)
    _ttls(draft, (0, 1, 3600))
    draft.add("many", *(draft.address() for _ in range(60)), kind=Kind.LARGE)
    draft.add("moved", f"DNAME {PLAIN}", kind=Kind.DNAME, ask=("A", "DNAME"))
    draft.add("near", "DNAME deep.deeper", kind=Kind.DNAME, ask=("A", "DNAME"))
    for number in range(20):
        draft.note(f"host{number}.moved", "A", "MX", kind=Kind.DNAME)
        draft.note(f"no{number}.moved", "A", kind=Kind.DNAME)
        draft.add(f"host{number}.deep.deeper", draft.address(), kind=Kind.HOST)
        draft.note(f"host{number}.near", "A", "TXT", kind=Kind.DNAME)
    _delegation(draft, "unsigned", f"ns.{OTHER}")


def _dnames(draft: _Draft) -> None:
    targets = {"in": f"inside.{DNAMES}", "out": OTHER, "far": f"sub.{PLAIN}", "gone": "nowhere.invalid.example."}
    for label, target in targets.items():
        draft.add(label, f"DNAME {target}", kind=Kind.DNAME, ask=("A", "DNAME", "TXT"))
    for number in range(60):
        draft.add(f"host{number}.inside", draft.address(), "TXT inside", kind=Kind.HOST)
        for label in ("in", "out", "gone"):
            draft.note(f"host{number}.{label}", "A", "MX", kind=Kind.LEAVING if label == "gone" else Kind.DNAME)
        draft.note(f"no{number}.x.in", "A", kind=Kind.DNAME)
        draft.add(f"to{number}", f"CNAME host{number}.in", kind=Kind.DNAME, ask=("A", "CNAME", "AAAA"))
    # What becomes of these is longer than a name may be (RFC 6672 §2.2).
    long = ".".join("l" * 60 for _ in range(3))
    draft.add("stretch", f"DNAME {long}.{DNAMES}", kind=Kind.DNAME, ask=("DNAME",))
    for number in range(10):
        draft.note(f"{'s' * (20 + 4 * number)}.stretch", "A", kind=Kind.DNAME)
    draft.add("self", "DNAME loop.self2", kind=Kind.DNAME, ask=("A",))
    draft.add("self2", "DNAME self", kind=Kind.DNAME, ask=("A",))
    draft.note("x.self", "A", kind=Kind.LOOP)
    draft.note("y.self2", "A", kind=Kind.LOOP)


def _child(draft: _Draft) -> None:
    _hosts(draft, 40, Kind.DELEGATED)
    draft.add("up", f"CNAME host1.{PLAIN}", kind=Kind.CROSSING, ask=("A", "CNAME"))
    draft.note("no", "A", kind=Kind.DELEGATED)


def _hosts(draft: _Draft, count: int, kind: Kind = Kind.HOST) -> None:
    for number in range(count):
        records = [draft.address() for _ in range(draft.rng.choice((1, 1, 1, 2, 5)))]
        if number % 3 == 0:
            records.append(draft.six())
        if number % 5 == 0:
            records += ["MX 10 host1", "MX 20 mail.other.example.", f'TXT "number {number}" "second string"']
        if number % 7 == 0:
            records += [f"SRV 0 {number} 8080 host2", f"SRV 1 0 8080 host3.{OTHER}"]
        ask = (*dict.fromkeys(record.split()[0] for record in records), "AAAA", "TYPE65280")
        draft.add(f"host{number}", *records, kind=kind, ask=tuple(dict.fromkeys(ask)))


def _large(draft: _Draft) -> None:
    for number, count in enumerate((20, 40, 60, 70, 75, 80, 200, 500)):
        draft.add(f"many{number}", *(draft.address() for _ in range(count)), kind=Kind.LARGE)
    for number, strings in enumerate((2, 4, 5, 8, 16, 100, 200)):
        text = " ".join(f'"{chr(97 + each % 26) * 250}"' for each in range(strings))
        draft.add(f"text{number}", f"TXT {text}", kind=Kind.LARGE)
    for number in range(4):
        several = [f'TXT "{each} {"x" * 200}"' for each in range(4 + 10 * number)]
        draft.add(f"texts{number}", *several, kind=Kind.LARGE)
    draft.add("tomany", "CNAME many6", kind=Kind.LARGE, ask=("A",))


def _rare_types(draft: _Draft) -> None:
    host = f"host1.{draft.apex}"
    records = (
        r"TYPE65280 \# 4 DEADBEEF",
        r"TYPE65281 \# 0",
        r"TYPE999 \# 12 C00C00010001000000640004",  # what looks like a pointer is none
        'CAA 0 issue "ca.example.net"',
        "TLSA 3 1 1 " + "ab" * 32,
        'NAPTR 10 20 "S" "SIP+D2U" "" _sip._udp',
        f'NAPTR 10 20 "U" "E2U+sip" "!^.*$!sip:x@y!" {host}',
        "HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1",
        f"HTTPS 2 {host} port=53",
        f"SVCB 0 {host}",
        "SSHFP 4 2 " + "cd" * 32,
        'URI 10 1 "https://example.com/x"',
        "LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m",
        'HINFO "RISC" "LINUX"',
        f"RP {host} text",
        f"AFSDB 1 {host}",
        f"KX 10 {host}",
        f"PTR {host}",
        "EUI48 00-00-5e-00-53-2a",
        f"MINFO {host} host2",
        f"RT 5 {host}",
        "DS 12345 13 2 " + "ef" * 32,
        "OPENPGPKEY mQENBFit2jsBCADrbl5vjVxYeAE0g0IDYCBpHirv1Sjlqxx5gjtPhb2YhvyDMXjq",
    )
    for number, record in enumerate(records):
        rtype = record.split()[0]
        if rtype != "DS":
            draft.add(f"rare{number}", record, kind=Kind.TYPES)
            draft.add("rare-all", record, kind=Kind.TYPES)
            draft.note(f"rare{number}", "A", "TYPE65280", kind=Kind.TYPES)
    draft.add("torare", "CNAME rare-all", kind=Kind.TYPES, ask=("TYPE999", "HTTPS", "NAPTR", "SVCB", "TYPE65281"))


def _spelled(draft: _Draft) -> None:
    odd = [
        r"a\.b",
        r"\000x",
        r"sp\032ace",
        r"\255\254\128",
        r"x\@y",
        r"\"quoted\"",
        r"back\\slash",
        r"\(\)\;",
        r"\*",
        "-",
    ]
    odd += ["_under._score", "xn--bcher-kva", "UPPER.Case", "l" * 63, "9", "0x20", r"\001\002.\003", r"pcnt\%"]
    odd += [f"{'m' * 63}.{'n' * 63}.{'o' * 63}", ".".join("abcdefghijklmnopqrstuvwxyz"), ".".join("x" * 100)]
    for number, label in enumerate(odd):
        draft.add(label, draft.address(), f'TXT "{number}"', kind=Kind.SPELLED, ask=("A", "TXT", "AAAA"))
        draft.add(f"spelled{number}", f"CNAME {label}", kind=Kind.SPELLED, ask=("A", "AAAA", "CNAME"))
        if len(label) < 180:
            draft.note(f"no.{label}", "A", kind=Kind.SPELLED)


def _ttls(draft: _Draft, ttls: Sequence[int]) -> None:
    for number, ttl in enumerate(ttls):
        draft.add(f"ttl{number}", draft.address(), 'TXT "t"', kind=Kind.TTL, ttl=ttl)
        draft.add(f"tottl{number}", f"CNAME ttl{number}", kind=Kind.TTL, ask=("A", "TXT"), ttl=ttls[number - 1])


def _aliases(draft: _Draft, count: int) -> None:
    for number in range(count):
        draft.add(f"alias{number}", f"CNAME host{number}", kind=Kind.ALIAS, ask=("A", "AAAA", "CNAME", "MX"))
        draft.add(f"gone{number}", f"CNAME no{number}.gone", kind=Kind.DANGLING, ask=("A", "CNAME"))
        draft.add(f"over{number}", f"CNAME host{number}.{OTHER}", kind=Kind.CROSSING, ask=("A", "MX", "CNAME"))
        draft.add(f"overgone{number}", f"CNAME no{number}.{OTHER}", kind=Kind.CROSSING, ask=("A",))
        draft.add(f"here{number}", f"CNAME back{number}.{OTHER}", kind=Kind.CROSSING, ask=("A", "AAAA"))
        draft.add(f"signed{number}", f"CNAME alias{number}.{SIGNED}", kind=Kind.CROSSING, ask=("A", "TXT"))
        draft.add(f"leaving{number}", f"CNAME www{number}.not-here.example.", kind=Kind.LEAVING, ask=("A", "CNAME"))


def _chains(draft: _Draft) -> None:
    for length in range(2, 20):
        kind = Kind.ALIAS if length <= 8 else Kind.LONG
        for step in range(length):
            target = f"chain{length}-{step + 1}" if step + 1 < length else "host4"
            draft.add(f"chain{length}-{step}", f"CNAME {target}", kind=kind if step == 0 else Kind.ALIAS, ask=("A",))
    for length in range(1, 6):
        for step in range(length):
            draft.add(f"loop{length}-{step}", f"CNAME loop{length}-{(step + 1) % length}", kind=Kind.LOOP, ask=("A",))
    draft.add("circle", f"CNAME circle.{OTHER}", kind=Kind.LOOP, ask=("A", "TXT"))


def _empty_and_wild(draft: _Draft) -> None:
    for number in range(20):
        draft.add(f"leaf{number}.b{number}.empty{number}", draft.address(), kind=Kind.HOST)
        draft.note(f"b{number}.empty{number}", "A", "TXT", kind=Kind.EMPTY)
        draft.note(f"empty{number}", "A", "NS", kind=Kind.EMPTY)
    draft.add("*.wild", draft.address(), 'TXT "wild"', "MX 10 mail", kind=Kind.WILDCARD)
    draft.add("*.wildalias", "CNAME host5", kind=Kind.WILDCARD, ask=("A", "CNAME"))
    draft.add("*.wildout", f"CNAME host6.{OTHER}", kind=Kind.WILDCARD, ask=("A", "CNAME"))
    draft.add("*.wildgone", "CNAME no.wild-gone", kind=Kind.WILDCARD, ask=("A",))
    draft.add("is.wild", 'TXT "no wildcard"', kind=Kind.HOST, ask=("TXT", "A"))
    for number in range(40):
        draft.note(f"w{number}.wild", "A", "TXT", "AAAA", kind=Kind.WILDCARD)
        draft.note(f"a.w{number}.wild", "A", "MX", kind=Kind.WILDCARD)
        draft.note(f"w{number}.wildalias", "A", "AAAA", "CNAME", kind=Kind.WILDCARD)
        draft.note(f"w{number}.wildout", "A", kind=Kind.WILDCARD)
        draft.note(f"w{number}.wildgone", "A", kind=Kind.WILDCARD)
        draft.note(f"below{number}.is.wild", "A", kind=Kind.WILDCARD)


def _delegations(draft: _Draft) -> None:
    _delegation(draft, "child", f"ns.{CHILD}")
    draft.lines.append("ns.child A 192.0.2.54")
    _delegation(draft, "lost", "ns.elsewhere.example.")
    for number in range(20):
        draft.note(f"host{number}.lost", "A", "MX", kind=Kind.LOST)


def _delegation(draft: _Draft, label: str, server: str) -> None:
    draft.lines.append(f"{label} NS {server}")
    kind = Kind.DELEGATED if label == "child" else Kind.LOST
    draft.note(label, "A", "NS", "DS", kind=kind)


def absent(rng: Random, known: list[Known]) -> Iterator[Known]:
    """Names beside, below and above those that are there, and of zones that are not served; no end."""
    number = 0
    while True:
        number += 1
        near = rng.choice(known).name
        types = (rng.choice(("A", "AAAA", "TXT", "MX", "HTTPS", "SOA", "TYPE65280")),)
        if number % 40 == 0:
            yield Known(f"www{number}.not-here.{APEX}", types, Kind.FOREIGN)
        elif number % 3:
            yield Known(f"no{number}.{dns.name.from_text(near).parent().to_text()}", types, Kind.ABSENT)
        elif len(near) < 200:
            yield Known(f"no{number}.{near}", types, Kind.ABSENT)
