"""What the lints look at, and what they say."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Literal

from msgspec import Struct

from clusterdns.cluster.addresses import Network
from clusterdns.cluster.documents import Path
from clusterdns.cluster.model import Key, Object, Pod, Published, Service, Workload, subject
from clusterdns.cluster.state import State
from clusterdns.controllers.manager import Controllers
from clusterdns.zone.tree import ZoneOptions

IGNORE = "clusterdns.io/check-ignore"  # an annotation: codes that are meant, separated by commas


class Finding(Struct, frozen=True):
    """A Problem in the making: it has an object and a field, and no line yet.

    *unless*: a field of the object that makes it normal where it is ``true``; the model does not keep it.
    """

    item: Object
    path: Path
    severity: Literal["error", "warning"]
    code: str
    text: str
    remedy: str
    unless: Path = ()


def warn(item: Object, path: Path, code: str, text: str, remedy: str, unless: Path = ()) -> Finding:
    return Finding(item, path, "warning", code, text, remedy, unless)


_MOST_GUESSES = 200  # names that one is compared with: comparing takes some ten microseconds each


def nearest(name: str, names: Collection[str]) -> str:
    """The one that was probably meant, "" if none is near or there are too many to compare with."""
    found = get_close_matches(name, names, n=1) if len(names) <= _MOST_GUESSES else []
    return found[0] if found else ""


class Scene:
    """All objects and what follows from them; nothing changes while the lints look."""

    def __init__(
        self, state: State, controllers: Controllers, zones: ZoneOptions, service_cidr: tuple[Network, ...] = ()
    ) -> None:
        self.state = state
        self.zones = zones
        self.service_cidr = service_cidr
        # By place, as people read: of several that clash the first is right.
        self.services = sorted(state.all("Service"), key=lambda service: (service.place, service.key))
        self.pods = sorted(state.all("Pod"), key=lambda pod: (pod.place, pod.key))
        self.workloads = sorted(state.workloads(), key=lambda one: (one.place, one.key))
        self.stand_ins = _one_of_each(controllers.stand_ins())
        # Of Services with a selector: the pods that may become their endpoints, in the order of their keys.
        self.selected = {
            service.key: alive(controllers.selected(state, service))
            for service in self.services
            if service.selector and service.type != "ExternalName"
        }
        self._names: dict[str, list[str]] = {}  # namespace -> names of its Services
        for service in self.services:
            self._names.setdefault(service.key.namespace, []).append(service.key.name)
        self._controllers = controllers
        self._authors = {subject(workload): workload for workload in self.workloads}

    def author(self, pod: Pod) -> Pod | Workload:
        """Where *pod* is written: a stand-in stands in its workload."""
        return self._authors[pod.stand_in] if pod.stand_in else pod

    def in_spec(self, pod: Pod, *path: str | int) -> Path:
        """A field of the pod's spec, seen from its author."""
        return ("spec", "template", "spec", *path) if pod.stand_in else ("spec", *path)

    def published(self, key: Key) -> Published | None:
        return self._controllers.published(self.state, key)

    def nearest_service(self, key: Key) -> str:
        """The name of a Service of the same namespace that was probably meant, or ""."""
        return nearest(key.name, self._names.get(key.namespace, ()))

    def service(self, namespace: str, name: str) -> Service | None:
        return self.state.get("Service", Key(namespace, name))


def alive(pods: Iterable[Pod]) -> list[Pod]:
    return sorted((pod for pod in pods if pod.phase not in ("Succeeded", "Failed")), key=lambda pod: pod.key)


def _one_of_each(stand_ins: Iterable[Pod]) -> list[Pod]:
    """Stand-ins of one workload differ in what no lint looks at."""
    first: dict[str, Pod] = {}
    for pod in sorted(stand_ins, key=lambda pod: pod.key):
        first.setdefault(pod.stand_in, pod)
    return list(first.values())
