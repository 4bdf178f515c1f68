"""The learning curve of a session as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tenon.control.types import Vector
from tenon.session.statistics import RECENT_EPISODES, EpisodeSummary

SIZE_INCHES = (8.0, 6.0)
DPI = 120


def recent_success(episodes: Sequence[EpisodeSummary], window: int = RECENT_EPISODES) -> Vector:
    """(n,): success rate over the newest ``window`` episodes up to each one; fewer where there are not so many yet."""
    successes = np.array([float(episode.success) for episode in episodes])
    total = np.concatenate(([0.0], np.cumsum(successes)))
    ends = np.arange(1, len(successes) + 1)
    starts = np.maximum(0, ends - window)
    return np.asarray((total[ends] - total[starts]) / (ends - starts))


def plot_learning_curve(
    path: Path, episodes: Sequence[EpisodeSummary], baselines: Mapping[str, float], title: str
) -> None:
    """Writes a PNG: success over the last twenty episodes above, return per episode below.

    baselines: name -> success rate, drawn as level lines to compare with.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCHES, dpi=DPI, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    numbers = np.arange(1, len(episodes) + 1)
    upper.plot(numbers, recent_success(episodes), color="tab:blue", label=f"training, last {RECENT_EPISODES}")
    for index, (name, rate) in enumerate(baselines.items()):
        upper.axhline(rate, color=f"C{index + 1}", linestyle="--", label=f"{name}, evaluated")
    upper.set(ylabel="success", ylim=(-0.02, 1.02), title=title)
    upper.legend(loc="best")
    lower.plot(numbers, [episode.total_reward for episode in episodes], ".", markersize=3, color="tab:blue")
    lower.set(xlabel="episode", ylabel="return")
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}")
    figure.savefig(beside, format="png")
    beside.replace(path)
