"""What a transport asks for every message: bytes in, bytes out."""

from collections.abc import Callable

from clusterdns.engine.elsewhere import Later
from clusterdns.engine.manners import Peer
from clusterdns.engine.tally import Tally

# (query, "udp" or "tcp", the client) -> the response, how to wait for it, or None: silence
Answer = Callable[[bytes, str, Peer], bytes | Later | None]
Answers = Callable[[Tally], Answer]  # what answers where this Tally counts
