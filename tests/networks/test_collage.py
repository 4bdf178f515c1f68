"""Parts of pictures from other pictures: which, how many, and what they leave alone."""

from __future__ import annotations

import pytest
import torch

from tenon.networks.collage import CollageConfig, collaged

NO_SPOTS = CollageConfig(surroundings=1.0, side=0.25, bottom=0.5, spots=0)


def _plain(count: int = 40, height: int = 12, width: int = 16) -> torch.Tensor:
    """Picture number n is of value n all over: each pixel tells where it comes from."""
    return torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(-1, height, width, 3).contiguous()


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_nothing_is_changed_by_none() -> None:
    assert torch.equal(collaged(_plain(), CollageConfig.none(), _generator()), _plain())


def test_each_picture_keeps_its_middle_and_has_parts_of_one_other() -> None:
    images = _plain()
    seen = collaged(images, NO_SPOTS, _generator())
    assert torch.equal(seen[:, :6, 4:12], images[:, :6, 4:12])
    changed = 0
    for number, picture in enumerate(seen):
        sources = set(picture.flatten().tolist())
        assert number in sources and len(sources) <= 2
        changed += len(sources) == 2
    assert changed > 30
    assert torch.equal(images, _plain())


def test_kept_part_is_a_window_open_at_the_top() -> None:
    for number, picture in enumerate(collaged(_plain(), NO_SPOTS, _generator())):
        own = picture[..., 0] == number
        rows, columns = own.any(dim=1), own.any(dim=0)
        assert bool(rows[0]) and torch.equal(own, rows[:, None] & columns[None])
        assert int(columns.sum()) >= 8 and int(rows.sum()) >= 6


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_so_many_pictures_keep_a_window_of_their_own(share: float) -> None:
    config = NO_SPOTS.model_copy(update={"surroundings": share})
    seen = collaged(_plain(count=250), config, _generator())
    changed = (seen != _plain(count=250)).flatten(1).any(dim=1).float().mean()
    # A window as large as the picture, or one's own surroundings, change nothing.
    assert share - 0.2 <= float(changed) <= share + 0.1


def test_spots_are_small_and_all_over() -> None:
    config = CollageConfig(surroundings=0.0, spots=1, spot=(0.1, 0.3))
    images = _plain(count=250, height=20, width=20)
    foreign = (collaged(images, config, _generator()) != images)[..., 0]
    assert int(foreign.flatten(1).sum(dim=1).max()) <= 6 * 6
    assert all(bool(foreign[:, row : row + 5, column : column + 5].any()) for row in (0, 15) for column in (0, 15))


def test_collage_is_a_function_of_the_generator() -> None:
    first, again, other = (collaged(_plain(), CollageConfig(), _generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
