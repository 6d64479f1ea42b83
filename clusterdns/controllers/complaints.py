"""How controllers word their Problems: at the place an object has now, the first document right, later ones wrong."""

from collections.abc import Iterable, Iterator
from typing import Literal

from clusterdns.cluster.model import Key, Object, Service, subject
from clusterdns.cluster.state import State
from clusterdns.errors import Problem

ServiceChange = tuple[Service | None, Service | None]  # before, after


def complain(item: Object, severity: Literal["error", "warning"], code: str, text: str, remedy: str) -> Problem:
    return Problem(item.place.path, item.place.line, severity, code, subject(item), text, remedy)


def first_and_later(state: State, services: Iterable[Key]) -> Iterator[tuple[Service, Service]]:
    """The first of *services* with each of the others, in the order of their documents: path, then line."""
    found = [service for key in services if (service := state.get("Service", key))]
    found.sort(key=lambda service: (service.place, service.key))
    for later in found[1:]:
        yield found[0], later
