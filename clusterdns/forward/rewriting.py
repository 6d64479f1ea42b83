"""Records put elsewhere: each pointer leads to what it led to, and where it cannot, the name is written out."""

from bisect import bisect_right, insort
from collections.abc import Container, Sequence

from clusterdns.errors import PeerError
from clusterdns.forward.compressed import MAX_TARGET, Names
from clusterdns.forward.sections import FIXED_OCTETS
from clusterdns.zone.names import Name
from clusterdns.zone.prepared import QUESTION_AT, pointer

_MAX_OCTETS = 0xFFFF


class Writer:
    """What is built: octets that begin at *start* of a message.

    It has *question* in full at *question_at*, 0: nowhere.

    *cuts*, *ttls* and *pointers* are offsets in the octets, as in a Foreign.
    """

    def __init__(self, question: Name, question_at: int, start: int) -> None:
        self.octets = bytearray()
        self.cuts: list[int] = []
        self.ttls: list[int] = []
        self.pointers: list[int] = []
        self._question_at = question_at
        self._start = start
        self._suffixes: dict[bytes, int] = {}  # names that stand in the message -> where
        if question_at:
            self._remember(question, question_at)

    def read_from(self, packet: bytes, names: Names, known: Container[int], *, same_question: bool) -> None:
        """What follows is taken from *packet*.

        *known*: where its pointers may lead.  *same_question*: it has our question.
        """
        self._packet, self._names, self._known = packet, names, known
        # Ranges of the packet, and how far they have moved.
        self._moved: list[tuple[int, int, int]] = []
        if same_question and self._question_at:
            self._moved.append((QUESTION_AT, names.question_end, self._question_at - QUESTION_AT))

    def add(self, begin: int, fixed: int, stop: int, pointers: Sequence[int], *, owns_question: bool = False) -> None:
        """The record of these offsets, see ``sections.Record``.

        *owns_question*: its owner is the question's name, whatever its form, and becomes a pointer.
        Raises PeerError where more is written than a message holds; the record is not there then.
        """
        octets, whole = self.octets, len(self.octets)
        of_owner = sum(at < fixed for at in pointers)
        if owns_question:
            self._refer(self._question_at)
            self._note(begin, fixed, self._question_at)
        else:
            self._copy(begin, fixed, pointers[:of_owner])
        ttl = len(octets)
        octets += self._packet[fixed : fixed + FIXED_OCTETS]
        self._copy(fixed + FIXED_OCTETS, stop, pointers[of_owner:])
        rdlength = len(octets) - ttl - FIXED_OCTETS
        if len(octets) > _MAX_OCTETS:
            del octets[whole:]
            raise PeerError("over 65,535 octets where names are written out")
        octets[ttl + FIXED_OCTETS - 2 : ttl + FIXED_OCTETS] = rdlength.to_bytes(2)
        self.ttls.append(ttl + 4)
        self.cuts.append(len(octets))

    def _copy(self, at: int, end: int, pointers: Sequence[int]) -> None:
        for here in pointers:
            self._keep(at, here)
            self._note(here, here + 1, self._start + len(self.octets))
            target = (self._packet[here] & 0x3F) << 8 | self._packet[here + 1]
            place = self._place(target) if target in self._known else None
            if place is None or place > MAX_TARGET:
                self._write_out(self._names.at(target))
            else:
                self._refer(place)
            at = here + 2
        self._keep(at, end)

    def _keep(self, at: int, end: int) -> None:
        if at < end:
            self._note(at, end, self._start + len(self.octets))
            self.octets += self._packet[at:end]

    def _note(self, begin: int, end: int, place: int) -> None:
        moved = begin, end, place - begin
        if not self._moved or self._moved[-1] < moved:
            self._moved.append(moved)
        else:
            insort(self._moved, moved)

    def _place(self, target: int) -> int | None:
        """Where it is now what stood at *target*."""
        number = bisect_right(self._moved, (target, _MAX_OCTETS + 1, 0)) - 1
        if number < 0:
            return None
        begin, end, shift = self._moved[number]
        return target + shift if begin <= target < end else None

    def _refer(self, place: int) -> None:
        self.pointers.append(len(self.octets))
        self.octets += pointer(place)

    def _write_out(self, name: Name) -> None:
        at, start = 0, self._start + len(self.octets)
        while name[at]:
            place = self._suffixes.get(name[at:])
            if place is not None:
                break
            at += 1 + name[at]
        else:
            place = None
        self._remember(name, start, at)
        self.octets += name[:at]
        if place is None:
            self.octets += b"\0"
        else:
            self._refer(place)

    def _remember(self, name: Name, start: int, octets: int = _MAX_OCTETS) -> None:
        """The first *octets* of *name* stand at *start* as they are."""
        at = 0
        while at < octets and name[at] and start + at <= MAX_TARGET:
            self._suffixes.setdefault(name[at:], start + at)
            at += 1 + name[at]
