"""An explanation for people: the answer, why it is so, and what to do; then how it came about."""

import re
from collections.abc import Iterator

import msgspec

from clusterdns.errors import printable
from clusterdns.views.explanation import EXIT, FORWARDED, Answer, EndpointLine, Explanation, ServiceLine

_STAND_IN = re.compile(r"\(stand-in of .*\)")
_MEANS = {
    "NXDOMAIN": "no such name",
    "NODATA": "the name exists, without such a record",
    "REFUSED": "a name of others",
    FORWARDED: "others know",
}
_BOLD, _RED, _GREEN, _PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[0m"
_MARGIN = 11  # columns before what a title is about
_FEW = 3  # values on the first line


def as_text(found: Explanation, *, search: bool, colour: bool) -> str:
    """*search*: with the outcome of every step.  *colour*: for a terminal."""
    lines = [*_head(found), "", *_records(found), *_way(found, search=search)]
    if found.service:
        lines += _service(found.service)
    lines += [_titled("Note", note) for note in found.notes]
    shown = map(printable, lines)
    return "".join(f"{_coloured(line, at) if colour else line}\n" for at, line in enumerate(shown))


def _coloured(line: str, at: int) -> str:
    if not at:
        return f"{_BOLD}{line}{_PLAIN}"
    if line.startswith("  out "):
        return f"{_RED}{line}{_PLAIN}"
    return f"{_GREEN}{line}{_PLAIN}" if line.startswith("  in ") else line


def as_json(found: Explanation) -> str:
    body = {"status": found.status, "exit": exit_code(found)} | msgspec.to_builtins(found)
    return msgspec.json.format(msgspec.json.encode(body), indent=2).decode() + "\n"


def exit_code(found: Explanation) -> int:
    return EXIT.get(found.status, 1)


def _head(found: Explanation) -> Iterator[str]:
    """At most three lines, the cause among them."""
    negative = found.status != "NOERROR"
    yield f"{found.name}  {_outcome(found)}"
    cause = found.cause
    if negative:
        yield _titled("Why", cause.text if cause else found.status)
    else:
        yield _titled("Why", found.why or (cause.text if cause else ""))
        if cause:
            yield _titled("But", cause.text)
    if found.suggestions:
        yield _titled("Try", f"did you mean {_either(found.suggestions)}?")
    if cause and cause.advice:
        yield _titled("To do", cause.advice)


def _outcome(found: Explanation) -> str:
    statuses = {answer.status for answer in found.answers}
    if len(statuses) == 1 and found.status != "NOERROR":
        means = f" ({_MEANS[found.status]})" if found.status in _MEANS else ""
        return f"{', '.join(answer.type for answer in found.answers)}: {found.status}{means}"
    return "   ".join(f"{answer.type}: {_values(answer)}" for answer in found.answers)


def _values(answer: Answer) -> str:
    if answer.status != "NOERROR":
        return answer.status
    values = [record.split(" ", 4)[4] for record in answer.records if record.split(" ", 4)[3] == answer.type]
    if not values:
        return " -> ".join(record.split(" ", 4)[4] for record in answer.records) or "NOERROR"
    more = len(values) - _FEW
    return ", ".join(values[:_FEW]) + (f" + {more} more" if more > 0 else "")


def _either(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _titled(title: str, text: str) -> str:
    return f"{title}:".ljust(_MARGIN) + text


def _records(found: Explanation) -> Iterator[str]:
    lines = list(dict.fromkeys(record for answer in found.answers for record in answer.records))
    for at, line in enumerate(lines[:20]):
        yield _titled("Records", line) if not at else " " * _MARGIN + line
    if len(lines) > 20:
        yield " " * _MARGIN + f"+ {len(lines) - 20} more"


def _way(found: Explanation, *, search: bool) -> Iterator[str]:
    if found.search and not search:
        count = len(found.search)
        yield _titled("Search", f'a pod of {found.namespace} asks for "{found.asked}" as ' + _place(found, count))
    for at, step in enumerate(found.search if search else ()):
        title = _titled("Search", "") if not at else " " * _MARGIN
        yield f"{title}{step.name}  {step.outcome or 'not asked any more'}"
    zone = f"{found.zone}, {found.rule}" if found.zone else found.rule
    yield _titled("Zone", zone)
    if len(found.alias) > 1:
        yield _titled("Alias", " -> ".join(found.alias))


def _place(found: Explanation, count: int) -> str:
    if found.status in ("NOERROR", FORWARDED):
        return f"{found.name}, {[step.name for step in found.search].index(found.name) + 1} of {count}"
    return f"{count} names (see --search), none of which is found; this is the likeliest to be meant"


def _service(service: ServiceLine) -> Iterator[str]:
    yield _titled("Service", f"{service.name} ({service.place}), {service.type}")
    for at, address in enumerate(service.addresses):
        yield _titled("ClusterIP", address) if not at else " " * _MARGIN + address
    if service.ports:
        yield _titled("Ports", ", ".join(service.ports))
    if service.endpoints is None:
        return
    found = service.endpoints
    counts = f"{found.inside} in, {found.outside} out"
    yield _titled("Endpoints", f"{counts}; from {'; '.join(found.makers)}" if found.makers else counts)
    if found.lines:
        rows = [_cells(line, named=service.type == "headless") for line in found.lines]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width]
            yield f"  {'  '.join(cells)}".rstrip()
    if found.rest:
        yield f"  + {found.rest} more"


def _cells(line: EndpointLine, *, named: bool) -> list[str]:
    """*named*: with the endpoint's label, which is a name of its own below a headless Service.

    Which workload a stand-in stands for is told above, once.
    """
    item, reason = _STAND_IN.sub("(stand-in)", line.item), line.cause.text if line.cause else ""
    place = "in " if line.inside else "near" if line.near else "out"
    return [place, line.address or "no address", line.name if named else "", item, reason]
