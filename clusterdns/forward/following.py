"""Which records of an answer section answer the question: its alias chain and what stands at the end of it."""

from collections.abc import Sequence

from msgspec import Struct

from clusterdns.errors import PeerError
from clusterdns.forward.answers import YXDOMAIN, Question
from clusterdns.forward.sections import CNAME, DNAME, RRSIG, SIG, Record
from clusterdns.zone.names import Name
from clusterdns.zone.prepared import ANY

MAX_LINKS = 16
_META = frozenset(range(128, 256))


class Chain(Struct, frozen=True, gc=False):
    end: Name  # the question's name where there is no alias
    links: int
    found: bool  # records of the type asked for are at the end
    records: list[Record]  # in the order of the chain


def follow(answer: Sequence[Record], question: Question, rcode: int) -> Chain:
    """Records of other owners and types are left out, and signatures unless DO or the question asks for them.

    A DNAME counts where a CNAME follows from it (RFC 6672 §3.1), be that what is asked for or not, or where it cannot,
    for the name would be too long (YXDOMAIN).  Of several CNAMEs at one name the first counts.  Raises PeerError for a
    loop and over MAX_LINKS links.
    """
    aliases: dict[Name, Record] = {}
    dnames: dict[Name, Record] = {}
    for record in answer:
        if record.rtype == CNAME:
            aliases.setdefault(record.owner, record)
        elif record.rtype == DNAME:
            dnames[record.owner] = record
    chain = [question.name]
    if aliases and question.rtype not in (CNAME, ANY):
        final = {record.owner for record in answer if record.rtype == question.rtype}
        _extend(chain, aliases, final)
    places = {(name, CNAME): number for number, name in enumerate(chain[:-1])} if aliases else {}
    if dnames:
        told = chain if question.rtype in (CNAME, ANY) else chain[:-1]
        _add_dnames(places, dnames, chain, {name: aliases[name] for name in told if name in aliases}, rcode)
    places[chain[-1], question.rtype] = len(chain) - 1
    return _select(answer, question, chain, places, aliases)


def _extend(chain: list[Name], aliases: dict[Name, Record], final: set[Name]) -> None:
    while chain[-1] not in final and chain[-1] in aliases:
        target = aliases[chain[-1]].target
        if target in chain:
            raise PeerError("aliases in a circle")
        if len(chain) > MAX_LINKS:
            raise PeerError(f"more than {MAX_LINKS} aliases")
        chain.append(target)


def _add_dnames(
    places: dict[tuple[Name, int], int],
    dnames: dict[Name, Record],
    chain: Sequence[Name],
    aliases: dict[Name, Record],
    rcode: int,
) -> None:
    for number, name in enumerate(chain):
        at = 0
        while name[at]:
            at += 1 + name[at]
            dname = dnames.get(Name(name[at:]))
            if dname is None:
                continue
            alias, last = aliases.get(name), number == len(chain) - 1
            if (rcode == YXDOMAIN and last) or (alias and alias.target == name[:at] + dname.target):
                places.setdefault((dname.owner, DNAME), number)


def _select(
    answer: Sequence[Record],
    question: Question,
    chain: Sequence[Name],
    places: dict[tuple[Name, int], int],
    aliases: dict[Name, Record],
) -> Chain:
    kept: list[tuple[int, Record]] = []
    end, asked, last = chain[-1], question.rtype, 0
    found, ordered = False, True
    for record in answer:
        owner, rtype = record.owner, record.rtype
        place = places.get((owner, rtype))
        if place is None:
            if asked == ANY and owner == question.name and rtype not in _META:
                place = 0
            elif question.dnssec_ok and rtype in (RRSIG, SIG):
                place = places.get((owner, record.covered))
            if place is None:
                continue
        if rtype == CNAME and aliases[owner] is not record:
            continue
        if not found:
            found = owner == end and asked in (rtype, ANY)
        if place < last:
            ordered = False
        last = place
        kept.append((place, record))
    if not ordered:
        kept.sort(key=lambda each: each[0])
    records = [record for _, record in kept]
    return Chain(end, len(chain) - 1, found, _whole(records, asked) if question.dnssec_ok else records)


def _whole(records: list[Record], asked: int) -> list[Record]:
    """Without signatures of what is not there: they answer nothing."""
    there = {(record.owner, record.rtype) for record in records}
    return [
        record
        for record in records
        if record.rtype not in (RRSIG, SIG) or asked in (record.rtype, ANY) or (record.owner, record.covered) in there
    ]
