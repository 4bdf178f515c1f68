"""Reads a LeRobotDataset v3.0 from a local folder. What lies where: ``lerobot_layout``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tenon.data.edit.output import DatasetError
from tenon.data.exchange import lerobot_layout as layout
from tenon.data.exchange.foreign import ForeignEpisode, Layout, ObservationChoice, decode_image
from tenon.data.exchange.lerobot_video import read_frames
from tenon.data.transitions import ImageArray

_OBSERVATION = "observation"


class LeRobotFolder:
    """A dataset as a source of transitions. Raises DatasetError where the folder is none, or of another version."""

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            self._info: dict[str, Any] = json.loads((root / layout.INFO).read_text(encoding="utf-8"))
            version = str(self._info["codebase_version"])
            self._features: dict[str, Any] = self._info["features"]
        except (OSError, ValueError, KeyError) as error:
            raise DatasetError(
                f"{root}: is no LeRobotDataset ({layout.INFO} cannot be read: {error}) and no Minari dataset: name the "
                f"folder of one"
            ) from error
        if not version.startswith("v3."):
            raise DatasetError(
                f"{root}: is a LeRobotDataset {version}, {layout.VERSION} is read: convert it with LeRobot's own "
                f"convert_dataset_v21_to_v30"
            )
        if layout.ACTION not in self._features:
            raise DatasetError(f"{root}: has no feature 'action'; it has {', '.join(self._features)}")
        found = sorted((root / "meta/episodes").glob("*/*.parquet"))
        if not found:
            raise DatasetError(f"{root}: has no meta/episodes/*/*.parquet: the dataset is not whole, fetch it again")
        table = pa.concat_tables([_table(path, _without_stats) for path in found], promote_options="default")
        self._episodes: list[dict[str, Any]] = sorted(table.to_pylist(), key=lambda row: int(row["episode_index"]))

    @property
    def name(self) -> str:
        """For the session that its episodes become."""
        return f"lerobot:{self.root.name}"

    def layout(self) -> Layout:
        """What there is to choose from."""
        shapes = {key: tuple(feature["shape"]) for key, feature in self._features.items()}
        is_image = {key: feature["dtype"] in ("video", "image") for key, feature in self._features.items()}
        actions = np.concatenate([_matrix(_table(path, _actions)[0]) for path in self._data_files()])
        return Layout(
            vectors={
                key: int(np.prod(shape, dtype=int))
                for key, shape in shapes.items()
                if key.startswith(_OBSERVATION) and not is_image[key] and self._features[key]["dtype"] != "string"
            },
            images={key: self._image_shape(key) for key in shapes if is_image[key]},
            default_state=(layout.STATE,) if layout.STATE in shapes else (),
            action_low=actions.min(axis=0),
            action_high=actions.max(axis=0),
            episodes=len(self._episodes),
        )

    def episodes(self, choice: ObservationChoice) -> Iterator[ForeignEpisode]:
        """All episodes in order, one in memory at a time. Raises DatasetError."""
        for episode in self._episodes:
            yield self._read(episode, choice)

    def _image_shape(self, key: str) -> tuple[int, ...]:
        """(height, width, channels), as frames are decoded; the names of the axes tell how the feature says it."""
        shape, names = tuple(self._features[key]["shape"]), self._features[key].get("names")
        channels_first = bool(names) and str(next(iter(names))).startswith("channel")
        return (*shape[1:], shape[0]) if channels_first else shape

    def _data_files(self) -> list[Path]:
        files = sorted((self.root / "data").glob("*/*.parquet"))
        if not files:
            raise DatasetError(f"{self.root}: has no data/*/*.parquet: the dataset is not whole, fetch it again")
        return files

    def _read(self, episode: dict[str, Any], choice: ObservationChoice) -> ForeignEpisode:
        rows = self._rows(episode)
        state = np.concatenate([_matrix(rows[key]) for key in choice.state_keys], axis=1).astype(np.float32)
        following = [layout.NEXT + key for key in choice.state_keys]
        if all(key in self._features for key in following):
            next_state = np.concatenate([_matrix(rows[key]) for key in following], axis=1).astype(np.float32)
        else:
            next_state = _shifted(state)
        image = None if choice.image_key is None else self._images(episode, rows, choice.image_key)
        goal = self._optional(rows, layout.ACHIEVED_GOAL)
        reward, done = self._optional(rows, layout.REWARD), self._optional(rows, layout.DONE)
        stamp, terminated = self._optional(rows, layout.STAMP), self._optional(rows, layout.TERMINATED)
        truncated, success = self._optional(rows, layout.TRUNCATED), self._optional(rows, layout.SUCCESS)
        human = self._optional(rows, layout.HUMAN)
        count = len(state)
        return ForeignEpisode(
            state=state,
            next_state=next_state,
            image=image,
            next_image=None if image is None else _shifted(image),
            action=_matrix(rows[layout.ACTION]).astype(np.float32),
            reward=np.zeros(count) if reward is None else reward[:, 0].astype(np.float64),
            done=np.zeros(count, np.bool_) if done is None else done[:, 0].astype(np.bool_),
            terminated=None if terminated is None else terminated[:, 0].astype(np.bool_),
            truncated=None if truncated is None else truncated[:, 0].astype(np.bool_),
            success=None if success is None else success[:, 0].astype(np.bool_),
            human=None if human is None else human[:, 0].astype(np.bool_),
            stamp_ns=None if stamp is None else stamp[:, 0].astype(np.int64),
            next_achieved_goal=None if goal is None else goal.astype(np.float32),
        )

    def _rows(self, episode: dict[str, Any]) -> pa.Table:
        place = {key: episode[f"data/{key}"] for key in ("chunk_index", "file_index")}
        path = self.root / self._info["data_path"].format(**place)
        number, length = episode["episode_index"], episode["length"]
        rows = _table(path, partial(pq.read_table, filters=[("episode_index", "==", number)]))
        if len(rows) != length:
            raise DatasetError(f"{path}: holds {len(rows)} frames of episode {number}, not {length}: it is damaged")
        return rows

    def _images(self, episode: dict[str, Any], rows: pa.Table, key: str) -> ImageArray:
        if self._features[key]["dtype"] == "image":
            return np.stack([decode_image(entry.as_py()["bytes"]) for entry in rows[key]])
        place = {name: episode[f"videos/{key}/{name}"] for name in ("chunk_index", "file_index")}
        path = self.root / self._info["video_path"].format(video_key=key, **place)
        return read_frames(path, episode[f"videos/{key}/from_timestamp"], episode["length"], self._info["fps"])

    def _optional(self, rows: pa.Table, key: str) -> NDArray[Any] | None:
        return _matrix(rows[key]) if key in self._features else None


def _table(path: Path, read: Callable[[Path], pa.Table]) -> pa.Table:
    """What ``read`` makes of a parquet file. Raises DatasetError for one that is cut off, or a pointer of git-lfs."""
    try:
        return read(path)
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{path}: cannot be read: {error}: fetch the dataset again (git lfs pull)") from error


def _actions(path: Path) -> pa.Table:
    return pq.read_table(path, columns=[layout.ACTION])


def _without_stats(path: Path) -> pa.Table:
    names = [name for name in pq.read_schema(path).names if not name.startswith("stats/")]
    return pq.read_table(path, columns=names)


def _matrix(column: pa.ChunkedArray) -> NDArray[Any]:
    """(N, D); D is 1 for a column of numbers."""
    values = column.combine_chunks()
    flat = values
    while pa.types.is_list(flat.type) or pa.types.is_fixed_size_list(flat.type) or pa.types.is_large_list(flat.type):
        flat = flat.flatten()
    return np.asarray(flat.to_numpy(zero_copy_only=False)).reshape(len(values), -1)


def _shifted(values: NDArray[Any]) -> NDArray[Any]:
    """Of the following frames; the last one has none and stands for its own."""
    return np.concatenate((values[1:], values[-1:]))
