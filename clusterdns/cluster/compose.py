"""YAML document -> tree of dicts, lists and text, by one iterative composer over libyaml's events.

PyYAML's own composer recurses in C and crashes the process on 30 kB of ``[``; by events it is also faster.
"""

from typing import Any

import msgspec
import yaml
from yaml import events as ev

from clusterdns.cluster.documents import Document, DocumentError, Limits, events
from clusterdns.cluster.yaml_errors import syntax_error, unless_template


class Quoted(str):
    """A scalar that was quoted, a block, or tagged as text: never a number, a boolean or null."""

    __slots__ = ()


class Composed(msgspec.Struct):
    """*root*: dict, list, str (plain), Quoted or None."""

    root: Any
    line: int  # where *root* begins, 1-based in the file
    item_lines: dict[int, int]  # id() of a mapping directly in a list called ``items`` -> its line


def compose(document: Document, limits: Limits = Limits()) -> Composed:  # noqa: B008 -- frozen
    """Raises DocumentError, with the line in the file."""
    if len(document.text) > limits.octets:
        raise DocumentError(
            document.line,
            f"a YAML document of {len(document.text) >> 20} MiB: at most {limits.octets >> 20} MiB are read",
            "split it, or write it as JSON, which has no such limit",
            "CD102",
        )
    composer = _Composer(limits, document.line)
    handle = composer.handle
    try:
        for event in events(document.text):
            handle[type(event)](event)
    except yaml.YAMLError as error:
        raise unless_template(syntax_error(error, document, composer.root), document) from None
    except DocumentError as error:
        error.partial = composer.root
        raise unless_template(error, document) from None
    finally:
        handle.clear()  # It leads back to the composer: the tree would stay until the collector of cycles comes by.
    return Composed(composer.root, composer.line, composer.item_lines)


_MERGE = "\0<<"  # stands for the plain key ``<<``
# These are taken as plain text; whatever else is tagged is text, as in kubectl.
_PLAIN_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null", "timestamp"))
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))


