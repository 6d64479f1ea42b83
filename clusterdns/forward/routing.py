"""Whose a name is: that of the longest suffix among our zones, stub domains, names kept home, and the upstream."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from clusterdns.forward.sections import DS
from clusterdns.zone.names import ROOT, Name, parent, parse_name


class Route(NamedTuple):
    """*group*: the index of the stub domain, -1 for the upstream, None: nobody is asked.  *home*: the apex of those
    that the name is kept home with.
    """

    group: int | None = None
    home: Name | None = None
    suffix: Name = ROOT  # that decides


UPSTREAM = -1
_ARPA = parse_name("arpa")


class Routes:
    """Of suffixes that are equal a stub domain decides, then a range, then a zone of ours, then a name kept home."""

    def __init__(
        self,
        apexes: Mapping[bytes, int],
        stubs: Sequence[Name],
        *,
        kept: Iterable[Name] = (),
        ranges: Iterable[Name] = (),
        spared: Iterable[Name] = (),
        falling: Collection[bytes] = (),
        upstream: bool = True,
    ) -> None:
        """*apexes*: see ``ZoneOptions.apexes``.  *falling*: those of zones of ours that fall through.  *kept*: names
        kept home, but not *spared* ones below them.  *ranges*: reverse names that are.
        """
        self._apexes, self._falling = apexes, falling
        own = [Name(apex) for apex, index in apexes.items() if index >= 0]
        forwards: dict[bytes, Route] = {ROOT: Route(UPSTREAM if upstream else None)}
        forwards |= {stub: Route(index, suffix=stub) for index, stub in enumerate(stubs)}
        names: dict[bytes, Route] = {one: Route(home=one, suffix=one) for one in kept}
        self._ranges, self._above = frozenset(ranges := (*ranges,)), _ancestors((*own, *stubs))
        reverse: dict[bytes, Route] = {one: Route(home=one, suffix=one) for one in ranges}
        # What a zone of ours lacks is asked of whom it would belong to without us.
        lacking: dict[bytes, Route] = {apex: _longest(apex, forwards) for apex in (*own, *spared)}
        self._routes = names | lacking | reverse | forwards

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Routes) and self._parts == other._parts

    __hash__ = None  # type: ignore[assignment]  # it is large

    @property
    def _parts(self) -> tuple[object, ...]:
        return self._apexes, self._falling, self._routes

    def of(self, name: Name, rtype: int = 0) -> Route:
        """*rtype*: the DS records of a zone are with the zone above it (RFC 4035 §3.1.4.1), which those who have the
        zone need not know.
        """
        route = _longest(name, self._routes)
        if rtype == DS and route.suffix == name != ROOT:
            return self._of_delegation(name, route)
        return route

    def has_names(self, name: Name, rtype: int) -> bool:
        """Whether it is known to exist, whatever those say who are asked for its records of *rtype*."""
        return self.is_above(name) or (rtype == DS and _longest(name, self._routes).suffix == name)

    def is_above(self, name: Name) -> bool:
        """Whether a zone of ours or a stub domain is below it, so that it exists, whoever denies it (RFC 8020)."""
        return name in self._above

    def is_ours(self, name: Name) -> bool:
        """Whether it lies in a zone of ours, has it records there or not."""
        return self._own_apex(name) is not None

    def is_only_ours(self, name: Name) -> bool:
        """Whether nobody else has a say, be it there or not."""
        apex = self._own_apex(name)
        return apex is not None and apex not in self._falling

    def _of_delegation(self, name: Name, route: Route) -> Route:
        """Where those above are not known, *route* has to do.

        Of what is kept home, zones below ``arpa`` are delegated, without DS records, and only who denies these with a
        proof lets others take our word for the zone (RFC 8375 §4).  Ranges of ours nobody need learn of.
        """
        if route.home and (name in self._ranges or not name.endswith(_ARPA)):
            return route
        above = parent(name)
        found = _longest(above, self._routes)
        return route if found.group is None or (route.home is None and self.is_ours(above)) else found

    def _own_apex(self, name: Name) -> bytes | None:
        at = 0
        while (index := self._apexes.get(name[at:])) is None and name[at]:
            at += 1 + name[at]
        return name[at:] if index is not None and index >= 0 else None

    def takes(self, name: Name) -> bool:
        return self.of(name).group is not None

    def tells(self, name: Name) -> bool:
        """Whether somebody is asked for it, or it is kept home."""
        route = self.of(name)
        return route.group is not None or route.home is not None


def private_reverse() -> list[Name]:
    """The reverse zones that nobody outside can know (RFC 6303 §4, RFC 7793)."""
    from_four = ["0", "10", "127", "254.169", "2.0.192", "100.51.198", "113.0.203", "255.255.255.255", "168.192"]
    from_four += [f"{number}.172" for number in range(16, 32)] + [f"{number}.100" for number in range(64, 128)]
    from_six = [".".join(last + "0" * 31) for last in "01"] + ["d.f", *(f"{nibble}.e.f" for nibble in "89ab")]
    from_six.append("8.b.d.0.1.0.0.2")
    return [
        *(parse_name(f"{text}.in-addr.arpa") for text in from_four),
        *(parse_name(f"{text}.ip6.arpa") for text in from_six),
    ]


def _longest(name: bytes, routes: dict[bytes, Route]) -> Route:
    at = 0
    while True:
        route = routes.get(name[at:])
        if route is not None:
            return route
        at += 1 + name[at]  # the root is always there


def _ancestors(names: Iterable[Name]) -> frozenset[Name]:
    """Without the root, of which nobody doubts."""
    found: set[Name] = set()
    for name in names:
        above = parent(name) if name != ROOT else ROOT
        while above != ROOT:
            found.add(above)
            above = parent(above)
    return frozenset(found)
