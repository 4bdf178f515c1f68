"""When logits become a success: the rule of success, for a session and for pictures that are judged afterwards.

Two consecutive frames above p_on (daib.md 2.5) that look as seated plugs of the session do: a seated plug is at an end
stop, so its logits are the highest that its connector ever has, but how high differs from connector to connector far
more than from picture to picture. So the bar stands a margin below the typical one of the session's best frames.

Or three frames that look the same and likelier seated than not. A plug at an end stop rests, whatever the arm does,
while one that is half way in moves; and it has play, on one side of which it may look otherwise than on the other.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tenon.data.domains import LabelledImages

NEVER = 1e3
"""A margin that no logit is short of: of two frames p_on alone decides, as in daib.md 2.5."""
_NEAR_LOGIT = 1.0
"""Frames this near the best are taken for seated, to tell what is typical."""
PASSED_OVER = 20
"""So many episodes that look seated without coming near the best of one alone make it an outlier; ours. Fewer would
soon pay plugs half way in again, after a session's first and rare success."""
_FRAMES = 1024
"""From so many near the best on, every second of them in order is dropped, which leaves what is typical; even, so that
the best one stays."""
STILL_FRAMES = 3
"""So many frames that look the same are of a plug at rest."""
_SAME_LOGIT = 0.1
_LIKELIER_SEATED_LOGIT = 0.0

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(slots=True)
class _Lone:
    """The best score of an episode that no other has come near. passed_over: episodes since that looked seated too."""

    score: float
    passed_over: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class BestFrames:
    """What a ``SessionBest`` holds. frames (N,): scores near the best, rising. confirmed: the best that two episodes
    came near. lone (K, 2): of higher ones, and by how many episodes each was passed over. running: of this episode.
    """

    frames: Floats
    confirmed: float
    lone: Floats
    running: float


