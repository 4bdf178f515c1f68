"""AWAC's losses and its update against an independent derivation, and bugs that these checks must notice."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import written_out
from torch import Tensor
from written_out import ACTOR_RATE, CRITIC_BUGS, CRITIC_RATE, SPEC, Step, random_batch

from tenon.algorithms import awac, create
from tenon.algorithms.awac import AWAC, softmax_weights
from tenon.algorithms.losses import (
    critic_loss,
    effective_sample_share,
    exponential_weights,
    weighted_likelihood_loss,
)
from tenon.algorithms.randomness import derived_seed
from tenon.data.batch import Batch
from tenon.data.transitions import EnvironmentSpec, GoalSpec, ObservationSpec

CONFIG: dict[str, Any] = {
    **written_out.CONFIG,
    "initial_std": 0.4,
    "temperature": 0.7,
    "advantage_clip": 0.05,
    "weight_cap": 1.1,
    "baseline_action": "sample",
    "value_maximum": 0.3,
    "policy_weight_decay": 0.1,
}
FORMS = ("softmax", "exponential")


def _written_out(learner: AWAC, batch: Batch) -> tuple[dict[str, Tensor], dict[str, float]]:
    """What one update gives by the formulas of awac.md 2.2, in float64, with torch's own Adam: shares no code."""
    tensors = written_out.tensors_of(learner, "policy", "critic", "target_critic")
    noise_seed = derived_seed(learner.seed, "update", learner.updates + 1)
    noise = torch.randn(2, 16, 2, generator=torch.Generator().manual_seed(noise_seed)).to(torch.float64)
    s, a, s2 = written_out.in_float64(batch)
    std = (-6.0 / (1 + tensors["policy.squashed_log_std"].exp())).exp()

    with torch.no_grad():
        drawn = [
            torch.clamp(written_out.action_of(tensors, "policy", x) + std * z, -1, 1)
            for x, z in zip((s2, s), noise, strict=True)
        ]
        y = written_out.target(batch, torch.minimum(*written_out.q(tensors, "target_critic", s2, drawn[0])))
        y = torch.tensor([min(float(value), 0.3) for value in y], dtype=torch.float64)
        of_data = torch.minimum(*written_out.q(tensors, "critic", s, a))
        advantage = of_data - torch.minimum(*written_out.q(tensors, "critic", s, drawn[1]))
        if learner.config.weights == "softmax":
            powers = torch.tensor([math.exp(min(float(x), 0.05) / 0.7) for x in advantage], dtype=torch.float64)
            weight = 16 * powers / powers.sum()
        else:
            weight = torch.tensor([min(math.exp(float(x) / 0.7), 1.1) for x in advantage], dtype=torch.float64)
    of_critic = torch.stack([((values - y) ** 2).mean() for values in written_out.q(tensors, "critic", s, a)]).sum()
    normal = torch.distributions.Normal(written_out.action_of(tensors, "policy", s), std)
    of_actor = -(weight * normal.log_prob(a).sum(dim=1)).mean()
    steps = [Step(of_critic, "critic", CRITIC_RATE), Step(of_actor, "policy", ACTOR_RATE, weight_decay=0.1)]
    norms = written_out.take(steps, tensors)
    return tensors, {
        "critic_loss": of_critic.item(),
        "critic_gradient_norm": norms[0],
        "target_mean": float(y.mean()),
        "actor_loss": of_actor.item(),
        "actor_gradient_norm": norms[1],
        "advantage_mean": float(advantage.mean()),
        "weight_max": float(weight.max()),
    }


def check_update(weights: str) -> None:
    """One update of AWAC moves every parameter to where the written-out formulas move it."""
    learner = create("awac", {**CONFIG, "weights": weights}, SPEC, seed=3)
    assert isinstance(learner, AWAC)
    batch = random_batch()
    written_out.assert_update(learner, batch, *_written_out(learner, batch))


@pytest.mark.parametrize("weights", FORMS)
def test_update_is_that_of_the_written_out_formulas(weights: str) -> None:
    check_update(weights)


def _flipped_softmax(advantage: Tensor, temperature: float, clip: float | None) -> Tensor:
    return softmax_weights(-advantage, temperature, clip)


def _unclipped_softmax(advantage: Tensor, temperature: float, clip: float | None) -> Tensor:
    return softmax_weights(advantage, temperature, None)


def _softmax_that_sums_to_one(advantage: Tensor, temperature: float, clip: float | None) -> Tensor:
    return softmax_weights(advantage, temperature, clip) / len(advantage)


def _flipped_exponential(advantage: Tensor, inverse_temperature: float, cap: float) -> Tensor:
    return exponential_weights(-advantage, inverse_temperature, cap)


def _uncapped_exponential(advantage: Tensor, inverse_temperature: float, cap: float) -> Tensor:
    return exponential_weights(advantage, inverse_temperature, math.inf)


def _temperature_upside_down(advantage: Tensor, inverse_temperature: float, cap: float) -> Tensor:
    return exponential_weights(advantage, 1.0 / inverse_temperature, cap)


@pytest.mark.parametrize(
    ("weights", "name", "bug"),
    [
        ("softmax", "softmax_weights", _flipped_softmax),
        ("softmax", "softmax_weights", _unclipped_softmax),
        ("softmax", "softmax_weights", _softmax_that_sums_to_one),
        ("exponential", "exponential_weights", _flipped_exponential),
        ("exponential", "exponential_weights", _uncapped_exponential),
        ("exponential", "exponential_weights", _temperature_upside_down),
        ("softmax", "weighted_likelihood_loss", written_out.flipped_likelihood),
        ("softmax", "weighted_likelihood_loss", written_out.unweighted_likelihood),
        *(("softmax", *bug) for bug in CRITIC_BUGS),
    ],
)
def test_check_notices_a_planted_bug(
    weights: str, name: str, bug: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awac, name, bug)
    with pytest.raises(AssertionError):
        check_update(weights)


