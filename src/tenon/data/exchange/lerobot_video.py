"""Camera images of a LeRobotDataset: several episodes to a video file, and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from tenon.data.edit.output import DatasetError
from tenon.data.exchange.lerobot_layout import IMAGE, VIDEO_PATH, place
from tenon.data.transitions import ImageArray
from tenon.data.video import VideoConfig, write_video

_MOST_RAW_BYTES = 256 << 20
"""Frames that are held in memory for one video file, before compression."""
KEYFRAME_EVERY = 2
"""As LeRobot records: training picks frames at random."""


@dataclass(slots=True)
class ImageError:
    """By how much the stored images differ from the recorded ones, in levels of 0 to 255."""

    most: int = 0
    _sum: float = 0.0
    _values: int = 0

    @property
    def mean(self) -> float:
        return self._sum / self._values if self._values else 0.0

    def add(self, stored: ImageArray, recorded: ImageArray) -> None:
        difference = np.abs(stored.astype(np.int16) - recorded)
        self.most = max(self.most, int(difference.max()))
        self._sum += float(difference.sum())
        self._values += difference.size


@dataclass(slots=True)
class VideoFiles:
    """Writes the episodes that it is given into as few files as memory allows, and looks at what came out."""

    root: Path
    fps: int
    quality: int
    error: ImageError = field(default_factory=ImageError)
    places: list[dict[str, float]] = field(default_factory=list)
    _pending: list[ImageArray] = field(default_factory=list)
    _files: int = 0

    def add(self, images: ImageArray) -> None:
        """The frames of the next episode, (T, height, width, 3). Raises DatasetError for an odd height or width."""
        if images.shape[1] % 2 or images.shape[2] % 2:
            raise DatasetError(
                f"images are {images.shape[2]} x {images.shape[1]} pixels, H.264 needs even numbers: store them with "
                f"--images png"
            )
        begin = sum(len(pending) for pending in self._pending)
        self._pending.append(images)
        self.places.append(
            {
                **place(self._files),
                "from_timestamp": begin / self.fps,
                "to_timestamp": (begin + len(images)) / self.fps,
            }
        )
        if sum(pending.nbytes for pending in self._pending) >= _MOST_RAW_BYTES:
            self.flush()

    def flush(self) -> None:
        """Encodes what is pending, decodes it again and notes the difference."""
        if not self._pending:
            return
        path = self.root / VIDEO_PATH.format(video_key=IMAGE, **place(self._files))
        frames = np.concatenate(self._pending)
        config = VideoConfig(constant_rate_factor=self.quality, keyframe_every=KEYFRAME_EVERY)
        write_video(path, frames, self.fps, config)
        for stored, recorded in zip(_frames(path), frames, strict=True):
            self.error.add(stored, recorded)
        self._pending.clear()
        self._files += 1


def video_feature_info(fps: int, height: int, width: int) -> dict[str, Any]:
    """What info.json says of a video feature."""
    return {
        "video.height": height,
        "video.width": width,
        "video.codec": "h264",
        "video.pix_fmt": "yuv420p",
        "video.is_depth_map": False,
        "video.fps": fps,
        "video.channels": 3,
        "has_audio": False,
    }


def read_frames(path: Path, from_s: float, count: int, fps: float) -> ImageArray:
    """``count`` frames of (count, height, width, 3) from ``from_s`` on. Raises DatasetError where there are fewer."""
    found: list[NDArray[np.uint8]] = []
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            container.seek(max(0, int(from_s / stream.time_base)), stream=stream)
            for frame in container.decode(stream):
                if frame.time is not None and frame.time >= from_s - 0.5 / fps:
                    found.append(frame.to_ndarray(format="rgb24"))
                if len(found) == count:
                    break
    except (OSError, IndexError) as error:
        raise DatasetError(f"{path}: cannot be decoded: {error}: fetch the dataset again") from error
    if len(found) < count:
        raise DatasetError(f"{path}: holds {len(found)} frames from {from_s:.3f} s on, not {count}: it is cut off")
    return np.stack(found)


def _frames(path: Path) -> Any:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")
