"""Writes a LeRobotDataset v3.0. What lies where: ``lerobot_layout``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from tenon.configuration.base import Config
from tenon.data.edit.output import DatasetError, new_folder
from tenon.data.edit.provenance import tool_version
from tenon.data.exchange import lerobot_layout as layout
from tenon.data.exchange.lerobot_stats import FeatureStats, ImageCounts, vector_stats
from tenon.data.exchange.lerobot_video import VideoFiles, video_feature_info
from tenon.data.exchange.trajectory import ExportReport, Sizes, Trajectory, left_out, text_of

_NS_PER_S = 1e9
_MEBIBYTE = 1 << 20
_INDEX = "__index_level_0__"
"""Where pandas keeps an index without a name."""
_COUNTERS = ("frame_index", "episode_index", "index", "task_index")


class LeRobotConfig(Config):
    """How images and time are stored."""

    images: Literal["video", "png"] = Field(
        default="video", description="video: H.264 with a measured error. png: inside the parquet files, without loss"
    )
    video_quality: int = Field(default=18, ge=0, le=51, description="x264's constant rate factor; smaller is better")
    fps: PositiveInt | None = Field(default=None, description="frames per second; None: measured from the stamps")


def write(out: Path, trajectories: Iterable[Trajectory], config: LeRobotConfig | None = None) -> ExportReport:
    """Writes the folder ``out``, whole or not at all. Numbers are those of the recording, bit by bit, and so are images
    as png; for video the report states the error. Raises DatasetError."""
    with new_folder(out) as part:
        writer = _Writer(part, config or LeRobotConfig())
        for trajectory in trajectories:
            writer.add(trajectory)
        return writer.finish(out)


@dataclass(slots=True)
class _Writer:
    root: Path
    config: LeRobotConfig
    _fps: int = 0
    _sizes: Sizes | None = None
    _robot: str = ""
    _tasks: dict[str, int] = field(default_factory=dict)
    _episodes: list[dict[str, Any]] = field(default_factory=list)
    _columns: dict[str, list[NDArray[Any]]] = field(default_factory=dict)
    _image_counts: ImageCounts | None = None
    _videos: VideoFiles | None = None
    _data: pq.ParquetWriter | None = None
    _data_file: int = 0
    _frames: int = 0
    _off_grid_s: float = 0.0
    _sources: list[Any] = field(default_factory=list)
    _left_out: set[str] = field(default_factory=set)

    def add(self, trajectory: Trajectory) -> None:
        """The next episode: its rows, images and statistics."""
        if self._sizes is None:
            self._begin(trajectory)
        self._note_time(trajectory)
        columns = _columns(trajectory)
        count, number = len(trajectory.steps), len(self._episodes)
        task = self._tasks.setdefault(text_of(trajectory.episode.contract), len(self._tasks))
        columns["timestamp"] = (np.arange(count) / self._fps).astype(np.float32)
        counters = (np.arange(count), np.full(count, number), self._frames + np.arange(count), np.full(count, task))
        columns.update(zip(_COUNTERS, counters, strict=True))
        stats = {name: vector_stats(values) for name, values in columns.items()}
        for name, values in columns.items():
            self._columns.setdefault(name, []).append(values)
        table = {name: _arrow(values) for name, values in columns.items()}
        if self._image_counts is not None:
            images = trajectory.image()
            stats[layout.IMAGE] = self._add_images(images, table)
        data_place = self._write_rows(pa.table(table))
        self._episodes.append(
            {
                "episode_index": number,
                "tasks": [text_of(trajectory.episode.contract)],
                "length": count,
                "dataset_from_index": self._frames,
                "dataset_to_index": self._frames + count,
                **{f"data/{key}": value for key, value in data_place.items()},
                **{f"meta/episodes/{key}": value for key, value in layout.place(0).items()},
                **{f"stats/{name}/{key}": value for name, found in stats.items() for key, value in found.items()},
            }
        )
        self._frames += count
        self._sources.append(json.loads(trajectory.provenance()))
        self._left_out.add(left_out(trajectory))

    def finish(self, out: Path) -> ExportReport:
        """Everything that can only be said at the end."""
        if self._sizes is None:
            raise DatasetError(f"{out}: there are no episodes to export")
        if self._data is not None:
            self._data.close()
        if self._videos is not None:
            self._videos.flush()
            for episode, place in zip(self._episodes, self._videos.places, strict=True):
                episode.update({f"videos/{layout.IMAGE}/{key}": value for key, value in place.items()})
        path = self.root / layout.EPISODES_PATH.format(**layout.place(0))
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(self._episodes), path)
        pq.write_table(_tasks_table(self._tasks), self.root / layout.TASKS)
        self._write_json(layout.INFO, self._info())
        self._write_json(layout.STATS, self._stats())
        error = self._videos.error if self._videos is not None else None
        self._write_json(
            layout.TENON,
            {
                "tool": tool_version(),
                "episodes": self._sources,
                "image_error": None if error is None else {"most": error.most, "mean": error.mean},
                "timestamp_off_grid_s": self._off_grid_s,
            },
        )
        return ExportReport(out, len(self._episodes), self._frames, self._notes())

    def _begin(self, trajectory: Trajectory) -> None:
        sizes = trajectory.sizes
        self._sizes, self._robot = sizes, trajectory.episode.contract.robot
        self._fps = self.config.fps or _measured_fps(trajectory)
        if sizes.image is not None:
            self._image_counts = ImageCounts(sizes.image[2])
            if self.config.images == "video":
                self._videos = VideoFiles(self.root, self._fps, self.config.video_quality)

    def _note_time(self, trajectory: Trajectory) -> None:
        """How far true stamps are from the grid that LeRobot needs."""
        stamps_s = (trajectory.stamp_ns() - trajectory.steps[0].stamp_ns) / _NS_PER_S
        off = np.abs(stamps_s - np.arange(len(stamps_s)) / self._fps)
        self._off_grid_s = max(self._off_grid_s, float(off.max()))

    def _add_images(self, images: NDArray[np.uint8], table: dict[str, pa.Array]) -> FeatureStats:
        assert self._image_counts is not None
        self._image_counts.add(images)
        counts = ImageCounts(images.shape[3])
        counts.add(images)
        if self._videos is not None:
            self._videos.add(images)
        else:
            table[layout.IMAGE] = _png_column(images)
        return counts.stats()

    def _write_rows(self, table: pa.Table) -> dict[str, int]:
        """Appends an episode's rows; a full file is followed by a new one. Returns where they went."""
        place = layout.place(self._data_file)
        if self._data is None:
            path = self.root / layout.DATA_PATH.format(**place)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._data = pq.ParquetWriter(path, table.schema)
        self._data.write_table(table)
        path = self.root / layout.DATA_PATH.format(**place)
        if path.stat().st_size >= layout.DATA_FILE_MIB * _MEBIBYTE:
            self._data.close()
            self._data, self._data_file = None, self._data_file + 1
        return place

    def _info(self) -> dict[str, Any]:
        return {
            "codebase_version": layout.VERSION,
            "robot_type": self._robot,
            "total_episodes": len(self._episodes),
            "total_frames": self._frames,
            "total_tasks": len(self._tasks),
            "chunks_size": layout.FILES_PER_CHUNK,
            "data_files_size_in_mb": layout.DATA_FILE_MIB,
            "video_files_size_in_mb": layout.VIDEO_FILE_MIB,
            "fps": self._fps,
            "splits": {"train": f"0:{len(self._episodes)}"},
            "data_path": layout.DATA_PATH,
            "video_path": layout.VIDEO_PATH if self._videos is not None else None,
            "features": self._features(),
        }

    def _features(self) -> dict[str, Any]:
        features: dict[str, Any] = {}
        for name, values in self._columns.items():
            shape = list(values[0].shape[1:]) or [1]
            features[name] = {"dtype": str(values[0].dtype), "shape": shape, "names": None}
        image = None if self._sizes is None else self._sizes.image
        if image is not None:
            feature: dict[str, Any] = {"shape": list(image), "names": ["height", "width", "channels"]}
            if self._videos is not None:
                feature |= {"dtype": "video", "info": video_feature_info(self._fps, image[0], image[1])}
            else:
                feature |= {"dtype": "image"}
            features[layout.IMAGE] = feature
        return features

    def _stats(self) -> dict[str, FeatureStats]:
        stats = {name: vector_stats(np.concatenate(values)) for name, values in self._columns.items()}
        if self._image_counts is not None:
            stats[layout.IMAGE] = self._image_counts.stats()
        return stats

    def _notes(self) -> tuple[str, ...]:
        notes = [
            f"timestamps are those of {self._fps} frames a second; true stamps, in {layout.STAMP}, are up to "
            f"{self._off_grid_s:.3f} s off"
        ]
        if self._videos is not None:
            error = self._videos.error
            notes.append(
                f"images went through H.264: at most {error.most}, on average {error.mean:.2f} of 255 levels off"
            )
        return (*notes, *sorted(filter(None, self._left_out)))

    def _write_json(self, name: str, data: Any) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data, indent=4) + "\n", encoding="utf-8")


