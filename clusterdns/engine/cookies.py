"""DNS cookies (RFC 7873) in the form that servers can share (RFC 9018)."""

import struct
from collections.abc import Sequence
from functools import lru_cache

from siphash24 import siphash24

from clusterdns.cluster.addresses import parse_address

COOKIE = 10  # option code
CLIENT_OCTETS = 8
SERVER_OCTETS = 16
REPLY_OCTETS = 4 + CLIENT_OCTETS + SERVER_OCTETS  # the whole option in a response
_VERSION = 1
_HEAD = bytes((_VERSION, 0, 0, 0))  # reserved octets are zero in what we make (RFC 9018 §4.2)
_OPTION = struct.pack("!HH", COOKIE, CLIENT_OCTETS + SERVER_OCTETS)
_MAX_AGE, _MAX_AHEAD = 3600, 300  # seconds (RFC 9018 §4.3)
_RENEW_AFTER = 1800
_REPEATED_FOR = 60  # seconds: a tenth of the work for clients that ask again, and none of the dates above is so sharp
_KEPT = 4096


class Cookies:
    """Makes and checks server cookies.

    *secrets*: 16 octets each.  The first one signs, all of them verify: so servers change theirs one after the other,
    and those behind one address share them.
    """

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._secrets = tuple(secrets)
        self._kept: dict[tuple[bytes, str], tuple[float, bytes]] = {}  # (cookie, address) -> (when made, option)

    def option(self, cookie: bytes, address: str, now: float) -> bytes:
        """The whole COOKIE option of a response to *cookie*: what the client sent, 8 octets of its own at least.

        A server cookie that is valid, young and signed with the first secret is returned as it is; else the client
        gets a fresh one, good for an hour.  *now*: Unix seconds.
        """
        key = cookie, address
        kept = self._kept.get(key)
        if kept is not None and 0 <= now - kept[0] < _REPEATED_FOR:
            return kept[1]
        option = self._make(cookie, address, int(now))
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        self._kept[key] = now, option
        return option

    def _make(self, cookie: bytes, address: str, now: int) -> bytes:
        client, server = cookie[:CLIENT_OCTETS], cookie[CLIENT_OCTETS:]
        young = is_timely(server, now) and age_of(server, now) <= _RENEW_AFTER
        if not (young and server[8:] == _hash(self._secrets[0], client + server[:8], address)):
            head = _HEAD + struct.pack("!I", now & 0xFFFFFFFF)
            server = head + _hash(self._secrets[0], client + head, address)
        return _OPTION + client + server

    def is_valid(self, cookie: bytes, address: str, now: int) -> bool:
        """Whoever shows such a *cookie* can be reached at *address*."""
        client, server = cookie[:CLIENT_OCTETS], cookie[CLIENT_OCTETS:]
        return is_timely(server, now) and any(
            server[8:] == _hash(secret, client + server[:8], address) for secret in self._secrets
        )


def is_timely(server: bytes, now: int) -> bool:
    """Of our version and size, not too old and not from the future.  Reserved octets may hold anything: others' do."""
    return len(server) == SERVER_OCTETS and server[0] == _VERSION and -_MAX_AHEAD <= age_of(server, now) <= _MAX_AGE


def age_of(server: bytes, now: int) -> int:
    """Seconds, by serial number arithmetic (RFC 9018 §4.3): right beyond 2106."""
    age = (now - int.from_bytes(server[4:8])) & 0xFFFFFFFF
    return age - (1 << 32) if age & 0x80000000 else age


def _hash(secret: bytes, prefix: bytes, address: str) -> bytes:
    digest: bytes = siphash24(prefix + _packed(address), key=secret).digest()
    return digest


@lru_cache(maxsize=_KEPT)
def _packed(address: str) -> bytes:
    return parse_address(address.partition("%")[0])  # without the interface of a link-local one
