"""What a transport asks for every message: bytes in, bytes out."""

from collections.abc import Callable

from clusterdns.engine.elsewhere import Later

# (query, "udp" or "tcp", the client's address) -> the response, how to wait for it, or None: silence
Answer = Callable[[bytes, str, str], bytes | Later | None]
