"""Policies and encoders as a learner and a robot use them."""

from __future__ import annotations

import torch

from tenon.data.batch import ObservationBatch
from tenon.data.transitions import ImageSpec, ObservationSpec
from tenon.networks.encoders import FlatEncoder, encoded_size
from tenon.networks.policies import DeterministicPolicy, TanhGaussianPolicy


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


def test_encoder_scales_the_state_and_appends_the_pixels() -> None:
    spec = ObservationSpec(state_size=2, state_scale=(0.001, 5.0), image=ImageSpec(height=2, width=3, channels=1))
    state = torch.tensor([[0.002, -10.0]])
    image = torch.tensor([0, 51, 102, 153, 204, 255], dtype=torch.uint8).reshape(1, 2, 3, 1)
    features = FlatEncoder(spec)(ObservationBatch(state, image))
    assert features.shape == (1, encoded_size(spec))
    torch.testing.assert_close(features, torch.tensor([[2.0, -2.0, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0]]))
