"""What was asked at one door and what it got, in plain numbers.

A door is where queries come in: a listening address, a transport, a family.  On the plain path a query is counted by
adding one to two lists, at the octets of the query and at those of the response; which lists these are is worked out
once for each form of queries.  Everything else is added up when somebody reads it (``snapshot``).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from typing import NamedTuple

from clusterdns.histogram import SIZE, TIME, Histogram

DROPPED = "dropped"  # in the place of a zone, as CoreDNS has it: none of ours was asked for
FOREIGN = "."  # names that others are asked for
# Who writes responses, in the words of CoreDNS, whose plugins these are.
KUBERNETES, CACHE, FORWARD, CHAOS, NOBODY = "kubernetes", "cache", "forward", "chaos", ""

# CoreDNS tells these apart (plugin/metrics/vars); all others are "other".
TYPES = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 43: "DS", 46: "RRSIG",
    47: "NSEC", 48: "DNSKEY", 50: "NSEC3", 64: "SVCB", 65: "HTTPS", 251: "IXFR", 252: "AXFR", 255: "ANY",
}  # fmt: skip
# A TSIG's 16 (BADSIG) is never sent by us.
RCODES = {
    0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN", 7: "YXRRSET",
    8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE", 16: "BADVERS", 17: "BADKEY", 18: "BADTIME", 19: "BADMODE", 20: "BADNAME",
    21: "BADALG", 22: "BADTRUNC", 23: "BADCOOKIE",
}  # fmt: skip
OTHER = "other"

Sizes = list[int]  # how many messages had as many octets as the index says; as long as the longest of them needs
Cell = tuple[Sizes, Sizes]  # of queries, of responses


class Kind(NamedTuple):
    """What queries are told apart by.  Every field has few values, whatever is asked."""

    zone: str  # with the final dot; or DROPPED
    rtype: str  # of TYPES, or OTHER
    dnssec_ok: bool
    rcode: str  # of RCODES, or OTHER
    plugin: str  # who answered


def kind(zone: str, rtype: int, rcode: int, plugin: str, *, dnssec_ok: bool) -> Kind:
    return Kind(zone, TYPES.get(rtype, OTHER), dnssec_ok, RCODES.get(rcode, OTHER), plugin)


class Tally:
    """Counts for one door, as long as the process lives."""

    def __init__(self, clock: Callable[[], float] = lambda: 0.0) -> None:
        """*clock*: seconds, from any beginning."""
        self.clock = clock
        self.counts: Counter[Kind] = Counter()
        self.asked: dict[str, Histogram] = {}  # zone -> octets of queries
        self.answered: dict[str, Histogram] = {}  # zone -> octets of responses
        self.seconds: dict[str, Histogram] = {}  # zone -> from query to response
        self.silent: Counter[str] = Counter()  # why there was no response
        self._plain_asked: dict[Kind, Sizes] = {}
        self._plain_answered: dict[str, Sizes] = {}
        self._plain_seconds = Histogram(TIME)  # of all zones, since the last snapshot
        self._plain_before: dict[str, int] = {}  # zone -> queries up to the last snapshot
        self._aside, self._aside_seconds = 0, 0.0  # queries off the plain path since the last batch ended

    def cells(self, zones: Sequence[str], rtype: int, rcode: int, *, dnssec_ok: bool) -> tuple[Cell, ...]:
        """Where the plain path counts such queries, for each of *zones*, and last for names of others."""
        found = []
        for zone, plugin in [*((zone, KUBERNETES) for zone in zones), (FOREIGN, CACHE)]:
            own = kind(zone, rtype, rcode, plugin, dnssec_ok=dnssec_ok)
            found.append((self._plain_asked.setdefault(own, []), self._plain_answered.setdefault(zone, [])))
        return tuple(found)

    def add(self, own: Kind, asked: int, answered: int, seconds: float) -> None:
        """One query off the plain path and its response; *asked* and *answered* are octets."""
        zone = own.zone
        self.counts[own] += 1
        if zone not in self.asked:
            self.asked[zone], self.answered[zone] = Histogram(SIZE), Histogram(SIZE)
            self.seconds.setdefault(zone, Histogram(TIME))
        self.asked[zone].observe(asked)
        self.answered[zone].observe(answered)
        self.seconds[zone].observe(seconds)

    def aside(self, seconds: float) -> None:
        """A query of the batch under way was off the plain path, and kept it *seconds*."""
        self._aside += 1
        self._aside_seconds += seconds

    def batch(self, queries: int, seconds: float) -> None:
        """A transport has served so many *queries* one after the other in *seconds*.

        Queries on the plain path are alike, so each of them gets the same share of the time.
        """
        plain, seconds = queries - self._aside, seconds - self._aside_seconds
        self._aside, self._aside_seconds = 0, 0.0
        if plain > 0:
            self._plain_seconds.observe(max(0.0, seconds) / plain, plain)

    def snapshot(self) -> "Snapshot":
        """What was counted so far; it does not change any more."""
        self._share_out()
        return Snapshot(
            Counter(self.counts),
            _copies(self.asked),
            _copies(self.answered),
            _copies(self.seconds),
            Counter(self.silent),
            {own: copy(sizes) for own, sizes in self._plain_asked.items() if sizes},
            {zone: copy(sizes) for zone, sizes in self._plain_answered.items() if sizes},
        )

    def _share_out(self) -> None:
        """Which zone's queries took which time is not kept: what is slow goes to the zone that most was asked of."""
        now: Counter[str] = Counter()
        for own, sizes in self._plain_asked.items():
            now[own.zone] += sum(sizes)
        new = sorted((count - self._plain_before.get(zone, 0), zone) for zone, count in now.items())
        self._plain_before = dict(now)
        for count, zone in new:
            if count:
                self.seconds.setdefault(zone, Histogram(TIME)).add(self._plain_seconds.take(count))
        self._plain_seconds = Histogram(TIME)


