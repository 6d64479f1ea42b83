"""A question to the servers that know, and the rest of its alias chain to those that know on."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from msgspec import Struct, structs

from clusterdns.errors import PeerError
from clusterdns.forward.answers import ANSWERS, Foreign, Question, Unresolved
from clusterdns.forward.placing import continued
from clusterdns.forward.routing import UPSTREAM, Routes
from clusterdns.forward.sections import CNAME, RRSIG
from clusterdns.forward.slices import LARGE_OCTETS, in_slices
from clusterdns.forward.trail import trail_option
from clusterdns.steps import at_once
from clusterdns.views.cache import rcode_name
from clusterdns.zone.extended_errors import NETWORK_ERROR, NO_REACHABLE_AUTHORITY, OTHER, PROHIBITED
from clusterdns.zone.names import Name
from clusterdns.zone.prepared import NOERROR, NXDOMAIN, QUESTION_AT

_CNAME, _RRSIG = CNAME.to_bytes(2), RRSIG.to_bytes(2)
MAX_PARTS = 8  # servers that one alias chain leads through, none of which follows it further


class Group(Protocol):
    """Servers that know the same names."""

    async def resolve(self, question: Question, options: bytes = b"") -> Foreign:
        """*options*: of the OPT of what is sent.  Raises Unresolved."""

    @property
    def in_vain(self) -> bool:
        """Nobody answers, and there is no need to ask more."""

    def shown(self) -> list[str]:
        """Who they are and who of them does not answer, for people."""

    async def close(self) -> None: ...


class Resolver:
    """An ``asking.Resolving``.  *groups*: as *routes* number them.  *mark*: ours.  *timeout*: seconds.

    *trails*: how those questions came here that did not begin here; to be set before they are asked.
    """

    def __init__(self, routes: Routes, groups: Sequence[Group], mark: bytes, timeout: float) -> None:
        self._routes, self._groups, self._mark, self._timeout = routes, groups, mark, timeout
        self.trails: dict[Question, bytes] = {}

    async def __call__(self, question: Question, /) -> Foreign:
        options = trail_option(self.trails.pop(question, b""), self._mark)
        way = _Way()
        try:
            async with asyncio.timeout(self._timeout):
                return await self._whole(question, options, way)
        except TimeoutError:
            raise Unresolved(NETWORK_ERROR, "no answer in time", way.chain) from None
        except PeerError as fault:
            raise Unresolved(OTHER, str(fault)) from None  # the aliases are to blame, and lead nowhere
        except Unresolved as fault:
            fault.chain = way.chain
            raise

    async def _whole(self, question: Question, options: bytes, way: "_Way") -> Foreign:
        """Raises PeerError for a chain without an end: an answer without one would pass for NODATA."""
        foreign, ends = await self._part(question, options), [question.name]
        while foreign.partial and not self._goes_on_here(foreign.end):
            way.chain, end = foreign, foreign.end
            if end in ends:
                raise PeerError("aliases in a circle")
            if len(ends) == MAX_PARTS:
                raise PeerError("a chain of aliases that is too long")
            ends.append(end)
            further = await self._part(question._replace(name=end), options)
            if further.rcode not in ANSWERS:
                raise Unresolved(*(further.error or no_answer(further.rcode)))
            steps = continued(foreign, question.name, further)
            foreign = await in_slices(steps) if len(further.wire) > LARGE_OCTETS else at_once(steps)
        if foreign.rcode == NXDOMAIN and self._routes.has_names(foreign.end, question.rtype):
            return structs.replace(foreign, rcode=NOERROR, authentic=False)
        return foreign

    async def _part(self, question: Question, options: bytes) -> Foreign:
        """What those say who are asked for that name, as far as they are to be asked."""
        index = self._routes.of(question.name, question.rtype).group
        if index is None:
            raise Unresolved(PROHIBITED, "nobody is asked for this name")
        foreign = await self._groups[index].resolve(question, options)
        return up_to(foreign, question.name, lambda target: self._is_for_others(target, index))

    def _goes_on_here(self, name: Name) -> bool:
        return self._routes.is_ours(name) or self._routes.of(name).home is not None

    def _is_for_others(self, name: Name, asked: int) -> bool:
        """Whether what the group *asked* says of *name* does not count: others were named for it, or it is ours alone.

        For names that nobody was named for, which the upstream is asked for, a stub domain's servers may know better
        where their aliases lead: what is internal looks different inside.
        """
        route = self._routes.of(name)
        if route.home is not None or self._routes.is_ours(name):
            return route.home is not None or self._routes.is_only_ours(name)
        return route.group not in (None, asked, UPSTREAM)


class _Way(Struct):
    chain: Foreign | None = None  # as far as it has been followed


def no_answer(rcode: int) -> tuple[int, str]:
    """The Extended DNS Error for an *rcode* that came without one."""
    return NO_REACHABLE_AUTHORITY, f"no upstream has an answer, but {rcode_name(rcode)}"


def up_to(foreign: Foreign, name: Name, stops: Callable[[Name], bool]) -> Foreign:
    """*foreign*, the answer for *name*, without what is said there of the first alias's target that *stops*."""
    if foreign.end == name:
        return foreign
    for number, target in links(foreign, name):
        if stops(target) and not (target == foreign.end and foreign.partial):
            return _cut(foreign, number + 1, target)
    return foreign


def links(foreign: Foreign, name: Name) -> Iterator[tuple[int, Name]]:
    """Of *foreign*, the answer for *name*: the number of each alias among its records, and where it leads."""
    base = QUESTION_AT + len(name) + 4
    packet = bytes(QUESTION_AT) + name + bytes(4) + foreign.wire
    for number in range(foreign.answers):
        at = foreign.ttls[number]
        if foreign.wire[at - 4 : at - 2] == _CNAME:
            yield number, _name_at(packet, base + at + 6)


def _cut(foreign: Foreign, answers: int, end: Name) -> Foreign:
    """Its first *answers* records, with what signs the last of them."""
    while answers < foreign.answers and foreign.wire[(at := foreign.ttls[answers]) - 4 : at - 2] == _RRSIG:
        answers += 1
    octets, ttls = foreign.cuts[answers - 1], foreign.ttls[:answers]
    return structs.replace(
        foreign,
        rcode=NOERROR,
        wire=foreign.wire[:octets],
        answers=answers,
        authority=0,
        cuts=foreign.cuts[:answers],
        ttls=ttls,
        pointers=tuple(at for at in foreign.pointers if at < octets),
        ttl=min(int.from_bytes(foreign.wire[at : at + 4]) for at in ttls),
        end=end,
        partial=True,
        # A denial without a SOA, which has no TTL, goes; what may not be kept for another reason may not in part.
        cacheable=foreign.cacheable or not foreign.ttl,
    )


def _name_at(packet: bytes, at: int) -> Name:
    """Lower case; its pointers have been checked by the walk."""
    found = b""
    while length := packet[at]:
        if length >= 0xC0:
            at = (length & 0x3F) << 8 | packet[at + 1]
        else:
            found += packet[at : at + 1 + length]
            at += 1 + length
    return Name(found.lower() + b"\0")
