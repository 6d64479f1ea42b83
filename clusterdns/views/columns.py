"""Cells -> lines with aligned columns, as Go's text/tabwriter does it, which kubectl prints with."""

from collections.abc import Sequence

TABLE = (6, 3)  # kubectl get: least width of a column, blanks behind its longest cell
DESCRIPTION = (0, 2)  # kubectl describe

_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {
    27: "^[",
    9: "\\t",
    10: "\\n",
    13: "\\r",
}


def align(rows: Sequence[Sequence[str]], style: tuple[int, int], least: Sequence[int] = ()) -> tuple[str, list[int]]:
    """The text, each line ended, and the widths of the first row's columns.

    A column is a run of consecutive rows that have a cell behind it; a row's last cell is in none.  *least*: widths
    that are kept even if nothing needs them, for rows that follow others already printed.
    """
    shown = [[cell.translate(_CONTROL) for cell in row] for row in rows]
    widths: list[list[int]] = [[] for _ in shown]
    _measure(shown, widths, 0, len(shown), style, least)
    lines = (
        "".join(cell.ljust(width) for cell, width in zip(row, (*wide, 0), strict=True)) + "\n"
        for row, wide in zip(shown, widths, strict=True)
    )
    return "".join(lines), widths[0] if widths else list(least)


def _measure(
    rows: list[list[str]],
    widths: list[list[int]],
    start: int,
    end: int,
    style: tuple[int, int],
    least: Sequence[int],
    column: int = 0,
) -> None:
    """Appends to *widths* of the rows from *start* to *end* those of *column* and the ones behind it."""
    minimum, padding = style
    at = start
    while at < end:
        first = at
        while at < end and column < len(rows[at]) - 1:
            at += 1
        if first == at:
            at += 1
            continue
        floor = max(minimum, least[column] if column < len(least) else 0)
        width = max(floor, *(len(row[column]) + padding for row in rows[first:at]))
        for row in widths[first:at]:
            row.append(width)
        _measure(rows, widths, first, at, style, least, column + 1)