class _Composer:
    """Events -> tree.  Children are hung into their parent when they open, so that *root* is always usable."""

    def __init__(self, limits: Limits, first_line: int) -> None:
        self.root: Any = None
        self.line = first_line
        self.item_lines: dict[int, int] = {}
        self.handle: dict[type[ev.Event], Any] = {
            ev.ScalarEvent: self._scalar,
            ev.MappingStartEvent: self._open_mapping,
            ev.SequenceStartEvent: self._open_sequence,
            ev.MappingEndEvent: self._close_mapping,
            ev.SequenceEndEvent: self._close,
            ev.AliasEvent: self._alias,
            ev.StreamStartEvent: self._ignore,
            ev.StreamEndEvent: self._ignore,
            ev.DocumentStartEvent: self._start,
            ev.DocumentEndEvent: self._ignore,
        }
        self._limits = limits
        self._first_line = first_line
        self._started = False
        self._node: Any = None  # the innermost open dict or list
        self._key: str | None = None  # in a dict: the key whose value comes next
        self._items = False  # the innermost open node is a list called ``items``
        self._outer: list[tuple[Any, bool, int, str | None]] = []  # (node, items, count at its start, anchor)
        self._count = 0
        self._aliases = 0
        self._anchors: dict[str, tuple[Any, int]] = {}  # -> (node, number of nodes in it)

    def _ignore(self, event: ev.Event) -> None:
        pass

    def _start(self, event: ev.Event) -> None:
        if self._started:
            raise self._error(event, "a second document begins without a line ---", "write --- between documents")
        self._started = True

    def _scalar(self, event: Any) -> None:
        value = event.value
        if self._key is None and type(self._node) is dict:
            self._new_key(event, value)
            return
        if event.style or (event.tag and event.tag not in _PLAIN_TAGS):
            value = Quoted(value)
        elif value in _NULLS:
            value = None
        self._add(event, value)
        if event.anchor:
            self._anchor(event, event.anchor, value, 1)

    def _new_key(self, event: Any, key: str) -> None:
        plain = not event.style
        if "\0" in key:
            raise self._error(event, "a NUL in a key", "remove it")
        if plain and key == "<<":
            key = _MERGE
        if key in self._node:
            shown = "<<" if key is _MERGE else key
            raise self._error(event, f"the key {shown} is there twice", "keep one of them", "CD105")
        if plain and not key:
            raise self._error(event, "a colon without a key before it", "write the key, or quote the text", "CD106")
        if len(self._node) >= self._limits.keys:
            raise self._error(event, f"more than {self._limits.keys} keys in one mapping", "split it", "CD102")
        self._key = key
        if event.anchor:
            self._anchor(event, event.anchor, key, 1)

    def _open_mapping(self, event: Any) -> None:
        node: dict[str, Any] = {}
        if self._items:
            self.item_lines[id(node)] = self._first_line + event.start_mark.line
        self._open(event, node, items=False)

    def _open_sequence(self, event: Any) -> None:
        self._open(event, [], items=self._key == "items")

    def _open(self, event: Any, node: Any, *, items: bool) -> None:
        if self._key is None and type(self._node) is dict:
            raise self._error(event, "a key that is a list or a mapping", "keys are text: quote it", "CD106")
        self._add(event, node)
        if len(self._outer) >= self._limits.depth:
            raise self._error(event, f"nested deeper than {self._limits.depth}", "flatten the document", "CD102")
        if event.anchor:
            self._anchors.pop(event.anchor, None)
        self._outer.append((self._node, self._items, self._count, event.anchor))
        self._node, self._items = node, items

    def _close_mapping(self, event: ev.Event) -> None:
        if _MERGE in self._node:
            self._merge(event)
        self._close(event)

    def _close(self, event: ev.Event) -> None:
        node = self._node
        self._node, self._items, before, anchor = self._outer.pop()
        if anchor:
            self._anchor(event, anchor, node, self._count - before + 1)

    def _anchor(self, event: ev.Event, name: str, node: Any, size: int) -> None:
        if len(self._anchors) >= self._limits.anchors:
            raise self._error(event, f"more than {self._limits.anchors} anchors", "remove those of no alias", "CD102")
        self._anchors[name] = (node, size)

    def _alias(self, event: Any) -> None:
        if self._key is None and type(self._node) is dict:
            raise self._error(event, "an alias as a key", "write the key out", "CD106")
        if event.anchor not in self._anchors:
            inside = any(anchor == event.anchor for *_, anchor in self._outer)
            problem = f"the alias *{event.anchor} " + ("contains itself" if inside else "has no anchor before it")
            raise self._error(event, problem, f"write what it stands for, or &{event.anchor} before it", "CD106")
        node, size = self._anchors[event.anchor]
        self._aliases += 1
        self._count += size - 1
        if self._aliases > self._limits.aliases:
            raise self._error(event, f"more than {self._limits.aliases} aliases", "write the values out", "CD102")
        self._add(event, node)

    def _add(self, event: Any, value: Any) -> None:
        self._count += 1
        if self._count > self._limits.nodes:
            raise self._error(event, f"more than {self._limits.nodes} values", "split the document", "CD102")
        node = self._node
        if type(node) is list:
            node.append(value)
        elif node is None:
            self.root = value
            self.line = self._first_line + event.start_mark.line
        else:
            if self._key is _MERGE and type(value) not in (dict, list):
                raise self._error(
                    event, "<< takes a mapping or a list of mappings", "name an anchor: <<: *name", "CD106"
                )
            node[self._key] = value
            self._key = None

    def _merge(self, event: ev.Event) -> None:
        """``<<: *defaults``: what is written here wins, then earlier sources before later ones (YAML 1.1)."""
        merged = self._node.pop(_MERGE)
        for source in merged if type(merged) is list else [merged]:
            if type(source) is not dict:
                raise self._error(
                    event, "<< takes a mapping or a list of mappings", "name an anchor: <<: *name", "CD106"
                )
            for key, value in source.items():
                self._node.setdefault(key, value)

    def _error(self, event: Any, problem: str, remedy: str, code: str = "CD103") -> DocumentError:
        return DocumentError(self._first_line + event.start_mark.line, problem, remedy, code)
