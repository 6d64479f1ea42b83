"""``clusterdns explain``."""

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clusterdns.cli.state import (
    Config,
    Server,
    Sources,
    ask,
    check_namespace,
    loaded_world,
    one_origin,
    warn_of_absence,
)
from clusterdns.errors import BackendError, OperatorError

if TYPE_CHECKING:
    from clusterdns.views.explanation import Explanation

_PATIENCE = 60.0  # seconds: a large cluster is looked through between queries


def explain(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As a pod writes it; or an address.")],
    rtype: Annotated[str, typer.Argument(metavar="[TYPE]", help="A and AAAA by default.", show_default=False)] = "",
    namespace: Annotated[str, typer.Option("--namespace", "-n", metavar="NS", help="Of the pod.")] = "default",
    search: Annotated[bool, typer.Option("--search", help="Show what every name of the search list gets.")] = False,
    output: Annotated[str, typer.Option("--output", "-o", metavar="FORMAT", help="text or json.")] = "text",
    sources: Sources = None,
    server: Server = None,
    config: Config = None,
) -> int:
    """Tell what is answered to a name, and why: the cause first, then how the answer comes about.

    A NAME with a final dot is taken as it is; without one the search list of a pod in NS is gone through.

    Exits with 0 for an answer, 3 for NXDOMAIN, 4 for NODATA, 1 for anything else.
    """
    from clusterdns.views.explain_text import as_json, as_text, exit_code

    if output not in ("text", "json"):
        raise OperatorError(f"-o {output}: no such format; write text or json")
    _check(name, rtype)
    check_namespace(namespace)
    one_origin(sources, server)
    if sources:
        found = _from_manifests(name, rtype, namespace, sources, config)
    else:
        parameters = {"name": name, "type": rtype, "namespace": namespace}
        found = _as_explanation(ask(server, "/api/v1/explain", patience=_PATIENCE, **parameters))
        warn_of_absence(namespace, None, server)
    colour = sys.stdout.isatty()
    sys.stdout.write(as_json(found) if output == "json" else as_text(found, search=search, colour=colour))
    return exit_code(found)


def _check(name: str, rtype: str) -> None:
    """Raises OperatorError: a server need not be asked for what is no question."""
    from clusterdns.views.explain_names import question_name, type_number

    try:
        question_name(name)
        for one in filter(None, rtype.split(",")):
            type_number(one)
    except ValueError as fault:
        raise OperatorError(str(fault)) from None


def _from_manifests(name: str, rtype: str, namespace: str, sources: list[str], config: str | None) -> "Explanation":
    from clusterdns.config import load_settings
    from clusterdns.explaining import explanation
    from clusterdns.options import telling

    own, problems = loaded_world(sources, config)
    warn_of_absence(namespace, own, None)
    others = telling(load_settings({}, os.environ, config), own.table.options)
    try:
        steps = explanation(own, {"name": name, "type": rtype, "namespace": namespace}, problems, others)
        return next(step for step in steps if step)
    except ValueError as fault:
        raise OperatorError(str(fault)) from None


def _as_explanation(answer: Any) -> "Explanation":
    import msgspec

    from clusterdns.views.explanation import Explanation

    try:
        return msgspec.convert(answer, Explanation)
    except msgspec.ValidationError:
        raise BackendError("the server's answer is no explanation; is it another version of clusterdns?") from None
