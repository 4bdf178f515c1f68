"""Reward classifiers that transfer to connectors never seen: DAIB (Nair et al., 2023) and its ablations."""

from tenon.rewards.daib.audit import ConnectorAudit, audit, mean_audit
from tenon.rewards.daib.calibration import Calibration
from tenon.rewards.daib.classifier import RewardClassifier, train_classifier
from tenon.rewards.daib.config import CalibrationConfig, ClassifierConfig
from tenon.rewards.daib.relabel import relabelled
from tenon.rewards.daib.reward import ClassifierReward

__all__ = [
    "Calibration",
    "CalibrationConfig",
    "ClassifierConfig",
    "ClassifierReward",
    "ConnectorAudit",
    "RewardClassifier",
    "audit",
    "mean_audit",
    "relabelled",
    "train_classifier",
]
