"""A classifier beside a person's labels: it proposes, shows where they differ, and is calibrated by them."""

from tenon.rewards.labelling.proposals import Disagreement, Proposal, disagreements, propose
from tenon.rewards.labelling.thresholds import Curve, labelled_frames, precision_recall, recalibrated, trained_on

__all__ = [
    "Curve",
    "Disagreement",
    "Proposal",
    "disagreements",
    "labelled_frames",
    "precision_recall",
    "propose",
    "recalibrated",
    "trained_on",
]
