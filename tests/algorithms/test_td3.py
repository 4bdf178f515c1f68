"""TD3's losses and its update against an independent derivation, and bugs that these checks must notice."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tenon.algorithms import create, td3
from tenon.algorithms.randomness import derived_seed
from tenon.algorithms.td3 import TD3
from tenon.data.batch import Batch, ObservationBatch
from tenon.data.transitions import EnvironmentSpec, ObservationSpec

SPEC = EnvironmentSpec(observation=ObservationSpec(state_size=3), action_size=2)
CONFIG = {
    "hidden_sizes": [8],
    "discount": 0.9,
    "actor_learning_rate": 1e-2,
    "critic_learning_rate": 2e-2,
    "target_rate": 0.1,
    "last_layer_scale": 1.0,
    "target_noise_std": 0.6,
    "policy_delay": 1,
}
NETWORKS = ("policy", "critic", "target_policy", "target_critic")


def _batch() -> Batch:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    return Batch(
        observation=ObservationBatch(normal(16, 3)),
        action=torch.tanh(normal(16, 2)),
        reward=normal(16),
        next_observation=ObservationBatch(normal(16, 3)),
        terminated=(torch.arange(16) % 4 == 0).to(torch.float32),
        number=torch.arange(16),
        prior=torch.arange(16) % 3 == 0,
    )


def _pi(tensors: dict[str, Tensor], name: str, state: Tensor) -> Tensor:
    w, b = ([tensors[f"{name}.network.{kind}.{k}"] for k in range(2)] for kind in ("weights", "biases"))
    return torch.tanh(torch.clamp(state @ w[0] + b[0], min=0) @ w[1] + b[1])


def _q(tensors: dict[str, Tensor], name: str, state: Tensor, action: Tensor, member: int) -> Tensor:
    w, b = ([tensors[f"{name}.network.{kind}.{k}"][member] for k in range(2)] for kind in ("weights", "biases"))
    x = torch.cat((state, action), dim=1)
    return (torch.clamp(x @ w[0] + b[0], min=0) @ w[1] + b[1])[:, 0]


def _written_out(learner: TD3, batch: Batch) -> tuple[dict[str, Tensor], dict[str, float]]:
    """What one update gives by the formulas of residual-rl.md 2.6, in float64, with torch's own Adam."""
    tensors = {k: v.to(torch.float64).clone() for k, v in learner.state().tensors.items() if k.startswith(NETWORKS)}
    noise_seed = derived_seed(learner.seed, "update", learner.updates + 1)
    noise = torch.randn(1, 16, 2, generator=torch.Generator().manual_seed(noise_seed))[0].to(torch.float64)
    s, a, s2 = (t.to(torch.float64) for t in (batch.observation.state, batch.action, batch.next_observation.state))
    smoothed = torch.clamp(_pi(tensors, "target_policy", s2) + torch.clamp(0.6 * noise, -0.5, 0.5), -1, 1)
    next_value = torch.minimum(*(_q(tensors, "target_critic", s2, smoothed, i) for i in range(2)))
    y = batch.reward.to(torch.float64) + 0.9 * (1 - batch.terminated.to(torch.float64)) * next_value

    trained = {k: v.requires_grad_() for k, v in tensors.items() if k.startswith(("policy", "critic"))}
    critic = [v for k, v in trained.items() if k.startswith("critic")]
    policy = [v for k, v in trained.items() if k.startswith("policy")]
    critic_loss = sum(((_q(tensors, "critic", s, a, i) - y) ** 2).mean() for i in range(2))
    pi = _pi(tensors, "policy", s)
    own_values, data_values = _q(tensors, "critic", s, pi, 0), _q(tensors, "critic", s, a, 0)
    actor_loss = -learner.config.value_weight * own_values.mean()
    if learner.config.cloning != "off":
        demonstrations = [i for i in range(16) if batch.prior[i]]
        for i in demonstrations:
            if learner.config.cloning == "plain" or data_values[i] > own_values[i]:
                actor_loss = actor_loss + ((pi[i] - a[i]) ** 2).sum() / len(demonstrations)
    gradients = [torch.autograd.grad(critic_loss, critic), torch.autograd.grad(actor_loss, policy)]
    for parameters, gradient, rate in zip((critic, policy), gradients, (2e-2, 1e-2), strict=True):
        for parameter, own in zip(parameters, gradient, strict=True):
            parameter.grad = own
        torch.optim.Adam(parameters, lr=rate).step()
    with torch.no_grad():
        for name in [k for k in tensors if k.startswith("target_")]:
            tensors[name] = 0.9 * tensors[name] + 0.1 * tensors[name.removeprefix("target_")]
    norms = [float(torch.cat([gradient.flatten() for gradient in group]).norm()) for group in gradients]
    return tensors, {
        "critic_loss": critic_loss.item(),
        "actor_loss": actor_loss.item(),
        "target_mean": float(y.mean()),
        "critic_gradient_norm": norms[0],
        "actor_gradient_norm": norms[1],
    }


def check_update(**overrides: Any) -> None:
    """One update of TD3 moves every parameter to where the written-out formulas move it."""
    learner = create("td3", {**CONFIG, **overrides}, SPEC, seed=3)
    assert isinstance(learner, TD3)
    batch = _batch()
    expected, expected_metrics = _written_out(learner, batch)
    metrics = learner.update(batch).as_dict()
    for name, value in expected_metrics.items():
        assert metrics[name] == pytest.approx(value, rel=1e-4), name
    own = learner.state().tensors
    for name, tensor in expected.items():
        np.testing.assert_allclose(own[name].numpy(), tensor.detach().numpy(), rtol=2e-3, atol=2e-5, err_msg=name)


