"""What a session teaches its reward, on disk: one that is resumed judges by the same plug and the same bar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from tenon.configuration import ConfigurationError
from tenon.data.mapped_array import write_beside
from tenon.rewards.daib.hits import BestFrames

_FORMAT = {"format": "reward memory 1"}


@dataclass(frozen=True, slots=True, eq=False)
class SessionMemory:
    """pictures: (N, height, width, C) of uint8, N > 0, of the free plug. episodes: how many have begun."""

    pictures: NDArray[np.uint8]
    episodes: int
    best: BestFrames


def write_memory(path: Path, memory: SessionMemory, key: Mapping[str, str]) -> None:
    """Replaces the file as a whole. key: what it belongs to. Raises StorageError, with the former one in place."""
    best = memory.best
    arrays = {
        "pictures": memory.pictures,
        "episodes": np.array(memory.episodes),
        "frames": best.frames,
        "confirmed": np.array(best.confirmed),
        "lone": best.lone,
        "running": np.array(best.running),
    }
    write_beside(path, safetensors.numpy.save(arrays, metadata={**key, **_FORMAT}))


def read_memory(path: Path, key: Mapping[str, str]) -> SessionMemory | None:
    """None where there is none, or one that belongs to something else. Raises ConfigurationError for a damaged one."""
    if not path.exists():
        return None
    try:
        with safetensors.safe_open(path, "np") as file:
            if file.metadata() != {**key, **_FORMAT}:
                return None
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dictionary
    except (OSError, safetensors.SafetensorError) as error:
        raise ConfigurationError(
            f"{path}: what the session has taught its reward cannot be read: {error}. Restore it, or remove it to have "
            f"plug and best frames learnt anew"
        ) from error
    best = BestFrames(arrays["frames"], float(arrays["confirmed"]), arrays["lone"], float(arrays["running"]))
    return SessionMemory(arrays["pictures"], int(arrays["episodes"]), best)
