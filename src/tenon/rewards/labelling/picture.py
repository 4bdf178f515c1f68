"""Precision and recall over the threshold, as a picture to choose by."""

from __future__ import annotations

import numpy as np

from tenon.data.images import Image
from tenon.rewards.labelling.thresholds import Curve

_SIZE_INCHES, _DPI = (9.0, 4.0), 100
_SHORTLIST = (0.9, 0.95, 0.99, 1.0)


def curve_picture(curve: Curve, threshold_logit: float, title: str) -> Image:
    """(height, width, 3) RGB: precision against recall, and both over the threshold, with one threshold marked.

    Dots on the left are the best recalls at a precision of 90, 95, 99 and 100 %.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_INCHES, dpi=_DPI, layout="constrained")
    figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    precision, recall = curve.at(threshold_logit)
    left.step(curve.recall, curve.precision, where="post", color="tab:blue")
    for wanted in _SHORTLIST:
        if (curve.precision >= wanted).any():
            at = curve.at(curve.at_precision(wanted))
            left.plot(at[1], at[0], "o", color="tab:gray", markersize=4)
    left.plot(recall, precision, "o", color="tab:red", label=f"precision {precision:.3f}, recall {recall:.3f}")
    left.set(xlabel="recall", ylabel="precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    chosen = 1.0 / (1.0 + np.exp(-threshold_logit / curve.temperature))
    right.step(curve.threshold, curve.precision, where="post", color="tab:blue", label="precision")
    right.step(curve.threshold, curve.recall, where="post", color="tab:orange", label="recall")
    right.axvline(chosen, color="tab:red", linestyle="--", label=f"threshold {chosen:.4f}")
    right.set(xlabel="threshold p_on", ylim=(-0.02, 1.02))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(loc="lower left")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3].copy()
