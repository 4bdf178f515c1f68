"""Results as a picture: learning curves with their interval, and bars where there are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tenon.experiments.results import CurvePoint, Results, Summary, summarise
from tenon.experiments.statistics import mean_interval

_PANEL_INCHES = (5.0, 3.6)
_COLUMNS = 3
_DPI = 110
_BAND_ALPHA = 0.2


def plot_results(path: Path, title: str, results: Results, metric: str = "success") -> None:
    """One panel per setting, one line per method: mean over seeds with its 95 % interval.

    Methods without a learning curve (a hand-written controller) are level lines. Only ``metric`` is drawn, or the first
    metric where there is no such.
    """
    from matplotlib.figure import Figure

    summaries = summarise(results.rows)
    metrics = [item.metric for item in summaries]
    drawn = metric if metric in metrics or not metrics else metrics[0]
    settings = list(dict.fromkeys(item.setting for item in summaries if item.metric == drawn))
    columns = max(1, min(_COLUMNS, len(settings)))
    rows = max(1, -(-len(settings) // columns))
    figure = Figure(figsize=(_PANEL_INCHES[0] * columns, _PANEL_INCHES[1] * rows), dpi=_DPI, layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    colours = {name: f"C{i}" for i, name in enumerate(dict.fromkeys(item.method for item in summaries))}
    for panel, setting in zip(panels, settings, strict=False):
        _draw(panel, [s for s in summaries if (s.setting, s.metric) == (setting, drawn)], results, colours)
        panel.set(title=setting, xlabel="updates and steps", ylabel=drawn)
        panel.grid(alpha=0.3)
        panel.legend(fontsize="x-small")
    for panel in panels[len(settings) :]:
        panel.set_axis_off()
    beside = path.with_name(f".{path.name}")
    figure.savefig(beside, format="png")
    beside.replace(path)


def _draw(panel: Any, summaries: list[Summary], results: Results, colours: dict[str, str]) -> None:
    for item in summaries:
        colour = colours[item.method]
        points = [
            p for p in results.curve if (p.method, p.setting, p.metric) == (item.method, item.setting, item.metric)
        ]
        if len({point.step for point in points}) < 2:
            panel.axhline(item.mean, color=colour, linestyle="--", linewidth=1.0, label=item.method)
            continue
        steps, means, low, high = band(points)
        panel.plot(steps, means, color=colour, label=item.method)
        panel.fill_between(steps, low, high, color=colour, alpha=_BAND_ALPHA, linewidth=0)


def band(points: list[CurvePoint]) -> tuple[Any, ...]:
    """Steps, means, lower and upper ends of the interval, each (n,); ends equal the mean where there is one seed.

    Seeds are looked at where their episodes end, not all at the same steps: between its looks a curve is a line.
    """
    curves: dict[int, dict[int, float]] = {}
    for point in points:
        curves.setdefault(point.seed, {})[point.step] = point.value
    by_step: dict[int, list[float]] = {step: [] for step in sorted({point.step for point in points})}
    for curve in curves.values():
        looks = sorted(curve)
        values = [curve[step] for step in looks]
        for step, seen in by_step.items():
            if looks[0] <= step <= looks[-1]:
                seen.append(float(np.interp(step, looks, values)))
    steps = list(by_step)
    intervals = [mean_interval(seen) for seen in by_step.values()]
    means = np.array([interval.mean for interval in intervals])
    low = np.array([interval.mean if interval.low is None else interval.low for interval in intervals])
    high = np.array([interval.mean if interval.high is None else interval.high for interval in intervals])
    return np.array(steps), means, low, high
