"""``clusterdns env``, and where ``exec`` has its variables from."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from clusterdns.cli.state import Config, Server, Sources, ask, check_namespace, one_origin, warn_of_absence, world
from clusterdns.errors import BackendError, OperatorError

Namespace = Annotated[str, typer.Option("--namespace", "-n", metavar="NS", help="Of the container.")]
Links = Annotated[
    bool,
    typer.Option("--service-links/--no-service-links", help="Without them only the API server's variables."),
]


def env(
    namespace: Namespace = "default",
    output: Annotated[str, typer.Option("--output", "-o", metavar="FORMAT", help="dotenv, shell or json.")] = "dotenv",
    links: Links = True,
    sources: Sources = None,
    server: Server = None,
    config: Config = None,
) -> None:
    """Print the service variables of a namespace, as kubelet gives them to containers.

    dotenv is for `docker run --env-file`, shell for `eval "$(clusterdns env -o shell)"`.
    """
    from clusterdns.workload.service_env import FORMATS

    if output not in FORMATS:
        raise OperatorError(f"-o {output}: no such format; write {', '.join(FORMATS)}")
    found = variables(namespace, sources, server, config, links=links)
    if not found:
        print(f"namespace {namespace}: no Service with a ClusterIP, so no variables", file=sys.stderr)
    sys.stdout.write(FORMATS[output](found))


def variables(
    namespace: str, sources: Sequence[str] | None, server: str | None, config: str | None, *, links: bool
) -> dict[str, str]:
    """By name, in kubelet's order.  Raises OperatorError or BackendError."""
    check_namespace(namespace)
    one_origin(sources, server)
    if sources:
        from clusterdns.workload.service_env import service_variables, told_in

        own = world(sources, config)
        warn_of_absence(namespace, own, None)
        return service_variables(own.services(told_in(namespace)), namespace, links=links)
    answer = ask(server, "/api/v1/env", namespace=namespace, links=str(links).lower())
    if isinstance(answer, dict) and all(isinstance(value, str) for value in answer.values()):
        warn_of_absence(namespace, None, server)
        return answer
    raise BackendError(f"{server}: /api/v1/env: no object of variables; is it another version of clusterdns?")
