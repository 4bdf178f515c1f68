"""A contact sheet: one picture of an episode, frames in rows, with its rewards and successes marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from tenon.configuration.base import Config
from tenon.data.edit.output import DatasetError, new_file
from tenon.data.images import Image, resize

_BACKGROUND, _INK, _FAINT = (24, 24, 24), (235, 235, 235), (90, 90, 90)
_SUCCESS, _PAID = (64, 200, 90), (240, 190, 60)
_CAPTION_PX, _BORDER_PX, _STRIP_PX, _TITLE_PX = 18, 4, 72, 26
_FONT, _FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.4


class SheetConfig(Config):
    """How much is shown, and how large."""

    frames: PositiveInt = Field(default=24, description="at most; evenly spaced, with the first success")
    columns: PositiveInt = 6
    tile_width_px: int = Field(default=192, ge=64)


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known of one picture of an episode. reward: None where it is not known."""

    time_s: float
    reward: float | None
    success: bool


class Footage(Protocol):
    """The pictures of an episode, of which there may be too many for the memory."""

    @property
    def moments(self) -> Sequence[Moment]:
        """Of all pictures, in order."""
        ...

    def images(self, numbers: Sequence[int]) -> Iterator[Image]:
        """The pictures of these moments, (height, width, 3) RGB, one in memory at a time. numbers: rising."""
        ...


def chosen(count: int, most: int, success: Sequence[bool]) -> list[int]:
    """Which of ``count`` frames are shown: evenly spaced ones, with the first success in place of its neighbour."""
    indices = np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int))
    first = next((index for index, flag in enumerate(success) if flag), None)
    if first is not None and first not in indices:
        nearest = int(np.abs(indices[1:-1] - first).argmin()) + 1 if len(indices) > 2 else len(indices) - 1
        indices[nearest] = first
    return sorted(int(index) for index in indices)


def contact_sheet(footage: Footage, title: str, config: SheetConfig) -> Image:
    """(height, width, 3) RGB: the title, the frames with time and reward, and the reward over all frames.

    A green border is a success, an amber one a positive reward.
    """
    moments = footage.moments
    if not moments:
        raise DatasetError("there are no frames to show")
    shown = chosen(len(moments), config.frames, [moment.success for moment in moments])
    images = footage.images(shown)
    tiles = [_tile(image, moments[k], config.tile_width_px) for k, image in zip(shown, images, strict=True)]
    columns = min(config.columns, len(tiles))
    blank = np.full_like(tiles[0], _BACKGROUND[0])
    tiles += [blank] * (-len(tiles) % columns)
    rows = [np.concatenate(tiles[start : start + columns], axis=1) for start in range(0, len(tiles), columns)]
    sheet = np.concatenate(rows)
    parts = [_caption(title, sheet.shape[1], _TITLE_PX), sheet]
    if any(moment.reward is not None for moment in moments):
        parts.append(_reward_strip(moments, sheet.shape[1]))
    return np.concatenate(parts)


def write_png(path: Path, picture: Image) -> None:
    """Writes the picture; a file of that name is never overwritten. Raises DatasetError."""
    if path.suffix != ".png":
        raise DatasetError(f"{path}: the name must end with .png")
    is_written, data = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))
    if not is_written:
        raise DatasetError(f"{path}: a picture of {picture.shape} cannot be encoded")
    with new_file(path) as part:
        part.write_bytes(data.tobytes())


def _tile(image: Image, moment: Moment, width: int) -> Image:
    height = round(width * image.shape[0] / image.shape[1])
    inner = resize(image, height - 2 * _BORDER_PX, width - 2 * _BORDER_PX)
    is_paid = moment.reward is not None and moment.reward > 0.0
    colour = _SUCCESS if moment.success else _PAID if is_paid else _BACKGROUND
    tile = np.empty((height, width, 3), np.uint8)
    tile[:] = colour
    tile[_BORDER_PX:-_BORDER_PX, _BORDER_PX:-_BORDER_PX] = inner
    text = f"{moment.time_s:.2f} s"
    if moment.reward is not None:
        text += f"  r {moment.reward:g}" if abs(moment.reward) < 1e4 else f"  r {moment.reward:.1e}"
    return np.concatenate((tile, _caption(text, width, _CAPTION_PX)))


def _caption(text: str, width: int, height: int) -> Image:
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = _BACKGROUND
    cv2.putText(picture, text, (6, height - 6), _FONT, _FONT_SCALE, _INK, 1, cv2.LINE_AA)
    return picture


def _reward_strip(moments: Sequence[Moment], width: int) -> Image:
    """Reward of every frame as a bar from zero; successes green."""
    picture = np.empty((_STRIP_PX, width, 3), np.uint8)
    picture[:] = _BACKGROUND
    rewards: NDArray[np.float64] = np.array([moment.reward or 0.0 for moment in moments])
    low, high = min(rewards.min(), 0.0), max(rewards.max(), 0.0)
    inner = _STRIP_PX - 2 * _CAPTION_PX
    scale = inner / (high - low) if high > low else 0.0
    zero = _CAPTION_PX + round(high * scale)
    edges = np.linspace(0, width, len(moments) + 1).round().astype(int)
    for moment, reward, left, right in zip(moments, rewards, edges[:-1], edges[1:], strict=True):
        top, bottom = sorted((zero, zero - round(float(reward) * scale)))
        colour = _SUCCESS if moment.success else _PAID if reward > 0.0 else _FAINT
        picture[top : bottom + 1, left : max(right - 1, left + 1)] = colour
    cv2.putText(picture, f"reward, {low:g} to {high:g}", (6, 12), _FONT, _FONT_SCALE, _INK, 1, cv2.LINE_AA)
    return picture
