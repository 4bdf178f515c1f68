"""The data that all learners of the benchmark train on, and what a case is. NumPy alone: every environment has it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

OWN, COMPILED = "tenon", "tenon-compiled"
STATE_SIZE, ACTION_SIZE, HIDDEN_SIZES = 17, 6, (256, 256)
IMAGE_SHAPE = (64, 64, 3)
CHANNELS, STRIDES, EMBEDDING_SIZE = (32, 32, 32, 32), (2, 1, 1, 1), 50
DISCOUNT, LEARNING_RATE, TARGET_RATE = 0.99, 3e-4, 0.005
ENDED_SHARE = 0.5


class UnsupportedError(Exception):
    """The library has no such method, or none for such observations."""


@dataclass(frozen=True, slots=True)
class Case:
    """A method on a kind of observation. episodes have ``steps`` steps each."""

    method: str
    observation: str
    batch_size: int
    episodes: int
    steps: int

    @property
    def name(self) -> str:
        return f"{self.method} from {self.observation}s"

    @property
    def transitions(self) -> int:
        return self.episodes * self.steps

    @property
    def frames_bytes(self) -> int:
        """One copy of all frames."""
        return self.episodes * (self.steps + 1) * int(np.prod(IMAGE_SHAPE))


@dataclass(frozen=True, slots=True)
class Data:
    """Whole episodes. state (episodes, steps + 1, S), or frames (episodes, steps + 1, height, width, channels).

    action (episodes, steps, A), reward (episodes, steps); terminated (episodes,): whether the last step ended the task,
    or only the episode.
    """

    state: NDArray[np.float32] | None
    frames: NDArray[np.uint8] | None
    action: NDArray[np.float32]
    reward: NDArray[np.float32]
    terminated: NDArray[np.bool_]


def write(directory: Path, case: Case) -> None:
    """Makes the data of ``case``: numbers without meaning, as the time of an update does not depend on them."""
    rng = np.random.default_rng(0)
    shape = (case.episodes, case.steps)
    arrays: dict[str, NDArray[np.generic]] = {
        "action": rng.uniform(-1.0, 1.0, (*shape, ACTION_SIZE)).astype(np.float32),
        "reward": rng.normal(size=shape).astype(np.float32),
        "terminated": rng.random(case.episodes) < ENDED_SHARE,
    }
    following = (case.episodes, case.steps + 1)
    if case.observation == "state":
        arrays["state"] = rng.normal(size=(*following, STATE_SIZE)).astype(np.float32)
    else:
        arrays["frames"] = rng.integers(0, 256, (*following, *IMAGE_SHAPE), dtype=np.uint8)
    for name, array in arrays.items():
        np.save(directory / f"{name}.npy", array)


def read(directory: Path) -> Data:
    """What ``write`` made, in memory: what a replay takes can then be told from it."""

    def load(name: str) -> Any:
        path = directory / f"{name}.npy"
        return np.load(path) if path.exists() else None

    return Data(load("state"), load("frames"), load("action"), load("reward"), load("terminated"))
