"""Behaviour cloning's losses and its update against an independent derivation, and bugs that these checks notice."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tenon.algorithms import bc, create
from tenon.algorithms.bc import likelihood_loss, squared_error
from tenon.data.batch import Batch, ObservationBatch
from tenon.data.transitions import EnvironmentSpec, ObservationSpec

SPEC = EnvironmentSpec(observation=ObservationSpec(state_size=3), action_size=2)
CONFIG: dict[str, Any] = {
    "hidden_sizes": [8],
    "actor_learning_rate": 1e-2,
    "weight_decay": 0.1,
    "last_layer_scale": 1.0,
    "initial_std": 0.4,
}
POLICIES = ("gaussian", "deterministic")


def _batch() -> Batch:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    return Batch(
        observation=ObservationBatch(normal(16, 3)),
        action=torch.tanh(normal(16, 2)),
        reward=normal(16),
        next_observation=ObservationBatch(normal(16, 3)),
        terminated=torch.zeros(16),
        number=torch.arange(16),
        prior=torch.ones(16, dtype=torch.bool),
    )


def check_update(policy: str) -> None:
    """One update moves every parameter to where the written-out formulas, in float64, move it."""
    learner, batch = create("bc", {**CONFIG, "policy": policy}, SPEC, seed=3), _batch()
    tensors = {k: v.to(torch.float64) for k, v in learner.state().tensors.items() if k.startswith("policy")}
    parameters = {k: v.clone().requires_grad_() for k, v in tensors.items()}
    s, a = batch.observation.state.to(torch.float64), batch.action.to(torch.float64)
    w, b = ([parameters[f"policy.network.{kind}.{k}"] for k in range(2)] for kind in ("weights", "biases"))
    mean = torch.tanh(torch.clamp(s @ w[0] + b[0], min=0) @ w[1] + b[1])
    error = ((mean - a) ** 2).sum(dim=1).mean()
    loss = error
    if policy == "gaussian":
        std = (-6.0 / (1 + (parameters["policy.squashed_log_std"]).exp())).exp()
        loss = -torch.distributions.Normal(mean, std).log_prob(a).sum(dim=1).mean()
    loss.backward()
    norm = math.sqrt(sum(float((p.grad**2).sum()) for p in parameters.values() if p.grad is not None))
    torch.optim.Adam(parameters.values(), lr=1e-2, weight_decay=0.1).step()

    metrics = learner.update(batch).as_dict()
    expected = {"actor_loss": loss.item(), "actor_gradient_norm": norm, "squared_error": error.item()}
    assert metrics == pytest.approx(expected, rel=1e-4)
    own = learner.state().tensors
    for name, tensor in parameters.items():
        np.testing.assert_allclose(own[name].numpy(), tensor.detach().numpy(), rtol=2e-3, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("policy", POLICIES)
def test_update_is_that_of_the_written_out_formulas(policy: str) -> None:
    check_update(policy)


def _flipped_squares(chosen: Tensor, demonstrated: Tensor) -> Tensor:
    return -(chosen - demonstrated).square().sum(dim=1).mean()


def _mean_over_entries(chosen: Tensor, demonstrated: Tensor) -> Tensor:
    return (chosen - demonstrated).square().mean()


def _flipped_likelihood(log_density: Tensor) -> Tensor:
    return log_density.mean()


@pytest.mark.parametrize(
    ("policy", "name", "bug"),
    [
        ("gaussian", "likelihood_loss", _flipped_likelihood),
        ("deterministic", "squared_error", _flipped_squares),
        ("deterministic", "squared_error", _mean_over_entries),
    ],
)
def test_check_notices_a_planted_bug(
    policy: str, name: str, bug: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bc, name, bug)
    with pytest.raises(AssertionError):
        check_update(policy)


def test_losses_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    chosen, demonstrated, log_density = rng.normal(size=(5, 3)), rng.normal(size=(5, 3)), rng.normal(size=5)
    total = 0.0
    for i in range(5):
        for j in range(3):
            total += (chosen[i, j] - demonstrated[i, j]) ** 2 / 5
    assert float(squared_error(torch.tensor(chosen), torch.tensor(demonstrated))) == pytest.approx(total)
    assert float(likelihood_loss(torch.tensor(log_density))) == pytest.approx(-sum(log_density) / 5)


@pytest.mark.parametrize("policy", POLICIES)
def test_rewards_and_what_follows_do_not_matter(policy: str) -> None:
    one, other = (create("bc", {**CONFIG, "policy": policy}, SPEC, seed=0) for _ in range(2))
    batch = _batch()
    one.update(batch)
    other.update(
        dataclasses.replace(
            batch,
            reward=batch.reward + 5,
            next_observation=batch.observation,
            prior=~batch.prior,
            terminated=1 - batch.terminated,
        )
    )
    assert all(torch.equal(value, other.state().tensors[name]) for name, value in one.state().tensors.items())
