"""What a classifier looks at: how its logit falls when a part of the picture is covered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tenon.rewards.daib.classifier import RewardClassifier
from tenon.rewards.daib.free_plug import FreePlug

_PATCH_PX = 8
_STRIDE_PX = 4
_ZOOM = 4
_OVERLAY = 0.55
_CAPTION_PX = 18
_GAP_PX = 4

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A picture with its caption, and its plug as it is while free."""

    caption: str
    image: Picture
    free: FreePlug


def occlusion_map(classifier: RewardClassifier, image: Picture, free: FreePlug) -> NDArray[np.float32]:
    """(height, width): mean change of the logit when a patch over a pixel shows the picture's mean colour instead.

    Positive where the picture speaks for "inserted". Zeiler and Fergus, 2014.
    """
    height, width = image.shape[:2]
    corners = [(row, column) for row in _starts(height) for column in _starts(width)]
    covered = np.repeat(image[None], len(corners), axis=0)
    for picture, (row, column) in zip(covered, corners, strict=True):
        picture[row : row + _PATCH_PX, column : column + _PATCH_PX] = image.mean(axis=(0, 1))
    change = classifier.logits(image[None], free)[0] - classifier.logits(covered, free)
    total, count = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    for (row, column), value in zip(corners, change, strict=True):
        total[row : row + _PATCH_PX, column : column + _PATCH_PX] += value
        count[row : row + _PATCH_PX, column : column + _PATCH_PX] += 1.0
    return total / count


def contact_sheet(classifier: RewardClassifier, rows: Sequence[Sequence[Shown]]) -> Picture:
    """RGB: each picture beside its occlusion map, with its caption and probability. rows: all of the same length.

    Red speaks for "inserted", blue against it; the colours of a picture are scaled to its own largest change.
    """
    tiles = [np.concatenate([_tile(classifier, entry) for entry in row], axis=1) for row in rows]
    return np.concatenate(tiles, axis=0)


def _starts(size: int) -> list[int]:
    last = max(size - _PATCH_PX, 0)
    return sorted({*range(0, last + 1, _STRIDE_PX), last})


def _tile(classifier: RewardClassifier, shown: Shown) -> Picture:
    image, heat = shown.image, occlusion_map(classifier, shown.image, shown.free)
    scaled = np.clip(127.5 + 127.5 * heat / max(float(np.abs(heat).max()), 1e-6), 0.0, 255.0).astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(scaled, cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB)
    blended = ((1.0 - _OVERLAY) * image + _OVERLAY * colours).astype(np.uint8)
    pair = np.concatenate([image, blended], axis=1)
    zoomed = cv2.resize(pair, None, fx=_ZOOM, fy=_ZOOM, interpolation=cv2.INTER_NEAREST)
    probability = float(classifier.calibration.probability(classifier.logits(image[None], shown.free))[0])
    line = np.zeros((_CAPTION_PX, zoomed.shape[1], 3), np.uint8)
    text = f"{shown.caption}  p = {probability:.3f}"
    cv2.putText(line, text, (4, _CAPTION_PX - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
    tile = np.concatenate([line, zoomed], axis=0)
    return np.pad(tile, ((0, _GAP_PX), (0, _GAP_PX), (0, 0)))
