"""Random shifts against loops over pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tenon.networks.shift import random_shift, shifted


def _images(count: int = 5, height: int = 6, width: int = 7, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, height, width, channels), generator=generator, dtype=torch.uint8)


def _pixel_by_pixel(image: np.ndarray, down: int, right: int) -> np.ndarray:
    height, width, _ = image.shape
    moved = np.empty_like(image)
    for row in range(height):
        for column in range(width):
            moved[row, column] = image[min(max(row - down, 0), height - 1), min(max(column - right, 0), width - 1)]
    return moved


@pytest.mark.parametrize("channels", [1, 3])
def test_each_image_moves_by_its_own_offset_and_edges_repeat(channels: int) -> None:
    images = _images(channels=channels)
    down, right = torch.tensor([0, 2, -2, 1, -1]), torch.tensor([0, -2, 2, 0, 1])
    moved = shifted(images, down, right, 2)
    for index, image in enumerate(images):
        expected = _pixel_by_pixel(image.numpy(), int(down[index]), int(right[index]))
        np.testing.assert_array_equal(moved[index].numpy(), expected)


def test_shift_may_be_larger_than_the_image() -> None:
    images = _images(count=2, height=3, width=2)
    moved = shifted(images, torch.tensor([5, -5]), torch.tensor([-4, 5]), 5)
    np.testing.assert_array_equal(moved[0].numpy(), _pixel_by_pixel(images[0].numpy(), 5, -4))
    np.testing.assert_array_equal(moved[1].numpy(), _pixel_by_pixel(images[1].numpy(), -5, 5))


def test_random_shift_is_a_function_of_the_generator_and_a_copy() -> None:
    images = _images()
    before = images.clone()
    first, again, other = (random_shift(images, 2, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(images, before)
    assert torch.equal(random_shift(images, 0, torch.Generator()), images)


def test_offsets_are_uniform_within_the_limit() -> None:
    """A single bright pixel in the middle shows where it went: 9 offsets, each in about a ninth of the images."""
    images = torch.zeros(4500, 5, 5, 1, dtype=torch.uint8)
    images[:, 2, 2] = 255
    moved = random_shift(images, 1, torch.Generator().manual_seed(0))
    counts = (moved[..., 0] == 255).sum(dim=0)
    assert int(counts.sum()) == 4500
    assert bool((counts[1:4, 1:4] > 400).all()) and bool((counts[1:4, 1:4] < 600).all())
