"""Reads a Minari dataset from a local folder, of its HDF5 storage. What lies where: ``minari``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tenon.data.edit.output import DatasetError
from tenon.data.exchange.foreign import ForeignEpisode, Layout, ObservationChoice, decode_image, layout_of
from tenon.data.exchange.minari import DATA, MAIN, METADATA, STATE

_NEEDED = ("observations", "actions", "rewards", "terminations", "truncations")
_JPEG = bytes((0xFF, 0xD8, 0xFF))


def is_minari(folder: Path) -> bool:
    """Whether a folder looks like a dataset, or like the folder ``data`` of one."""
    return (_data_folder(folder) / METADATA).is_file()


class MinariFolder:
    """A dataset as a source of transitions. Raises DatasetError where the folder is none, or of another storage."""

    def __init__(self, folder: Path) -> None:
        self.folder, data = folder, _data_folder(folder)
        self.path = data / MAIN
        try:
            metadata = json.loads((data / METADATA).read_text(encoding="utf-8"))
            stored = metadata.get("data_format", "hdf5")
            if stored != "hdf5":
                raise DatasetError(
                    f"{folder}: is stored as {stored}, hdf5 is read: write it anew with Minari's DataCollector and "
                    f'data_format="hdf5"'
                )
            with h5py.File(self.path, "r") as file:
                self._layout = _read_layout(self.path, file)
        except (OSError, ValueError, AttributeError) as error:
            raise DatasetError(
                f"{folder}: is no Minari dataset that can be read: {error}: fetch it again (minari download)"
            ) from error

    @property
    def name(self) -> str:
        """For the session that its episodes become."""
        return f"minari:{self.folder.resolve().name}"

    def layout(self) -> Layout:
        """What there is to choose from."""
        return self._layout

    def episodes(self, choice: ObservationChoice) -> Iterator[ForeignEpisode]:
        """All episodes in order, one in memory at a time. Raises DatasetError."""
        with h5py.File(self.path, "r") as file:
            for name in _episodes(file):
                yield _read_episode(file[name], f"{self.path}: {name}", choice)


def _data_folder(folder: Path) -> Path:
    return folder / DATA if (folder / DATA).is_dir() else folder


def _episodes(file: Any) -> list[str]:
    names = [name for name in file if name.startswith("episode_") and name[8:].isdigit()]
    return sorted(names, key=lambda name: int(name[8:]))


def _read_layout(path: Path, file: Any) -> Layout:
    names = _episodes(file)
    if not names:
        raise DatasetError(f"{path}: has no group episode_0: a Minari dataset has one per episode")
    for name in names:
        if missing := [key for key in _NEEDED if key not in file[name]]:
            raise DatasetError(f"{path}: {name} lacks {', '.join(missing)}: the dataset is not whole, fetch it again")
    first = file[names[0]]
    if not isinstance(first["actions"], h5py.Dataset) or first["actions"].ndim != 2:
        raise DatasetError(f"{path}: its actions are no vectors of numbers, others cannot be learnt from")
    shapes = {key: _shape(dataset) for key, dataset in _leaves(first["observations"]).items()}
    actions = [file[name]["actions"][()] for name in names]
    return layout_of(shapes, actions, STATE)


def _leaves(observations: Any) -> dict[str, Any]:
    """Path -> dataset of numbers, T + 1 of them; an observation that is no dictionary is the state."""
    if isinstance(observations, h5py.Dataset):
        return {STATE: observations}
    found: dict[str, Any] = {}
    observations.visititems(lambda key, item: found.update({key: item} if isinstance(item, h5py.Dataset) else {}))
    return {key: item for key, item in found.items() if _is_jpeg(item) or item.dtype.kind in "biuf"}


def _is_jpeg(dataset: Any) -> bool:
    """As Minari stores images by default: each a row of bytes, of one length or of several."""
    is_bytes = dataset.dtype == np.uint8 or h5py.check_vlen_dtype(dataset.dtype) == np.uint8
    return bool(is_bytes and len(dataset) and bytes(np.ravel(dataset[0])[:3]) == _JPEG)


def _shape(dataset: Any) -> tuple[int, ...]:
    """Of one observation."""
    return decode_image(bytes(dataset[0])).shape if _is_jpeg(dataset) else dataset.shape[1:]


def _read_episode(group: Any, where: str, choice: ObservationChoice) -> ForeignEpisode:
    steps, leaves = len(group["rewards"]), _leaves(group["observations"])
    parts = [_observed(leaves, key, steps, where) for key in choice.state_keys]
    state = np.concatenate([part.reshape(steps + 1, -1) for part in parts], axis=1).astype(np.float32)
    image = None if choice.image_key is None else _observed(leaves, choice.image_key, steps, where)
    terminated, truncated = (group[key][()].astype(np.bool_) for key in ("terminations", "truncations"))
    success, human = _info(group, "success", steps), _info(group, "human", steps)
    goal = _info(group, "achieved_goal", steps)
    if goal is None and "achieved_goal" in leaves:
        goal = _observed(leaves, "achieved_goal", steps, where)[1:]
    return ForeignEpisode(
        state=state[:-1],
        next_state=state[1:],
        image=None if image is None else image[:-1],
        next_image=None if image is None else image[1:],
        action=group["actions"][()].astype(np.float32),
        reward=group["rewards"][()].astype(np.float64),
        done=terminated | truncated,
        terminated=terminated,
        truncated=truncated,
        success=None if success is None else success.astype(np.bool_),
        human=None if human is None else human.astype(np.bool_),
        stamp_ns=_info(group, "stamp_ns", steps),
        next_achieved_goal=None if goal is None else goal.astype(np.float32),
    )


def _observed(leaves: dict[str, Any], key: str, steps: int, where: str) -> NDArray[Any]:
    """(T + 1, ...)."""
    if key not in leaves:
        raise DatasetError(f"{where}: lacks {key}; it has {', '.join(leaves)}: choose keys that all have")
    dataset = leaves[key]
    if len(dataset) != steps + 1:
        raise DatasetError(f"{where}: has {len(dataset)} of {key} for {steps} steps, {steps + 1} are needed")
    return np.stack([decode_image(bytes(row)) for row in dataset]) if _is_jpeg(dataset) else dataset[()]


def _info(group: Any, key: str, steps: int) -> NDArray[Any] | None:
    """(T, ...): without that of the reset. None where it is not there for every step."""
    info = group.get(f"infos/{key}")
    return info[1:] if isinstance(info, h5py.Dataset) and info.ndim and len(info) == steps + 1 else None
