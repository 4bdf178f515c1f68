"""Policies as a learner and a robot use them."""

from __future__ import annotations

import pytest
import torch

from tenon.configuration import ConfigurationError
from tenon.networks.policies import DeterministicPolicy, GaussianPolicy, TanhGaussianPolicy


def _gaussian(initial_std: float = 0.5) -> TanhGaussianPolicy:
    return TanhGaussianPolicy(4, 3, (16,), log_std_range=(-5.0, 2.0), initial_std=initial_std, last_layer_scale=0.01)


def test_residual_starts_near_zero_with_the_spread_asked_for() -> None:
    torch.manual_seed(0)
    mean, log_std = _gaussian().distribution(torch.randn(200, 4))
    assert mean.abs().max() < 0.05
    torch.testing.assert_close(log_std.exp(), torch.full_like(log_std, 0.5), rtol=0.05, atol=0.0)


def test_log_std_stays_in_its_range() -> None:
    policy = _gaussian()
    with torch.no_grad():
        policy.network.last_bias[3:] = torch.tensor([-100.0, 0.0, 100.0])
    log_std = policy.distribution(torch.randn(5, 4))[1].detach()
    assert float(log_std.min()) == -5.0
    assert float(log_std.max()) == 2.0


def test_sample_and_action_agree_on_the_same_noise() -> None:
    policy, features, noise = _gaussian(), torch.randn(6, 4), torch.randn(6, 3)
    torch.testing.assert_close(policy.action(features, noise), policy.sample(features, noise)[0])
    torch.testing.assert_close(policy.action(features, None), torch.tanh(policy.distribution(features)[0]))


def test_deterministic_policy_explores_within_the_box() -> None:
    policy = DeterministicPolicy(4, 3, (16,), exploration_std=0.3, last_layer_scale=1.0)
    features = torch.randn(50, 4)
    noise = torch.randn(50, 3)
    torch.testing.assert_close(policy.action(features, noise), (policy(features) + 0.3 * noise).clamp(-1, 1))
    assert policy.action(features, 100 * noise).abs().max() == 1.0
    torch.testing.assert_close(policy.action(features, None), policy(features))


def test_uniform_exploration_takes_its_share_and_the_rest_is_noisy() -> None:
    policy = DeterministicPolicy(4, 3, (16,), exploration_std=0.1, last_layer_scale=1.0, uniform_probability=0.25)
    assert policy.noise_size == 7
    torch.manual_seed(0)
    features, noise = torch.randn(1, 4).expand(8000, -1), torch.randn(8000, 7)
    actions, greedy = policy.action(features, noise), policy(features)
    noisy = (greedy + 0.1 * noise[:, :3]).clamp(-1, 1)
    uniform = (actions != noisy).any(dim=1)
    assert float(uniform.float().mean()) == pytest.approx(0.25, abs=0.02)
    drawn = actions[uniform]
    assert drawn.abs().max() <= 1.0
    assert drawn.mean(dim=0).abs().max() < 0.06
    torch.testing.assert_close(drawn.square().mean(dim=0), torch.full((3,), 1 / 3), rtol=0.06, atol=0.0)
    torch.testing.assert_close(policy.action(features, None), greedy)


def _unsquashed(initial_std: float = 0.2) -> GaussianPolicy:
    return GaussianPolicy(4, 3, (16,), log_std_range=(-6.0, 0.0), initial_std=initial_std, last_layer_scale=1.0)


def test_gaussian_density_is_that_of_torch() -> None:
    policy, features = _unsquashed(), torch.randn(6, 4)
    action = torch.tensor([1.0, -1.0, 0.3]).expand(6, -1)
    mean = torch.tanh(policy.network(features))
    expected = torch.distributions.Normal(mean, 0.2).log_prob(action).sum(dim=1)
    torch.testing.assert_close(policy.log_density(features, action), expected)
    torch.testing.assert_close(policy.log_std().exp(), torch.full((3,), 0.2))


def test_gaussian_samples_around_its_mean_and_inside_the_box() -> None:
    policy, features, noise = _unsquashed(), torch.randn(6, 4), torch.randn(6, 3)
    torch.testing.assert_close(policy.action(features, noise), (policy.mean(features) + 0.2 * noise).clamp(-1.0, 1.0))
    torch.testing.assert_close(policy.action(features, None), policy.mean(features))
    assert policy.action(features, 100 * noise).abs().max() == 1.0


def test_gaussian_log_std_stays_in_its_range_and_keeps_a_gradient() -> None:
    policy = _unsquashed()
    with torch.no_grad():
        policy.squashed_log_std.copy_(torch.tensor([-9.0, 0.0, 9.0]))
    log_std = policy.log_std()
    log_std.sum().backward()
    assert log_std.min() >= -6.0 and log_std.max() <= 0.0
    assert policy.squashed_log_std.grad is not None and bool((policy.squashed_log_std.grad > 0).all())


def test_spread_outside_the_range_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"initial_std 2\.0"):
        _unsquashed(initial_std=2.0)
