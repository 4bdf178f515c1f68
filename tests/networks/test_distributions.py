"""The tanh-Gaussian against the change of variables in float64."""

from __future__ import annotations

import numpy as np
import torch

from tenon.networks.distributions import squashed_log_density, squashed_sample


def _log_density_in_numpy(mean: np.ndarray, log_std: np.ndarray, action: np.ndarray) -> np.ndarray:
    u = np.arctanh(action)
    std = np.exp(log_std)
    normal = np.exp(-((u - mean) ** 2) / (2 * std**2)) / (std * np.sqrt(2 * np.pi))
    return np.log(normal / (1 - action**2)).sum(axis=-1)


def test_log_density_is_the_change_of_variables() -> None:
    rng = np.random.default_rng(0)
    mean, log_std, noise = (rng.normal(size=(50, 3)) * scale for scale in (0.8, 0.3, 1.0))
    action, log_density = squashed_sample(*(torch.tensor(v) for v in (mean, log_std, noise)))
    np.testing.assert_allclose(action.numpy(), np.tanh(mean + np.exp(log_std) * noise), rtol=1e-12)
    expected = _log_density_in_numpy(mean, log_std, action.numpy())
    np.testing.assert_allclose(log_density.numpy(), expected, rtol=1e-9)
    given = squashed_log_density(torch.tensor(mean), torch.tensor(log_std), action)
    np.testing.assert_allclose(given.numpy(), expected, rtol=1e-9)


def test_density_integrates_to_one() -> None:
    grid = torch.linspace(-1.0, 1.0, 200_001, dtype=torch.float64)[1:-1, None]
    mean, log_std = torch.full_like(grid, 0.4), torch.full_like(grid, -0.7)
    total = torch.trapezoid(squashed_log_density(mean, log_std, grid).exp(), grid[:, 0])
    assert abs(float(total) - 1.0) < 1e-3


def test_log_density_stays_finite_far_out_in_float32() -> None:
    mean = torch.tensor([[-40.0, 40.0, 8.0]], requires_grad=True)
    log_std = torch.zeros(1, 3, requires_grad=True)
    action, log_density = squashed_sample(mean, log_std, torch.ones(1, 3))
    (action.sum() + log_density.sum()).backward()
    for values in (action, log_density, mean.grad, log_std.grad):
        assert values is not None and bool(torch.isfinite(values).all())
    edge = squashed_log_density(torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor([[1.0, -1.0]]))
    assert bool(torch.isfinite(edge).all())


def test_gradient_is_that_of_finite_differences() -> None:
    def both(mean: torch.Tensor, log_std: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return squashed_sample(mean, log_std, noise)

    torch.manual_seed(1)
    noise = torch.randn(4, 2, dtype=torch.float64)
    mean = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    log_std = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(both, (mean, log_std))
