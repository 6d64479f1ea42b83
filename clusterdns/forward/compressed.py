"""Names in a reply, where each may end in a pointer to something before it (RFC 1035 §4.1.4)."""

from clusterdns.engine.gate import HEADER_OCTETS
from clusterdns.errors import PeerError
from clusterdns.zone.names import MAX_OCTETS, ROOT, Name

MAX_TARGET = 0x3FFF  # what fourteen bits can point to


class Names:
    """The names of one message, read in its order.

    Proper pointers lead to labels of names that have been read, and each costs one look-up.  Others are legal as long
    as they go back, too, and are followed step by step, of which there are at most as many as octets; *loose* says that
    there was one.  What it points to may not even stay, so such a name has to be written out.

    *cased* are the ranges of labels with capital letters.
    """

    __slots__ = ("_found", "_known", "_packet", "_pending", "_steps", "cased", "loose", "question_end")

    def __init__(self, packet: bytes, question: Name) -> None:
        """*question*: the name of the packet's question, in lower case."""
        self._packet = packet
        self._found: dict[int, Name] = {}
        self._steps = len(packet)
        self._known = {HEADER_OCTETS: question}  # where labels begin: at first those that begin a name
        self._pending = [(HEADER_OCTETS, question, len(question))]
        self.cased: list[tuple[int, int]] = []
        self.loose = False
        self.question_end = HEADER_OCTETS + len(question)

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
            tail, end, pointer = self._known.get(target) or self._follow(target), at + 2, at
        elif length:
            raise PeerError("a label of another kind")
        if at == start:
            if pointer and at <= MAX_TARGET:
                self._known[at] = tail
            return tail, end, pointer
        literal = packet[start:at]
        lowered = literal.lower()
        if lowered != literal:
            self.cased.append((start, at))
        name = Name(lowered + tail)
        if len(name) > MAX_OCTETS:
            raise PeerError("a name over 255 octets")
        if start <= MAX_TARGET:
            self._known[start] = name
            self._pending.append((start, name, at - start))
        return name, end, pointer

    def known(self) -> dict[int, Name]:
        """Where labels begin of names that have been read, and the names from there."""
        for start, name, octets in self._pending:
            at = name[0] + 1
            while at < octets:
                self._known[start + at] = Name(name[at:])
                at += 1 + name[at]
        self._pending.clear()
        return self._known

    def at(self, offset: int) -> Name:
        """The name that a pointer to *offset* stands for.  Raises as ``read``."""
        found = self._known.get(offset) or self._found.get(offset)
        if found is None:
            found = self._found[offset] = self._expand(offset)
        return found

    def _follow(self, target: int) -> Name:
        """Not to the begin of a name."""
        found = self.known().get(target)
        if found is None:
            self.loose, found = True, self.at(target)
        return found

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
