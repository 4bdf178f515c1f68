"""The results of the loop benchmark for a reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from loop_statistics import Distribution, Figure, Results, State
from loop_wires import WireName
from rich.console import Console
from rich.table import Table

WIDTH = 150
LARGE = 1000.0
RATIOS = "p50 over that of zenoh bytes"
HEAD = """# The control loop

Written by `python benchmarks/loop.py --markdown docs/results/loop.md`; `benchmarks/README.md` says how each figure is
measured. *idle*: no trainer, a frozen policy. *training*: beside it a trainer that updates without pause. Shares the
cores with everything that it measures. "-": too few samples for this percentile.
"""


def add_ratios(results: Results) -> None:
    """Adds, for everything that was also done with plain bytes over Zenoh, how much longer it took."""
    rows = {(row.section, row.name, row.state): row.distribution.p50 for row in results.rows()}
    for (section, name, state), p50 in rows.items():
        # A wire's name goes before what is the same for its floor.
        wire = max((wire for wire in WireName if name.startswith(wire)), key=len, default=None)
        if wire is None or wire is WireName.ZENOH:
            continue
        floor = rows.get((section, name.replace(wire, WireName.ZENOH, 1), state))
        if floor:
            results.add_figure(f"{section}: {RATIOS}", name, state, p50 / floor, "x")


def write_tables(results: Results, stream: TextIO) -> None:
    """Durations, then single figures, for a terminal."""
    console = Console(file=stream, width=WIDTH)
    for table in (durations(results), figures(results)):
        console.print(_rich(table))


def to_markdown(results: Results, conditions: str) -> str:
    """The page of docs/results. conditions: where and with which counts it was measured."""
    parts = [HEAD, conditions, ""]
    for table in (durations(results), figures(results)):
        parts += [f"## {table.title[:1].upper()}{table.title[1:]}", ""]
        for section, lines in table.sections.items():
            parts += [
                f"**{section}**",
                "",
                _line(["", *(column.replace("\n", " ") for column in table.columns)]),
                _line(["---"] * (len(table.columns) + 1)),
            ]
            parts += [*(_line(cells) for cells in lines), ""]
    return "\n".join(parts)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table as text. sections: title -> lines of a name and one cell for each column."""

    title: str
    columns: list[str]
    sections: dict[str, list[list[str]]]


def durations(results: Results) -> Sheet:
    """One line for each duration, five columns for each state."""
    found: dict[str, dict[str, dict[State, Distribution]]] = {}
    for row in results.rows():
        found.setdefault(row.section, {}).setdefault(row.name, {})[row.state] = row.distribution
    columns = [f"{state}\n{column}" for state in State for column in ("n", "p50", "p99", "p99.9", "max")]
    sections = {
        section: [[name, *(cell for state in State for cell in _cells(by.get(state)))] for name, by in names.items()]
        for section, names in found.items()
    }
    return Sheet("durations in ms", columns, sections)


def figures(results: Results) -> Sheet:
    """One line for each single number."""
    found: dict[str, dict[str, dict[State, Figure]]] = {}
    for figure in results.figures():
        found.setdefault(figure.section, {}).setdefault(figure.name, {})[figure.state] = figure
    sections: dict[str, list[list[str]]] = {}
    for section, names in found.items():
        for name, by in names.items():
            values = [_number(by[state].value) if state in by else "" for state in State]
            sections.setdefault(section, []).append([name, *values, next(iter(by.values())).unit])
    return Sheet("figures", [*State, "unit"], sections)


def _cells(found: Distribution | None) -> tuple[str, ...]:
    if found is None:
        return ("",) * 5
    return (str(found.count), *(_number(value) for value in (found.p50, found.p99, found.p999, found.maximum)))


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= LARGE else f"{value:.3g}"


def _rich(sheet: Sheet) -> Table:
    table = Table(title=sheet.title, title_justify="left")
    table.add_column("", no_wrap=True)
    for column in sheet.columns:
        table.add_column(column, justify="right")
    for section, lines in sheet.sections.items():
        table.add_row(f"[bold]{section}[/bold]")
        for name, *cells in lines:
            table.add_row(f"  {name}", *cells)
    return table


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
