"""Changes of shape against the same formula pixel by pixel, and what they must leave alone."""

from __future__ import annotations

import pytest
import torch

from tenon.networks.warp import WarpConfig, warped

NONE = WarpConfig.none()


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _slope(count: int = 200, height: int = 16, width: int = 20) -> torch.Tensor:
    """Channel 0 is the row, channel 1 the column: a moved picture tells where each pixel was."""
    rows = torch.arange(height, dtype=torch.uint8)[:, None].expand(height, width)
    columns = torch.arange(width, dtype=torch.uint8)[None].expand(height, width)
    return torch.stack((rows, columns), dim=2).expand(count, -1, -1, -1)


def _middle_step(picture: torch.Tensor, channel: int, axis: int) -> torch.Tensor:
    """How fast a channel grows along an axis, in the middle, where no edge is near."""
    start, stop = (7, 9) if axis == 0 else (9, 11)
    values = picture[:, :, :, channel].movedim(axis + 1, 1)
    middle = values.shape[2] // 2
    return (values[:, stop, middle] - values[:, start, middle]) / (stop - start)


def test_nothing_is_changed_by_none() -> None:
    images = _slope(3)
    torch.testing.assert_close(warped(images, NONE, _generator()), images.float(), atol=1e-3, rtol=0.0)


@pytest.mark.parametrize(
    ("field", "amount", "channel", "axis", "low", "high"),
    [
        ("scale", 0.3, 0, 0, 0.7, 1.3),
        ("scale", 0.3, 1, 1, 0.7, 1.3),
        # Per row, in units in which the picture is as wide as it is high: times 20 / 16 in pixels.
        ("shear", 0.2, 1, 0, -0.25, 0.25),
    ],
)
def test_each_change_has_its_range(field: str, amount: float, channel: int, axis: int, low: float, high: float) -> None:
    seen = warped(_slope(), NONE.model_copy(update={field: amount}), _generator())
    steps = _middle_step(seen, channel, axis)
    assert low - 1e-3 <= float(steps.min()) < low + 0.05
    assert high - 0.05 < float(steps.max()) <= high + 1e-3


def test_shift_moves_whole_pictures_and_edges_repeat() -> None:
    seen = warped(_slope(), NONE.model_copy(update={"shift": 0.25}), _generator())
    moved = seen[:, 8, 10, 0] - 8.0
    assert -4.01 <= float(moved.min()) < -3.5 and 3.5 < float(moved.max()) <= 4.01
    assert float(seen[..., 0].min()) >= 0.0 and float(seen[..., 0].max()) <= 15.0


def test_half_of_the_pictures_are_mirrored() -> None:
    seen = warped(_slope(), NONE.model_copy(update={"mirror": True}), _generator())
    mirrored = _middle_step(seen, 1, 1) < 0.0
    assert 0.35 < float(mirrored.float().mean()) < 0.65
    torch.testing.assert_close(seen[mirrored], _slope(int(mirrored.sum())).float().flip(2), atol=1e-3, rtol=0.0)


def test_channels_move_together() -> None:
    same = _slope()[..., :1].expand(-1, -1, -1, 2)
    seen = warped(same, WarpConfig(), _generator())
    torch.testing.assert_close(seen[..., 0], seen[..., 1])


def test_warp_is_a_function_of_the_generator() -> None:
    first, again, other = (warped(_slope(5), WarpConfig(), _generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