@pytest.mark.parametrize("clip", [None, 0.3])
def test_softmax_weights_are_those_of_a_loop_and_sum_to_the_batch(clip: float | None) -> None:
    advantage = np.random.default_rng(0).normal(size=7)
    powers = [math.exp((value if clip is None else min(value, clip)) / 0.4) for value in advantage]
    weight = softmax_weights(torch.tensor(advantage), 0.4, clip)
    np.testing.assert_allclose(weight.numpy(), [7 * power / sum(powers) for power in powers], rtol=1e-6)
    assert float(weight.sum()) == pytest.approx(7.0)


def test_weights_of_huge_advantages_stay_finite() -> None:
    advantage = torch.tensor([-1e6, 0.0, 1e6])
    np.testing.assert_allclose(softmax_weights(advantage, 0.1, None).numpy(), [0.0, 0.0, 3.0])
    np.testing.assert_allclose(exponential_weights(advantage, 10.0, 100.0).numpy(), [0.0, 1.0, 100.0])


def test_weights_and_their_likelihood_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(1)
    advantage, log_density = rng.normal(size=6), rng.normal(size=6)
    expected = [min(math.exp(2.0 * value), 1.5) for value in advantage]
    weight = exponential_weights(torch.tensor(advantage), 2.0, 1.5)
    np.testing.assert_allclose(weight.numpy(), expected, rtol=1e-6)
    total = sum(w * p for w, p in zip(expected, log_density, strict=True))
    assert float(weighted_likelihood_loss(weight, torch.tensor(log_density))) == pytest.approx(-total / 6)
    share = sum(expected) ** 2 / sum(w * w for w in expected) / 6
    assert float(effective_sample_share(weight)) == pytest.approx(share)


def test_no_gradient_reaches_the_advantage() -> None:
    advantage = torch.randn(5, requires_grad=True)
    log_density = torch.randn(5, requires_grad=True)
    for weight in (softmax_weights(advantage, 0.3, 1.0), exponential_weights(advantage, 3.0, 100.0)):
        weighted_likelihood_loss(weight, log_density).backward()
    assert advantage.grad is None
    assert log_density.grad is not None


@pytest.mark.parametrize("weights", FORMS)
def test_with_a_constant_q_the_update_is_behaviour_cloning(weights: str) -> None:
    config = {**CONFIG, "weights": weights, "policy_weight_decay": 0.0, "weight_cap": 100.0}
    learner = create("awac", config, SPEC, seed=0)
    assert isinstance(learner, AWAC)
    with torch.no_grad():
        for parameter in learner.critic.parameters():
            parameter.zero_()
    shared = ("hidden_sizes", "actor_learning_rate", "last_layer_scale", "initial_std")
    cloning = create("bc", {key: CONFIG[key] for key in shared}, SPEC, seed=5)
    cloning.policy.load_state_dict(learner.policy.state_dict())
    learner.update(random_batch())
    cloning.update(random_batch())
    for name, tensor in cloning.policy.state_dict().items():
        torch.testing.assert_close(learner.policy.state_dict()[name], tensor, msg=name)


@pytest.mark.parametrize("weights", FORMS)
def test_bandit_converges_to_the_reweighted_behaviour(weights: str) -> None:
    """One state, arms worth 0 and 1: pi*(a) is proportional to pi_beta(a) exp(r / lambda), awac.md section 8."""
    arm = (torch.arange(1000) < 300).to(torch.int64)  # pi_beta(1) = 0.3
    reward = arm.to(torch.float32)
    q, logits = torch.zeros(2, requires_grad=True), torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.Adam([q, logits], lr=0.05)
    for _ in range(400):
        value = (q.detach() * logits.detach().softmax(0)).sum()
        advantage = q.detach()[arm] - value
        form = softmax_weights(advantage, 0.5, None)
        weight = form if weights == "softmax" else exponential_weights(advantage, 2.0, 100.0)
        loss = critic_loss(q[arm][None], reward) + weighted_likelihood_loss(weight, logits.log_softmax(0)[arm])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    better, worse = 0.3 * math.exp(1 / 0.5), 0.7
    assert float(logits.detach().softmax(0)[1]) == pytest.approx(better / (better + worse), rel=0.02)


@pytest.mark.parametrize("from_goal", [True, False])
def test_targets_stay_below_the_largest_return(from_goal: bool) -> None:
    goal = GoalSpec(size=1, tolerance=0.1, reward="miss_penalty")
    spec = EnvironmentSpec(observation=ObservationSpec(state_size=3, goal=goal if from_goal else None), action_size=2)
    learner = create("awac", {**CONFIG, "value_maximum": None if from_goal else 0.0}, spec, seed=0)
    batch = dataclasses.replace(random_batch(), reward=torch.full((16,), 5.0))
    assert learner.update(batch).as_dict()["target_mean"] == 0.0


def test_without_a_known_bound_targets_are_free() -> None:
    learner = create("awac", {**CONFIG, "value_maximum": None}, SPEC, seed=0)
    batch = dataclasses.replace(random_batch(), reward=torch.full((16,), 50.0))
    assert learner.update(batch).as_dict()["target_mean"] > 40.0


def test_warmup_trains_the_critic_and_leaves_the_actor() -> None:
    learner = create("awac", {**CONFIG, "critic_warmup_updates": 2}, SPEC, seed=0)
    written_out.assert_warmup_leaves_the_actor(learner, 2)
