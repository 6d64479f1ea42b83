"""What upstreams of the farm do: right, wrong and hostile.

A behaviour is a function of one query; ``script`` gives each query its own, ``then`` does several things to one.
"""

import os
import socket
from itertools import count
from typing import Any

from farm import HOST, Asked, Behaviour
from packets import QR, RA, RD, opt

from clusterdns.engine.framing import frame

FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 1, 2, 3, 4, 5
TC = 0x0200
FORGED = "203.0.113.66"


def answer(asked: Asked) -> None:
    asked.send(asked.reply())


def drop(asked: Asked) -> None:
    """Silence."""


def hold(asked: Asked) -> None:
    """Until the test calls ``release``."""
    asked.server.held.append(asked)


def script(*steps: Behaviour) -> Behaviour:
    """One for each query; the last one for all that follow."""
    turn = count()

    def do(asked: Asked) -> None:
        steps[min(next(turn), len(steps) - 1)](asked)

    return do


def then(*parts: Behaviour) -> Behaviour:
    """All of them for each query."""

    def do(asked: Asked) -> None:
        for part in parts:
            part(asked)

    return do


def over(**by_transport: Behaviour) -> Behaviour:
    """``over(udp=truncate, tcp=answer)``"""
    return lambda asked: by_transport[asked.transport](asked)


def saying(**changed: Any) -> Behaviour:
    """An answer with other fields, see ``replies.reply``."""
    return lambda asked: asked.send(asked.reply(**changed))


def refuse(rcode: int, text: str = "") -> Behaviour:
    """An rcode; with *text* an Extended DNS Error."""

    def do(asked: Asked) -> None:
        options = b"\0\x0f" + (2 + len(text)).to_bytes(2) + b"\0\x16" + text.encode() if text else b""
        asked.send(asked.reply(rcode=rcode, edns=opt(options=options) if asked.edns else b""))

    return do


def bare(rcode: int) -> Behaviour:
    """A header alone."""
    return lambda asked: asked.send(asked.wire[:2] + bytes((0x80, rcode)) + bytes(8))


def bare_with_opt(rcode: int) -> Behaviour:
    """The same with the OPT of the query."""
    return lambda asked: asked.send(asked.wire[:2] + bytes((0x80, rcode)) + bytes(7) + b"\1" + opt())


def no_edns(asked: Asked) -> None:
    """As servers do that are older than EDNS."""
    asked.send(asked.reply(rcode=FORMERR, edns=b"")) if asked.edns else answer(asked)


def no_options(asked: Asked) -> None:
    """As servers do that know EDNS, and refuse options that they do not know."""
    asked.send(asked.reply(rcode=FORMERR)) if asked.has_options else answer(asked)


def truncate(asked: Asked) -> None:
    asked.send(asked.reply(answer=[], flags=QR | RD | RA | TC))


def referral(asked: Asked) -> None:
    asked.send(asked.reply(answer=[], authority=["com. 300 NS ns.com."], flags=QR | RD))


def poison(asked: Asked) -> None:
    """A right answer, and what nobody has asked for."""
    own = f"{asked.name} 300 A {asked.server.answer}"
    others = [f"bank.example. 86400 A {FORGED}", "example.com. 86400 NS evil.example."]
    asked.send(asked.reply(answer=[own, *others], authority=[others[1]], additional=[f"evil.example. 9 A {FORGED}"]))


def wrong_id(asked: Asked) -> None:
    message = asked.reply()
    asked.send((int.from_bytes(message[:2]) ^ 1).to_bytes(2) + message[2:])


def wrong_question(asked: Asked) -> None:
    asked.send(asked.reply(name="other.example.", answer=[f"other.example. 300 A {FORGED}"]))


def wrong_type(asked: Asked) -> None:
    asked.send(asked.reply(rtype="TXT", answer=[f'{asked.name} 300 TXT "forged"']))


def wrong_case(asked: Asked) -> None:
    """All letters the other way round."""
    swapped = asked.name.swapcase()
    asked.send(asked.reply(name=swapped, answer=[f"{swapped} 300 A {FORGED}"]))


def lower_case(asked: Asked) -> None:
    """As servers do that write the name anew."""
    asked.send(asked.reply(name=asked.name.lower(), answer=[f"{asked.name.lower()} 300 A {asked.server.answer}"]))


def upper_case(asked: Asked) -> None:
    """The same, whatever they are asked over."""
    asked.send(asked.reply(name=asked.name.upper(), answer=[f"{asked.name.upper()} 300 A {asked.server.answer}"]))


def not_a_response(asked: Asked) -> None:
    asked.send(asked.wire)


def other_port(asked: Asked) -> None:
    """The right octets from a wrong place; none over a stream, for UDP's port of that number is somebody else's."""
    if asked.transport != "udp":
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        sock.sendto(asked.reply(answer=[f"{asked.name} 300 A {FORGED}"]), (HOST, asked.port))


def garbage(asked: Asked) -> None:
    asked.send(asked.wire[:2] + os.urandom(30))


def nonsense(asked: Asked) -> None:
    """The right question, and behind it nothing that it announces."""
    asked.send(asked.reply()[:-7])


def half(asked: Asked) -> None:
    """Of a message, and the end of the connection."""
    framed = frame(asked.reply())
    asked.write(framed[: len(framed) // 2])
    asked.close()


def hang_up(asked: Asked) -> None:
    asked.close()


FORGERIES: dict[str, Behaviour] = {
    "a wrong ID": wrong_id,
    "another question": wrong_question,
    "another type": wrong_type,
    "another port": other_port,
    "our own query": not_a_response,
    "garbage": garbage,
}