def _columns(trajectory: Trajectory) -> dict[str, NDArray[Any]]:
    """All numbers of an episode but LeRobot's own counters."""
    columns: dict[str, NDArray[Any]] = {
        layout.STATE: trajectory.state(),
        layout.ACTION: trajectory.action(),
        layout.NEXT + layout.STATE: trajectory.next_state(),
        layout.REWARD: trajectory.reward().astype(np.float32),  # As it was on the wire.
        layout.DONE: trajectory.flag("ended"),
        layout.TERMINATED: trajectory.flag("terminated"),
        layout.TRUNCATED: trajectory.flag("truncated"),
        layout.SUCCESS: trajectory.success(),
        layout.HUMAN: trajectory.flag("human"),
        layout.STAMP: trajectory.stamp_ns(),
    }
    if trajectory.sizes.goal is not None:
        columns[layout.ACHIEVED_GOAL] = trajectory.next_achieved_goal()
    return {
        name: values[:, 0] if values.ndim > 1 and values.shape[1] == 1 else values for name, values in columns.items()
    }


def _arrow(values: NDArray[Any]) -> pa.Array:
    if values.ndim == 1:
        return pa.array(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


def _png_column(images: NDArray[np.uint8]) -> pa.Array:
    encoded = []
    for image in images:
        is_written, data = cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))
        if not is_written:
            raise DatasetError(f"an image of {image.shape} cannot be stored as png: (height, width, 3) is needed")
        encoded.append({"bytes": data.tobytes(), "path": None})
    return pa.array(encoded, pa.struct({"bytes": pa.binary(), "path": pa.string()}))


