"""What is wrong with a YAML document, in words that say what to do, at the line where it is to be done.

libyaml complains where it gives up, which is often a line or a page behind the mistake.
"""

import re
from typing import Any

import yaml

from clusterdns.cluster import pieces
from clusterdns.cluster.documents import Document, DocumentError

# libyaml's words -> ours.
_EXPLAINED = {
    "mapping values are not allowed": ("a colon where none can be", "indent the line right, or quote the text"),
    "found character that cannot start any token": ("a character that cannot start a value", "quote the text"),
    "found a tab character": ("a tab where indentation is expected", "indent with spaces"),
    "did not find expected key": ("neither a key nor the end of the mapping", "line it up with the keys above"),
    "could not find expected ':'": ("a line without a colon among keys", "write `key: value`, or indent the line"),
    "did not find expected '-' indicator": ("no - where the list goes on", "line it up with the items above"),
    "found unexpected end of stream": ("a quote that is never closed", "close the quote"),
    "found unexpected document indicator": ("a quote that is never closed", "close the quote"),
    "did not find expected ',' or ']'": ("a [ that is never closed", "close it, or write a comma"),
    "did not find expected ',' or '}'": ("a { that is never closed", "close it, or write a comma"),
    "did not find expected node content": ("no value where one is expected", "write the value, or close the bracket"),
    "control characters are not allowed": ("a control character", "remove it"),
}


def syntax_error(error: yaml.YAMLError, document: Document, partial: Any) -> DocumentError:
    """The parser's error in words that say what to do."""
    mark = getattr(error, "problem_mark", None)
    position = getattr(error, "position", 0) or 0  # of a ReaderError, which has no mark
    row = mark.line if mark is not None else pieces.newlines(document.text, 0, position)
    reason = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "this is no YAML")
    problem, remedy = next(
        (e for start, e in _EXPLAINED.items() if reason.startswith(start)), (reason, "mend the YAML")
    )
    context = getattr(error, "context_mark", None)
    if problem.endswith("never closed") and context is not None:
        row = context.line  # where it was opened; the parser has gone on to where it gave up
    row, text = _row(document.text, row)
    if conflict := next(pieces.matches(_CONFLICT, document.text, 0, _CONFLICT_OCTETS), None):
        row = pieces.newlines(document.text, 0, conflict.start())
        problem, remedy = "a mark of a merge conflict", "resolve the conflict, and remove all of its marks"
    elif re.match(rb"\s*\t", text):
        problem, remedy = _EXPLAINED["found a tab character"]
    elif odd_blank := next(
        (at for at in (row, row - 1) if at >= 0 and _ODD_BLANK.match(_row(document.text, at)[1])), None
    ):
        row, problem, remedy = odd_blank, "a blank that is none (U+00A0) in the indentation", "write plain blanks"
    elif mark is not None and reason.startswith(_ODD_SIGN) and (odd := text[mark.column : mark.column + 1]) in _SIGNS:
        problem, remedy = _SIGNS[odd]
    elif mark is not None and reason.startswith("mapping values are not allowed"):
        row, problem, remedy = _misplaced_colon(document.text, row, text[: mark.column])
    elif mark is None and ("UTF-8" in reason or "codec" in str(error)):
        problem, remedy = "text that is not UTF-8", "save the file as UTF-8"
    return DocumentError(document.line + row, problem, remedy, "CD103", partial)


_CONFLICT = re.compile(rb"(?m)^(?:<<<<<<< |>>>>>>> |=======$)")
_CONFLICT_OCTETS = 9  # of the longest, with a newline behind
_ODD_BLANK = re.compile(rb" *\xc2\xa0")
_ODD_SIGN = ("did not find expected key", "did not find expected node content")
_SIGNS = {
    b"}": ("a } that closes nothing", "remove it"),
    b"]": ("a ] that closes nothing", "remove it"),
    b":": ("a colon without a key before it", "write the key, or quote the text"),
}
_NO_BLANK = re.compile(rb"\s*(?:- +)*([A-Za-z0-9_./-]+):([^\s:/][^\s]*)\s*")


def _misplaced_colon(text: bytes, row: int, before: bytes) -> tuple[int, str, str]:
    """Row, problem and remedy.  *before*: what stands before the colon in its row.

    The parser takes two lines for one text when the first has no colon of its own, and complains at the second.
    """
    above, line = _above(text, row)
    bare = line.partition(b" #")[0].rstrip()
    if b": " in before:
        return row, "a second colon in one line", "quote the text that has a colon in it"
    if missing := _NO_BLANK.fullmatch(bare):
        shown = b"%b: %b" % missing.groups()
        return above, "no blank behind the colon", f"write {shown.decode(errors='replace')}"
    if re.match(rb"\s*-[^\s-]", bare):
        return above, "no blank behind the dash", "write - and a blank before each item"
    if bare and b": " not in bare and not bare.endswith(b":"):
        return above, "a line without a colon among keys", "write `key: value`"
    if bare and not bare.endswith(b":") and _indentation(before) > _indentation(line):
        return row, "indented deeper than the line above, which has a value", "indent both alike"
    return row, *_EXPLAINED["mapping values are not allowed"]


def _above(text: bytes, row: int) -> tuple[int, bytes]:
    """The nearest row above that has more than a comment."""
    while row:
        row, line = _row(text, row - 1)
        if line.strip() and not line.lstrip().startswith(b"#"):
            return row, line
    return 0, b""


def _indentation(line: bytes) -> int:
    return len(line) - len(line.lstrip(b" "))


def _row(text: bytes, row: int) -> tuple[int, bytes]:
    """That row of *text* or its last one, without a list of all the millions that there may be."""
    begin = 0
    for at in range(row):
        following = text.find(b"\n", begin) + 1
        if not following:
            return at, text[begin:]
        begin = following
    end = text.find(b"\n", begin)
    return row, text[begin : end if end >= 0 else len(text)]


_TEMPLATE = re.compile(rb"\{\{-?\s*[.$/a-zA-Z]")


def unless_template(error: DocumentError, document: Document) -> DocumentError:
    """Helm's templates are the YAML-like files that people have most: say so instead of what YAML makes of them."""
    for wanted in range(max(0, error.line - document.line - 1), error.line - document.line + 1):
        row, text = _row(document.text, wanted)
        if _TEMPLATE.search(text):
            remedy = "render it first, for example with `helm template`"
            return DocumentError(document.line + row, "a template, not YAML yet", remedy, "CD103", error.partial)
    return error