def test_update_is_that_of_the_written_out_formulas() -> None:
    check_update()


@pytest.mark.parametrize("cloning", ["plain", "filtered"])
def test_update_with_demonstrations_is_that_of_the_written_out_formulas(cloning: str) -> None:
    check_update(cloning=cloning, value_weight=0.2)


def test_filter_lets_some_demonstrations_through_and_not_all() -> None:
    """Else the check above would say nothing about it."""
    losses = {}
    for cloning in ("off", "plain", "filtered"):
        learner = create("td3", {**CONFIG, "cloning": cloning}, SPEC, seed=3)
        losses[cloning] = learner.update(_batch()).as_dict()["cloning_loss"]
    assert losses["off"] == 0.0 < losses["filtered"] < losses["plain"]


def test_batch_without_demonstrations_clones_nothing() -> None:
    learner = create("td3", {**CONFIG, "cloning": "plain"}, SPEC, seed=3)
    batch = dataclasses.replace(_batch(), prior=torch.zeros(16, dtype=torch.bool))
    assert learner.update(batch).as_dict()["cloning_loss"] == 0.0


def _flipped_actor(values: Tensor) -> Tensor:
    return values[0].mean()


def _scaled_actor(values: Tensor) -> Tensor:
    return -values[-1].mean() * 1.1


def _flipped_critic(values: Tensor, target: Tensor) -> Tensor:
    return -(values - target).square().sum(dim=0).mean()


def _flipped_bootstrap(reward: Tensor, terminated: Tensor, next_value: Tensor, discount: float, steps: None) -> Tensor:
    return reward - discount * (1.0 - terminated) * next_value


def _bootstrap_through_the_end(
    reward: Tensor, terminated: Tensor, next_value: Tensor, discount: float, steps: None
) -> Tensor:
    return reward + discount * next_value


def _flipped_noise(action: Tensor, noise: Tensor, std: float, clip: float) -> Tensor:
    return (action - (std * noise).clamp(-clip, clip)).clamp(-1.0, 1.0)


def _unclipped_noise(action: Tensor, noise: Tensor, std: float, clip: float) -> Tensor:
    return (action + std * noise).clamp(-1.0, 1.0)


@pytest.mark.parametrize(
    ("name", "bug"),
    [
        ("actor_loss", _flipped_actor),
        ("actor_loss", _scaled_actor),
        ("critic_loss", _flipped_critic),
        ("bellman_target", _flipped_bootstrap),
        ("bellman_target", _bootstrap_through_the_end),
        ("smoothed_action", _flipped_noise),
        ("smoothed_action", _unclipped_noise),
    ],
)
def test_check_notices_a_planted_bug(name: str, bug: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(td3, name, bug)
    with pytest.raises(AssertionError):
        check_update()


def _flipped_cloning(chosen: Tensor, demonstrated: Tensor, cloned: Tensor, demonstrations: Tensor) -> Tensor:
    return -((chosen - demonstrated) ** 2)[cloned].sum() / demonstrations


def _cloning_of_everything(chosen: Tensor, demonstrated: Tensor, cloned: Tensor, demonstrations: Tensor) -> Tensor:
    return ((chosen - demonstrated) ** 2).sum() / demonstrations


def _flipped_filter(demonstrated: Tensor, chosen: Tensor) -> Tensor:
    return demonstrated < chosen


@pytest.mark.parametrize(
    ("name", "bug"),
    [
        ("cloning_loss", _flipped_cloning),
        ("cloning_loss", _cloning_of_everything),
        ("passes_filter", _flipped_filter),
    ],
)
def test_check_notices_a_bug_planted_in_cloning(
    name: str, bug: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(td3, name, bug)
    with pytest.raises(AssertionError):
        check_update(cloning="filtered", value_weight=0.2)


def test_actor_and_targets_move_every_second_update() -> None:
    learner = create("td3", {**CONFIG, "policy_delay": 2}, SPEC, seed=0)
    states = [learner.state().tensors]
    for _ in range(2):
        learner.update(_batch())
        states.append(learner.state().tensors)
    for name in ("policy.network.weights.0", "target_policy.network.weights.0", "target_critic.network.weights.0"):
        assert torch.equal(states[0][name], states[1][name])
        assert not torch.equal(states[1][name], states[2][name])
    assert not torch.equal(states[0]["critic.network.weights.0"], states[1]["critic.network.weights.0"])


def test_warmup_trains_the_critic_and_leaves_the_actor() -> None:
    learner = create("td3", {**CONFIG, "critic_warmup_updates": 3}, SPEC, seed=0)
    before = learner.state().tensors
    for _ in range(3):
        learner.update(_batch())
    warm = learner.state().tensors
    learner.update(_batch())
    assert torch.equal(before["policy.network.weights.0"], warm["policy.network.weights.0"])
    assert not torch.equal(before["critic.network.weights.0"], warm["critic.network.weights.0"])
    assert not torch.equal(warm["policy.network.weights.0"], learner.state().tensors["policy.network.weights.0"])
