"""The small classifier task, and one classifier trained on it for all tests: they only look at it."""

from __future__ import annotations

import pytest
import torch
from drawn_sockets import draw_domains

from tenon.data.domains import LabelledImages
from tenon.networks.augment import AugmentConfig
from tenon.networks.bottleneck import BottleneckConfig
from tenon.rewards.daib import ClassifierConfig, RewardClassifier, train_classifier

torch.set_num_threads(1)

SMALL = ClassifierConfig(
    bottleneck=BottleneckConfig(
        invariant_size=32,
        specific_size=8,
        channels=(8, 16, 32),
        specific_channels=(8, 16, 32),
        dense_size=64,
        adversarial_weight=0.1,
    ),
    augment=AugmentConfig(shift_px=2),
    steps=20,
    batch_size=16,
)


@pytest.fixture(scope="session")
def small() -> ClassifierConfig:
    return SMALL


@pytest.fixture(scope="session")
def drawn() -> LabelledImages:
    return draw_domains(12, 6, seed=0)


@pytest.fixture(scope="session")
def untaught(drawn: LabelledImages) -> RewardClassifier:
    """Of a few steps: for all that does not depend on how good it is."""
    return train_classifier(drawn, SMALL, seed=0)
