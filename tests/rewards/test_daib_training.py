"""Batches, folds and training on the drawn sockets."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from drawn_sockets import draw_domains

from tenon.configuration import ConfigurationError, parse
from tenon.data.domains import LabelledImages
from tenon.networks.bottleneck import VARIANTS
from tenon.networks.collage import CollageConfig
from tenon.rewards.daib import ClassifierConfig, audit, mean_audit, train_classifier
from tenon.rewards.daib.batches import BatchSampler
from tenon.rewards.daib.classifier import deal_series
from tenon.rewards.daib.network import reward_loss
from tenon.rewards.daib.training import TrainingMetrics, train_network


def test_reward_loss_is_the_mean_surprise() -> None:
    logits, inserted = torch.tensor([0.5, -2.0, 3.0]).double(), torch.tensor([1.0, 0.0, 0.0]).double()
    share = [1 / (1 + math.exp(-x)) for x in logits.tolist()]
    expected = -(math.log(share[0]) + math.log(1 - share[1]) + math.log(1 - share[2])) / 3
    assert float(reward_loss(logits, inserted)) == pytest.approx(expected)


def test_batches_hold_as_many_of_each_label_and_of_each_domain(drawn: LabelledImages) -> None:
    sampler = BatchSampler(drawn, drawn.names[:8], 16, np.random.default_rng(0), balanced=True)
    for _ in range(20):
        rows = sampler.draw()
        assert drawn.label[rows].tolist() == [True, False] * 8
        assert sorted(drawn.domain[rows].tolist()) == sorted([*range(8)] * 2)


def test_few_domains_take_turns(drawn: LabelledImages) -> None:
    sampler = BatchSampler(drawn, drawn.names[:3], 16, np.random.default_rng(0), balanced=True)
    counts = np.bincount(np.concatenate([drawn.domain[sampler.draw()] for _ in range(30)]), minlength=3)
    assert counts.max() - counts.min() <= 2


def test_unbalanced_batches_have_the_labels_of_the_data(drawn: LabelledImages) -> None:
    sampler = BatchSampler(drawn, drawn.names, 500, np.random.default_rng(0), balanced=False)
    rows = np.concatenate([sampler.draw() for _ in range(10)])
    assert drawn.label[rows].mean() == pytest.approx(drawn.label.mean(), abs=0.03)


def test_only_the_pictures_that_may_be_seen_are_drawn(drawn: LabelledImages) -> None:
    only = np.flatnonzero(drawn.episode < 2)
    for balanced in (True, False):
        sampler = BatchSampler(drawn, drawn.names[:4], 40, np.random.default_rng(0), balanced=balanced, only=only)
        rows = sampler.draw()
        assert set(rows.tolist()) <= set(only.tolist())
        assert drawn.domain[rows].max() <= 3


def test_domain_without_a_label_is_refused_by_name(drawn: LabelledImages) -> None:
    empty = replace(drawn, label=drawn.label & (drawn.domain != 2))
    with pytest.raises(ConfigurationError, match="train-02: none of its 60 pictures is inserted"):
        BatchSampler(empty, drawn.names, 16, np.random.default_rng(0), balanced=True)


def test_folds_are_of_whole_series_and_hold_every_domain_once(drawn: LabelledImages) -> None:
    folds = deal_series(drawn, drawn.names, 4, seed=3)
    assert sorted(name for fold in folds for name in fold) == sorted(drawn.names)
    series = [{drawn.series[drawn.names.index(name)] for name in fold} for fold in folds]
    assert len(folds) == 4
    assert sum(len(held) for held in series) == len(set().union(*series)) == 6


def test_one_series_alone_is_refused(drawn: LabelledImages, small: ClassifierConfig) -> None:
    with pytest.raises(ConfigurationError, match="of 1 series"):
        train_classifier(drawn, small, 0, names=drawn.names[:2])


@pytest.mark.parametrize(
    ("keys", "message"), [({"batch_size": 15}, "an even number"), ({"members": 6}, "each holds out a fold of its own")]
)
def test_configuration_that_makes_no_sense_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse(ClassifierConfig, keys, where="classifier")


def test_training_is_a_function_of_data_configuration_and_seed(drawn: LabelledImages, small: ClassifierConfig) -> None:
    short = small.model_copy(update={"steps": 3})
    torch.manual_seed(1)
    first = train_classifier(drawn, short, seed=5)
    torch.manual_seed(2)
    again, other = train_classifier(drawn, short, seed=5), train_classifier(drawn, short, seed=6)
    assert first.version == again.version != other.version


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_trains_and_tells_how_it_goes(
    variant: str, drawn: LabelledImages, small: ClassifierConfig
) -> None:
    seen: list[TrainingMetrics] = []
    config = small.model_copy(update={"steps": 150, "variant": variant})
    trained = train_network(drawn, drawn.names, config, 0, seen.append)
    assert [metrics.step for metrics in seen] == [100, 150]
    assert trained.metrics == tuple(seen)
    assert trained.domains == drawn.names
    assert seen[-1].reward_loss < math.log(2)
    assert math.isnan(seen[-1].domain_loss) is (variant == "vib")
    assert (seen[-1].rate > 0.0) is (variant in ("daib", "no-kl", "vib"))


def test_members_never_see_their_own_fold(
    drawn: LabelledImages, small: ClassifierConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tenon.rewards.daib import classifier

    seen: list[set[str]] = []
    real = classifier.train_network

    def spy(data: LabelledImages, names: list[str], *rest: Any) -> Any:
        seen.append(set(names))
        return real(data, names, *rest)

    monkeypatch.setattr(classifier, "train_network", spy)
    config = small.model_copy(update={"steps": 1, "members": 3})
    trained = train_classifier(drawn, config, seed=0)
    folds = deal_series(drawn, drawn.names, config.calibration.folds, seed=0)
    assert [set(drawn.names) - names for names in seen] == [set(fold) for fold in folds[:3]]
    held_out = {drawn.series[drawn.names.index(name)] for fold in folds[:3] for name in fold}
    assert set(trained.calibration.series) == held_out
    assert trained.calibration.frames == sum(len(drawn.rows(fold)) for fold in folds[:3])


@pytest.mark.learning
def test_learns_the_drawn_sockets_and_transfers(small: ClassifierConfig) -> None:
    """daib.md 8.1 in small: the family's gap is read from the bar, whatever the colours are."""
    data, unseen = draw_domains(24, 8, seed=0), draw_domains(12, 6, seed=1, split="held-out")
    changes = {"steps": 300, "batch_size": 32, "variant": "erm", "sees": "picture", "collage": CollageConfig.none()}
    trained = train_classifier(data, small.model_copy(update=changes), seed=0)
    assert mean_audit(audit(trained, data, data.names)).accuracy > 0.80
    held_out = mean_audit(audit(trained, unseen, unseen.names))
    assert held_out.accuracy > 0.65
    assert held_out.frames == len(unseen)
