"""Minari's HDF5 datasets (https://minari.farama.org/content/dataset_standards), written; read: ``minari_read``.

    OUT/data/metadata.json      spaces, sizes, who made it
    OUT/data/main_data.hdf5     episode_0: observations (T + 1, ...), actions (T, A), rewards, terminations, truncations

``MinariDataset("OUT/data")`` opens it, and ``minari.load_dataset("OUT's name")`` where MINARI_DATASETS_PATH is the
folder that OUT is in. Images are stored as they are, not as JPEG, which Minari reads from 0.5.4 on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tenon.data.edit.output import DatasetError, new_folder
from tenon.data.edit.provenance import tool_version
from tenon.data.exchange.trajectory import ExportReport, Sizes, Trajectory, left_out, text_of

DATA, METADATA, MAIN = "data", "metadata.json", "main_data.hdf5"
STATE = "state"
_MINARI_VERSION = "0.5.4"
"""The first that reads images which are not JPEG; Minari reads datasets of the versions that it lists."""
_DATASET_ID = re.compile(r"[-_\w]+-v\d+")
_MEGABYTE = 1e6
_COMPRESSION: dict[str, Any] = {"compression": "gzip", "compression_opts": 1}


def write(out: Path, trajectories: Iterable[Trajectory]) -> ExportReport:
    """Writes the folder ``out``, whole or not at all. Arrays are those of the recording, bit by bit.

    An observation is the state, or a dictionary of state and image. Raises DatasetError, also for an episode whose
    observations do not chain: Minari stores each once.
    """
    if not _DATASET_ID.fullmatch(out.name):
        raise DatasetError(f"{out}: Minari names a dataset by its folder: letters, digits, _ and -, then -v0 (usb-v0)")
    sizes: Sizes | None = None
    notes: set[str] = set()
    task, episodes, steps = "", 0, 0
    with new_folder(out) as part:
        data = part / DATA
        data.mkdir()
        path = data / MAIN
        with h5py.File(path, "w", track_order=True) as file:
            for trajectory in trajectories:
                _write_episode(file.create_group(f"episode_{episodes}"), trajectory, episodes)
                sizes, task = trajectory.sizes, text_of(trajectory.episode.contract)
                notes.add(left_out(trajectory))
                episodes, steps = episodes + 1, steps + len(trajectory.steps)
        if sizes is None:
            raise DatasetError(f"{out}: there are no episodes to export")
        metadata = {
            "dataset_id": out.name,
            "minari_version": _MINARI_VERSION,
            "data_format": "hdf5",
            "jpeg_encoding": False,
            "total_episodes": episodes,
            "total_steps": steps,
            "dataset_size": round(path.stat().st_size / _MEGABYTE, 1),
            "observation_space": json.dumps(_observation_space(sizes)),
            "action_space": json.dumps(_box("float32", (sizes.action,), -1.0, 1.0)),
            "description": f"Task {task!r}, exported by {tool_version()}.",
        }
        (data / METADATA).write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
    return ExportReport(out, episodes, steps, tuple(sorted(filter(None, notes))))


def _write_episode(group: Any, trajectory: Trajectory, number: int) -> None:
    if not trajectory.is_chained():
        raise DatasetError(
            f"{trajectory.episode.path}: a step's next observation is not the next step's observation; Minari stores "
            f"each once: export it as robomimic, which stores both"
        )
    group.attrs["id"] = number
    group.attrs["total_steps"] = len(trajectory.steps)
    group.attrs["seed"] = trajectory.episode.contract.seed
    group.attrs["tenon"] = trajectory.provenance()
    state = np.concatenate((trajectory.state(), trajectory.next_state()[-1:]))
    if trajectory.sizes.image is None:
        group["observations"] = state
    else:
        group["observations/state"] = state
        images = np.concatenate((trajectory.image(), trajectory.next_image()[-1:]))
        group.create_dataset("observations/image", data=images, **_COMPRESSION)
    group["actions"] = trajectory.action()
    group["rewards"] = trajectory.reward()
    group["terminations"] = trajectory.flag("terminated")
    group["truncations"] = trajectory.flag("truncated")
    # Minari's infos begin with that of the reset, which has neither success nor stamp, and nobody's action.
    group["infos/success"] = np.concatenate(([False], trajectory.success()))
    group["infos/human"] = np.concatenate(([False], trajectory.flag("human")))
    group["infos/stamp_ns"] = np.concatenate(([0], trajectory.stamp_ns()))
    if trajectory.sizes.goal is not None:
        goals = trajectory.next_achieved_goal()
        group["infos/achieved_goal"] = np.concatenate((np.zeros_like(goals[:1]), goals))


def _observation_space(sizes: Sizes) -> dict[str, Any]:
    state = _box("float32", (sizes.state,), float("-inf"), float("inf"))
    if sizes.image is None:
        return state
    return {"type": "Dict", "subspaces": {"image": _box("uint8", sizes.image, 0, 255), "state": state}}


def _box(dtype: str, shape: tuple[int, ...], low: float, high: float) -> dict[str, Any]:
    """As ``minari.serialization`` writes a gymnasium Box."""
    bounds = {"low": np.full(shape, low).tolist(), "high": np.full(shape, high).tolist()}
    return {"type": "Box", "dtype": dtype, "shape": list(shape), **bounds}
