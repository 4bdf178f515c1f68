"""Running statistics against NumPy on all rows at once."""

from __future__ import annotations

import numpy as np
import torch

from tenon.networks.standardizer import RunningStandardizer


def _rows() -> np.ndarray:
    """Far from zero and of unlike spread: what sums of squares in float32 would get wrong."""
    rng = np.random.default_rng(0)
    return (rng.normal(size=(700, 3)) * (0.5, 20.0, 1e-6) + (1000.0, -3.0, 0.25)).astype(np.float32)


def test_statistics_are_those_of_all_rows_whatever_the_batches() -> None:
    rows = _rows()
    standardizer = RunningStandardizer(3, floor=0.01, clip=100.0)
    for part in np.split(rows, [1, 8, 300]):
        standardizer.observe(torch.tensor(part))
    exact = rows.astype(np.float64)
    expected = (exact - exact.mean(axis=0)) / np.maximum(exact.std(axis=0), 0.01)
    np.testing.assert_allclose(standardizer(torch.tensor(rows)).numpy(), expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(standardizer.mean.numpy(), exact.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose((standardizer.squares / 700).sqrt().numpy(), exact.std(axis=0), rtol=1e-6)


def test_first_batch_is_only_clipped_and_a_constant_entry_is_divided_by_the_floor() -> None:
    standardizer = RunningStandardizer(2, floor=0.1, clip=5.0)
    inputs = torch.tensor([[0.5, -70.0]])
    torch.testing.assert_close(standardizer(inputs), torch.tensor([[0.5, -5.0]]))
    standardizer.observe(torch.tensor([[1.0, 0.0], [1.0, 2.0]]))
    torch.testing.assert_close(standardizer(torch.tensor([[1.2, 2.0]])), torch.tensor([[2.0, 1.0]]))


def test_state_dict_holds_the_statistics() -> None:
    standardizer, restored = (RunningStandardizer(3, floor=0.01, clip=5.0) for _ in range(2))
    standardizer.observe(torch.tensor(_rows()))
    restored.load_state_dict(standardizer.state_dict())
    for one in (standardizer, restored):
        one.observe(torch.tensor(_rows()[:50]))
    inputs = torch.tensor(_rows()[:9])
    assert torch.equal(standardizer(inputs), restored(inputs))
