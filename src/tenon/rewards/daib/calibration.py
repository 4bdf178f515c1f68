"""Honest probabilities, and the numbers of the rule of success, from pictures of series never trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenon.configuration import ConfigurationError
from tenon.data.domains import LabelledImages
from tenon.rewards.daib.config import CalibrationConfig
from tenon.rewards.daib.hits import NEVER, Scores, score_frames

_BISECTIONS = 60
_LOG_TEMPERATURE_BOUND = math.log(100.0)
_OF_STILL_FRAMES = 0.5

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibration:
    """p = sigmoid(logit / temperature). threshold_logit: at which p is p_on; p itself rounds to 1 where logits differ.
    margin_logit: how far below the typical one of its session's best frames a success may be. still: whether frames
    that look the same are a success too. tenon.rewards.daib.hits.

    What these gave where they were chosen: false_positive_rate (of frames not inserted) and
    recall (of frames inserted, as the frame before), over ``frames`` frames of the held-out ``series``.
    """

    temperature: float
    threshold_logit: float
    false_positive_rate: float
    recall: float
    frames: int
    series: tuple[str, ...]
    margin_logit: float = NEVER
    still: bool = False

    @property
    def threshold(self) -> float:
        """p_on."""
        return float(self.probability(np.array(self.threshold_logit)))

    def probability(self, logit: NDArray[np.floating[Any]]) -> Floats:
        """p, of any shape."""
        return _sigmoid(logit.astype(np.float64) / self.temperature)


def temperature(logit: NDArray[np.float32], inserted: NDArray[np.bool_]) -> float:
    """T that makes ``inserted`` likeliest under sigmoid(logit / T), both labels weighing the same; within [0.01, 100].

    The mean log likelihood is concave in 1 / T: its slope is bisected. Guo et al., 2017.
    """
    value = logit.astype(np.float64)
    target = inserted.astype(np.float64)
    weight = np.where(inserted, 0.5 / max(int(inserted.sum()), 1), 0.5 / max(int((~inserted).sum()), 1))
    low, high = -_LOG_TEMPERATURE_BOUND, _LOG_TEMPERATURE_BOUND
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        slope = float((weight * value * (target - _sigmoid(value * math.exp(middle)))).sum())
        low, high = (middle, high) if slope > 0.0 else (low, middle)
    return math.exp(-0.5 * (low + high))


def calibrate(
    logit: NDArray[np.float32], data: LabelledImages, rows: NDArray[np.int64], config: CalibrationConfig
) -> Calibration:
    """From the logits (N,) of the pictures ``rows``, in order, all of series that the network did not see.

    Frames that look the same count where false ones of them use up no more than half of the wanted share of false
    positives. Of all pairs of threshold and margin with at most that share in all, the one with the highest
    recall. Raises ConfigurationError where there are no frames of one kind to choose by.
    """
    scores = score_frames(logit, data, rows)
    series = tuple(sorted({data.series[d] for d in np.unique(data.domain[rows])}))
    if not scores.negative.any() or not scores.positive.any():
        raise ConfigurationError(
            f"series {', '.join(series)} hold {scores.positive.sum()} pairs of inserted and {scores.negative.sum()} of "
            f"not inserted frames to choose a threshold by, some of both are needed: collect more episodes"
        )
    scale = temperature(logit, data.label[rows])
    lowest = scale * math.log(config.lowest_threshold / (1.0 - config.lowest_threshold))
    still = _share(scores.still, scores.negative) <= _OF_STILL_FRAMES * config.false_positive_rate
    choices = []
    for margin in config.margins:
        threshold = max(lowest, _threshold(scores, margin, still, config.false_positive_rate))
        success = scores.successes(threshold, margin, still=still)
        choices.append(
            Calibration(
                temperature=scale,
                threshold_logit=threshold,
                margin_logit=margin,
                still=still,
                false_positive_rate=_share(success, scores.negative),
                recall=_share(success, scores.positive),
                frames=len(rows),
                series=series,
            )
        )
    return max(choices, key=lambda choice: choice.recall)


def _threshold(scores: Scores, margin: float, still: bool, false_positive_rate: float) -> float:
    """The lowest with at most this share of false positives, still frames among them."""
    passing = np.where(scores.near(margin), scores.score, -np.inf)
    passing = np.where(scores.still & still, np.inf, passing)[scores.negative]
    return float(np.quantile(passing, 1.0 - false_positive_rate, method="higher"))


def _share(chosen: NDArray[np.bool_], among: NDArray[np.bool_]) -> float:
    return float(chosen[among].mean())


def _sigmoid(value: Floats) -> Floats:
    exponential = np.exp(-np.abs(value))
    return np.where(value >= 0.0, 1.0, exponential) / (1.0 + exponential)
