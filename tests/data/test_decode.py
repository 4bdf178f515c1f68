from __future__ import annotations

import array
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenon.data.decode import DecodeError, float32_array, image_to_array, stamp_to_ns

CONTAINERS: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "array": lambda data: array.array("B", data),
    "memoryview": memoryview,
    "numpy": lambda data: np.frombuffer(data, np.uint8),
}


def message(height: int, width: int, encoding: str, step: int, data: Any) -> SimpleNamespace:
    return SimpleNamespace(height=height, width=width, encoding=encoding, step=step, data=data)


@given(
    height=st.integers(1, 5),
    width=st.integers(1, 5),
    padding=st.integers(0, 4),
    encoding=st.sampled_from(["rgb8", "bgr8", "mono8"]),
    container=st.sampled_from(sorted(CONTAINERS)),
    seed=st.integers(0, 1000),
)
def test_every_pixel_is_where_the_message_says(
    height: int, width: int, padding: int, encoding: str, container: str, seed: int
) -> None:
    channels = 1 if encoding == "mono8" else 3
    step = width * channels + padding
    data = np.random.default_rng(seed).integers(0, 256, height * step, dtype=np.uint8).tobytes()
    image = image_to_array(message(height, width, encoding, step, CONTAINERS[container](data)))
    assert image.shape == (height, width, 3) and image.dtype == np.uint8 and image.flags.c_contiguous
    for row in range(height):
        for column in range(width):
            start = row * step + column * channels
            pixel = list(data[start : start + channels])
            expected = {"rgb8": pixel, "bgr8": pixel[::-1], "mono8": pixel * 3}[encoding]
            assert image[row, column].tolist() == expected


def test_the_array_owns_its_memory() -> None:
    data = bytearray(12)
    image = image_to_array(message(2, 2, "rgb8", 6, data))
    data[0] = 9
    assert image[0, 0, 0] == 0
    image[0, 0, 0] = 7  # and may be written


def test_last_row_may_come_without_its_padding() -> None:
    assert image_to_array(message(2, 1, "mono8", 4, bytes([1, 0, 0, 0, 2])))[:, 0, 0].tolist() == [1, 2]


def test_empty_image_is_an_empty_array() -> None:
    assert image_to_array(message(0, 0, "", 0, b"")).shape == (0, 0, 3)


def test_unknown_encoding_is_refused_by_name() -> None:
    with pytest.raises(DecodeError, match=r"'16UC1' is not supported. Allowed: rgb8, bgr8, mono8"):
        image_to_array(message(1, 1, "16UC1", 2, bytes(2)))


def test_too_little_data_and_too_small_a_step_are_refused() -> None:
    with pytest.raises(DecodeError, match="holds only 11 bytes"):
        image_to_array(message(2, 2, "rgb8", 6, bytes(11)))
    with pytest.raises(DecodeError, match="has step 5, it needs 6"):
        image_to_array(message(2, 2, "rgb8", 5, bytes(12)))


def test_vectors_and_stamps() -> None:
    vector = float32_array(array.array("f", [0.1, 2.0]))
    assert vector.dtype == np.float32 and vector.tolist() == [np.float32(0.1), 2.0]
    assert float32_array([]).shape == (0,)
    assert stamp_to_ns(SimpleNamespace(sec=3, nanosec=4)) == 3_000_000_004
