"""JSON objects as controllers and kubectl write them: read in one pass each, endpoints too.

There may be 150,000 of those.  Whatever is odd is left to ``cluster.manifest``, which explains it.
"""

import re
from itertools import product
from socket import AF_INET, AF_INET6, inet_pton  # a computation only
from sys import intern

import msgspec
from msgspec import Raw

from clusterdns.cluster import schema
from clusterdns.cluster.build import build, conditions_of
from clusterdns.cluster.faults import Faults
from clusterdns.cluster.model import Endpoint, Object, Place
from clusterdns.cluster.rules import is_label
from clusterdns.cluster.validate import MAX_ENDPOINTS, check

_HEAD = re.compile(rb'\s*\{\s*"apiVersion"\s*:\s*"([\w./-]+)"\s*,\s*"kind"\s*:\s*"(\w+)"')
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
    version, kind = (found[1].decode(), found[2].decode()) if found else implied
    wire = schema.KINDS.get((version, kind))
    if wire is None:
        return None
    try:
        written = schema.read(Raw(text), wire)
    except (msgspec.DecodeError, RecursionError):
        return None
    if (written.api_version or implied[0], written.kind or implied[1]) != (version, kind):
        return None
    endpoints = _plain_endpoints(written) if isinstance(written, schema.WireSlice) else None
    if isinstance(written, schema.WireSlice) and endpoints is not None:
        written.endpoints = None  # nothing is wrong with them
    faults = Faults(texts_are_quoted=True)
    check(faults, kind, version, written)
    return None if any(faults) else build(kind, version, written, place, endpoints)


def _plain_endpoints(wire: schema.WireSlice) -> tuple[Endpoint, ...] | None:
    """What ``build`` makes of them.  None where ``validate`` has to look closer, or has something to say.

    For JSON: its texts are exact ``str``.
    """
    family, written = _FAMILIES.get(wire.address_type or ""), wire.endpoints
    if family is None or not written or len(written) > MAX_ENDPOINTS:
        return None
    found = []
    for one in written:
        if one is None or one.addresses is None or len(one.addresses) != 1 or one.topology:
            return None
        try:
            address = inet_pton(family, one.addresses[0] or "")
        except (OSError, ValueError):
            return None
        flags, target, hostname = one.conditions or _NO_CONDITIONS, one.target_ref or _NO_TARGET, one.hostname or ""
        conditions = CONDITIONS.get((flags.ready, flags.serving, flags.terminating))
        if conditions is None or address[0] in _SUSPECT or (hostname and not is_label(hostname)):
            return None
        name = target.name if target.kind == "Pod" else None
        found.append(Endpoint(address, conditions, hostname, intern(one.node_name or ""), name or ""))
    return tuple(found)
