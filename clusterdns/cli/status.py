"""``clusterdns status``."""

import sys
from typing import Annotated

import typer

from clusterdns.cli.state import ANOTHER, Server, ask
from clusterdns.errors import BackendError, OperatorError


def status(
    output: Annotated[str, typer.Option("--output", "-o", metavar="FORMAT", help="text or json.")] = "text",
    server: Server = None,
) -> int:
    """Tell how the running server is: its source, how old its word is, and what went wrong last.

    Exits with 1 when the server is not ready.
    """
    if output not in ("text", "json"):
        raise OperatorError(f"-o {output}: no such format; write text or json")
    import msgspec

    from clusterdns.views.status import Status, status_text

    try:
        found = msgspec.convert(ask(server, "/api/v1/status", instead=ANOTHER), Status)
    except msgspec.ValidationError:
        raise BackendError("the server's answer is no status; is it another version of clusterdns?") from None
    if output == "json":
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
    else:
        sys.stdout.write(status_text(found))
    return 0 if found.ready else 1
