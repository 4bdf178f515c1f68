"""When logits become a success: two consecutive frames above p_on that look as seated plugs of the session do.

A seated plug is at an end stop, so its logits are the highest that its connector ever has, and they lie close together;
how high and how close differs from connector to connector far more than from picture to picture. So the bar is measured
by the session's own best frames: as far below the typical one of them as its best is above, and a little more.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenon.data.domains import LabelledImages

NEVER = 1e3
"""A margin that no logit is short of: p_on alone decides, as in daib.md 2.5."""
_NEAR_LOGIT = 0.75
"""Frames this near the best are taken for seated, to tell what is typical."""
_LEAST_SCATTER_LOGIT = 0.2

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


class SessionBest:
    """The best frames of one session: what is typical of them, and how far above that the very best is.

    A frame's score is the lower of its logit and the one before.
    """

    def __init__(self) -> None:
        self._near: list[float] = []

    def take(self, score: float) -> None:
        """One more frame; -inf for the first of an episode."""
        if not np.isfinite(score) or (self._near and score < self._near[-1] - _NEAR_LOGIT):
            return
        insort(self._near, score)
        del self._near[: bisect_left(self._near, self._near[-1] - _NEAR_LOGIT)]

    @property
    def typical(self) -> float:
        """The median of those near the best, -inf before there is any."""
        if not self._near:
            return -np.inf
        middle, odd = divmod(len(self._near), 2)
        return self._near[middle] if odd else 0.5 * (self._near[middle - 1] + self._near[middle])

    @property
    def scatter(self) -> float:
        """How far the best is above what is typical, in logits; never less than what a picture's noise does."""
        return max(_LEAST_SCATTER_LOGIT, self._near[-1] - self.typical if self._near else 0.0)

    def bar(self, margin: float) -> float:
        """The lowest score that is one of them, ``margin`` scatters below what is typical."""
        return self.typical - margin * self.scatter


class TwoHits:
    """The rule for one session, frame by frame."""

    def __init__(self, threshold_logit: float, margin: float = NEVER):
        self._threshold, self._margin = threshold_logit, margin
        self._best = SessionBest()
        self._before = -np.inf

    def begin_episode(self) -> None:
        """The next frame follows upon none; the best of the session stay."""
        self._before = -np.inf

    def forget_best(self) -> None:
        """Logits from now on are not to be compared with those before."""
        self._best = SessionBest()
        self._before = -np.inf

    def next(self, logit: float) -> bool:
        """Whether this frame is a success."""
        score = min(logit, self._before)
        self._before = logit
        self._best.take(score)
        return bool(score > self._threshold and score >= self._best.bar(self._margin))


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The rule's numbers for pictures in order, each connector a session.

    score: the lower of a frame's logit and the one before, -inf for an episode's first. typical, scatter: of the best
    of the session so far. negative: a frame not inserted, with one before it. positive: inserted, as the one before it.
    """

    score: Floats
    typical: Floats
    scatter: Floats
    negative: NDArray[np.bool_]
    positive: NDArray[np.bool_]

    def near(self, margin: float) -> NDArray[np.bool_]:
        """Which frames look as seated plugs of their session do."""
        near: NDArray[np.bool_] = np.isfinite(self.score) & (self.score >= self.typical - margin * self.scatter)
        return near

    def successes(self, threshold_logit: float, margin: float) -> NDArray[np.bool_]:
        """Which frames the rule calls successes."""
        return (self.score > threshold_logit) & self.near(margin)


def score_frames(logit: NDArray[np.float32], data: LabelledImages, rows: Rows) -> Scores:
    """Of the pictures ``rows`` of ``data``, in order, with their ``logit`` (N,)."""
    domain, label = data.domain[rows], data.label[rows]
    same_episode = (np.diff(domain) == 0) & (np.diff(data.episode[rows]) == 0)
    follows = np.append(False, same_episode & (np.diff(data.step[rows]) == 1))
    before, label_before = np.append(-np.inf, logit[:-1]), np.append(False, label[:-1])
    score = np.where(follows, np.minimum(logit, before), -np.inf)
    typical, scatter, best = np.empty_like(score), np.empty_like(score), SessionBest()
    for row, value in enumerate(score.tolist()):
        if row and domain[row] != domain[row - 1]:
            best = SessionBest()
        best.take(value)
        typical[row], scatter[row] = best.typical, best.scatter
    return Scores(score, typical, scatter, follows & ~label, follows & label & label_before)
