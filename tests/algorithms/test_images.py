"""Learning from images: an encoder trained by the values, on images that are shifted at random."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tenon.algorithms import Algorithm, create
from tenon.data.batch import Batch, ObservationBatch
from tenon.data.transitions import EnvironmentSpec, ImageSpec, Observation, ObservationSpec
from tenon.training.config import TrainerConfig
from tenon.training.loop import train_gym
from tenon.training.trainer import Trainer

SIZE, SQUARE = 16, 3
SPEC = EnvironmentSpec(
    observation=ObservationSpec(state_size=1, image=ImageSpec(height=SIZE, width=SIZE, channels=1)), action_size=2
)
ENCODER = {"image": "conv", "channels": [8, 8], "strides": [2, 2], "embedding_size": 16, "random_shift_px": 1}


def _picture(square: np.ndarray) -> np.ndarray:
    """A dark image with a bright square at ``square``, in [-1, 1]^2 from one corner to the other."""
    row, column = np.round((square + 1) / 2 * (SIZE - SQUARE)).astype(int)
    image = np.full((SIZE, SIZE, 1), 20, dtype=np.uint8)
    image[row : row + SQUARE, column : column + SQUARE] = 230
    return image


class PointAtSquare:
    """One step: the action should be where the square is, r = -|a - square|^2. The optimum is known: a = square."""

    def reset(self, *, seed: int | None = None) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        self._square = np.random.default_rng(seed).uniform(-0.9, 0.9, 2)
        return self._observation(), {}

    def step(self, action: np.ndarray, /) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        return self._observation(), -float(np.square(action - self._square).sum()), True, False, {}

    def _observation(self) -> dict[str, np.ndarray]:
        return {"state": np.zeros(1, dtype=np.float32), "image": _picture(self._square)}


@pytest.mark.learning
@pytest.mark.parametrize(
    ("method", "algorithm"),
    [("sac", {"initial_temperature": 0.02, "initial_std": 0.5}), ("td3", {"exploration_std": 0.4})],
)
def test_learns_to_point_at_what_it_sees(method: str, algorithm: dict[str, Any], tmp_path: Path) -> None:
    config = TrainerConfig(
        method=method,
        algorithm={
            "hidden_sizes": [32, 32],
            "encoder": ENCODER,
            "actor_learning_rate": 3e-3,
            "critic_learning_rate": 3e-3,
            "last_layer_scale": 0.1,
            **algorithm,
        },
        batch_size=64,
        warmup_transitions=200,
        checkpoint_every_updates=100_000,
    )
    trainer = Trainer.create(config, SPEC, tmp_path, seed=0)
    train_gym(PointAtSquare(), trainer, 1500, rng=np.random.default_rng(0))
    actor = trainer.actor(np.random.default_rng(1))
    errors = []
    for square in np.random.default_rng(2).uniform(-0.8, 0.8, (100, 2)):
        action = actor.act(Observation(np.zeros(1, dtype=np.float32), _picture(square)), deterministic=True)
        errors.append(np.abs(action - square).mean())
    assert np.mean(errors) < 0.15  # a blind policy is 0.4 off


def _batch(seed: int = 0, size: int = 24) -> Batch:
    generator = torch.Generator().manual_seed(seed)

    def observation() -> ObservationBatch:
        images = torch.randint(0, 256, (size, SIZE, SIZE, 1), generator=generator, dtype=torch.uint8)
        return ObservationBatch(torch.randn(size, 1, generator=generator), images)

    return Batch(
        observation=observation(),
        action=torch.rand(size, 2, generator=generator) * 2 - 1,
        reward=torch.randn(size, generator=generator),
        next_observation=observation(),
        terminated=torch.zeros(size),
        number=torch.arange(size),
        prior=torch.zeros(size, dtype=torch.bool),
    )


class _Seen:
    """Which images a learner's encoder was given, and whether a gradient was wanted."""

    def __init__(self, learner: Algorithm[Any, Any]):
        self.images: list[Tensor] = []
        assert learner.encoder.convolutions is not None
        learner.encoder.convolutions.register_forward_pre_hook(lambda _, inputs: self.images.append(inputs[0].clone()))


