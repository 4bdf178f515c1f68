"""How good a classifier is on connectors that it never saw, connector by connector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenon.configuration import ConfigurationError
from tenon.data.domains import LabelledImages
from tenon.rewards.daib.classifier import RewardClassifier
from tenon.rewards.daib.hits import score_frames

ASKED_RECALL = 0.9
"""At which false positives are compared, whatever p_on is; of the issue's bar."""


@dataclass(frozen=True, slots=True)
class ConnectorAudit:
    """One connector, or the mean over several.

    accuracy: at p = 0.5, both labels weighing the same. recall, false_positive_rate: by the rule of success, of
    frames inserted as the frame before, and of frames not inserted. false_positives_at_recall: of the same, with the
    threshold at which this connector alone would have ASKED_RECALL. false_episodes: share of episodes with a false
    success in them.
    """

    name: str
    series: str
    frames: int
    accuracy: float
    recall: float
    false_positive_rate: float
    false_positives_at_recall: float
    false_episodes: float


def audit(classifier: RewardClassifier, data: LabelledImages, names: Sequence[str]) -> list[ConnectorAudit]:
    """One entry for each of the domains ``names``. Raises ConfigurationError for one that lacks one of the labels."""
    return [_audited(classifier, data, name) for name in names]


def mean_audit(audits: Sequence[ConnectorAudit]) -> ConnectorAudit:
    """The mean over connectors, all weighing the same."""

    def mean(field: str) -> float:
        return float(np.mean([getattr(entry, field) for entry in audits]))

    return ConnectorAudit(
        name=f"mean of {len(audits)}",
        series=f"{len({entry.series for entry in audits})} series",
        frames=sum(entry.frames for entry in audits),
        accuracy=mean("accuracy"),
        recall=mean("recall"),
        false_positive_rate=mean("false_positive_rate"),
        false_positives_at_recall=mean("false_positives_at_recall"),
        false_episodes=mean("false_episodes"),
    )


def balanced_accuracy(logit: NDArray[np.float32], inserted: NDArray[np.bool_]) -> float:
    """Mean of the shares that are right among inserted and among not inserted pictures, at p = 0.5."""
    return 0.5 * float((logit[inserted] > 0.0).mean()) + 0.5 * float((logit[~inserted] <= 0.0).mean())


def _audited(classifier: RewardClassifier, data: LabelledImages, name: str) -> ConnectorAudit:
    rows = data.rows([name])
    logit, inserted = classifier.logits_of(data, rows), data.label[rows]
    scores = score_frames(logit, data, rows)
    if not scores.negative.any() or not scores.positive.any():
        raise ConfigurationError(f"{name}: has no pair of frames of one of the labels: collect more episodes of it")
    calibration = classifier.calibration
    success = scores.successes(calibration.threshold_logit, calibration.margin_logit, still=calibration.still)
    own = np.quantile(scores.score[scores.positive], 1.0 - ASKED_RECALL, method="lower")
    false = success & ~inserted
    return ConnectorAudit(
        name=name,
        series=data.series[data.names.index(name)],
        frames=len(rows),
        accuracy=balanced_accuracy(logit, inserted),
        recall=float(success[scores.positive].mean()),
        false_positive_rate=float(success[scores.negative].mean()),
        false_positives_at_recall=float((scores.score[scores.negative] >= own).mean()),
        false_episodes=len(np.unique(data.episode[rows][false])) / len(np.unique(data.episode[rows])),
    )
