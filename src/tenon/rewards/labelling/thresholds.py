"""The threshold of a classifier, chosen on labelled episodes that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tenon.configuration import ConfigurationError
from tenon.data.domains import LabelledImages, Recording, Split
from tenon.data.labels import Flags, Frames
from tenon.rewards.daib import Calibration, RewardClassifier
from tenon.rewards.daib.calibration import calibrate
from tenon.rewards.daib.hits import Scores, score_frames

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Precision and recall of the rule of success over its threshold, for frames that have one before them.

    score (K,): of the frames that the threshold decides on, falling, each once. precision (K,): of frames called
    successes, 1 where none is. recall (K,): of frames inserted, as the frame before; both where the threshold lets just
    this score pass. precision_above, recall_above: where it lets none of them pass. temperature: turns a logit into a
    probability.
    """

    score: Floats
    precision: Floats
    recall: Floats
    precision_above: float
    recall_above: float
    temperature: float

    @property
    def threshold_logit(self) -> Floats:
        """(K,): just below each score, since the rule asks for more than the threshold."""
        return np.nextafter(self.score.astype(np.float32), np.float32(-np.inf)).astype(np.float64)

    @property
    def threshold(self) -> Floats:
        """(K,): the same thresholds as probabilities."""
        return 1.0 / (1.0 + np.exp(-self.threshold_logit / self.temperature))

    def at_precision(self, precision: float) -> float:
        """The threshold's logit with the highest recall among those of at least this precision.

        Raises ConfigurationError where there is none.
        """
        enough = np.flatnonzero(self.precision >= precision)
        if not len(enough):
            raise ConfigurationError(
                f"no threshold has a precision of {precision:.1%}: the best is {self.precision.max(initial=0.0):.1%}. "
                f"Label more episodes, train on them, or ask for less"
            )
        return float(self.threshold_logit[enough[self.recall[enough].argmax()]])

    def at(self, threshold_logit: float) -> tuple[float, float]:
        """Precision and recall at a threshold, on the curve or not."""
        passing = int(np.searchsorted(-self.score, -threshold_logit))
        if not passing:
            return self.precision_above, self.recall_above
        return float(self.precision[passing - 1]), float(self.recall[passing - 1])


def labelled_frames(
    episodes: Sequence[Frames], success: Sequence[Flags], *, name: str, series: str, split: Split = "held-out"
) -> LabelledImages:
    """Labelled episodes of one connector under one camera, as all that judges classifiers takes data."""
    counts = [len(frames) for frames in episodes]
    return LabelledImages(
        image=np.concatenate([frames.image for frames in episodes]),
        label=np.concatenate(list(success)),
        domain=np.zeros(sum(counts), np.int64),
        episode=np.repeat([frames.episode.number for frames in episodes], counts),
        step=np.concatenate([frames.step for frames in episodes]),
        offset_m=np.full((sum(counts), 3), np.nan, np.float32),
        names=(name,),
        series=(series,),
        mounts=("",),
        splits=(split,),
        recordings=({frames.episode.number: Recording.of(frames.episode) for frames in episodes},),
    )


def trained_on(classifier: RewardClassifier, data: LabelledImages, names: Sequence[str]) -> tuple[Recording, ...]:
    """Which recordings of the domains ``names`` the classifier has learnt from, as far as both are known, in order."""
    return tuple(sorted(data.recordings_of(data.rows(names)) & (classifier.trained_on or frozenset())))


def precision_recall(classifier: RewardClassifier, data: LabelledImages, names: Sequence[str]) -> Curve:
    """On the domains ``names``, which the classifier did not see, with its margin below the best frames of a session.

    Raises ConfigurationError without frames of a kind.
    """
    rows = data.rows(names)
    logit = classifier.logits_of(data, rows)
    calibration = calibrate(logit, data, rows, classifier.config.calibration)
    scores = score_frames(logit, data, rows)
    return _curve(scores, data.label[rows], classifier.calibration, calibration.temperature)


def recalibrated(
    classifier: RewardClassifier, data: LabelledImages, names: Sequence[str], threshold_logit: float | None = None
) -> RewardClassifier:
    """The same networks with temperature and threshold from the domains ``names``, which they did not see.

    threshold_logit: chosen by a person, from ``precision_recall``; left out, it, the margin and whether still frames
    count are chosen as in training, by the share of false positives. Raises ConfigurationError without frames of a
    kind.
    """
    rows = data.rows(names)
    logit = classifier.logits_of(data, rows)
    calibration = calibrate(logit, data, rows, classifier.config.calibration)
    if threshold_logit is not None:
        own = classifier.calibration
        own_rule = replace(calibration, margin_logit=own.margin_logit, still=own.still)
        calibration = _at_threshold(own_rule, score_frames(logit, data, rows), threshold_logit)
    return replace(classifier, calibration=calibration)


def _curve(scores: Scores, label: NDArray[np.bool_], rule: Calibration, temperature: float) -> Curve:
    still = scores.still & rule.still
    chosen = scores.near(rule.margin_logit) | still
    passes_below = np.where(still, np.inf, scores.score)[chosen]
    order = np.argsort(-passes_below, kind="stable")
    threshold, inserted, positive = passes_below[order], label[chosen][order], scores.positive[chosen][order]
    called = np.arange(1, len(order) + 1)
    # A threshold lets all frames of the same score pass, or none: only the last of each counts. Still ones always pass.
    last = np.append(threshold[1:] != threshold[:-1], True) if len(order) else np.empty(0, np.bool_)
    last &= np.isfinite(threshold)
    positives, resting = max(int(scores.positive.sum()), 1), int(still.sum())
    return Curve(
        score=threshold[last],
        precision=(np.cumsum(inserted) / called)[last],
        recall=(np.cumsum(positive) / positives)[last],
        precision_above=float(inserted[:resting].mean()) if resting else 1.0,
        recall_above=int(positive[:resting].sum()) / positives,
        temperature=temperature,
    )


def _at_threshold(calibration: Calibration, scores: Scores, threshold_logit: float) -> Calibration:
    success = scores.successes(threshold_logit, calibration.margin_logit, still=calibration.still)
    return replace(
        calibration,
        threshold_logit=threshold_logit,
        false_positive_rate=float(success[scores.negative].mean()),
        recall=float(success[scores.positive].mean()),
    )
