"""The localiser learns places from pictures, comes back from disk, and refuses data that tell no places."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from tenon.algorithms.localise import (
    Localiser,
    LocaliserConfig,
    localisation_error,
    place_loss,
    train_localiser,
    usable_rows,
)
from tenon.data.checkpoint import OtherCheckpointError, load_checkpoint, save_checkpoint
from tenon.data.domains import LabelledImages
from tenon.data.mapped_array import StorageError
from tenon.networks.augment import AugmentConfig
from tenon.networks.encoders import EncoderConfig

SIZE_PX, MM_PER_PX = 16, 2.0
CONFIG = LocaliserConfig(
    encoder=EncoderConfig(image="conv", channels=(8, 8), strides=(2, 1), embedding_size=32),
    hidden_size=32,
    augment=AugmentConfig.none(),
    batch_size=32,
    updates=300,
)


def squares(count: int, seed: int = 0) -> LabelledImages:
    """A white square in two domains' colours; the TCP is off by where it is drawn."""
    rng = np.random.default_rng(seed)
    domain = np.arange(count) % 2
    image = np.where(domain[:, None, None, None] == 0, 40, 110).astype(np.uint8) + np.zeros(
        (count, SIZE_PX, SIZE_PX, 3), np.uint8
    )
    place = rng.integers(2, SIZE_PX - 2, (count, 2))
    for number, (row, column) in enumerate(place):
        image[number, row - 2 : row + 2, column - 2 : column + 2] = 250
    offset_m = np.full((count, 3), 0.02, np.float32)
    offset_m[:, :2] = (place - SIZE_PX / 2) * MM_PER_PX / 1000.0
    return LabelledImages(
        image=image,
        label=np.zeros(count, np.bool_),
        domain=domain.astype(np.int64),
        episode=np.zeros(count, np.int64),
        step=np.arange(count),
        offset_m=offset_m,
        names=("grey_1", "light_1"),
        series=("grey", "light"),
        mounts=("front", "side"),
        splits=("train", "held-out"),
    )


def test_places_are_learnt() -> None:
    localiser = train_localiser(squares(400), CONFIG, seed=0)
    unseen = squares(100, seed=1)
    error = localisation_error(localiser, unseen, usable_rows(unseen, CONFIG))
    guess = localisation_error(Localiser(localiser.image, CONFIG), unseen, usable_rows(unseen, CONFIG))
    assert error.mean_mm < 1.5 < 5.0 < guess.mean_mm
    assert error.pictures == 100 and error.median_mm <= 2 * error.mean_mm


def test_training_is_the_same_with_the_same_seed_and_another_with_another() -> None:
    config = CONFIG.model_copy(update={"updates": 3})
    data = squares(64)
    told = [train_localiser(data, config, seed=seed).offsets_m(data.image) for seed in (0, 0, 1)]
    assert np.array_equal(told[0], told[1]) and not np.array_equal(told[0], told[2])


def test_localiser_comes_back_exactly_and_another_checkpoint_is_refused(tmp_path: Path) -> None:
    data = squares(64)
    localiser = train_localiser(data, CONFIG.model_copy(update={"updates": 2}), seed=0)
    localiser.save(tmp_path / "localiser")
    loaded = Localiser.load(tmp_path / "localiser")
    assert np.array_equal(loaded.offsets_m(data.image), localiser.offsets_m(data.image))
    assert loaded.offset_m(data.image[3]) == pytest.approx(localiser.offsets_m(data.image)[3], abs=1e-6)
    save_checkpoint(tmp_path / "other", dataclasses.replace(load_checkpoint(tmp_path / "localiser"), method="sac"))
    with pytest.raises(OtherCheckpointError, match="'sac'"):
        Localiser.load(tmp_path / "other")


def test_loss_is_the_squared_distance_in_centimetres() -> None:
    told = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    offset_m = torch.tensor([[0.0, 0.0], [0.02, 0.01]])
    assert float(place_loss(told, offset_m)) == pytest.approx((1.0 + 4.0 + 1.0) / 4)


def test_pictures_without_a_place_or_from_within_the_socket_are_left_out() -> None:
    data = squares(10)
    offset_m = data.offset_m.copy()
    offset_m[2] = np.nan
    offset_m[4, 2] = 0.001
    data = dataclasses.replace(data, offset_m=offset_m)
    assert usable_rows(data, CONFIG).tolist() == [0, 1, 3, 5, 6, 7, 8, 9]
    assert usable_rows(data, CONFIG, ("grey_1",)).tolist() == [0, 6, 8]
    nowhere = dataclasses.replace(data, offset_m=np.full_like(offset_m, np.nan))
    with pytest.raises(StorageError, match="tenon collect"):
        train_localiser(nowhere, CONFIG, seed=0)


def test_training_pictures_are_not_shifted() -> None:
    assert LocaliserConfig().augment.shift_px == 0
