"""What all sources say, and the look-ups that controllers, records and views need."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from typing import Literal, NamedTuple, cast, overload

from msgspec.structs import replace

from clusterdns.cluster.events import Event, Kind, Replace, Upsert
from clusterdns.cluster.model import Endpoints, EndpointSlice, Key, Namespace, Object, Pod, Service, Workload

WORKLOADS: tuple[Kind, ...] = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")


class Changed(NamedTuple):
    """One object before and after; None where it did not exist.  Never both None, never equal but for the place."""

    old: Object | None
    new: Object | None


class State:
    """Objects by (source, kind, key).  Where several sources hold one, the first by order of registration serves.

    Only ``apply`` changes it.  An object that merely moved in its file is renewed here but is no change, so whoever
    shows places asks here for them and keeps none.
    """

    def __init__(self, sources: Iterable[str] = ()) -> None:
        """*sources* in the order in which they serve; others register with their first ``apply``."""
        self._ranks = {source: rank for rank, source in enumerate(sources)}
        self._layers: dict[Kind, list[dict[Key, Object]]] = {}  # kind -> by rank of the source
        self._slices: dict[Key, tuple[EndpointSlice, ...]] = {}  # Service -> its slices in key order
        self._pods: dict[str, dict[Key, Pod]] = {}  # namespace -> its pods
        self._population: dict[str, int] = {}  # namespace -> how many objects declare it or are in it
        self._namespaces: frozenset[str] | None = None  # those of the population, once somebody has asked

    def apply(self, source: str, events: Iterable[Event]) -> list[Changed]:
        """Takes in *events* as one step: an object named several times makes one change, or none."""
        rank = self._ranks.setdefault(source, len(self._ranks))
        before: dict[tuple[Kind, Key], Object | None] = {}
        for event in events:
            if isinstance(event, Replace):
                self._replace(rank, event, before)
            elif isinstance(event, Upsert):
                self._hold(rank, event.object.kind, event.object.key, event.object, before)
            else:
                self._hold(rank, event.kind, event.key, None, before)

        changes = []
        for (kind, key), old in before.items():
            new = self.get(kind, key)
            if old is not new:
                self._reindex(old, new)
                if not _same(old, new):
                    changes.append(Changed(old, new))
        return changes

    def begin(self, source: str, kind: Kind, objects: Iterable[Object]) -> list[Changed]:
        """As ``apply`` for objects of a *kind* of which no other source holds any, and this one none that it would
        replace; of those with the same key the first counts.  For large lists, which nothing was before.
        """
        layer = self._layer(kind, self._ranks.setdefault(source, len(self._ranks)))
        changes = []
        for item in objects:
            if item.key not in layer:
                layer[item.key] = item
                self._reindex(None, item)
                changes.append(Changed(None, item))
        return changes

    def has(self, kind: Kind) -> bool:
        """Whether any source holds an object of *kind*."""
        return any(self._layers.get(kind, ()))

    def held(self, source: str, kind: Kind) -> list[Key]:
        """Under which keys *source* has objects of *kind*, whether or not they serve."""
        rank, layers = self._ranks.get(source, 0), self._layers.get(kind, ())
        return list(layers[rank]) if source in self._ranks and rank < len(layers) else []

    @overload
    def get(self, kind: Literal["Service"], key: Key) -> Service | None: ...
    @overload
    def get(self, kind: Literal["EndpointSlice"], key: Key) -> EndpointSlice | None: ...
    @overload
    def get(self, kind: Literal["Endpoints"], key: Key) -> Endpoints | None: ...
    @overload
    def get(self, kind: Literal["Pod"], key: Key) -> Pod | None: ...
    @overload
    def get(self, kind: Literal["Namespace"], key: Key) -> Namespace | None: ...
    @overload
    def get(self, kind: Kind, key: Key) -> Object | None: ...
    def get(self, kind: Kind, key: Key) -> Object | None:
        """The object that serves under *key*."""
        for layer in self._layers.get(kind, ()):
            if found := layer.get(key):
                return found
        return None

    @overload
    def all(self, kind: Literal["Service"]) -> Iterator[Service]: ...
    @overload
    def all(self, kind: Literal["EndpointSlice"]) -> Iterator[EndpointSlice]: ...
    @overload
    def all(self, kind: Literal["Endpoints"]) -> Iterator[Endpoints]: ...
    @overload
    def all(self, kind: Literal["Pod"]) -> Iterator[Pod]: ...
    @overload
    def all(self, kind: Literal["Namespace"]) -> Iterator[Namespace]: ...
    @overload
    def all(self, kind: Kind) -> Iterator[Object]: ...
    def all(self, kind: Kind) -> Iterator[Object]:
        """Every object of *kind* that serves, in no particular order."""
        layers = self._layers.get(kind, [])
        for rank, layer in enumerate(layers):
            for key, item in layer.items():
                if not any(key in earlier for earlier in layers[:rank]):
                    yield item

    def snapshot(self, kind: Kind) -> list[Object]:
        """``all`` at once, for who looks at it in slices between which it may change."""
        layers = self._layers.get(kind, [])
        if len(layers) == 1:
            return list(layers[0].values())
        return list({key: item for layer in reversed(layers) for key, item in layer.items()}.values())

    def counts(self) -> dict[Kind, int]:
        """How many objects of each kind there are, those that do not serve included."""
        return {kind: sum(map(len, layers)) for kind, layers in self._layers.items()}

    def workloads(self) -> Iterator[Workload]:
        for kind in WORKLOADS:
            yield from cast("Iterator[Workload]", self.all(kind))

    def slices(self, service: Key) -> tuple[EndpointSlice, ...]:
        """The slices labelled with *service*, in the order of their keys, whether or not the Service exists."""
        return self._slices.get(service, ())

    def pods(self, namespace: str) -> Collection[Pod]:
        return self._pods.get(namespace, {}).values()

    def namespaces(self) -> frozenset[str]:
        """Those that are declared or have something in them: the same object as long as they are the same."""
        if self._namespaces is None:
            self._namespaces = frozenset(self._population)
        return self._namespaces

    def has_namespace(self, name: str) -> bool:
        return name in self._population

    def _replace(self, rank: int, event: Replace, before: dict[tuple[Kind, Key], Object | None]) -> None:
        new: dict[Key, Object] = {}
        for item in event.objects:
            new.setdefault(item.key, item)
        for key in [key for key in self._layer(event.kind, rank) if key not in new]:
            self._hold(rank, event.kind, key, None, before)
        for key, item in new.items():
            self._hold(rank, event.kind, key, item, before)

    def _hold(
        self, rank: int, kind: Kind, key: Key, item: Object | None, before: dict[tuple[Kind, Key], Object | None]
    ) -> None:
        layer = self._layer(kind, rank)
        if layer.get(key) is item:  # most of a re-list: sources share what they decoded before
            return
        before.setdefault((kind, key), self.get(kind, key))
        if item is None:
            del layer[key]
        else:
            layer[key] = item

    def _layer(self, kind: Kind, rank: int) -> dict[Key, Object]:
        layers = self._layers.setdefault(kind, [])
        while len(layers) <= rank:
            layers.append({})
        return layers[rank]

    def _reindex(self, old: Object | None, new: Object | None) -> None:
        if old is None and new is not None:
            self._populate(new.key, 1)
        elif old is not None and new is None:
            self._populate(old.key, -1)
        one = old or new
        if isinstance(one, Pod):
            self._reindex_pod(one.key, cast("Pod | None", new))
        elif isinstance(one, EndpointSlice):
            self._reindex_slice(cast("EndpointSlice | None", old), cast("EndpointSlice | None", new))

    def _populate(self, key: Key, step: int) -> None:
        namespace = key.namespace or key.name  # only a Namespace is in none
        before = self._population.get(namespace, 0)
        self._population[namespace] = before + step
        if not before:
            self._namespaces = None
        elif not before + step:
            del self._population[namespace]
            self._namespaces = None

    def _reindex_pod(self, key: Key, new: Pod | None) -> None:
        pods = self._pods.setdefault(key.namespace, {})
        if new:
            pods[key] = new
            return
        del pods[key]
        if not pods:
            del self._pods[key.namespace]

    def _reindex_slice(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        if old and old.service.name:
            rest = tuple(one for one in self._slices[old.service] if one is not old)
            if rest:
                self._slices[old.service] = rest
            else:
                del self._slices[old.service]
        if new and new.service.name:
            slices = self._slices.get(new.service, ())
            if not slices:  # most have one
                self._slices[new.service] = (new,)
                return
            at = bisect_left(slices, new.key, key=lambda one: one.key)
            self._slices[new.service] = (*slices[:at], new, *slices[at:])


def _same(old: Object | None, new: Object | None) -> bool:
    """Equal apart from the place."""
    if old is None or new is None:
        return False
    return old == new or (old.place != new.place and replace(old, place=new.place) == new)
