"""A folder in which anything happens, against a model of what should be served; no sleeps, no real time.

After every pause the answers of the world that came there change by change equal those of ``build()`` from nothing,
and both are made of what the model says is in force: the last good version of every document.
"""

import os
import shutil
import time
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from folders import write
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from strategies import Responder

from clusterdns.cluster.documents import Limits
from clusterdns.cluster.events import Replace, Upsert
from clusterdns.cluster.model import Object, Service
from clusterdns.config import load_settings
from clusterdns.options import controller_options, zone_options
from clusterdns.sources.reading import Reader
from clusterdns.sources.scan import Clock
from clusterdns.world import World, build
from clusterdns.zone.tree import Prepared

NAMES = ("api", "db", "web")
PLAIN = ("a.yaml", "b.yml", "deep/c.yaml", "deep/er/d.json")
VOLUME = ("x.yaml", "y.yaml")  # change together, by ..data

GOOD = """\
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: shop}}
spec: {{clusterIP: 10.96.{index}.{value}, ports: [{{port: 80}}]}}
"""
BROKEN = "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{ports: nonsense}}\n"
TORN = "apiVersion: v1\nkind: [\n"  # nobody can tell what it was

# One document: a name and a value from 1; value 0: broken; name "": broken, and nobody can tell which.
Doc = tuple[str, int]
documents = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(NAMES), st.integers(0, 3)),
        st.tuples(st.sampled_from(NAMES), st.integers(1, 250)),
        st.just(("", 0)),
    ),
    max_size=4,
)


def text_of(docs: list[Doc]) -> str:
    return "---\n".join(_document(*doc) for doc in docs)


def _document(name: str, value: int) -> str:
    if not name:
        return TORN
    return (GOOD if value else BROKEN).format(name=name, value=value, index=NAMES.index(name))


class Model:
    """The rules once more, with nothing in common with the product but the words."""

    def __init__(self) -> None:
        self._said: dict[str, list[Doc]] = {}
        self._stands: dict[str, list[tuple[int, Doc]]] = {}  # file -> its objects, and the place of each in it
        self.serving: dict[str, int] = {}

    def take(self, now: dict[str, list[Doc]]) -> None:
        """*now*: what every file that is there says."""
        for path in {*now, *self._said}:
            if now.get(path) != self._said.get(path):
                before = self._stands.pop(path, [])
                if path in now:
                    self._stands[path] = _after(before, now[path])
        self._said = dict(now)
        there = {doc[0] for stands in self._stands.values() for _, doc in stands}
        for name, value in self.serving.items():
            heirs = [path for path, docs in now.items() if (name, 0) in docs]
            if name not in there and heirs:
                self._stands[min(heirs)].append((-1, (name, value)))
        self.serving = {}
        for path in sorted(self._stands):
            for _, (name, value) in sorted(self._stands[path], key=lambda one: one[0]):
                self.serving.setdefault(name, value)


def _after(before: list[tuple[int, Doc]], docs: list[Doc]) -> list[tuple[int, Doc]]:
    good = [(at, doc) for at, doc in enumerate(docs) if doc[1]]
    defined = {doc[0] for _, doc in good}
    broken = {doc[0] for doc in docs if not doc[1]}
    kept = [(at, doc) for at, doc in before if doc[0] not in defined and ("" in broken or doc[0] in broken)]
    return good + kept


class FolderMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._temporary = TemporaryDirectory()
        self._folder = Path(self._temporary.name)
        self._now, self._generation = 0.0, 0
        self._options = (zone_options(SETTINGS, ("127.0.0.1",)), controller_options(SETTINGS))
        self._world = World(*self._options)
        self._responder = Responder(self._world.table)
        self._written = 0
        # Whatever was written has settled by mtime; what is gone has to stay gone by this clock.
        clock = Clock(lambda: time.time() + 3600, lambda: self._now)
        self._reader = Reader([self._temporary.name], clock, Limits())
        self._said: dict[str, list[Doc]] = {}
        self._hints: set[str] = set()
        self._model = Model()
        self._objects: dict[str, Object] = {}

    def teardown(self) -> None:
        self._temporary.cleanup()

    @rule(name=st.sampled_from(PLAIN), docs=documents, in_place=st.booleans())
    def write(self, name: str, docs: list[Doc], in_place: bool) -> None:
        path = self._folder / name
        if in_place and path.exists():
            path.write_text(text_of(docs))
        else:
            write(path, text_of(docs))
        self._date(path)
        self._touched(name, docs)

    @rule(old=st.sampled_from(PLAIN), new=st.sampled_from(PLAIN))
    def rename(self, old: str, new: str) -> None:
        if old != new and (docs := self._said.get(old)) is not None:
            (self._folder / new).parent.mkdir(parents=True, exist_ok=True)
            (self._folder / old).rename(self._folder / new)
            self._touched(old, None)
            self._touched(new, docs)

    @rule(old=st.sampled_from(PLAIN), new=st.sampled_from(PLAIN))
    def move_and_break(self, old: str, new: str) -> None:
        """An object goes to another file, and its new version is broken."""
        if old != new and self._said.get(old):
            moving, *staying = self._said[old]
            self.write(old, staying, in_place=True)
            self.write(new, [*self._said.get(new, []), (moving[0], 0)], in_place=False)

    @rule(name=st.sampled_from(PLAIN))
    def remove(self, name: str) -> None:
        if name in self._said:
            (self._folder / name).unlink()
            self._touched(name, None)

    @rule()
    def remove_a_folder(self) -> None:
        shutil.rmtree(self._folder / "deep", ignore_errors=True)
        for name in PLAIN:
            if name.startswith("deep/") and name in self._said:
                self._touched(name, None)

    @rule(name=st.sampled_from(PLAIN), how=st.sampled_from(["cut", "NUL", "UTF-16"]))
    def corrupt(self, name: str, how: str) -> None:
        if self._said.get(name):
            text = text_of(self._said[name])
            data = {"cut": b"kind: {a: [", "NUL": text.encode() + b"\0", "UTF-16": text.encode("utf-16")}[how]
            (self._folder / name).write_bytes(data)
            self._date(self._folder / name)
            self._touched(name, [("", 0)])

    @rule(first=st.none() | documents, second=st.none() | documents)
    def swap(self, first: list[Doc] | None, second: list[Doc] | None) -> None:
        """As kubelet does it, with another set of files each time."""
        volume, self._generation = self._folder / "volume", self._generation + 1
        held = {name: docs for name, docs in zip(VOLUME, (first, second), strict=True) if docs is not None}
        (volume / f"..{self._generation}").mkdir(parents=True)
        for name, docs in held.items():
            self._date(write(volume / f"..{self._generation}" / name, text_of(docs)))
        (volume / "..data_tmp").symlink_to(f"..{self._generation}")
        (volume / "..data_tmp").rename(volume / "..data")
        for name in VOLUME:
            if name not in held and (volume / name).is_symlink():
                (volume / name).unlink()
            elif name in held and not (volume / name).is_symlink():
                (volume / name).symlink_to(f"..data/{name}")
            self._touched(f"volume/{name}", held.get(name))
        self._hints.add(str(volume / "..data"))
        shutil.rmtree(volume / f"..{self._generation - 1}", ignore_errors=True)

    def _date(self, path: Path) -> None:
        """Each writing has another mtime: by this clock none is so young that it may be followed by one like it.

        The kernel's own clock may stand still for 10 ms, in which a file is written, read and written again.
        """
        self._written += 1
        os.utime(path, (self._written, self._written))

    def _touched(self, name: str, docs: list[Doc] | None) -> None:
        self._said.pop(name, None)
        if docs is not None:
            self._said[name] = docs
        # All folders that were new on the way, too, as a watch would tell.
        path = self._folder
        for part in Path(name).parts:
            path /= part
            self._hints.add(str(path))

    @rule(by_hints=st.booleans())
    def pause(self, by_hints: bool) -> None:
        hints = self._hints if by_hints else None
        for _ in range(20):
            look = self._reader.look(0.2, hints=hints)
            for event in look.events or ():
                if isinstance(event, Replace):
                    self._objects |= {item.key.name: item for item in event.objects}
                elif isinstance(event, Upsert):
                    self._objects[event.object.key.name] = event.object
                else:
                    del self._objects[event.key.name]
            if look.events:
                steps = self._world.steps("manifests", look.events)
                self._world.commit(_finished(steps), int(self._now) + 1)
            self._now += 0.1
            if look.events is not None and look.due > 1e9:
                break
        else:
            raise AssertionError("it never settles")
        self._hints = set()
        self._model.take(dict(self._said))
        self._check()

    def _check(self) -> None:
        addresses = {name: f"10.96.{NAMES.index(name)}.{value}" for name, value in self._model.serving.items()}
        assert {name: _address(item) for name, item in self._objects.items()} == addresses
        made = build(self._objects.values(), *self._options, serial=self._world.serial)
        fresh = Responder(made.table)
        for query in queries(addresses.values()):
            assert self._responder.answer(query, "udp") == fresh.answer(query, "udp")

    @invariant()
    def nothing_is_open_behind_the_reader(self) -> None:
        assert not [link for link in _open_files() if link.startswith(self._temporary.name)]


SETTINGS = load_settings({"answer_order": "fixed"}, {})


def _finished(steps: Generator[None, None, tuple[int, Prepared]]) -> Prepared:
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            prepared: Prepared = stop.value[1]
            return prepared


def _address(item: Object) -> str:
    assert isinstance(item, Service)
    return ".".join(map(str, item.cluster_ips[0]))


def _open_files() -> Iterator[str]:
    for entry in os.scandir("/proc/self/fd"):
        try:
            yield os.readlink(entry.path)
        except OSError:
            continue


def queries(addresses: Iterable[str]) -> Iterator[bytes]:
    """A for every name, with and without the Service, and PTR for every address in use and for some that are not."""
    reverse = [".".join(reversed(address.split("."))) for address in (*addresses, "10.96.0.1")]
    for rtype, names in (
        (1, [f"{name}.shop.svc.cluster.local" for name in (*NAMES, "none")]),
        (1, ["shop.svc.cluster.local", "none.svc.cluster.local"]),
        (12, [f"{name}.in-addr.arpa" for name in reverse]),
    ):
        for name in names:
            wire = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
            yield b"\0\1\1\0\0\1\0\0\0\0\0\0" + wire + b"\0" + rtype.to_bytes(2) + b"\0\1"


TestFolder = FolderMachine.TestCase
# FOLDER_HISTORIES=2000 scripts/test tests/test_folder_machine.py looks longer.
TestFolder.settings = settings(max_examples=int(os.environ.get("FOLDER_HISTORIES", "40")), stateful_step_count=30)
