"""``clusterdns get``."""

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from clusterdns.cli.shown import Origin, Scope, kind_and_name
from clusterdns.cli.state import Config, Server, Sources
from clusterdns.errors import OperatorError

if TYPE_CHECKING:
    from clusterdns.views.following import Lines

FORMATS = ("", "wide", "yaml", "json", "name", "zone")
_KINDS = ("services", "endpoints", "pods", "namespaces", "records")


def get(  # noqa: PLR0913, PLR0917 - each is an option
    kind: Annotated[str, typer.Argument(metavar="KIND", help="svc, ep, pod, ns or records.")],
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One of them; of records: a Service.")] = None,
    namespace: Annotated[str, typer.Option("--namespace", "-n", metavar="NS", help="Where to look.")] = "default",
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Look in all namespaces.")] = False,
    selector: Annotated[str, typer.Option("--selector", "-l", metavar="SELECTOR", help="As in kubectl.")] = "",
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FORMAT", help="wide, yaml, json, name; zone for records.")
    ] = "",
    labels: Annotated[bool, typer.Option("--show-labels", help="Show all labels in a last column.")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on with what changes.")] = False,
    sources: Sources = None,
    server: Server = None,
    config: Config = None,
) -> int:
    """List objects as kubectl does, or the records that are answered."""
    found, wanted = kind_and_name(kind, name, _KINDS)
    _check(found, wanted, everywhere=everywhere, selector=selector, output=output, labels=labels)
    origin = Origin(sources, server, config)
    spread = everywhere and found != "namespaces"
    scope = Scope(None if spread or found == "namespaces" else namespace, wanted, selector)
    lines = _lines(found, output, single=bool(wanted), spread=spread, labels=labels)
    if watch:
        for items in origin.follow(found, scope):
            sys.stdout.write(lines.news(items, time.time()))
            sys.stdout.flush()
    items = origin.records(scope) if found == "records" else origin.objects(found, scope)
    if not items:
        return _nothing(found, scope, origin)
    sys.stdout.write(lines.whole(items, time.time()))
    return 0


def _check(kind: str, name: str, *, everywhere: bool, selector: str, output: str, labels: bool) -> None:
    """Raises OperatorError for options that contradict each other."""
    if output not in FORMATS:
        raise OperatorError(f"-o {output}: no such format; write {', '.join(FORMATS[1:])}")
    if output == "zone" and kind != "records":
        raise OperatorError(f"-o zone: {kind} are no records; write `clusterdns get records -o zone`")
    if labels and kind == "records":
        raise OperatorError("--show-labels: records have no labels; leave it out")
    if name and everywhere and kind != "namespaces":
        raise OperatorError(f"{name} -A: a name is of one namespace; write -n NS, or leave the name out")
    if name and selector:
        raise OperatorError(f"{name} -l {selector}: a name and a selector; write one of them")


def _lines(kind: str, output: str, *, single: bool, spread: bool, labels: bool) -> "Lines":
    from clusterdns.views.following import ObjectLines, RecordLines
    from clusterdns.views.tables import Style

    if kind == "records":
        return RecordLines(output)
    return ObjectLines(kind, output, Style(output == "wide", spread, labels), single=single)


def _nothing(kind: str, scope: Scope, origin: Origin) -> int:
    """1 where one was asked for by name."""
    if not scope.name:
        print(f"No {'records' if kind == 'records' else 'resources'} found{_in(scope.namespace)}.", file=sys.stderr)
        return 0
    not_found(kind, scope, origin)
    return 1


def _in(namespace: str | None) -> str:
    return f" in {namespace} namespace" if namespace else ""


def not_found(kind: str, scope: Scope, origin: Origin) -> None:
    """Says so, and where there is one of that name."""
    hint = ""
    if scope.namespace is not None:
        what = "services" if kind == "records" else kind
        others = origin.objects(what, Scope(None, scope.name))
        hint = "".join(f"; there is one in -n {other['metadata']['namespace']}" for other in others[:1])
    where = f" in namespace {scope.namespace}" if scope.namespace else ""
    print(f'{kind} "{scope.name}" not found{where}{hint}', file=sys.stderr)