class SessionBest:
    """What is typical of the best frames of a session. A frame's score is the lower of its logit and the one before.

    The best frame of all shows how a seated plug looks, until it turns out to be an outlier (a hand before the camera,
    a flash): one that no second episode came near, while ``PASSED_OVER`` later ones looked seated below it. Then all is
    as if it had not been there; should another episode come near it after all, it is the best again.
    """

    def __init__(self) -> None:
        self._frames: list[float] = []
        self._confirmed = -math.inf
        self._lone: list[_Lone] = []
        self._running = -math.inf

    def begin_episode(self) -> None:
        """The next frame is of another episode."""
        best, self._running = self._running, -math.inf
        for entry in self._lone:
            entry.passed_over += _LIKELIER_SEATED_LOGIT < best < entry.score - _NEAR_LOGIT
        self._confirmed = self._confirmed_by(best)
        self._lone = [entry for entry in (*self._lone, _Lone(best)) if entry.score > self._confirmed]

    def take(self, score: float) -> None:
        """One more frame; -inf for the first of an episode."""
        if not math.isfinite(score):
            return
        self._running = max(self._running, score)
        insort(self._frames, score)
        del self._frames[: bisect_left(self._frames, self._lowest - _NEAR_LOGIT)]
        if len(self._frames) == _FRAMES:
            del self._frames[::2]

    @property
    def typical(self) -> float:
        """The median of those near the best, -inf before there is any."""
        best = self._best
        first, end = bisect_left(self._frames, best - _NEAR_LOGIT), bisect_right(self._frames, best)
        if first == end:
            return best
        return 0.5 * (self._frames[(first + end - 1) // 2] + self._frames[(first + end) // 2])

    @property
    def memory(self) -> BestFrames:
        """A copy of all that matters."""
        lone = np.array([(entry.score, entry.passed_over) for entry in self._lone]).reshape(-1, 2)
        return BestFrames(np.array(self._frames), self._confirmed, lone, self._running)

    def recall(self, memory: BestFrames) -> None:
        """Goes on from there."""
        self._frames, self._confirmed, self._running = memory.frames.tolist(), memory.confirmed, memory.running
        self._lone = [_Lone(score, int(passed_over)) for score, passed_over in memory.lone.tolist()]

    @property
    def _best(self) -> float:
        """The highest score that is no outlier."""
        lone = (entry.score for entry in self._lone if entry.passed_over < PASSED_OVER)
        return max(self._confirmed_by(self._running), self._running, *lone)

    @property
    def _lowest(self) -> float:
        """The lowest score that may yet be the best."""
        if math.isfinite(self._confirmed):
            return self._confirmed
        return min([self._running, *(entry.score for entry in self._lone)])

    def _confirmed_by(self, best: float) -> float:
        """The highest episode's best that another episode's came near, ``best`` among them."""
        scores = sorted((*(entry.score for entry in self._lone), best, self._confirmed), reverse=True)
        near = (upper for upper, lower in pairwise(scores) if lower >= upper - _NEAR_LOGIT)
        return max(self._confirmed, next(near, self._confirmed))


class SuccessRule:
    """The rule for one session, frame by frame. still: whether frames that look the same count too.

    best: what the session has shown so far.
    """

    def __init__(self, threshold_logit: float, margin_logit: float = NEVER, *, still: bool = False):
        self._threshold, self._margin, self._still = threshold_logit, margin_logit, still
        self.best = SessionBest()
        self._last: deque[float] = deque(maxlen=STILL_FRAMES)

    def begin_episode(self) -> None:
        """The next frame is of another episode; the best of the session stay."""
        self.best.begin_episode()
        self._last.clear()

    def interrupt(self) -> None:
        """The next frame follows upon none, but is of the same episode."""
        self._last.clear()

    def forget_best(self) -> None:
        """Logits from now on are not to be compared with those before."""
        self.best = SessionBest()
        self._last.clear()

    def next(self, logit: float) -> bool:
        """Whether this frame is a success."""
        score = min(logit, self._last[-1]) if self._last else -np.inf
        self._last.append(logit)
        self.best.take(score)
        hits = score > self._threshold and score >= self.best.typical - self._margin
        return bool(hits or (self._still and len(self._last) == STILL_FRAMES and is_still(self._last)))


def is_still(logits: Sequence[float]) -> bool:
    """Whether these frames in a row look like a plug that rests in its socket."""
    return min(logits) > _LIKELIER_SEATED_LOGIT and max(logits) - min(logits) < _SAME_LOGIT


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The rule's numbers for pictures in order, each connector a session.

    score: the lower of a frame's logit and the one before, -inf for an episode's first. typical: of the best frames of
    the session so far. still: a success for its likeness to the two before it. negative: a frame not inserted, with one
    before it. positive: inserted, as the one before it.
    """

    score: Floats
    typical: Floats
    still: NDArray[np.bool_]
    negative: NDArray[np.bool_]
    positive: NDArray[np.bool_]

    def near(self, margin_logit: float) -> NDArray[np.bool_]:
        """Which frames look as seated plugs of their session do."""
        near: NDArray[np.bool_] = np.isfinite(self.score) & (self.score >= self.typical - margin_logit)
        return near

    def successes(self, threshold_logit: float, margin_logit: float, *, still: bool) -> NDArray[np.bool_]:
        """Which frames the rule calls successes."""
        return ((self.score > threshold_logit) & self.near(margin_logit)) | (self.still & still)


def score_frames(logit: NDArray[np.float32], data: LabelledImages, rows: Rows) -> Scores:
    """Of the pictures ``rows`` of ``data``, in order, with their ``logit`` (N,)."""
    domain, label = data.domain[rows], data.label[rows]
    same_episode = (np.diff(domain) == 0) & (np.diff(data.episode[rows]) == 0)
    follows = np.append(False, same_episode & (np.diff(data.step[rows]) == 1))
    before, label_before = np.append(-np.inf, logit[:-1]), np.append(False, label[:-1])
    score = np.where(follows, np.minimum(logit, before), -np.inf)
    typical, best = np.empty_like(score), SessionBest()
    for row, value in enumerate(score.tolist()):
        if row and domain[row] != domain[row - 1]:
            best = SessionBest()
        elif row and data.episode[rows[row]] != data.episode[rows[row - 1]]:
            best.begin_episode()
        best.take(value)
        typical[row] = best.typical
    still = np.zeros(len(logit), np.bool_)
    for last in range(STILL_FRAMES - 1, len(logit)):
        first = last - STILL_FRAMES + 1
        still[last] = follows[first + 1 : last + 1].all() and is_still(logit[first : last + 1].tolist())
    return Scores(score, typical, still, follows & ~label, follows & label & label_before)
