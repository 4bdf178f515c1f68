"""robomimic's HDF5 (https://robomimic.github.io/docs/datasets/overview.html), written and read.

    data                    attributes: total (steps), env_args (JSON: env_name, env_type, env_kwargs)
        demo_0              attributes: num_samples, tenon (JSON: where it comes from)
            actions (T, A)  rewards (T,)  dones (T,)
            obs/state (T, S)  obs/image (T, H, W, 3)  next_obs/...
            terminated, truncated, success, human (T,)  stamp_ns (T,)  not robomimic's: what dones cannot tell
    mask                    success, failure: names of demos, robomimic's filter keys

It has no place for ROS topics beyond observations and actions: only the transitions are exported.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tenon.data.edit.output import DatasetError, new_file
from tenon.data.exchange.foreign import ForeignEpisode, Layout, ObservationChoice, layout_of
from tenon.data.exchange.trajectory import ExportReport, Trajectory, left_out, text_of

STATE, IMAGE = "state", "image"
_GYM_TYPE = 2
"""robomimic's EnvType.GYM_TYPE; it needs one, though nothing is ever made from it unless one asks for roll-outs."""
_FLAGS = ("terminated", "truncated", "success", "human")
_COMPRESSION: dict[str, Any] = {"compression": "gzip", "compression_opts": 1}


def write(path: Path, trajectories: Iterable[Trajectory]) -> ExportReport:
    """Writes the file ``path``; it is there whole or not at all. Arrays are those of the recording, bit by bit.

    Raises DatasetError.
    """
    if path.suffix not in (".hdf5", ".h5"):
        raise DatasetError(f"{path}: the name must end with .hdf5")
    masks: dict[str, list[str]] = {"success": [], "failure": []}
    notes: set[str] = set()
    steps = episodes = 0
    with new_file(path) as part, h5py.File(part, "w") as file:
        data = file.create_group("data")
        for trajectory in trajectories:
            name = f"demo_{episodes}"
            _write_demo(data.create_group(name), trajectory)
            masks["success" if trajectory.episode.outcome.result == "success" else "failure"].append(name)
            if not episodes:
                data.attrs["env_args"] = _environment(trajectory)
            notes.add(left_out(trajectory))
            episodes, steps = episodes + 1, steps + len(trajectory.steps)
        data.attrs["total"] = steps
        for key, names in masks.items():
            if names:
                file.create_dataset(f"mask/{key}", data=np.array(names, dtype="S"))
    return ExportReport(path, episodes, steps, tuple(sorted(filter(None, notes))))


def _write_demo(group: Any, trajectory: Trajectory) -> None:
    group.attrs["num_samples"] = len(trajectory.steps)
    group.attrs["tenon"] = trajectory.provenance()
    group["actions"] = trajectory.action()
    group["rewards"] = trajectory.reward()
    group["dones"] = trajectory.flag("ended").astype(np.int64)
    group["stamp_ns"] = trajectory.stamp_ns()
    for flag in _FLAGS:
        group[flag] = trajectory.success() if flag == "success" else trajectory.flag(flag)
    group[f"obs/{STATE}"] = trajectory.state()
    group[f"next_obs/{STATE}"] = trajectory.next_state()
    if trajectory.sizes.image is not None:
        group.create_dataset(f"obs/{IMAGE}", data=trajectory.image(), **_COMPRESSION)
        group.create_dataset(f"next_obs/{IMAGE}", data=trajectory.next_image(), **_COMPRESSION)
    if trajectory.sizes.goal is not None:
        group["next_achieved_goal"] = trajectory.next_achieved_goal()


def _environment(trajectory: Trajectory) -> str:
    return json.dumps({"env_name": text_of(trajectory.episode.contract), "env_type": _GYM_TYPE, "env_kwargs": {}})


class RobomimicFile:
    """A robomimic HDF5 file as a source of transitions. Raises DatasetError where it is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with h5py.File(path, "r") as file:
                self._layout = _read_layout(path, file)
        except OSError as error:
            raise DatasetError(f"{path}: cannot be opened as HDF5: {error}: name a robomimic .hdf5 file") from error

    @property
    def name(self) -> str:
        """For the session that its episodes become."""
        return f"robomimic:{self.path.name}"

    def layout(self) -> Layout:
        """What there is to choose from."""
        return self._layout

    def episodes(self, choice: ObservationChoice) -> Iterator[ForeignEpisode]:
        """The demonstrations in the order of their numbers, one in memory at a time. Raises DatasetError."""
        with h5py.File(self.path, "r") as file:
            for name in _demos(file):
                yield _read_demo(file["data"][name], f"{self.path}: {name}", choice)


def _read_layout(path: Path, file: Any) -> Layout:
    demos = _demos(file)
    if not demos:
        raise DatasetError(f"{path}: has no group data/demo_0: a robomimic dataset has one per demonstration")
    for name in demos:
        if not {"obs", "actions"} <= set(file["data"][name]):
            raise DatasetError(
                f"{path}: data/{name} has {', '.join(file['data'][name])}, obs and actions are needed: extract "
                f"observations with robomimic's dataset_states_to_obs.py first"
            )
    first = file["data"][demos[0]]
    shapes = {key: dataset.shape[1:] for key, dataset in first["obs"].items()}
    actions = [file["data"][name]["actions"][()] for name in demos]
    return layout_of(shapes, actions, STATE)


def _demos(file: Any) -> list[str]:
    names = [name for name in file.get("data", ()) if name.startswith("demo_") and name[5:].isdigit()]
    return sorted(names, key=lambda name: int(name[5:]))


def _read_demo(group: Any, where: str, choice: ObservationChoice) -> ForeignEpisode:
    steps = len(group["actions"])
    rewards = group["rewards"][()].astype(np.float64) if "rewards" in group else np.zeros(steps)
    done = group["dones"][()].astype(bool) if "dones" in group else np.zeros(steps, bool)
    observed = _arrays(group["obs"], where, choice)
    if "next_obs" in group:
        following = _arrays(group["next_obs"], where, choice)
    else:
        following = {key: np.concatenate((values[1:], values[-1:])) for key, values in observed.items()}
    flags = {flag: group[flag][()].astype(bool) for flag in _FLAGS if flag in group}
    return ForeignEpisode(
        state=observed[STATE],
        next_state=following[STATE],
        image=observed.get(IMAGE),
        next_image=following.get(IMAGE),
        action=group["actions"][()].astype(np.float32),
        reward=rewards,
        done=done,
        terminated=flags.get("terminated"),
        truncated=flags.get("truncated"),
        success=flags.get("success"),
        human=flags.get("human"),
        stamp_ns=group["stamp_ns"][()] if "stamp_ns" in group else None,
        next_achieved_goal=group["next_achieved_goal"][()] if "next_achieved_goal" in group else None,
    )


def _arrays(group: Any, where: str, choice: ObservationChoice) -> dict[str, Any]:
    if missing := [key for key in (*choice.state_keys, choice.image_key) if key and key not in group]:
        raise DatasetError(f"{where}: lacks {', '.join(missing)}; it has {', '.join(group)}: choose keys that all have")
    parts = [group[key][()].reshape(len(group[key]), -1) for key in choice.state_keys]
    arrays = {STATE: np.concatenate(parts, axis=1).astype(np.float32)}
    if choice.image_key is not None:
        arrays[IMAGE] = group[choice.image_key][()]
    return arrays
