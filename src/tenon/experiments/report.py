"""The report of an experiment: ``report.json``, a Markdown table and a plot in one folder.

``report.json`` is a format that others read: {"name", "passed", "bar", "rows", "summary", "cpu_s", "wall_s",
"versions"}. ``low`` and ``high`` of the summary are Student's 95 % interval of the mean over seeds, not clipped, and
null where there is one seed. ``bar`` lists every condition with its threshold and what was measured (null: the runs
that it needs have failed); ``passed`` means that all are met.
"""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tenon.data.mapped_array import write_beside
from tenon.experiments.plot import plot_results
from tenon.experiments.results import Condition, Results, Summary, summarise

REPORT, TABLE, PLOT, CURVES = "report.json", "table.md", "plot.png", "curves.json"
DETAIL = " on "
"""In the name of a metric of one part of a setting: such rows are in report.json, and left out of tables."""
_PACKAGES = ("tenon", "torch", "numpy", "mujoco", "gymnasium", "gymnasium-robotics")


@dataclass(frozen=True, slots=True)
class Report:
    """An experiment's outcome. cpu_s: of all runs; wall_s: of all starts that it took."""

    name: str
    bar: tuple[Condition, ...]
    results: Results
    cpu_s: float
    wall_s: float

    @property
    def passed(self) -> bool:
        return bool(self.bar) and all(condition.met for condition in self.bar)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "passed": self.passed,
            "bar": [_condition_json(condition) for condition in self.bar],
            "rows": [asdict(row) for row in self.results.rows],
            "summary": [asdict(item) for item in summarise(self.results.rows)],
            "cpu_s": round(self.cpu_s, 1),
            "wall_s": round(self.wall_s, 1),
            "versions": versions(),
        }


def write_report(out: Path, report: Report, *, plotted: str = "success", extra_table: str = "") -> None:
    """Writes the report's files; each is there whole or not at all. Raises StorageError."""
    out.mkdir(parents=True, exist_ok=True)
    write_beside(out / CURVES, _json([asdict(point) for point in report.results.curve]))
    write_beside(out / TABLE, markdown(report, extra_table).encode())
    plot_results(out / PLOT, report.name, report.results, plotted)
    write_beside(out / REPORT, _json(report.to_json()))


def markdown(report: Report, extra_table: str = "") -> str:
    """The bar, what an experiment adds, and all means with their intervals."""
    head = ("condition", "bar", "measured", "met")
    bar = [(c.condition, f"{c.relation} {c.threshold:g}", _number(c.measured), _yes(c.met)) for c in report.bar]
    columns = ("method", "setting", "metric", "mean", "95 % interval", "seeds")
    lines = [
        (s.method, s.setting, s.metric, _number(s.mean), _interval(s), str(s.seeds))
        for s in summarise(report.results.rows)
        if DETAIL not in s.metric
    ]
    verdict = "passed" if report.passed else "missed"
    parts = [f"# {report.name}: bar {verdict}", table(head, bar), extra_table.strip(), table(columns, lines)]
    cost = f"{report.cpu_s / 60:.1f} CPU minutes, {report.wall_s / 60:.1f} minutes by the clock."
    return "\n\n".join(part for part in (*parts, cost) if part) + "\n"


def table(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = (columns, ["---"] * len(columns), *lines)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def versions() -> dict[str, str]:
    """Of Python and of the packages that results depend on; those that are not installed are left out."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _condition_json(condition: Condition) -> dict[str, Any]:
    measured = condition.measured
    finite = None if measured is None or not math.isfinite(measured) else measured
    return {**asdict(condition), "measured": finite, "met": condition.met}


def _json(data: Any) -> bytes:
    return (json.dumps(data, indent=1, allow_nan=False) + "\n").encode()


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _interval(item: Summary) -> str:
    return "-" if item.low is None or item.high is None else f"{item.low:.3g} to {item.high:.3g}"


def _yes(met: bool) -> str:
    return "yes" if met else "**no**"
