"""``clusterdns describe``."""

import sys
import time
from typing import Annotated

import typer

from clusterdns.cli.get import not_found
from clusterdns.cli.shown import Origin, Scope, kind_and_name
from clusterdns.cli.state import Config, Server, Sources
from clusterdns.errors import OperatorError

_KINDS = ("services", "endpoints", "pods")


def describe(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="svc, ep or pod.")],
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Which one, unless KIND is KIND/NAME.")] = None,
    namespace: Annotated[str, typer.Option("--namespace", "-n", metavar="NS", help="Where to look.")] = "default",
    sources: Sources = None,
    server: Server = None,
    config: Config = None,
) -> int:
    """Describe one object as kubectl does, without events."""
    found, wanted = kind_and_name(kind, name, _KINDS)
    if not wanted:
        raise OperatorError(f"{kind}: no name; write `clusterdns describe {kind} NAME`")
    origin, scope = Origin(sources, server, config), Scope(namespace, wanted)
    items = origin.objects(found, scope)
    if not items:
        not_found(found, scope, origin)
        return 1
    if found == "services":
        from clusterdns.views.describe import describe_service

        slices = origin.objects("endpointslices", Scope(namespace, "", f"kubernetes.io/service-name={wanted}"))
        text = describe_service(items[0], slices)
    elif found == "endpoints":
        from clusterdns.views.describe import describe_endpoints

        text = describe_endpoints(items[0])
    else:
        from clusterdns.views.describe_pod import describe_pod

        text = describe_pod(items[0], time.time())
    sys.stdout.write(text)
    return 0
