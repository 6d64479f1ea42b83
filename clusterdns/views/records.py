"""``clusterdns get records``: what is answered, as a table, as master-file lines, as data."""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from clusterdns.views.columns import TABLE, align
from clusterdns.views.trees import NONE
from clusterdns.zone.names import to_text
from clusterdns.zone.rdata import RRset


class Record(Struct, frozen=True):
    name: str  # with the final dot
    ttl: int  # seconds
    type: str
    data: str  # as master files write it
    service: str = ""  # "shop/web" whose record it is; "" for the zone's own


def rows_of(rrset: RRset, service: str = "") -> list[Record]:
    name = to_text(rrset.owner)
    found = (rdata.to_text().partition(" ") for rdata in rrset.rdatas)
    return [Record(name, rrset.ttl, rtype, data, service) for rtype, _, data in found]


def table(records: Sequence[Record], *, wide: bool) -> str:
    """ "" for none.  Wide: with the Service that each is of."""
    rows = [cells(record, wide=wide) for record in records]
    return align([titles(wide=wide), *rows], TABLE)[0] if rows else ""


def titles(*, wide: bool) -> list[str]:
    return ["NAME", "TTL", "TYPE", *["SERVICE"] * wide, "DATA"]


def cells(record: Record, *, wide: bool) -> list[str]:
    return [record.name, str(record.ttl), record.type, *[record.service or NONE] * wide, record.data]


def as_zone(records: Iterable[Record]) -> str:
    """A line each, as in a master file (RFC 1035 §5)."""
    return "".join(f"{line(record)}\n" for record in records)


def line(record: Record) -> str:
    return f"{record.name} {record.ttl} IN {record.type} {record.data}"


def as_json(records: Sequence[Record]) -> str:
    return msgspec.json.format(msgspec.json.encode({"records": records}), indent=2).decode() + "\n"


def as_yaml(records: Sequence[Record]) -> str:
    return msgspec.yaml.encode({"records": records}).decode()


def as_names(records: Iterable[Record]) -> str:
    return "".join(f"{name}\n" for name in dict.fromkeys(record.name for record in records))
