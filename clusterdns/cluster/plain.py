"""JSON objects as controllers and kubectl write them: read in one pass each, endpoints too.

There may be 150,000 of those.  Whatever is odd is left to ``cluster.manifest``, which explains it.
"""

import re
from itertools import product
from socket import AF_INET, AF_INET6, inet_pton  # a computation only
from sys import intern
from typing import Any, cast

import msgspec

from clusterdns.cluster import schema
from clusterdns.cluster.build import build, conditions_of
from clusterdns.cluster.faults import Faults
from clusterdns.cluster.model import Endpoint, Object, Place
from clusterdns.cluster.rules import is_label
from clusterdns.cluster.validate import MAX_ENDPOINTS, check

_HEAD = re.compile(rb'\s*\{\s*"apiVersion"\s*:\s*"([\w./-]+)"\s*,\s*"kind"\s*:\s*"(\w+)"')
_NAMES = {(version.encode(), kind.encode()): (version, kind) for version, kind in schema.KINDS}
_SUSPECT = frozenset((0, 127, 169, 224, 0xFE, 0xFF))  # first octets of the addresses that ``rules.special`` knows
_FAMILIES = {"IPv4": AF_INET, "IPv6": AF_INET6}
_NO_CONDITIONS, _NO_TARGET = schema.Conditions(), schema.Target()
# (ready, serving, terminating) as JSON has them -> conditions.
CONDITIONS: dict[tuple[schema.Flag, schema.Flag, schema.Flag], int] = {
    (ready, serving, terminating): conditions_of(schema.Conditions(ready, serving, terminating))
    for ready, serving, terminating in product((None, False, True), repeat=3)
}


def read_plain(text: bytes, implied: tuple[str, str], place: Place) -> Object | None:
    """The object that *text* is, if it begins with its kind and has no fault; else None.

    *implied*: apiVersion and kind of one that says none.  Saves a look at the whole text to find out its kind.
    """
    found = _HEAD.match(text)
    version, kind = _NAMES.get((found[1], found[2]), ("", "")) if found else implied
    decoder = schema.DECODERS.get((version, kind))
    if decoder is None:
        return None
    try:
        written = decoder.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    if (written.api_version or implied[0], written.kind or implied[1]) != (version, kind):
        return None
    endpoints = None
    if isinstance(written, schema.WireSlice) and (endpoints := _plain_endpoints(written)) is not None:
        written.endpoints = None  # nothing is wrong with them
    faults = Faults(texts_are_quoted=True)
    check(faults, kind, version, written)
    return None if faults else build(kind, version, written, place, endpoints)


def _plain_endpoints(wire: schema.WireSlice) -> tuple[Endpoint, ...] | None:
    """What ``build`` makes of them.  None where ``validate`` has to look closer, or has something to say.

    For JSON: its texts are exact ``str``.
    """
    family, written = _FAMILIES.get(wire.address_type or ""), wire.endpoints
    if family is None or not written or len(written) > MAX_ENDPOINTS:
        return None
    found = []
    try:
        for one in cast("list[Any]", written):
            (text,) = one.addresses
            address, hostname = inet_pton(family, text), one.hostname
            flags, target = one.conditions or _NO_CONDITIONS, one.target_ref or _NO_TARGET
            conditions = CONDITIONS[flags.ready, flags.serving, flags.terminating]
            if address[0] in _SUSPECT or one.topology or (hostname and not is_label(hostname)):
                return None
            name = target.name if target.kind == "Pod" else None
            found.append(Endpoint(address, conditions, hostname or "", intern(one.node_name or ""), name or ""))
    except (AttributeError, KeyError, TypeError, ValueError, OSError):
        return None  # null for an endpoint, not one address, no address, no condition
    return tuple(found)
