"""When logits become a success: two consecutive frames above p_on, and near the best that the session has seen.

A seated plug is at an end stop, so its logit is the highest that its connector ever has; how high that is differs from
connector to connector far more than it does from picture to picture. So the bar rises with the best two frames so far.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenon.data.domains import LabelledImages

NEVER = 1e3
"""A margin that no logit is short of: p_on alone decides, as in daib.md 2.5."""

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


class TwoHits:
    """The rule for one session, frame by frame."""

    def __init__(self, threshold_logit: float, margin_logit: float = NEVER):
        self._threshold, self._margin = threshold_logit, margin_logit
        self._best = self._before = -np.inf

    def begin_episode(self) -> None:
        """The next frame follows upon none; the best of the session stays."""
        self._before = -np.inf

    def forget_best(self) -> None:
        """Logits from now on are not to be compared with those before."""
        self._best = self._before = -np.inf

    def next(self, logit: float) -> bool:
        """Whether this frame is a success."""
        score = min(logit, self._before)
        self._before, self._best = logit, max(self._best, score)
        return bool(score > self._threshold and score >= self._best - self._margin)


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The rule's numbers for pictures in order, each connector a session.

    score: the lower of a frame's logit and the one before, -inf for an episode's first. best: the highest score of the
    session so far. negative: a frame not inserted, with one before it. positive: inserted, as the one before it.
    """

    score: Floats
    best: Floats
    negative: NDArray[np.bool_]
    positive: NDArray[np.bool_]

    def successes(self, threshold_logit: float, margin_logit: float) -> NDArray[np.bool_]:
        """Which frames the rule calls successes."""
        return (self.score > threshold_logit) & (self.score >= self.best - margin_logit)


def score_frames(logit: NDArray[np.float32], data: LabelledImages, rows: Rows) -> Scores:
    """Of the pictures ``rows`` of ``data``, in order, with their ``logit`` (N,)."""
    domain, label = data.domain[rows], data.label[rows]
    same_episode = (np.diff(domain) == 0) & (np.diff(data.episode[rows]) == 0)
    follows = np.append(False, same_episode & (np.diff(data.step[rows]) == 1))
    before, label_before = np.append(-np.inf, logit[:-1]), np.append(False, label[:-1])
    score = np.where(follows, np.minimum(logit, before), -np.inf)
    best = np.concatenate([np.maximum.accumulate(score[domain == number]) for number in np.unique(domain)])
    return Scores(score, best, follows & ~label, follows & label & label_before)
