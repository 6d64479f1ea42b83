"""Names in a reply, where each may end in a pointer to something before it (RFC 1035 §4.1.4)."""

from clusterdns.engine.gate import HEADER_OCTETS
from clusterdns.errors import PeerError
from clusterdns.zone.names import MAX_OCTETS, ROOT, Name

MAX_TARGET = 0x3FFF  # what fourteen bits can point to


class Names:
    """The names of one message, read in its order.

    *known* is where labels of names begin that have been read: only there do proper pointers lead, and each costs one
    look-up.  Others are legal as long as they go back, too, and are followed step by step, of which there are at most
    as many as octets; *loose* says that there was one.  What it points to may not even stay, so such a name has to be
    written out.

    *cased* are the ranges of labels with capital letters.
    """

    __slots__ = ("_found", "_packet", "_steps", "cased", "known", "loose", "question_end")

    def __init__(self, packet: bytes, question: Name) -> None:
        """*question*: the name of the packet's question, in lower case."""
        self._packet = packet
        self._found: dict[int, Name] = {}
        self._steps = len(packet)
        self.known: dict[int, Name] = {}
        self.cased: list[tuple[int, int]] = []
        self.loose = False
        self.question_end = HEADER_OCTETS + len(question)
        self._learn(HEADER_OCTETS, question)

    def read(self, start: int) -> tuple[Name, int, int]:
        """The name at *start* in lower case, the offset behind it, and that of its pointer, 0 without one.

        Raises PeerError where there is no name, and IndexError where the packet ends in it.
        """
        packet, at = self._packet, start
        while 0 < (length := packet[at]) < 64:
            at += 1 + length
        tail, end, pointer = ROOT, at + 1, 0
        if length >= 0xC0:
            target = self._target(at, start)
            tail, end, pointer = self.known.get(target) or self._follow(target), at + 2, at
        elif length:
            raise PeerError("a label of another kind")
        if at == start:
            if pointer and at <= MAX_TARGET:
                self.known[at] = tail
            return tail, end, pointer
        literal = packet[start:at]
        lowered = literal.lower()
        if lowered != literal:
            self.cased.append((start, at))
        name = Name(lowered + tail)
        if len(name) > MAX_OCTETS:
            raise PeerError("a name over 255 octets")
        if start <= MAX_TARGET:
            self._learn(start, name, len(literal))
        return name, end, pointer

    def at(self, offset: int) -> Name:
        """The name that a pointer to *offset* stands for.  Raises as ``read``."""
        found = self.known.get(offset) or self._found.get(offset)
        if found is None:
            found = self._found[offset] = self._expand(offset)
        return found

    def _learn(self, start: int, name: Name, octets: int = MAX_OCTETS) -> None:
        """*name* stands at *start*, the first *octets* of it as they are."""
        at, known = 0, self.known
        while at < octets:
            known[start + at] = Name(name[at:])
            length = name[at]
            if not length:
                return
            at += 1 + length

    def _follow(self, target: int) -> Name:
        self.loose = True
        return self.at(target)

    def _expand(self, here: int) -> Name:
        packet, labels, octets, before = self._packet, [], 0, here
        while True:
            self._steps -= 1
            if self._steps < 0:
                raise PeerError("pointers to more labels than there are octets")
            length = packet[here]
            if length >= 0xC0:
                here = before = self._target(here, before)
                continue
            if length > 63:
                raise PeerError("a label of another kind")
            labels.append(packet[here : here + 1 + length].lower())
            here += 1 + length
            octets += 1 + length
            if octets > MAX_OCTETS:
                raise PeerError("a name over 255 octets")
            if not length:
                return Name(b"".join(labels))

    def _target(self, at: int, before: int) -> int:
        target = (self._packet[at] & 0x3F) << 8 | self._packet[at + 1]
        if not HEADER_OCTETS <= target < before:
            raise PeerError("a pointer that does not point back to a name")
        return target
