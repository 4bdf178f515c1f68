"""Pictures on their way to browsers: only the newest is kept, and nothing is encoded that nobody looks at."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from tenon.console.config import PictureConfig
from tenon.data.images import Image, resize

Decode = Callable[[], Image]


@dataclass(frozen=True, slots=True)
class Jpeg:
    """An encoded picture. number: of the picture of its camera, from 1."""

    number: int
    data: bytes


class PictureSlot:
    """Holds the newest picture of one camera. One thread puts, any thread takes."""

    def __init__(self, config: PictureConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._encoding = threading.Lock()
        self._decode: Decode | None = None
        self._number = 0
        self._put_s = 0.0
        self._jpeg: Jpeg | None = None

    @property
    def number(self) -> int:
        """Of the newest picture; 0 before the first."""
        return self._number

    def age_s(self) -> float | None:
        """Since the newest picture came; None before the first."""
        with self._lock:
            return time.monotonic() - self._put_s if self._number else None

    def put(self, decode: Decode) -> None:
        """A new picture. decode: makes (height, width, 3) uint8 RGB of it, if somebody looks."""
        with self._lock:
            self._decode = decode
            self._number += 1
            self._put_s = time.monotonic()

    def jpeg(self) -> Jpeg | None:
        """The newest picture, encoded once for all viewers; None before the first. Raises ValueError (DecodeError)."""
        with self._encoding:
            with self._lock:
                decode, number = self._decode, self._number
            if decode is None:
                return None
            if self._jpeg is None or self._jpeg.number != number:
                self._jpeg = Jpeg(number, encode_jpeg(decode(), self._config))
            return self._jpeg


def encode_jpeg(rgb: Image, config: PictureConfig) -> bytes:
    """(height, width, 3) uint8 RGB as JPEG, made smaller where it is wider than ``config.width_px``."""
    height, width = rgb.shape[:2]
    if width > config.width_px:
        rgb = resize(rgb, max(1, round(height * config.width_px / width)), config.width_px)
    bgr = np.ascontiguousarray(rgb[:, :, ::-1])
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, config.quality])
    if not done:
        raise ValueError(f"a picture of {rgb.shape} cannot be encoded as JPEG")
    return bytes(data)
