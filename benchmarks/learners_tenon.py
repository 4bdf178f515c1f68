"""Tenon's learners as the benchmark drives them: a trainer with its replay on disk, as in any training."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import psutil
import torch
from learners_data import (
    ACTION_SIZE,
    CHANNELS,
    COMPILED,
    DISCOUNT,
    EMBEDDING_SIZE,
    HIDDEN_SIZES,
    IMAGE_SHAPE,
    LEARNING_RATE,
    STATE_SIZE,
    STRIDES,
    TARGET_RATE,
    Case,
    Data,
    UnsupportedError,
)

from tenon.data.replay import ReplayConfig
from tenon.data.sampling import Sampler, SamplingConfig
from tenon.data.transitions import EnvironmentSpec, ImageSpec, Observation, ObservationSpec, Transition
from tenon.training.config import TrainerConfig
from tenon.training.trainer import Trainer

NO_STATE = np.zeros(1, dtype=np.float32)
RESERVE_SHARE = 0.01
PLENTY = 1e9
BLOCK_BYTES = 512


def build(library: str, case: Case, data: Data, scratch: Path, device: str) -> TenonLearner:
    compiled = library == COMPILED
    if compiled and case.observation == "image":
        raise UnsupportedError("convolutions gain nothing by it")
    return TenonLearner(case, data, scratch, device, compiled=compiled)


class TenonLearner:
    """``Trainer.update`` with all that belongs to it: sampling, augmentation, checks, metrics."""

    updates_per_call = 1

    def __init__(self, case: Case, data: Data, scratch: Path, device: str, *, compiled: bool):
        self.versions = {"python": platform.python_version(), "torch": torch.__version__}
        height, width, channels = IMAGE_SHAPE
        image = ImageSpec(height=height, width=width, channels=channels) if case.observation == "image" else None
        spec = EnvironmentSpec(
            observation=ObservationSpec(state_size=1 if image else STATE_SIZE, image=image), action_size=ACTION_SIZE
        )
        self._trainer = Trainer.create(_config(case, device, compiled=compiled), spec, scratch, seed=0)
        before = psutil.Process().memory_info().rss
        for episode in range(case.episodes):
            for transition in _transitions(data, episode, case.steps):
                self._trainer.add(transition)
        resident = psutil.Process().memory_info().rss - before
        on_disk = sum(path.stat().st_blocks for path in (scratch / "replay").iterdir()) * BLOCK_BYTES
        self.replay_bytes = max(resident, on_disk)
        self._sampler = Sampler(self._trainer.replay, None, SamplingConfig(), DISCOUNT)
        self._generator = torch.Generator().manual_seed(0)
        self._batch_size, self._transitions = case.batch_size, case.transitions

    def update(self) -> None:
        self._trainer.update()

    def sample(self) -> None:
        self._sampler.sample(self._batch_size, self._generator, until=self._transitions)


def _config(case: Case, device: str, *, compiled: bool) -> TrainerConfig:
    algorithm: dict[str, object] = {
        "hidden_sizes": HIDDEN_SIZES,
        "discount": DISCOUNT,
        "actor_learning_rate": LEARNING_RATE,
        "critic_learning_rate": LEARNING_RATE,
        "target_rate": TARGET_RATE,
    }
    if case.observation == "image":
        algorithm["encoder"] = {
            "image": "conv",
            "channels": CHANNELS,
            "strides": STRIDES,
            "embedding_size": EMBEDDING_SIZE,
        }
    return TrainerConfig(
        method=case.method,
        algorithm=algorithm,
        batch_size=case.batch_size,
        warmup_transitions=case.transitions - 1,
        updates_per_transition=PLENTY,
        replay=ReplayConfig(
            capacity=case.transitions,
            reserve=max(1, round(RESERVE_SHARE * case.transitions)),
            frames_per_transition=(case.steps + 1) / case.steps,
        ),
        device=device,
        compiled=compiled,
    )


def _transitions(data: Data, episode: int, steps: int) -> list[Transition]:
    def observation(step: int) -> Observation:
        if data.frames is not None:
            return Observation(NO_STATE, np.asarray(data.frames[episode, step]))
        assert data.state is not None
        return Observation(data.state[episode, step])

    observations = [observation(step) for step in range(steps + 1)]
    terminated = bool(data.terminated[episode])
    return [
        Transition(
            session="benchmark",
            episode=episode,
            step=step,
            observation=observations[step],
            action=data.action[episode, step],
            reward=float(data.reward[episode, step]),
            next_observation=observations[step + 1],
            terminated=step == steps - 1 and terminated,
            truncated=step == steps - 1 and not terminated,
        )
        for step in range(steps)
    ]
