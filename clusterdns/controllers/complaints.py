"""How controllers word their Problems: at the place an object has now, the first document right, later ones wrong."""

from collections.abc import Iterable, Iterator
from typing import Literal

from clusterdns.cluster.model import Key, Object, Service, subject
from clusterdns.cluster.state import State
from clusterdns.errors import Problem

# Every code of the controllers.  Codes are never given a second meaning.
CODES: dict[str, str] = {
    "CD401": "two Services write the same ClusterIP",
    "CD402": "service_cidr has no free address left",
    "CD403": "a ClusterIP outside service_cidr: it is answered as written",
    "CD404": "a Service asks for an address family that service_cidr has no range of",
    "CD405": "two Services write the same node port",
    "CD406": "no node port is left",
    "CD407": "a node port outside 30000-32767",
    "CD408": "pod_cidr has no free address left for stand-in pods",
    "CD409": "a workload has more replicas than it gets stand-in pods",
}

ServiceChange = tuple[Service | None, Service | None]  # before, after


def complain(item: Object, severity: Literal["error", "warning"], code: str, text: str, remedy: str) -> Problem:
    return Problem(item.place.path, item.place.line, severity, code, subject(item), text, remedy)


def first_and_later(state: State, services: Iterable[Key]) -> Iterator[tuple[Service, Service]]:
    """The first of *services* with each of the others, in the order of their documents: path, then line."""
    found = [service for key in services if (service := state.get("Service", key))]
    found.sort(key=lambda service: (service.place, service.key))
    for later in found[1:]:
        yield found[0], later