def _offset(original: Tensor, moved: Tensor) -> tuple[int, int]:
    """How far an image of noise moved, by its inner part."""
    for down in range(-2, 3):
        for right in range(-2, 3):
            inner = original[2 - down : SIZE - 2 - down, 2 - right : SIZE - 2 - right]
            if torch.equal(inner, moved[2 : SIZE - 2, 2 : SIZE - 2]):
                return down, right
    raise AssertionError("the image is not a moved copy")


def _learner(method: str = "sac", **encoder: Any) -> Algorithm[Any, Any]:
    return create(method, {"hidden_sizes": [8], "encoder": {**ENCODER, **encoder}}, SPEC, seed=0)


def test_images_and_next_images_move_each_by_its_own_offset() -> None:
    learner, batch = _learner(random_shift_px=2), _batch()
    seen = _Seen(learner)
    learner.update(batch)
    assert len(seen.images) == 2
    originals = (batch.observation.image, batch.next_observation.image)
    assert originals[0] is not None and originals[1] is not None
    moved = list(seen.images)
    if not _is_moved(originals[0], moved[0]):
        moved.reverse()
    offsets = [
        [_offset(a, b) for a, b in zip(original, images, strict=True)]
        for original, images in zip(originals, moved, strict=True)
    ]
    assert len(set(offsets[0])) > 8
    assert offsets[0] != offsets[1]


def _is_moved(original: Tensor, moved: Tensor) -> bool:
    try:
        _offset(original[0], moved[0])
    except AssertionError:
        return False
    return True


def test_without_shift_nothing_moves() -> None:
    learner, batch = _learner(random_shift_px=0), _batch()
    seen = _Seen(learner)
    learner.update(batch)
    for original in (batch.observation.image, batch.next_observation.image):
        assert any(torch.equal(original, images) for images in seen.images)


def test_shifts_differ_from_update_to_update_and_are_those_of_the_seed() -> None:
    def first_images(seed: int) -> list[Tensor]:
        learner = create("sac", {"hidden_sizes": [8], "encoder": ENCODER}, SPEC, seed=seed)
        seen = _Seen(learner)
        for _ in range(2):
            learner.update(_batch())
        return seen.images[::2]

    one, same, other = first_images(0), first_images(0), first_images(1)
    assert not torch.equal(one[0], one[1])
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not torch.equal(one[0], other[0])


def test_acting_sees_the_image_as_it_is() -> None:
    learner = _learner()
    seen = _Seen(learner)
    image = _picture(np.array([0.3, -0.2]))
    learner.act(Observation(np.zeros(1, dtype=np.float32), image), deterministic=False)
    assert torch.equal(seen.images[0][0], torch.tensor(image))


def test_training_leaves_the_images_in_the_replay_as_they_are(tmp_path: Path) -> None:
    config = TrainerConfig(
        method="sac",
        algorithm={"hidden_sizes": [8], "encoder": ENCODER},
        batch_size=8,
        warmup_transitions=20,
    )
    trainer = Trainer.create(config, SPEC, tmp_path, seed=0)
    train_gym(PointAtSquare(), trainer, 30, rng=np.random.default_rng(0))
    assert trainer.updates == 10
    squares = np.random.default_rng(0)
    env = PointAtSquare()
    held = trainer.replay.gather(torch.arange(30)).observation.image
    assert held is not None
    for number in range(30):
        raw, _ = env.reset(seed=int(squares.integers(2**31)))
        squares.standard_normal((1, 2), dtype=np.float32)  # the exploration of this episode's one step
        np.testing.assert_array_equal(held[number].numpy(), raw["image"])


@pytest.mark.parametrize("method", ["sac", "td3"])
def test_actor_leaves_the_encoder_to_the_critic(method: str) -> None:
    """Where every episode ends at once, the critic learns the same whatever the actor: and so does the encoder."""
    batch = _batch()
    batch.terminated.fill_(1.0)

    def encoder_after(last_layer_scale: float) -> dict[str, Tensor]:
        config = {"hidden_sizes": [8], "encoder": ENCODER, "last_layer_scale": last_layer_scale}
        learner = create(method, config, SPEC, seed=0)
        learner.update(batch)
        return {name: t for name, t in learner.state().tensors.items() if name.startswith("encoder")}

    timid, bold = encoder_after(0.01), encoder_after(1.0)
    assert all(torch.equal(timid[name], bold[name]) for name in timid)
