"""Fields of ROS messages as NumPy arrays: the one conversion that live nodes and recorded episodes share.

Works on any object with the fields of the message, whoever made it: rclpy (``data`` is an ``array.array`` or
``memoryview``), ``mcap_ros2`` (``bytes``) or ``rosbags`` (an array). All results own their memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

_CHANNELS = {"rgb8": 3, "bgr8": 3, "mono8": 1}
_NS_PER_S = 1_000_000_000


class DecodeError(ValueError):
    """A message whose content does not fit its own description."""


class ImageMessage(Protocol):
    """The fields of ``sensor_msgs/msg/Image`` that matter here."""

    height: int
    width: int
    encoding: str
    step: int
    data: Any


class TimeMessage(Protocol):
    """The fields of ``builtin_interfaces/msg/Time``."""

    sec: int
    nanosec: int


def image_to_array(message: ImageMessage) -> NDArray[np.uint8]:
    """The image as (height, width, 3) uint8 in RGB order, without the padding of its rows.

    Grey images get three equal channels. An image of zero height or width gives an array of that shape.
    Raises DecodeError for encodings other than rgb8, bgr8 and mono8, and when step or data do not fit.
    """
    height, width = int(message.height), int(message.width)
    if height == 0 or width == 0:
        return np.empty((height, width, 3), np.uint8)
    channels = _CHANNELS.get(message.encoding)
    if channels is None:
        raise DecodeError(
            f"image encoding {message.encoding!r} is not supported. Allowed: {', '.join(_CHANNELS)}; "
            "set the camera driver to one of these"
        )
    row_bytes, step = width * channels, int(message.step)
    if step < row_bytes:
        raise DecodeError(f"image of {width} x {height} {message.encoding} has step {step}, it needs {row_bytes}")
    raw = _as_bytes(message.data)
    # The padding of the last row may be left out, as OpenCV does for views.
    if len(raw) < step * (height - 1) + row_bytes:
        raise DecodeError(f"image of {height} rows of {step} bytes holds only {len(raw)} bytes")
    rows: NDArray[np.uint8] = np.lib.stride_tricks.as_strided(raw, (height, row_bytes), (step, 1), writeable=False)
    if channels == 1:
        return np.repeat(rows[:, :, np.newaxis], 3, axis=2)
    pixels = rows.reshape(height, width, 3)
    return np.array(pixels[:, :, ::-1] if message.encoding == "bgr8" else pixels, order="C")


def float32_array(field: Iterable[float]) -> NDArray[np.float32]:
    """A ``float32[]`` field as (n,) float32."""
    return np.array(field if hasattr(field, "__len__") else list(field), dtype=np.float32)


def stamp_to_ns(stamp: TimeMessage) -> int:
    """A time stamp as integer nanoseconds."""
    return int(stamp.sec) * _NS_PER_S + int(stamp.nanosec)


def _as_bytes(data: Any) -> NDArray[np.uint8]:
    if isinstance(data, np.ndarray):
        return np.ascontiguousarray(data, dtype=np.uint8).reshape(-1)
    return np.frombuffer(memoryview(data).cast("B"), dtype=np.uint8)
