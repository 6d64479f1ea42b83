"""Docker-style variables of Services, as kubelet makes them (v1.36 ``pkg/kubelet/envvars``, ``kubelet_pods.go``).

Kubelet takes a Service's primary address as it is written; here IPv6 addresses are in RFC 5952 form.
"""

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from clusterdns.cluster.addresses import address_text
from clusterdns.cluster.model import Key, Service

API_SERVER = Key("default", "kubernetes")  # every pod is told of it, whatever its namespace
_SHELL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def told_in(namespace: str) -> Callable[[Key], bool]:
    """Whether a Service may be told of to a container of *namespace*: kubelet knows no filters of a DNS server."""
    return lambda key: key.namespace == namespace or key == API_SERVER


def service_variables(services: Iterable[Service], namespace: str, *, links: bool = True) -> dict[str, str]:
    """What a pod of *namespace* gets: Services by name, the variables of each in kubelet's order.

    *services*: with their ClusterIPs.  *links*: the pod's ``enableServiceLinks``.  Two Services can make one
    variable (``web`` and ``web-service`` both WEB_SERVICE_PORT); chance decides in kubelet, the later name here.
    """
    chosen = _chosen(services, namespace, links=links)
    return {name: value for _, service in sorted(chosen.items()) for name, value in _variables(service)}


def _chosen(services: Iterable[Service], namespace: str, *, links: bool) -> dict[str, Service]:
    """By name.  A Service of the pod's own namespace called like the API server's takes its place."""
    chosen: dict[str, Service] = {}
    for service in services:
        if service.headless or not service.cluster_ips:  # nor has an ExternalName one
            continue
        if service.key == API_SERVER:
            chosen.setdefault(API_SERVER.name, service)
        elif links and service.key.namespace == namespace:
            chosen[service.key.name] = service
    return chosen


def _variables(service: Service) -> Iterator[tuple[str, str]]:
    address, prefix = address_text(service.cluster_ips[0]), _upper(service.key.name)
    yield f"{prefix}_SERVICE_HOST", address
    for port in service.ports[:1]:
        yield f"{prefix}_SERVICE_PORT", str(port.number)
    for port in service.ports:
        if port.name:
            yield f"{prefix}_SERVICE_PORT_{_upper(port.name)}", str(port.number)
    host = f"[{address}]" if ":" in address else address
    for at, port in enumerate(service.ports):
        url = f"{port.protocol}://{host}:{port.number}"
        if at == 0:
            yield f"{prefix}_PORT", url
        link = f"{prefix}_PORT_{port.number}_{port.protocol.upper()}"
        yield link, url
        yield f"{link}_PROTO", port.protocol
        yield f"{link}_PORT", str(port.number)
        yield f"{link}_ADDR", address


def _upper(name: str) -> str:
    return name.replace("-", "_").upper()


def dotenv(variables: Mapping[str, str]) -> str:
    """For ``docker run --env-file``, which takes values as they stand: nothing is quoted, no value has a newline."""
    return "".join(f"{name}={value}\n" for name, value in variables.items())


def shell(variables: Mapping[str, str]) -> str:
    """For ``eval "$(...)"``.  Since Kubernetes 1.36 a Service's name may begin with a digit; a shell's cannot."""
    lines = (
        f"export {name}={shlex.quote(value)}\n"
        if _SHELL_NAME.fullmatch(name)
        else f"# {name} is left out: no name for a shell\n"
        for name, value in variables.items()
    )
    return "".join(lines)


def as_json(variables: Mapping[str, str]) -> str:
    """One object."""
    return msgspec.json.format(msgspec.json.encode(variables), indent=2).decode() + "\n"


FORMATS = {"dotenv": dotenv, "shell": shell, "json": as_json}