def _measured_fps(trajectory: Trajectory) -> int:
    period_s = float(np.median(np.diff(trajectory.stamp_ns()))) / _NS_PER_S if len(trajectory.steps) > 1 else 0.0
    fps = round(1.0 / period_s) if period_s > 0.0 else 0
    if fps < 1:
        raise DatasetError(
            f"{trajectory.episode.path}: its stamps are {period_s:g} s apart, which is no whole number of frames per "
            f"second: say which is meant, --fps 10"
        )
    return fps


def _tasks_table(tasks: dict[str, int]) -> pa.Table:
    """As pandas writes a frame whose index is the task's text: LeRobot looks tasks up by it."""
    table = pa.table(
        {"task_index": pa.array(list(tasks.values()), pa.int64()), _INDEX: pa.array(list(tasks), pa.string())}
    )
    column = {"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64"}
    index = {"name": None, "field_name": _INDEX, "pandas_type": "unicode", "numpy_type": "object"}
    header = {"name": None, "field_name": None, "pandas_type": "unicode", "numpy_type": "object"}
    description = {
        "index_columns": [_INDEX],
        "column_indexes": [{**header, "metadata": {"encoding": "UTF-8"}}],
        "columns": [{**column, "metadata": None}, {**index, "metadata": None}],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.0.0",
    }
    return table.replace_schema_metadata({b"pandas": json.dumps(description).encode()})
