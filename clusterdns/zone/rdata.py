"""RDATA: per type its number, its wire form and its master-file form.

Names in RDATA are never compressed: SRV forbids it (RFC 2782), and what the table holds must stay right
when an alias puts it behind another question.
"""

import struct
from typing import ClassVar

from msgspec import Struct

from clusterdns.cluster.addresses import address_text
from clusterdns.zone.names import Name, to_text


class A(Struct, frozen=True, gc=False):
    rtype: ClassVar[int] = 1  # RFC 1035 §3.4.1
    address: bytes

    def to_wire(self) -> bytes:
        return self.address

    def to_text(self) -> str:
        return f"A {address_text(self.address)}"


class AAAA(Struct, frozen=True, gc=False):
    rtype: ClassVar[int] = 28  # RFC 3596 §2.1
    address: bytes

    def to_wire(self) -> bytes:
        return self.address

    def to_text(self) -> str:
        return f"AAAA {address_text(self.address)}"


class NS(Struct, frozen=True, gc=False):
    rtype: ClassVar[int] = 2  # RFC 1035 §3.3.11
    target: Name

    def to_wire(self) -> bytes:
        return self.target

    def to_text(self) -> str:
        return f"NS {to_text(self.target)}"


class CNAME(Struct, frozen=True, gc=False):
    rtype: ClassVar[int] = 5  # RFC 1035 §3.3.1
    target: Name

    def to_wire(self) -> bytes:
        return self.target

    def to_text(self) -> str:
        return f"CNAME {to_text(self.target)}"


class PTR(Struct, frozen=True, gc=False):
    rtype: ClassVar[int] = 12  # RFC 1035 §3.3.12
    target: Name

    def to_wire(self) -> bytes:
        return self.target

    def to_text(self) -> str:
        return f"PTR {to_text(self.target)}"


class TXT(Struct, frozen=True, gc=False):
    rtype: ClassVar[int] = 16  # RFC 1035 §3.3.14
    text: bytes  # one character-string, at most 255 octets

    def to_wire(self) -> bytes:
        return bytes((len(self.text),)) + self.text

    def to_text(self) -> str:
        return f'TXT "{self.text.decode("ascii")}"'


_SRV = struct.Struct("!HHH")


class SRV(Struct, frozen=True, gc=False):
    rtype: ClassVar[int] = 33  # RFC 2782
    priority: int
    weight: int
    port: int
    target: Name

    def to_wire(self) -> bytes:
        return _SRV.pack(self.priority, self.weight, self.port) + self.target

    def to_text(self) -> str:
        return f"SRV {self.priority} {self.weight} {self.port} {to_text(self.target)}"


class SOA(Struct, frozen=True, gc=False):
    rtype: ClassVar[int] = 6  # RFC 1035 §3.3.13
    mname: Name
    rname: Name
    serial: int
    minimum: int  # seconds a negative answer may be kept (RFC 2308 §4)
    # What CoreDNS publishes; no secondary depends on them as long as there are no transfers.
    refresh: int = 7200
    retry: int = 1800
    expire: int = 86400

    def timers(self) -> bytes:
        """The five numbers at the end of the wire form."""
        return struct.pack("!IIIII", self.serial, self.refresh, self.retry, self.expire, self.minimum)

    def to_wire(self) -> bytes:
        return self.mname + self.rname + self.timers()

    def to_text(self) -> str:
        numbers = f"{self.serial} {self.refresh} {self.retry} {self.expire} {self.minimum}"
        return f"SOA {to_text(self.mname)} {to_text(self.rname)} {numbers}"


Rdata = A | AAAA | NS | CNAME | PTR | TXT | SRV | SOA


class RRset(Struct, frozen=True, gc=False):
    """All records of one type at one owner name; they share one TTL in seconds (RFC 2181 §5.2)."""

    owner: Name
    ttl: int
    rdatas: tuple[Rdata, ...]  # of one type, never empty

    @property
    def rtype(self) -> int:
        return self.rdatas[0].rtype

    def to_text(self) -> str:
        return "\n".join(f"{to_text(self.owner)} {self.ttl} IN {rdata.to_text()}" for rdata in self.rdatas)


def address_rrsets(owner: Name, ttl: int, addresses: set[bytes]) -> list[RRset]:
    """One RRset per family, addresses sorted: a re-list in another order must not look like a change."""
    if len(addresses) == 1:  # as most have
        (address,) = addresses
        return [RRset(owner, ttl, (A(address) if len(address) == 4 else AAAA(address),))]
    order = sorted(addresses)
    four = [A(address) for address in order if len(address) == 4]
    six = [AAAA(address) for address in order if len(address) == 16]
    return [RRset(owner, ttl, tuple(rdatas)) for rdatas in (four, six) if rdatas]
