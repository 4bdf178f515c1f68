"""Changes of pictures against loops over pixels, and what they must leave alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tenon.networks.augment import Augmentation, AugmentConfig, augmented, draw_augmentation
from tenon.networks.shift import shifted

NONE = AugmentConfig.none()


def _images(count: int = 4, height: int = 5, width: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, height, width, 3), generator=generator, dtype=torch.uint8)


def _generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _pixel_by_pixel(image: np.ndarray, colour: np.ndarray, offset: np.ndarray) -> np.ndarray:
    changed = np.empty(image.shape)
    for row, column in np.ndindex(image.shape[:2]):
        for new in range(3):
            value = sum(image[row, column, old] * colour[old, new] for old in range(3)) + offset[0, new]
            changed[row, column, new] = min(max(value, 0.0), 255.0)
    return changed


@pytest.mark.parametrize(("height", "width"), [(5, 6), (4, 6)])
def test_pictures_are_moved_then_coloured_and_stay_within_black_and_white(height: int, width: int) -> None:
    """With a number of pixels that is a multiple of 8, and one that is not."""
    images, before = _images(height=height, width=width), _images(height=height, width=width)
    change = draw_augmentation(len(images), AugmentConfig(shift_px=2), _generator())
    seen = change(images)
    moved = shifted(images, change.down, change.right, 2)
    for index in range(len(images)):
        expected = _pixel_by_pixel(moved[index].numpy(), change.colour[index].numpy(), change.offset[index].numpy())
        np.testing.assert_allclose(seen[index].numpy(), expected, rtol=1e-4, atol=1e-2)
    assert torch.equal(images, before)


def test_nothing_is_changed_by_none() -> None:
    images = _images()
    torch.testing.assert_close(augmented(images, NONE, _generator()), images.float())


def test_one_change_serves_two_pictures_of_the_same_transition() -> None:
    images = _images()
    change = draw_augmentation(len(images), AugmentConfig(), _generator())
    assert torch.equal(change(images), change(images.clone()))


def test_change_is_a_function_of_the_generator_and_differs_between_pictures() -> None:
    same = _images(count=1).expand(6, -1, -1, -1).contiguous()
    first, again, other = (augmented(same, AugmentConfig(), _generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len({image.numpy().tobytes() for image in first}) == 6


def test_channels_are_permuted_in_all_six_ways() -> None:
    pixel = torch.tensor([10, 20, 30], dtype=torch.uint8).expand(600, 2, 2, 3).contiguous()
    config = NONE.model_copy(update={"permute_channels": True})
    seen = augmented(pixel, config, _generator())
    orders, counts = np.unique(seen[:, 0, 0].numpy(), axis=0, return_counts=True)
    assert len(orders) == 6
    assert counts.min() > 60
    assert (seen == seen[:, :1, :1]).all()


def _spread(field: str, amount: float) -> np.ndarray:
    """Pixels (2000, 3) of a grey picture, of value 100, after one kind of change."""
    picture = torch.full((2000, 1, 1, 3), 100, dtype=torch.uint8)
    return augmented(picture, NONE.model_copy(update={field: amount}), _generator())[:, 0, 0].numpy()


@pytest.mark.parametrize(
    ("field", "amount", "low", "high", "channels_alike"),
    [
        ("channel_gain", 0.3, 70.0, 130.0, False),
        ("channel_offset", 0.2, 49.0, 151.0, False),
        ("brightness", 0.25, 75.0, 125.0, True),
        ("contrast", 0.4, 89.0, 111.0, True),
    ],
)
def test_each_change_has_its_range(field: str, amount: float, low: float, high: float, channels_alike: bool) -> None:
    seen = _spread(field, amount)
    assert low - 1e-3 <= seen.min() < low + 1.0
    assert high - 1.0 < seen.max() <= high + 1e-3
    assert bool(np.ptp(seen, axis=1).max() < 1e-3) is channels_alike


def test_contrast_leaves_middle_grey_alone() -> None:
    change = draw_augmentation(8, NONE.model_copy(update={"contrast": 0.4}), _generator())
    grey = torch.full((8, 1, 3), 127.5)
    torch.testing.assert_close(torch.baddbmm(change.offset, grey, change.colour), grey)


def test_pictures_of_one_channel_are_changed_too() -> None:
    images = _images()[..., :1].contiguous()
    assert augmented(images, AugmentConfig(), _generator()).shape == images.shape


def test_augmentation_is_drawn_once_per_picture() -> None:
    change = draw_augmentation(7, AugmentConfig(), _generator())
    assert isinstance(change, Augmentation)
    assert change.colour.shape == (7, 3, 3)
    assert change.offset.shape == (7, 1, 3)
    assert change.down.shape == change.right.shape == (7,)
