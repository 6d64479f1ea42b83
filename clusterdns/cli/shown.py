"""Where the commands that show objects and records have them from: the same from manifests and from a server."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clusterdns.cli.state import FROM, SERVER, ask, one_origin, world
from clusterdns.errors import BackendError, OperatorError

if TYPE_CHECKING:
    from clusterdns.cluster.labels import Selector
    from clusterdns.showing import Query
    from clusterdns.views.records import Record
    from clusterdns.views.trees import Tree
    from clusterdns.world import World

KINDS = {
    "services": ("svc", "service", "services"),
    "endpoints": ("ep", "endpoint", "endpoints"),
    "pods": ("pod", "po", "pods"),
    "namespaces": ("ns", "namespace", "namespaces"),
    "records": ("records", "record"),
}
_ALIASES = {alias: kind for kind, aliases in KINDS.items() for alias in aliases}
_PATIENCE = 60.0  # seconds: a server keeps who waits for news for 25


def kind_and_name(kind: str, name: str | None, among: Sequence[str]) -> tuple[str, str]:
    """``("svc", "web")`` or ``("svc/web", None)`` -> ``("services", "web")``.  Raises OperatorError."""
    word, slash, behind = kind.partition("/")
    found = _ALIASES.get(word.lower(), "")
    if found not in among:
        raise OperatorError(f"{word}: no such kind; write {', '.join(KINDS[one][0] for one in among)}")
    if slash and name:
        raise OperatorError(f"{kind} {name}: two names; write one")
    return found, behind or name or ""


class Scope(Struct, frozen=True):
    """What is asked for.  *selector* in kubectl's language."""

    namespace: str | None  # None: all
    name: str = ""
    selector: str = ""

    def query(self) -> "Query":
        """Raises OperatorError."""
        from clusterdns.showing import Query

        return Query(self.namespace, self.name, self._parsed())

    def parameters(self) -> dict[str, str]:
        """Raises OperatorError."""
        self._parsed()
        found = {"namespace": self.namespace, "name": self.name, "labelSelector": self.selector}
        return {name: value for name, value in found.items() if value}

    def _parsed(self) -> "Selector":
        from clusterdns.cluster.labels import SELECTOR_REMEDY, parse_selector

        try:
            return parse_selector(self.selector)
        except ValueError as fault:
            raise OperatorError(f"-l {self.selector}: {fault}; {SELECTOR_REMEDY}") from None


class Origin:
    """Manifests where *sources* are given, else the *server*.  What raises: see ``world`` and ``ask``."""

    def __init__(
        self, sources: Sequence[str] | None, server: str | None, config: str | None, instead: str = FROM
    ) -> None:
        """Raises OperatorError where both are given.  *instead* as in ``ask``."""
        one_origin(sources, server)
        self._sources, self._server, self._config, self._instead = sources, server, config, instead
        self._world: World | None = None

    def objects(self, kind: str, scope: Scope) -> "list[Tree]":
        """*kind*: one of showing.FINDERS."""
        if self._sources:
            return _objects(self._own_world(), kind, scope)
        return _items(self._ask(kind, scope.parameters()))

    def records(self, scope: Scope) -> "list[Record]":
        if self._sources:
            return _records(self._own_world(), scope)
        return _as_records(self._ask("records", scope.parameters()))

    def follow(self, kind: str, scope: Scope) -> "Iterator[list[Any]]":
        """Objects or records now, and again behind every round.  Endless."""
        if self._sources:
            for own in _worlds(self._sources, self._config):
                yield _records(own, scope) if kind == "records" else _objects(own, kind, scope)
            return
        version = ""
        while True:
            answer = self._ask(kind, scope.parameters() | ({"after": version} if version else {}))
            if answer is None:
                continue
            version = _version(answer)
            yield _as_records(answer) if kind == "records" else _items(answer)

    def answers(self) -> tuple["list[Record]", list[str]]:
        """Every record of all zones, and names that exist besides their owners."""
        if self._sources:
            from clusterdns.showing import names

            own = self._own_world()
            return _records(own, Scope(None)), [name for name in names(own) if name]
        for _ in range(_TRIES):
            answer = self._ask("records", {"names": "true"})
            if answer.get("version") == answer.get("until"):
                return _as_records(answer), [str(name) for name in answer.get("names", ())]
        raise BackendError(f"{self._server or SERVER}: it changes faster than it can be told; try again")

    def _own_world(self) -> "World":
        if self._world is None:
            self._world = world(self._sources or (), self._config)
        return self._world

    def _ask(self, kind: str, parameters: Mapping[str, str]) -> Any:
        return ask(self._server, f"/api/v1/{kind}", patience=_PATIENCE, instead=self._instead, **parameters)


_TRIES = 5


def _objects(own: "World", kind: str, scope: Scope) -> "list[Tree]":
    from clusterdns.showing import FINDERS
    from clusterdns.sources.reread import Rereader

    with Rereader() as written:
        return [shown(written) for shown in FINDERS[kind](own, scope.query()) if shown]


def _records(own: "World", scope: Scope) -> "list[Record]":
    from clusterdns.showing import records

    return [record for record in records(own, scope.query()) if record]


def _worlds(sources: Sequence[str], config: str | None) -> "Iterator[World]":
    """The world of manifests after each change of them."""
    import asyncio
    import os

    from clusterdns.config import load_settings
    from clusterdns.options import controller_options, zone_options
    from clusterdns.sources.manifests import Manifests
    from clusterdns.steps import at_once
    from clusterdns.world import World

    settings = load_settings({}, os.environ, config)
    own = World(zone_options(settings, ("127.0.0.1",)), controller_options(settings))
    source = Manifests(sources)
    with asyncio.Runner() as runner:
        rounds = aiter(source.rounds())

        async def next_round() -> None:
            events = await anext(rounds)
            own.commit(at_once(own.steps(source.name, events))[1], own.serial + 1)

        while True:
            runner.run(next_round())
            yield own


def _items(answer: Any) -> "list[Tree]":
    items = answer.get("items") if isinstance(answer, dict) else None
    if not isinstance(items, list):
        raise BackendError("the server's answer is no list of objects; is it another version of clusterdns?")
    return items


def _version(answer: Any) -> str:
    return str(answer.get("version") or answer.get("metadata", {}).get("resourceVersion", ""))


def _as_records(answer: Any) -> "list[Record]":
    import msgspec

    from clusterdns.views.records import Record

    try:
        return msgspec.convert(answer["records"], list[Record])
    except (KeyError, TypeError, msgspec.ValidationError):
        raise BackendError("the server's answer is no list of records; is it another version of clusterdns?") from None