class Snapshot(NamedTuple):
    """A Tally at one moment; what the plain path counted is still as it came."""

    counts: Counter[Kind]
    asked: dict[str, Histogram]
    answered: dict[str, Histogram]
    seconds: dict[str, Histogram]
    silent: Counter[str]
    plain_asked: dict[Kind, Sizes]
    plain_answered: dict[str, Sizes]

    def folded(self) -> "Snapshot":
        """With what the plain path counted added to the rest.  Takes its time: not for the loop."""
        for own, sizes in self.plain_asked.items():
            self.counts[own] += sum(sizes)
            _fold(self.asked.setdefault(own.zone, Histogram(SIZE)), sizes)
        for zone, sizes in self.plain_answered.items():
            _fold(self.answered.setdefault(zone, Histogram(SIZE)), sizes)
        return self._replace(plain_asked={}, plain_answered={})


def count(asked: Sizes, answered: Sizes, query: int, response: int) -> None:
    """One query and its response, of so many octets; the plain path does it in place."""
    try:
        asked[query] += 1
        answered[response] += 1
    except IndexError:
        count_longer(asked, answered, query, response)


def count_longer(asked: Sizes, answered: Sizes, query: int, response: int) -> None:
    """Counts where the plain path had no room: *query* or *response* has more octets than any of its kind before."""
    if query < len(asked):  # then that one is counted
        _room(answered, response)[response] += 1
    else:
        _room(asked, query)[query] += 1
        _room(answered, response)[response] += 1


def _room(sizes: Sizes, octets: int) -> Sizes:
    sizes.extend(bytes(max(0, octets + 1 - len(sizes))))
    return sizes


def _copies(histograms: dict[str, Histogram]) -> dict[str, Histogram]:
    return {zone: one.copy() for zone, one in histograms.items()}


def _fold(into: Histogram, sizes: Sizes) -> None:
    for octets, times in enumerate(sizes):
        if times:
            into.observe(octets, times)
