"""``clusterdns query``: a small dig."""

import re
import sys
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from clusterdns.errors import OperatorError

if TYPE_CHECKING:
    from clusterdns.cli.asking import Reply, Server

HOST, PORT = "127.0.0.1", 1053  # where `clusterdns serve` listens by default
_USE = "write NAME [TYPE] [@ADDR[:PORT]]"


class Question(NamedTuple):
    labels: tuple[bytes, ...]
    qtype: int
    host: str
    port: int


def query(
    words: Annotated[list[str] | None, typer.Argument(metavar="NAME|TYPE|@ADDR[:PORT]", hidden=True)] = None,
    reverse: Annotated[str | None, typer.Option("-x", metavar="ADDR", help="The name of an address.")] = None,
    port: Annotated[
        int | None, typer.Option("-p", metavar="PORT", min=1, max=65535, help="Port of the server.")
    ] = None,
    tcp: Annotated[bool, typer.Option("--tcp", help="Ask over TCP.")] = False,
    short: Annotated[bool, typer.Option("--short", help="Print the data only.")] = False,
    output: Annotated[str | None, typer.Option("-o", metavar="json", help="Print one JSON object.")] = None,
) -> int:
    """Ask a DNS server, as dig does.

    NAME is absolute, with or without the final dot. TYPE is A by default, the server 127.0.0.1:1053;
    @ADDR without a port means port 53. The order is free, +short and +tcp are understood.

    Exits with 0 for an answer, 3 for NXDOMAIN, 4 for NODATA, 1 for anything else.
    """
    from clusterdns.cli.asking import Server, ask, make_query

    words = list(words or ())
    tcp = tcp or "+tcp" in words
    short = short or "+short" in words
    if output not in {None, "json"} or (short and output):
        raise OperatorError("-o: prints json and nothing else; write -o json, or --short alone")
    question = _question([word for word in words if word not in {"+tcp", "+short"}], reverse, port)
    server = Server(question.host, question.port)
    reply = ask(server, make_query(question.labels, question.qtype), tcp=tcp)
    _show(reply, server, short=short, as_json=output == "json")
    return _exit_code(reply, server)


def _show(reply: "Reply", server: "Server", *, short: bool, as_json: bool) -> None:
    from clusterdns.cli import replies

    if as_json:
        print(replies.json_text(reply, server))
        return
    for line in replies.short(reply) if short else replies.dig_text(reply, server):
        print(line)


def _exit_code(reply: "Reply", server: "Server") -> int:
    from clusterdns.cli import replies

    status = replies.status(reply.message)
    if status == "NXDOMAIN":
        return 3
    if status == "NOERROR":
        return 4 if replies.is_nodata(reply.message) else 0
    reasons = [f": {text or name}" for _, name, text in replies.extended_errors(reply.message)[:1]]
    print(f"{server} answered {status}{''.join(reasons)}", file=sys.stderr)
    return 1


def _question(words: list[str], reverse: str | None, port: int | None) -> Question:
    """Raises OperatorError."""
    servers = [word[1:] for word in words if word.startswith("@")]
    rest = [word for word in words if not word.startswith("@")]
    if len(servers) > 1:
        raise OperatorError(f"@{servers[1]}: a second server; ask one at a time")
    host, its_port = _server(servers[0]) if servers else (HOST, PORT)
    if reverse is not None:
        name, types, default = _reverse_name(reverse), rest, "PTR"
    else:
        name, types, default = _name_and_types(rest)
    if len(types) > 1:
        raise OperatorError(f"{types[1]}: one word too many; {_USE}")
    qtype = record_type(types[0] if types else default)
    if qtype is None:
        raise OperatorError(f"{types[0]}: no record type; write one like AAAA, SRV or TYPE65")
    return Question(parse_labels(name), qtype, host, port or its_port)


def _name_and_types(words: list[str]) -> tuple[str, list[str], str]:
    if not words:
        raise OperatorError(f"NAME: nothing to ask for; {_USE}")
    if len(words) == 2 and record_type(words[1]) is None and record_type(words[0]) is not None:
        words.reverse()
    return words[0], words[1:], "A"


def _reverse_name(text: str) -> str:
    try:
        return ip_address(text).reverse_pointer
    except ValueError:
        raise OperatorError(f"-x: {text!r} is not an IP address; write one like 10.96.0.10") from None


def _server(text: str) -> tuple[str, int]:
    """``"10.0.0.1"``, ``"10.0.0.1:53"``, ``"::1"``, ``"[::1]:53"`` or a host name."""
    found = re.fullmatch(r"\[([^]]+)\](?::(\d{1,5}))?|([^:]+)(?::(\d{1,5}))?|([^][]+)", text)
    port = int((found[2] or found[4] or 53) if found else 0)
    if not found or not 0 < port < 65536:
        raise OperatorError(f"@{text}: not a server; write @127.0.0.1:1053 or @[::1]:1053")
    return found[1] or found[3] or found[5], port


def record_type(text: str) -> int | None:
    """``"srv"`` -> 33, ``"TYPE65"`` -> 65; None: there is no such type."""
    from dnslib import QTYPE, DNSError

    try:
        number = int(getattr(QTYPE, text.upper()))
    except (DNSError, AttributeError, ValueError, TypeError):
        return None
    return number if 0 < number < 65536 else None


_PIECE = re.compile(r"\\(\d{3})|\\(.)|([^\\.]+)|(\.)", re.DOTALL)


def parse_labels(text: str) -> tuple[bytes, ...]:
    r"""``"web.shop."`` -> ``(b"web", b"shop")``; ``\.`` and ``\046`` are a dot inside a label (RFC 1035 §5.1).

    Other letters than ASCII are encoded as browsers do (IDNA).  Raises OperatorError.
    """
    try:
        labels = [_label(label) for label in _split(text)]
    except (ValueError, UnicodeError):
        raise OperatorError(f"{text}: not a domain name; see the backslashes and letters in it") from None
    if labels and not labels[-1]:
        labels.pop()  # the final dot
    if text != "." and (not labels or not all(0 < len(label) < 64 for label in labels)):
        raise OperatorError(f"{text}: not a domain name; labels have 1 to 63 octets")
    if sum(map(len, labels)) + len(labels) > 254:
        raise OperatorError(f"{text}: not a domain name; it has more than 255 octets")
    return tuple(filter(None, labels))


def _split(text: str) -> list[list[bytes | str]]:
    """Labels of pieces: what was escaped are octets, the rest is text."""
    labels: list[list[bytes | str]] = [[]]
    at = 0
    while at < len(text):
        found = _PIECE.match(text, at)
        if not found:
            raise ValueError("a backslash at the end")
        octet, escaped, plain, dot = found.groups()
        if dot:
            labels.append([])
        else:
            labels[-1].append(bytes([int(octet)]) if octet else escaped.encode("ascii") if escaped else plain)
        at = found.end()
    return labels


def _label(pieces: list[bytes | str]) -> bytes:
    return b"".join(
        piece if isinstance(piece, bytes) else piece.encode("ascii" if piece.isascii() else "idna") for piece in pieces
    )
