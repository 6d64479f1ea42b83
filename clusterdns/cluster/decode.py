"""From the octets of one file to typed objects, each failing alone.

Documents that did not change since the last read of their file are not read again: see DocumentCache.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from clusterdns.cluster import pieces
from clusterdns.cluster.compose import compose
from clusterdns.cluster.documents import Document, DocumentError, Limits, locate, split
from clusterdns.cluster.faults import and_more
from clusterdns.cluster.json_list import JsonList, json_list
from clusterdns.cluster.json_outline import WINDOW, large_list
from clusterdns.cluster.json_stream import Lines, is_json, json_documents, json_items
from clusterdns.cluster.manifest import Identity, Reading, identity_of, items_of
from clusterdns.cluster.model import Object, Place
from clusterdns.cluster.plain import read_plain
from clusterdns.cluster.raw_json import value_octets
from clusterdns.cluster.schema import read_header
from clusterdns.errors import Problem, foremost, printable, shortened

logger = logging.getLogger("clusterdns.manifests")

MOST_PROBLEMS = 1000  # of one file, told one by one
MOST_KINDS = 100  # counted one by one

_MALFORMED = "CD104"
_MEND = ("mend the JSON", _MALFORMED)
_MEANT_AS_JSON = re.compile(rb"\s*(?:\{\s*\"|\[\s*[\[{\"])")


class Decoded(Struct, frozen=True):
    """What one file says."""

    objects: tuple[Object, ...]
    problems: tuple[Problem, ...]
    skipped: dict[str, int]  # kind -> number of documents of kinds that we do not use
    broken: tuple[Identity | None, ...]  # of documents with errors; None: it could not be told which object it is


class _Unit(Struct, frozen=True):
    """What one YAML document or JSON item says, where it was last seen."""

    place: Place  # its first octet
    objects: tuple[Object, ...] = ()
    problems: tuple[Problem, ...] = ()
    skipped: Mapping[str, int] = {}
    broken: tuple[Identity | None, ...] = ()

    def moved(self, place: Place) -> "_Unit":
        """The same objects where nothing moved, so that ``is`` tells what changed."""
        if place == self.place:
            return self
        by, path = place.line - self.place.line, place.path
        return _Unit(
            place,
            tuple(replace(o, place=Place(path, o.place.line + by, place.offset)) for o in self.objects),
            tuple(replace(p, path=path, line=p.line + by) for p in self.problems),
            self.skipped,
            self.broken,
        )


class DocumentCache:
    """The units of one file by the hash of what was written, as of its last read.  Not thread-safe.

    Python's own hash (SipHash of 64 bits with a key of this process): of a file with 20,000 documents one change in
    10**14 is missed.  A digest would take six times as long, a tenth of the whole.
    """

    def __init__(self) -> None:
        self._last: dict[int, _Unit] = {}
        self._now: dict[int, _Unit] = {}

    def begin(self) -> None:
        """A new read of the file."""
        self._last, self._now = self._now, {}

    def end(self) -> None:
        """What the read did not ask for is forgotten: it would keep the objects of yesterday in memory."""
        while self._last:  # one by one: dropped as a whole, 20,000 units would hold the interpreter for 10 ms
            self._last.popitem()

    def copy(self) -> "DocumentCache":
        """Between two reads."""
        made = DocumentCache()
        made._now = dict(self._now)
        return made

    def get(self, key: int, place: Place) -> _Unit | None:
        found = self._last.get(key)
        if found is None:
            return None
        self._now[key] = found.moved(place)
        return self._now[key]

    def put(self, key: int, unit: _Unit) -> None:
        self._now[key] = unit

    def forget(self) -> None:
        """As if no file had been read: it is gone."""
        self.begin()
        self.end()


def decode_file(data: bytes, path: str, cache: DocumentCache, limits: Limits = Limits()) -> Decoded:  # noqa: B008
    """Never raises: whatever is wrong with *data* is in ``problems``."""
    cache.begin()
    try:
        return _decoded(data, path, cache, limits)
    except Exception as error:  # noqa: BLE001 - logged there
        return _joined([_failed(Document(b"", 1, 0), path, error)], path)
    finally:
        cache.end()


def _decoded(data: bytes, path: str, cache: DocumentCache, limits: Limits) -> Decoded:
    try:
        return _joined(_list_units(data, path, cache, limits), path)
    except _LookCloserError:
        pass
    return _joined(_units(data, path, cache, limits), path)


class _LookCloserError(Exception):
    """It is no List in JSON as kubectl writes it."""


def _list_units(data: bytes, path: str, cache: DocumentCache, limits: Limits) -> Iterator[_Unit]:
    """Raises _LookCloserError, perhaps behind some units."""
    listed = json_list(data)
    if listed is None:
        raise _LookCloserError
    implied = listed.implied()
    if implied is None or len(listed.spans) > limits.items:
        pieces.drain(listed.spans)
        raise _LookCloserError
    for item in _items(Document(data, 1, 0), listed):
        unit = _cached(item, path, cache, implied, limits)
        if unit.problems and unit.problems[0].code == _MALFORMED:
            raise _LookCloserError
        yield unit


def _items(whole: Document, listed: JsonList) -> Iterator[Document]:
    """One at a time: text and model are never there of all of them at once, nor are their places freed at once."""
    lines, spans = Lines(whole), listed.spans
    spans.reverse()
    while spans:
        yield lines.part(*spans.pop())


def _joined(units: Iterable[_Unit], path: str) -> Decoded:
    objects: list[Object] = []
    problems: list[Problem] = []
    skipped: Counter[str] = Counter()
    broken: dict[Identity | None, None] = {}
    for unit in units:
        objects += unit.objects
        problems += unit.problems
        if unit.skipped:
            skipped.update(unit.skipped)
        if unit.broken:
            broken |= dict.fromkeys(unit.broken)
    first = first_problems(problems, path, MOST_PROBLEMS)
    pieces.drain(problems)
    return Decoded(tuple(objects), first, _few_kinds(skipped), tuple(broken))


def first_problems(problems: Sequence[Problem], path: str, most: int) -> tuple[Problem, ...]:
    """*most* of them, errors rather than warnings, and one at *path* that counts the rest."""
    told = foremost(problems, most)
    if len(told) == len(problems):
        return told
    errors, errors_told = (sum(one.severity == "error" for one in each) for each in (problems, told))
    severity: Literal["error", "warning"] = "error" if errors > errors_told else "warning"
    fault = and_more((), severity, len(problems) - len(told))
    return (*told, Problem(path, 0, severity, fault.code, "", fault.text, fault.remedy))


def _few_kinds(skipped: Counter[str]) -> dict[str, int]:
    few = dict(skipped.most_common(MOST_KINDS))
    if rest := skipped.total() - sum(few.values()):
        few["other"] = few.get("other", 0) + rest
    return few


def _units(data: bytes, path: str, cache: DocumentCache, limits: Limits) -> Iterator[_Unit]:
    try:
        documents = split(data, limits.documents)
    except DocumentError as error:
        yield _rejected(Document(data, 1, 0), path, error)
        return
    octets = 0
    for count, document in enumerate(documents):
        if count == limits.documents:
            yield _rejected(document, path, _too_many(document, f"{limits.documents} documents in one file"))
        elif is_json(document):
            yield from _json_units(document, path, cache, limits)
        else:
            octets += len(document.text)
            if octets > limits.octets:
                yield _rejected(document, path, _too_much(document, limits))
                return
            yield _cached(document, path, cache, None, limits)


def _too_much(document: Document, limits: Limits) -> DocumentError:
    text = f"more than {limits.octets >> 20} MiB of YAML in one file: the rest is not read"
    return DocumentError(document.line, text, "split the file, write it as JSON, or raise max_yaml_octets", "CD102")


def _too_many(document: Document, what: str) -> DocumentError:
    return DocumentError(document.line, f"more than {what}: the rest is not read", "split the file", "CD102")


def _json_units(document: Document, path: str, cache: DocumentCache, limits: Limits) -> Iterator[_Unit]:
    for count, (part, error) in enumerate(json_documents(document, limits.malformed)):
        if count == limits.documents:
            yield _rejected(part, path, _too_many(part, f"{count} JSON documents one after another"))
            return
        if error:
            yield _not_json(part, path, cache, limits, error)
            continue
        listed = (_large_list if len(part.text) > WINDOW else _small_list)(part, limits.items)
        if listed is None:
            yield _cached(part, path, cache, ("", ""), limits)
            continue
        for item in listed.items:
            yield _cached(item, path, cache, listed.implied, limits)
        if listed.more:
            yield _rejected(part, path, _too_many(part, f"{limits.items} items in one list"))


class _Listed(Struct):
    """What a List in JSON holds."""

    items: Iterator[Document]
    implied: tuple[str, str]
    more: bool  # items than are read


def _small_list(part: Document, most: int) -> _Listed | None:
    source = Raw(part.text)
    try:
        items = items_of(source, read_header(source))
    except UnicodeDecodeError:  # told when it is read
        return None
    if items is None:
        return None
    return _Listed(iter(json_items(part, items.sources[:most])), items.implied, len(items.sources) > most)


def _large_list(part: Document, most: int) -> _Listed | None:
    """What ``_small_list`` would find."""
    listed = large_list(part.text)
    if listed is None:
        return None
    implied = listed.implied()
    if implied is None:
        pieces.drain(listed.spans)
        return None
    more = len(listed.spans) > most
    del listed.spans[most:]
    return _Listed(_items(part, listed), implied, more)


def _not_json(part: Document, path: str, cache: DocumentCache, limits: Limits, error: DocumentError) -> _Unit:
    """``{a: b}`` is YAML; for what is neither, the JSON error is told where it looks like JSON."""
    unit = _cached(part, path, cache, None, limits)
    is_yaml = not any(problem.code in ("CD102", "CD103") for problem in unit.problems)
    if is_yaml or not _MEANT_AS_JSON.match(part.text):
        return unit
    return replace(_rejected(part, path, error), broken=unit.broken)


def _cached(
    document: Document, path: str, cache: DocumentCache, implied: tuple[str, str] | None, limits: Limits
) -> _Unit:
    """*implied*: apiVersion and kind that a typed list gives to its JSON items; None for YAML."""
    key = hash((pieces.hashed(document.text), implied))
    place = Place(path, document.line, document.offset)
    unit = cache.get(key, place)
    if unit is None:
        try:
            unit = (
                _read_yaml(document, path, limits) if implied is None else _read_json(document, path, implied, limits)
            )
        except Exception as error:  # noqa: BLE001 - logged there
            unit = _failed(document, path, error)
        cache.put(key, unit)
    return unit


def _failed(document: Document, path: str, error: Exception) -> _Unit:
    """A mistake of ours.  It costs this document and not the server: no file may end the process."""
    logger.error("%s:%d: this document cannot be read", printable(path), document.line, exc_info=error)
    text = f"clusterdns itself fails at it ({type(error).__name__})"
    return _rejected(document, path, DocumentError(document.line, text, "report this as a bug", "CD109"))


def _read_yaml(document: Document, path: str, limits: Limits) -> _Unit:
    try:
        composed = compose(document, limits)
    except DocumentError as error:
        unit = _rejected(document, path, error)
        pieces.discard(error.partial)
        return unit
    place = Place(path, composed.line, document.offset)
    reading = Reading(place, composed.item_lines)
    reading.read(composed.root)
    unit = _finished(document, path, reading)
    if len(document.text) > pieces.PIECE:
        pieces.discard(composed.root)
    return unit


def _read_json(document: Document, path: str, implied: tuple[str, str], limits: Limits) -> _Unit:
    if len(document.text) > limits.object_octets:
        octets, most = len(document.text) / (1 << 20), limits.object_octets >> 20
        text = f"one object of {octets:.1f} MiB: at most {most} MiB are read"
        return _rejected(document, path, DocumentError(document.line, text, "distribute it over several", "CD102"))
    place = Place(path, document.line, document.offset)
    try:
        if plain := read_plain(document.text, implied, place):
            return _Unit(place, (plain,))
        if value_octets(document.text) < len(document.text):
            return _rejected(document, path, DocumentError(document.line, "more than one value", *_MEND))
        reading = Reading(place, {})
        reading.read(Raw(document.text), implied=implied)
    except (msgspec.DecodeError, RecursionError) as error:
        return _rejected(document, path, DocumentError(document.line, str(error), *_MEND))
    except UnicodeDecodeError:
        return _rejected(document, path, _not_text(document))
    return _finished(document, path, reading)


def _not_text(document: Document) -> DocumentError:
    """msgspec says at which octet of a value; here it is at which line."""
    line = document.line
    try:
        document.text.decode()
    except UnicodeDecodeError as error:
        line += pieces.newlines(document.text, 0, error.start)
    return DocumentError(line, "text that is not UTF-8", "save the file as UTF-8", _MALFORMED)


def _finished(document: Document, path: str, reading: Reading) -> _Unit:
    """Where every fault is has only to be found out if there is one."""
    faults = [*reading.faults, *reading.more()]
    lines = locate(document, {fault.path for _, fault in faults}) if faults else {}
    problems = (
        Problem(path, lines[fault.path], fault.severity, fault.code, about, fault.text, fault.remedy)
        for about, fault in faults
    )
    return _Unit(
        Place(path, document.line, document.offset),
        tuple(reading.objects),
        tuple(dict.fromkeys(problems)),
        reading.skipped,
        tuple(reading.broken),
    )


def _rejected(document: Document, path: str, error: DocumentError) -> _Unit:
    name = identity_of(error.partial, whole=False)
    about = shortened(f"{name[0]} {name[1]}") if name else ""
    text, remedy = shortened(error.problem), shortened(error.remedy)
    problem = Problem(path, error.line, "error", error.code, about, text, remedy)
    return _Unit(Place(path, document.line, document.offset), problems=(problem,), broken=(name,))
