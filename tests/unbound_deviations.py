"""Where forwarded answers are meant to differ from unbound's: each difference falls under exactly one of these.

They are a section of ``docs/deviations.md``, see ``live.deviations``.
"""

from collections.abc import Callable
from dataclasses import dataclass

from beside_unbound import Answer, Difference

UNBOUND_LINKS = 11  # of a chain: it follows no more


@dataclass(frozen=True, slots=True)
class Deviation:
    key: str
    names: str  # in words
    where: tuple[str, ...]  # aspects of a Difference
    ours: str
    theirs: str
    reason: str
    matches: Callable[[Difference], bool]

    def explains(self, found: Difference) -> bool:
        return found.aspect in self.where and self.matches(found)


def _links(answer: Answer) -> int:
    return sum(rtype == "CNAME" for _, rtype, _ in answer.answer)


def _is_referral(answer: Answer) -> bool:
    types = {rtype for _, rtype, _ in answer.authority}
    return not answer.answer and "NS" in types and types <= {"NS", "DS", "NSEC", "NSEC3", "RRSIG"}


def _is_synthesised(found: Difference) -> bool:
    """Unlike are the TTLs of CNAMEs that a DNAME made, and no others."""
    dnames = [owner for owner, rtype, _ in found.ours.answer if rtype == "DNAME"]
    made = {key for key in found.ours.ttls if key[1] == "CNAME" and any(key[0].endswith(f".{one}") for one in dnames)}
    others = {key for key in found.ours.ttls.keys() - made if found.ours.ttls[key] == 0 != found.theirs.ttls[key]}
    return not others and all(found.theirs.ttls[key] == 0 for key in made) and bool(made)


DEVIATIONS = (
    Deviation(
        "referral",
        "names in a zone that the upstream delegates",
        ("rcode", "authority"),
        "SERVFAIL with the Extended DNS Error 22",
        "NOERROR with the NS records of the delegation",
        "A stub resolver would take a referral for NODATA; an upstream that gives one does no recursion (RFC 7719 §4).",
        lambda found: found.ours.rcode == "SERVFAIL" and found.theirs.rcode == "NOERROR" and _is_referral(found.theirs),
    ),
    Deviation(
        "refused",
        "names that every upstream refuses",
        ("rcode",),
        "REFUSED",
        "SERVFAIL",
        "What upstreams say of themselves is passed on, so that a client with another server tries that.",
        lambda found: found.ours.rcode == "REFUSED" and found.theirs.rcode == "SERVFAIL",
    ),
    Deviation(
        "broken-chain",
        "aliases to names that every upstream refuses or fails for",
        ("answer",),
        "SERVFAIL with the aliases",
        "SERVFAIL alone",
        "RFC 6604 §3: only the last name has failed, and whoever looks for the fault sees which one that is.",
        lambda found: (
            found.ours.rcode == found.theirs.rcode == "SERVFAIL" and _links(found.ours) > 0 and not found.theirs.answer
        ),
    ),
    Deviation(
        "long-chain",
        "more than eleven aliases in a row",
        ("rcode", "answer", "authority", "transport"),
        "the chain, of up to 16 aliases from each server it leads through, and what is behind it",
        "SERVFAIL",
        "Its upstream has followed the chain already; to give it on costs nothing.",
        lambda found: (
            found.ours.rcode == "NOERROR" and found.theirs.rcode == "SERVFAIL" and _links(found.ours) > UNBOUND_LINKS
        ),
    ),
    Deviation(
        "compression",
        "what takes just about 512 octets, or 1232 with EDNS",
        ("transport",),
        "truncated over UDP, whole over TCP",
        "whole over UDP",
        "Octets stay as the upstream has written them; unbound writes names anew, and here and there saves a few.",
        lambda found: (
            found.ours.truncated and found.ours.rcode == found.theirs.rcode and found.ours.answer == found.theirs.answer
        ),
    ),
    Deviation(
        "synthesised-ttl",
        "names below a DNAME",
        ("ttl",),
        "the CNAME has the TTL of the DNAME, as the upstream says",
        "the CNAME that it makes itself from a DNAME in its cache has a TTL of 0",
        "RFC 6672 §3.1: it is that of the DNAME.",
        _is_synthesised,
    ),
)

_HEAD = """
## From unbound's, for names of others

From the table in `tests/unbound_deviations.py`: both forward to one authoritative server with odd zones, and are asked
the same 39,000 questions ([testing.md](testing.md)). What is not in this table is the same in both.

| deviation | names | where | clusterdns | unbound | why |
|---|---|---|---|---|---|
"""


def explanations(found: Difference) -> list[Deviation]:
    return [deviation for deviation in DEVIATIONS if deviation.explains(found)]


def as_text() -> str:
    rows = [(one.key, one.names, ", ".join(one.where), one.ours, one.theirs, one.reason) for one in DEVIATIONS]
    return _HEAD + "".join("| " + " | ".join(row) + " |\n" for row in rows)
