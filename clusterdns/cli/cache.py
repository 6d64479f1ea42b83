"""``clusterdns cache``."""

import sys
from typing import Annotated, Any

import typer

from clusterdns.cli.state import ANOTHER, Server, ask
from clusterdns.errors import BackendError, OperatorError

_PATH = "/api/v1/cache"
_PATIENCE = 60.0  # seconds: a large cache is looked through between queries
_SHOWN = 10_000  # entries at most


def cache(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="This name, with or without final dot.")] = None,
    suffix: Annotated[str | None, typer.Option("--suffix", metavar="NAME", help="It and all names below it.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All names.")] = False,
    flush: Annotated[bool, typer.Option("--flush", help="Forget what is named; it is asked for again.")] = False,
    output: Annotated[str, typer.Option("--output", "-o", metavar="FORMAT", help="text or json.")] = "text",
    server: Server = None,
) -> int:
    """Look at the running server's cache of answers of others, or flush it.

    Without a name: how much it holds and how often it knew the answer. TTL says for how many seconds an entry is
    fresh; below 0, for how long it has been stale.

    Exits with 1 where nothing of NAME is in the cache.
    """
    if output not in ("text", "json"):
        raise OperatorError(f"-o {output}: no such format; write text or json")
    named = _named(name, suffix, everything)
    if flush:
        return _flush(named, server, as_json=output == "json")
    return _show(name, named, server, as_json=output == "json")


def _named(name: str | None, suffix: str | None, everything: bool) -> dict[str, str]:
    """As the server wants it; {}: nothing.  Raises OperatorError: it need not be asked for what is no name."""
    from clusterdns.views.explain_names import question_name

    given = {"name": name, "suffix": suffix, "all": "true" if everything else None}
    found = {key: value for key, value in given.items() if value is not None}
    if len(found) > 1:
        raise OperatorError("NAME, --suffix and --all exclude each other; write one of them")
    for text in (name, suffix):
        try:
            question_name(text if text is not None else ".")
        except ValueError as fault:
            raise OperatorError(str(fault)) from None
    return found


def _flush(named: dict[str, str], server: str | None, *, as_json: bool) -> int:
    if not named:
        raise OperatorError("--flush: nothing is named; write NAME, --suffix NAME or --all")
    answer = ask(server, f"{_PATH}/flush", method="POST", patience=_PATIENCE, instead=ANOTHER, **named)
    flushed = answer.get("flushed") if isinstance(answer, dict) else None
    if not isinstance(flushed, int):
        raise _odd()
    if as_json:
        _print_json(answer)
    else:
        print(f"{flushed} {'entry' if flushed == 1 else 'entries'} flushed")
    return 0


def _show(name: str | None, named: dict[str, str], server: str | None, *, as_json: bool) -> int:
    import msgspec

    from clusterdns.views.cache import Shown, counts_text, entries_text

    limit = str(_SHOWN if named else 0)
    answer = ask(server, _PATH, method="GET", patience=_PATIENCE, instead=ANOTHER, limit=limit, **named)
    try:
        found = msgspec.convert(answer, Shown)
    except msgspec.ValidationError:
        raise _odd() from None
    if as_json:
        _print_json(answer)
    else:
        sys.stdout.write(entries_text(found.entries) if named else counts_text(found.counts))
    if found.more:
        print(f"there are more than these {_SHOWN}; write --suffix NAME to see those below it", file=sys.stderr)
    if named and not found.entries and not as_json:
        print(f"{name}: not in the cache" if name else "No entries found.", file=sys.stderr)
    return 1 if name is not None and not found.entries else 0


def _print_json(answer: Any) -> None:
    import msgspec

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode() + "\n")


def _odd() -> BackendError:
    return BackendError("the server's answer tells of no cache; is it another version of clusterdns?")
