"""The configuration file: a flat YAML mapping whose values keep their line and column.

Read by events, not by ``yaml.load``: events know their place, have no recursion, and leave scalars as text.
"""

from collections.abc import Iterator

import yaml

from clusterdns.config import SETTINGS, Fault, Given, Where
from clusterdns.config_names import nearest, unknown

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STARTS = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_ENDS = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


class _Refused(Exception):  # noqa: N818 - caught below, in the one place that reads a file
    """The rest of the file cannot be understood."""


def read_settings(data: bytes, path: str, faults: list[Fault]) -> dict[str, Given]:
    """The known settings of *data* by name; adds what is wrong with the others to *faults*.

    Those of which it cannot be told what they were meant to be have the default, and are ``unknown``.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        where = _behind(path, data[: error.start].decode("utf-8"))
        faults.append(Fault(where, "text that is not UTF-8; save the file as UTF-8"))
        return all_unknown(path)
    settings: dict[str, Given] = {}
    unsure: dict[str, Given] = {}
    try:
        for key, given in _entries(yaml.parse(text, Loader=_LOADER), path, faults):
            name, where = key.value, _where(path, key)
            if name not in SETTINGS:
                faults.append(Fault(where, unknown(name)))
                unsure |= {meant: _unknown(meant, where) for meant in [nearest(name)] if meant}
            elif name in settings:
                faults.append(Fault(where, f"{name} is set twice; remove one"))
                settings[name] = settings[name]._replace(unknown=True)
            else:
                settings[name] = given or _unknown(name, where)
    except yaml.YAMLError as error:
        faults.append(_broken(error, text, path))
        unsure = all_unknown(path)
    except _Refused:
        unsure = all_unknown(path)
    return unsure | settings


def all_unknown(path: str) -> dict[str, Given]:
    """Of a file that cannot be read to its end."""
    return {name: _unknown(name, Where(path)) for name in SETTINGS}


def _unknown(name: str, where: Where) -> Given:
    return Given(SETTINGS[name].default, where, unknown=True)


def _broken(error: yaml.YAMLError, text: str, path: str) -> Fault:
    if isinstance(error, yaml.reader.ReaderError):  # has no mark; libyaml counts octets
        position = error.position
        before = text[:position] if error.encoding == "unicode" else text.encode()[:position].decode(errors="ignore")
        return Fault(_behind(path, before), "a control character; remove it")
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or "no YAML"
    where = Where(path, mark.line + 1, mark.column + 1) if mark else Where(path)
    return Fault(where, f"{reason}; mend the YAML there or in the line above")


def _behind(path: str, before: str) -> Where:
    """The place of what comes after that part of a file."""
    return Where(path, before.count("\n") + 1, len(before) - before.rfind("\n"))


def _entries(
    events: Iterator[yaml.Event], path: str, faults: list[Fault]
) -> Iterator[tuple[yaml.ScalarEvent, Given | None]]:
    """Each key of the file with its value; None: the value is none, and *faults* says so."""

    def refuse(event: yaml.Event, text: str) -> None:
        faults.append(Fault(_where(path, event), text))

    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            break
    else:
        return  # empty, or nothing but comments
    top = next(events)
    if isinstance(top, yaml.ScalarEvent) and not top.value:
        return
    if not isinstance(top, yaml.MappingStartEvent):
        refuse(top, "not a mapping; write one `setting: value` per line")
        raise _Refused
    while not isinstance(key := next(events), yaml.MappingEndEvent):
        if not isinstance(key, yaml.ScalarEvent):
            refuse(key, "a setting has a plain name; write `setting: value`")
            raise _Refused
        yield key, _value(key.value, next(events), events, path, faults)
    next(events)
    if isinstance(extra := next(events), yaml.DocumentStartEvent):
        refuse(extra, "a second document; put all settings into the first")


def _value(name: str, event: yaml.Event, events: Iterator[yaml.Event], path: str, faults: list[Fault]) -> Given | None:
    """A scalar, or a list of scalars; *events* stand behind it afterwards."""
    where = _where(path, event)
    if isinstance(event, yaml.ScalarEvent):
        if event.implicit[0] and event.value in {"", "~", "null"}:
            none = ", or write [] for none" if _takes_none(name) else ""
            faults.append(Fault(where, f"{name} has no value; write one, or remove the line{none}"))
            return None
        return Given(event.value, where)
    if isinstance(event, yaml.SequenceStartEvent):
        return _items(name, where, events, path, faults)
    if name in SETTINGS and SETTINGS[name].mapping:
        return _pairs(name, where, events, path, faults)
    faults.append(Fault(where, f"{name} takes a value or a list of values; write them out"))
    _skip(event, events)
    return None


def _takes_none(name: str) -> bool:
    from clusterdns.config_values import FORMS  # noqa: PLC0415 - only a mistake has to pay

    try:
        return name in FORMS and FORMS[name].read([]) == ()
    except ValueError:
        return False


def _items(name: str, where: Where, events: Iterator[yaml.Event], path: str, faults: list[Fault]) -> Given:
    """The scalars of a list; of the rest *faults* is told."""
    values, places, before = [], [], len(faults)
    while not isinstance(event := next(events), yaml.SequenceEndEvent):
        if isinstance(event, yaml.ScalarEvent):
            values.append(event.value)
            places.append(_where(path, event))
        else:
            faults.append(Fault(_where(path, event), f"{name}: an item is one plain value; write it out"))
            _skip(event, events)
    return _listed(name, Given(values, where, tuple(places), unknown=len(faults) > before))


def _pairs(name: str, where: Where, events: Iterator[yaml.Event], path: str, faults: list[Fault]) -> Given:
    """A mapping as a list of ``key=value value``; each item stands where its key does."""
    values, places, before = [], [], len(faults)
    while not isinstance(key := next(events), yaml.MappingEndEvent):
        event = next(events)
        if not isinstance(key, yaml.ScalarEvent) or isinstance(event, yaml.MappingStartEvent | yaml.AliasEvent):
            faults.append(Fault(_where(path, key), f"{name}: a key has one value or a list; write it out"))
            _skip(key, events) if not isinstance(key, yaml.ScalarEvent) else None
            _skip(event, events)
        elif isinstance(event, yaml.ScalarEvent):
            values.append(f"{key.value}={event.value}")
            places.append(_where(path, key))
        else:
            values.append(f"{key.value}={' '.join(_items(name, where, events, path, faults).value)}")
            places.append(_where(path, key))
    return _listed(name, Given(values, where, tuple(places), unknown=len(faults) > before))


def _listed(name: str, given: Given) -> Given:
    """Of a list without any item that is one nothing more can be told."""
    return given if given.value or not given.unknown else _unknown(name, given.where)


def _skip(event: yaml.Event, events: Iterator[yaml.Event]) -> None:
    depth = int(isinstance(event, _STARTS))
    while depth:
        event = next(events)
        depth += isinstance(event, _STARTS) - isinstance(event, _ENDS)


def _where(path: str, event: yaml.Event) -> Where:
    mark = event.start_mark
    return Where(path, mark.line + 1, mark.column + 1) if mark else Where(path)
