"""Where a command's objects come from: manifests (``--from PATH``), or the running server (``--server URL``).

A command declares ``sources: Sources = None, server: Server = None, config: Config = None`` and then calls
``world(sources, config)`` where *sources* are given, else ``ask(server, "/api/v1/...")``.
"""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clusterdns.errors import BackendError, OperatorError

if TYPE_CHECKING:
    from clusterdns.errors import Problem
    from clusterdns.world import World

SERVER = "http://127.0.0.1:9153"  # where `clusterdns serve` has its HTTP address by default
SECONDS = 5.0  # for a server's answer
FROM = "or read manifests with --from PATH"
ANOTHER = "or name another one with --server URL"
_UNAUTHORIZED = "set CLUSTERDNS_HTTP_TOKEN to what that server has as http_token (--http-token)"
_LOOPBACK = "/api is there only on loopback, by address or as localhost, unless that server has an http_token"
_SAID = 1000  # octets that a server may say instead of an answer

Sources = Annotated[
    list[str] | None, typer.Option("--from", metavar="PATH", help="Manifest file or folder; repeatable.")
]
Server = Annotated[str | None, typer.Option("--server", metavar="URL", help=f"A running server; without it {SERVER}.")]
Config = Annotated[str | None, typer.Option("--config", metavar="FILE", help="Settings in YAML, for --from.")]


def world(sources: Sequence[str], config: str | None) -> "World":
    """What the manifests of *sources* make, with every rejected document told on standard error.

    Raises OperatorError where a path cannot be read or a setting is wrong.
    """
    return loaded_world(sources, config)[0]


def loaded_world(sources: Sequence[str], config: str | None) -> "tuple[World, tuple[Problem, ...]]":
    """The same, and all problems, also those between objects, which are not told."""
    from clusterdns.config import load_settings
    from clusterdns.options import controller_options, file_limits, zone_options
    from clusterdns.sources.reading import load
    from clusterdns.world import build

    settings = load_settings({}, os.environ, config)
    loaded = load(sources, limits=file_limits(settings))
    for problem in loaded.report.problems:
        print(problem, file=sys.stderr)
    own = build(loaded.objects, zone_options(settings, ("127.0.0.1",)), controller_options(settings))
    return own, (*loaded.report.problems, *own.problems())


def one_origin(sources: Sequence[str] | None, server: str | None) -> None:
    """Raises OperatorError where both are given."""
    if sources and server:
        raise OperatorError(f"--from {sources[0]} --server {server}: two places; write one of them")


def check_namespace(namespace: str) -> None:
    """Raises OperatorError for what can be no namespace, whoever is asked."""
    from clusterdns.cluster.rules import is_label

    if not is_label(namespace):
        raise OperatorError(f"-n {namespace}: no name of a namespace; use a to z, 0 to 9 and inner hyphens")


def warn_of_absence(namespace: str, own: "World | None", server: str | None) -> None:
    """Tells on standard error where there is no such namespace.  *own*: None for that of *server*."""
    if namespace == "default":  # every cluster has it
        return
    if own:
        known = own.state.has_namespace(namespace)
    else:
        try:
            answer = ask(server, "/api/v1/namespaces", name=namespace)
        except BackendError:  # it has answered the question itself
            return
        known = not isinstance(answer, dict) or answer.get("items") != []
    if not known:
        print(f"warning: -n {namespace}: there is no such namespace; `clusterdns get ns` lists them", file=sys.stderr)


def ask(
    server: str | None,
    path: str,
    *,
    method: str = "GET",
    patience: float = SECONDS,
    instead: str = FROM,
    **parameters: str,
) -> Any:
    """The JSON that *server* has at *path*, such as ``"/api/v1/services"``; None where it has no news.

    *method*: POST for what changes something.  *patience*: seconds for each part of the answer.
    *instead*: what else can be done where nothing listens.
    Raises OperatorError for an URL that means nothing, BackendError when the server does not answer or refuses.
    """
    import http.client
    import json
    from urllib.parse import urlencode

    url = server or SERVER
    host, port, prefix = _parts(url)
    connection = http.client.HTTPConnection(host, port, timeout=patience)
    token = os.environ.get("CLUSTERDNS_HTTP_TOKEN", "")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        query = "?" + urlencode(parameters) if parameters else ""
        connection.request(method, prefix + path + query, headers=headers)
        response = connection.getresponse()
        body = response.read()
        if response.status == 204:
            return None
        if response.status != 200:
            raise BackendError(f"{url}: {_refusal(path, response.status, response.reason, body)}")
        return json.loads(body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise BackendError(f"{url}: {_reason(error, instead)}") from None
    finally:
        connection.close()


def _parts(url: str) -> tuple[str, int | None, str]:
    """Host, port and path.  Raises OperatorError."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname and url.isprintable() and " " not in url:
            return parts.hostname, parts.port, parts.path.rstrip("/")
    except ValueError:
        pass  # a port that is none, or half an IPv6 address
    raise OperatorError(f"--server {url}: not the URL of a server; write one like {SERVER}")


def _refusal(path: str, status: int, reason: str, body: bytes) -> str:
    """What the server says of a question that it has no answer to, if it says so in a line of plain text."""
    from clusterdns.errors import printable

    said = body.decode(errors="replace").strip()
    if status in (400, 404, 503) and said and len(said) < _SAID and not said.startswith((str(status), "<")):
        return printable(said)
    if status == 401:
        return f"{path}: 401 {reason}; {_UNAUTHORIZED}"
    if status == 404:
        return f"{path}: 404 {reason}; {_LOOPBACK}"
    return f"{path}: {status} {reason}"


def _reason(error: Exception, instead: str) -> str:
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens there; start `clusterdns serve PATH`, {instead}"
    if isinstance(error, TimeoutError):
        return f"no answer within {SECONDS:g} s"
    if isinstance(error, ValueError):
        return "what it answers is no JSON; name the HTTP address of clusterdns"
    return str(getattr(error, "strerror", None) or error).lower()
