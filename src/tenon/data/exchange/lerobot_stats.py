"""Statistics of features as LeRobotDataset v3 keeps them: min, max, mean, std, count and five quantiles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
_LEVELS = 256

FeatureStats = dict[str, Any]
"""Name of a statistic -> nested lists of numbers: per entry of a vector, per channel of an image (3, 1, 1)."""


def vector_stats(values: NDArray[Any]) -> FeatureStats:
    """values: (N, D), or (N,) for a feature of one number."""
    numbers = values.astype(np.float64).reshape(len(values), -1)
    stats = {
        "min": numbers.min(axis=0),
        "max": numbers.max(axis=0),
        "mean": numbers.mean(axis=0),
        "std": numbers.std(axis=0),
        "count": np.array([len(numbers)]),
        **{name: np.quantile(numbers, share, axis=0) for name, share in QUANTILES.items()},
    }
    return {name: value.tolist() for name, value in stats.items()}


class ImageCounts:
    """How often each level occurs in each channel: all statistics of uint8 images follow from that, exactly."""

    def __init__(self, channels: int) -> None:
        self._counts = np.zeros((channels, _LEVELS), np.int64)
        self._frames = 0

    def add(self, images: NDArray[np.uint8]) -> None:
        """images: (N, height, width, channels)."""
        self._frames += len(images)
        for channel, counts in enumerate(self._counts):
            counts += np.bincount(images[..., channel].ravel(), minlength=_LEVELS)

    def stats(self) -> FeatureStats:
        """Of levels from 0 to 1, as LeRobot has them. A quantile is the level that so many pixels do not exceed."""
        levels = np.arange(_LEVELS) / (_LEVELS - 1.0)
        total = self._counts.sum(axis=1)
        mean = self._counts @ levels / total
        variance = np.maximum(self._counts @ levels**2 / total - mean**2, 0.0)
        cumulated = np.cumsum(self._counts, axis=1) / total[:, None]
        per_channel = {
            "min": levels[(self._counts > 0).argmax(axis=1)],
            "max": levels[_LEVELS - 1 - (self._counts[:, ::-1] > 0).argmax(axis=1)],
            "mean": mean,
            "std": np.sqrt(variance),
            **{name: levels[(cumulated >= share).argmax(axis=1)] for name, share in QUANTILES.items()},
        }
        stats: FeatureStats = {name: value.reshape(-1, 1, 1).tolist() for name, value in per_channel.items()}
        return {**stats, "count": [self._frames]}
