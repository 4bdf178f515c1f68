"""Writes pictures as an mp4 file (H.264) that browsers and players open; PyAV brings the encoder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import av
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tenon.configuration.base import Config

_MAX_RATE_DENOMINATOR = 1001  # 30000/1001 and its like stay exact.


class VideoConfig(Config):
    """constant_rate_factor: quality of x264, 0 (lossless) to 51. preset: x264's trade of time against size.
    keyframe_every: frames; small ones make any frame quick to reach. None: x264's choice."""

    constant_rate_factor: Annotated[int, Field(ge=0, le=51)] = 20
    preset: str = "veryfast"
    keyframe_every: Annotated[int, Field(ge=1)] | None = None


class VideoError(ValueError):
    """Frames that make no video."""


def write_video(
    path: Path, frames: Iterable[NDArray[np.uint8]], rate_hz: float, config: VideoConfig | None = None
) -> int:
    """Encodes frames of (height, width, 3) uint8 RGB, all of one size, to ``path``; returns how many there were.

    The file appears under its name only once it is whole and on the disk; an older one is replaced. A frame of odd
    height or width gets its last row or column twice, since H.264 halves the colours. Raises VideoError without
    frames, for wrong ones, and for a rate that is not positive; OSError when the disk is full.
    """
    if path.suffix != ".mp4":
        raise VideoError(f"{path}: the name must end with .mp4")
    if not rate_hz > 0:
        raise VideoError(f"{path}: the rate is {rate_hz} Hz, a positive one is needed")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        count = _encode(
            part, frames, Fraction(rate_hz).limit_denominator(_MAX_RATE_DENOMINATOR), config or VideoConfig()
        )
        if count == 0:
            raise VideoError(f"{path}: there are no frames")
        _sync(part)
        part.replace(path)
        _sync(path.parent)
    finally:
        part.unlink(missing_ok=True)
    return count


def _encode(path: Path, frames: Iterable[NDArray[np.uint8]], rate: Fraction, config: VideoConfig) -> int:
    count = 0
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream: Any = None
        shape: tuple[int, ...] = ()
        for frame in frames:
            if stream is None:
                shape = _checked(frame, frame.shape, count).shape
                stream = _open_stream(container, shape, rate, config)
            picture = _even(_checked(frame, shape, count))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            count += 1
        if stream is not None:
            container.mux(stream.encode(None))
    return count


def _open_stream(container: Any, shape: tuple[int, ...], rate: Fraction, config: VideoConfig) -> Any:
    options = {"crf": str(config.constant_rate_factor), "preset": config.preset}
    if config.keyframe_every is not None:
        options["g"] = str(config.keyframe_every)
    stream = container.add_stream("libx264", rate=rate, options=options)
    stream.height, stream.width = shape[0] + shape[0] % 2, shape[1] + shape[1] % 2
    stream.pix_fmt = "yuv420p"  # The only layout that all browsers show.
    return stream


def _checked(frame: NDArray[np.uint8], shape: tuple[int, ...], number: int) -> NDArray[np.uint8]:
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or frame.size == 0:
        raise VideoError(f"frame {number} is {frame.shape} of {frame.dtype}: (height, width, 3) of uint8 is needed")
    if frame.shape != shape:
        raise VideoError(f"frame {number} is {frame.shape}, the frames before it are {shape}")
    return frame


def _even(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    odd = (frame.shape[0] % 2, frame.shape[1] % 2)
    if not any(odd):
        return np.ascontiguousarray(frame)
    return np.pad(frame, ((0, odd[0]), (0, odd[1]), (0, 0)), mode="edge")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
