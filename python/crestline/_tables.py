"""Tables for a terminal and for a notebook: rows in, text out."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import isnan


def shown(value: object) -> str:
    """A value as a table has it: numbers with four digits or as many as they have before the point."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isnan(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def text(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table with lines of `+---+`, as the command line prints them."""
    cells = [list(head), *([shown(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    values: list[Sequence[object]] = [head, *rows]
    lines = [
        "| " + " | ".join(map(_aligned, row, line, widths)) + " |"
        for row, line in zip(values, cells)
    ]
    return "\n".join([rule, lines[0], rule.replace("-", "="), *lines[1:], rule])


def _aligned(value: object, cell: str, width: int) -> str:
    is_number = value is None or isinstance(value, (int, float))
    return cell.rjust(width) if is_number else cell.ljust(width)


def _cell(value: object) -> str:
    is_number = isinstance(value, (int, float))
    style = ' style="text-align:right"' if is_number else ""
    return f"<td{style}>{escape(shown(value))}</td>"


def html(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """The same as a table of HTML; texts are quoted."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
