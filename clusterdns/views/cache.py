"""``clusterdns cache``: what the cache of answers of others holds."""

from collections.abc import Sequence

from msgspec import Struct

from clusterdns.views.columns import DESCRIPTION, TABLE, align
from clusterdns.views.trees import NONE

_RCODES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN")


class Numbers(Struct, frozen=True):
    """Of answers with records (success), without (denial), or of questions that nobody could answer (failure)."""

    entries: int
    octets: int
    hits: int
    evictions: int


class Counts(Struct, frozen=True):
    """*limit* in octets; what follows *prefetches* is of now, all else since the start."""

    limit: int
    success: Numbers
    denial: Numbers
    failure: Numbers
    misses: int
    served_stale: int
    prefetches: int
    flights: int
    prefetching: int
    waiting: int


class Entry(Struct, frozen=True):
    """*kind*: success, denial or failure.

    *ttl*: seconds left; 0 or less: stale for so long; of a failure, until it is tried again.  *hits*: since it was
    stored.
    """

    name: str
    type: str
    dnssec_ok: bool
    checking_disabled: bool
    kind: str
    rcode: str
    ttl: int
    stale: bool
    hits: int
    octets: int


class Shown(Struct, frozen=True):
    counts: Counts
    entries: tuple[Entry, ...]
    more: bool


def rcode_name(rcode: int) -> str:
    return _RCODES[rcode] if rcode < len(_RCODES) else f"RCODE{rcode}"


def counts_text(counts: Counts) -> str:
    kinds = ("success", "denial", "failure")
    table = [["KIND", "ENTRIES", "OCTETS", "HITS", "EVICTIONS"]]
    for kind, one in zip(kinds, (counts.success, counts.denial, counts.failure), strict=True):
        table.append([kind, *map(str, (one.entries, one.octets, one.hits, one.evictions))])
    rows = [
        ["Limit:", f"{counts.limit} octets"],
        ["Misses:", str(counts.misses)],
        ["Served stale:", str(counts.served_stale)],
        ["Prefetches:", str(counts.prefetches)],
        [
            "Asked now:",
            f"{counts.flights} ({counts.prefetching} of them prefetches), clients waiting: {counts.waiting}",
        ],
    ]
    return align(table, TABLE)[0] + "\n" + align(rows, DESCRIPTION)[0]


def entries_text(entries: Sequence[Entry]) -> str:
    """A row each, in the order of names; "" for none."""
    if not entries:
        return ""
    rows = [["NAME", "TYPE", "FLAGS", "KIND", "RCODE", "TTL", "STALE", "HITS", "OCTETS"]]
    for one in sorted(entries, key=_order):
        row = [one.name, one.type, _flags(one), one.kind, one.rcode, str(one.ttl)]
        rows.append([*row, "yes" if one.stale else "no", str(one.hits), str(one.octets)])
    return align(rows, TABLE)[0]


def _flags(entry: Entry) -> str:
    return ",".join(["DO"] * entry.dnssec_ok + ["CD"] * entry.checking_disabled) or NONE


def _order(entry: Entry) -> tuple[list[str], str, bool, bool]:
    """Names below another one stand with it."""
    return entry.name.split(".")[::-1], entry.type, entry.dnssec_ok, entry.checking_disabled
