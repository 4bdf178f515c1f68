"""The sheet shows the frames that matter, with their marks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tenon.data.contact_sheet import Moment, SheetConfig, chosen, contact_sheet, write_png
from tenon.data.edit.output import DatasetError
from tenon.data.images import Image

GREEN, AMBER = (64, 200, 90), (240, 190, 60)


@dataclass
class Grey:
    """The same picture at every moment. asked: which pictures were."""

    moments: list[Moment]
    asked: list[int] = field(default_factory=list)

    def images(self, numbers: Sequence[int]) -> Iterator[Image]:
        for number in numbers:
            self.asked.append(number)
            yield np.full((48, 64, 3), 100, np.uint8)


def frames(count: int, success_from: int | None = None) -> Grey:
    return Grey(
        [
            Moment(k * 0.1, float(success_from is not None and k >= success_from), success_from == k)
            for k in range(count)
        ]
    )


def has(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((picture == colour).all(axis=2).any())


def test_first_last_and_first_success_are_always_shown() -> None:
    none = [False] * 100
    assert chosen(100, 5, none) == [0, 25, 50, 74, 99]
    found = chosen(100, 5, [k == 61 for k in range(100)])
    assert found[0] == 0 and found[-1] == 99 and 61 in found and len(found) == 5
    assert chosen(3, 24, [False] * 3) == [0, 1, 2]
    assert chosen(9, 1, [k == 8 for k in range(9)]) == [8]


def test_success_is_green_and_reward_amber_and_plain_frames_are_neither() -> None:
    config = SheetConfig(frames=8, columns=4, tile_width_px=96)
    plain = contact_sheet(frames(8), "title", config)
    marked = contact_sheet(frames(8, success_from=5), "title", config)
    assert not has(plain, GREEN) and not has(plain, AMBER)
    assert has(marked, GREEN) and has(marked, AMBER)
    assert marked.shape == plain.shape and marked.shape[1] == 4 * 96


def test_no_more_pictures_are_asked_for_than_are_shown() -> None:
    footage = frames(1000, success_from=123)
    contact_sheet(footage, "title", SheetConfig(frames=5, tile_width_px=64))
    assert len(footage.asked) == 5 and 123 in footage.asked


def test_frames_without_rewards_have_no_strip() -> None:
    config = SheetConfig(frames=4, tile_width_px=96)
    known = frames(4)
    unknown = Grey([replace(moment, reward=None) for moment in known.moments])
    assert contact_sheet(unknown, "", config).shape[0] < contact_sheet(known, "", config).shape[0]


def test_png_holds_the_picture_and_is_never_overwritten(tmp_path: Path) -> None:
    sheet = contact_sheet(frames(5, 3), "title", SheetConfig(tile_width_px=64))
    path = tmp_path / "sheet.png"
    write_png(path, sheet)
    assert np.array_equal(cv2.imread(str(path))[..., ::-1], sheet)
    with pytest.raises(DatasetError, match="exists already"):
        write_png(path, sheet)
    with pytest.raises(DatasetError, match=r"must end with \.png"):
        write_png(tmp_path / "sheet.jpg", sheet)
    with pytest.raises(DatasetError, match="no frames"):
        contact_sheet(Grey([]), "", SheetConfig())
