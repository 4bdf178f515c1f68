"""What the checks of single methods share: a batch, networks and an update written out in float64, and common bugs.

Nothing here uses the code that it checks, but for the types of a batch and of a learner's state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tenon.algorithms.base import Algorithm
from tenon.data.batch import Batch, ObservationBatch
from tenon.data.transitions import EnvironmentSpec, ObservationSpec

SPEC = EnvironmentSpec(observation=ObservationSpec(state_size=3), action_size=2)
SIZE = 16
DISCOUNT, TARGET_RATE = 0.9, 0.1
ACTOR_RATE, CRITIC_RATE = 1e-2, 2e-2
CONFIG: dict[str, Any] = {
    "hidden_sizes": [8],
    "discount": DISCOUNT,
    "actor_learning_rate": ACTOR_RATE,
    "critic_learning_rate": CRITIC_RATE,
    "target_rate": TARGET_RATE,
    "last_layer_scale": 1.0,
}
"""Rates so large that a wrong step shows, and a policy that is far from zero."""

Tensors = dict[str, Tensor]


def random_batch(seed: int = 0, size: int = SIZE) -> Batch:
    """Every fourth transition ends its task, every second one is a demonstration, rewards are sums of 1 to 3."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    return Batch(
        observation=ObservationBatch(normal(size, 3)),
        action=torch.tanh(normal(size, 2)),
        reward=normal(size),
        next_observation=ObservationBatch(normal(size, 3)),
        terminated=(torch.arange(size) % 4 == 0).to(torch.float32),
        number=torch.arange(size),
        prior=torch.arange(size) % 2 == 0,
        steps=(torch.arange(size) % 3 + 1).to(torch.float32),
    )


def in_float64(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """State, action and next state."""
    state, following = batch.observation.state, batch.next_observation.state
    return state.to(torch.float64), batch.action.to(torch.float64), following.to(torch.float64)


def tensors_of(learner: Algorithm[Any, Any], *networks: str) -> Tensors:
    """Copies of the networks' parameters by name, in float64; those of targets have no gradient."""
    named = {
        name: tensor.to(torch.float64).clone()
        for name, tensor in learner.state().tensors.items()
        if name.startswith(networks)
    }
    return {name: tensor if name.startswith("target") else tensor.requires_grad_() for name, tensor in named.items()}


def mlp(tensors: Tensors, name: str, x: Tensor, member: int | None = None) -> Tensor:
    """ReLU layers and a linear one. member: of an ensemble."""
    layers = sum(key.startswith(f"{name}.network.weights.") for key in tensors)
    w, b = ([tensors[f"{name}.network.{kind}.{k}"] for k in range(layers)] for kind in ("weights", "biases"))
    if member is not None:
        w, b = [value[member] for value in w], [value[member] for value in b]
    for weight, bias in zip(w[:-1], b[:-1], strict=True):
        x = torch.clamp(x @ weight + bias, min=0.0)
    return x @ w[-1] + b[-1]


def action_of(tensors: Tensors, name: str, state: Tensor) -> Tensor:
    """tanh of the network: a deterministic policy's action, or the mean of one whose sample has no tanh."""
    return torch.tanh(mlp(tensors, name, state))


def q(tensors: Tensors, name: str, state: Tensor, action: Tensor, members: int = 2) -> list[Tensor]:
    """Values (batch,) of each member of the ensemble."""
    return [mlp(tensors, name, torch.cat((state, action), dim=1), member)[:, 0] for member in range(members)]


def target(batch: Batch, next_value: Tensor) -> Tensor:
    """r + gamma^n V(s'), the latter only where the task goes on, one transition after the other."""
    assert batch.steps is not None
    y = torch.empty(len(batch), dtype=torch.float64)
    for i in range(len(batch)):
        y[i] = batch.reward[i]
        if not batch.terminated[i]:
            y[i] += DISCOUNT ** float(batch.steps[i]) * next_value[i]
    return y


@dataclass(frozen=True)
class Step:
    """Of torch's own Adam on those of the tensors whose names begin with ``networks``."""

    loss: Tensor
    networks: str | tuple[str, ...]
    rate: float
    weight_decay: float = 0.0


def take(steps: Sequence[Step], tensors: Tensors) -> list[float]:
    """Takes all gradients, then all steps, then moves the targets. Returns the norms of the gradients."""
    groups = [[tensor for name, tensor in tensors.items() if name.startswith(step.networks)] for step in steps]
    gradients = [
        torch.autograd.grad(step.loss, group, retain_graph=True) for step, group in zip(steps, groups, strict=True)
    ]
    for step, group, gradient in zip(steps, groups, gradients, strict=True):
        for parameter, own in zip(group, gradient, strict=True):
            parameter.grad = own
        torch.optim.Adam(group, lr=step.rate, weight_decay=step.weight_decay).step()
    with torch.no_grad():
        for name in [name for name in tensors if name.startswith("target_")]:
            online = tensors[name.removeprefix("target_")]
            tensors[name] = (1.0 - TARGET_RATE) * tensors[name] + TARGET_RATE * online
    return [float(torch.cat([part.flatten() for part in gradient]).norm()) for gradient in gradients]


def assert_update(
    learner: Algorithm[Any, Any], batch: Batch, tensors: Mapping[str, Tensor], metrics: Mapping[str, float]
) -> None:
    """One update on ``batch`` says ``metrics`` and moves every parameter to ``tensors``."""
    own_metrics = learner.update(batch).as_dict()
    for name, value in metrics.items():
        assert own_metrics[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name
    own = learner.state().tensors
    for name, tensor in tensors.items():
        np.testing.assert_allclose(own[name].numpy(), tensor.detach().numpy(), rtol=2e-3, atol=2e-5, err_msg=name)


def assert_warmup_leaves_the_actor(learner: Algorithm[Any, Any], updates: int, *, trained: str = "critic") -> None:
    """The first ``updates`` train the values, not the actor; the next one trains both."""
    before = learner.state().tensors
    for _ in range(updates):
        learner.update(random_batch())
    warm = learner.state().tensors
    learner.update(random_batch())
    policy, values = "policy.network.weights.0", f"{trained}.network.weights.0"
    assert torch.equal(before[policy], warm[policy])
    assert not torch.equal(before[values], warm[values])
    assert not torch.equal(warm[policy], learner.state().tensors[policy])


# Bugs in losses that several methods share, to be planted in each.


def flipped_critic(values: Tensor, target: Tensor) -> Tensor:
    return -(values - target).square().sum(dim=0).mean()


def flipped_bootstrap(reward: Tensor, terminated: Tensor, next_value: Tensor, discount: float, steps: Tensor) -> Tensor:
    return reward - discount**steps * (1.0 - terminated) * next_value


def bootstrap_through_the_end(
    reward: Tensor, terminated: Tensor, next_value: Tensor, discount: float, steps: Tensor
) -> Tensor:
    return reward + discount**steps * next_value


def one_step_discount(reward: Tensor, terminated: Tensor, next_value: Tensor, discount: float, steps: Tensor) -> Tensor:
    return reward + discount * (1.0 - terminated) * next_value


CRITIC_BUGS = (
    ("critic_loss", flipped_critic),
    ("bellman_target", flipped_bootstrap),
    ("bellman_target", bootstrap_through_the_end),
    ("bellman_target", one_step_discount),
)


def flipped_likelihood(weight: Tensor, log_density: Tensor) -> Tensor:
    return (weight * log_density).mean()


def unweighted_likelihood(weight: Tensor, log_density: Tensor) -> Tensor:
    return -log_density.mean()


def flipped_cloning(chosen: Tensor, demonstrated: Tensor, cloned: Tensor, demonstrations: Tensor) -> Tensor:
    return -((chosen - demonstrated) ** 2)[cloned].sum() / demonstrations


def cloning_of_everything(chosen: Tensor, demonstrated: Tensor, cloned: Tensor, demonstrations: Tensor) -> Tensor:
    return ((chosen - demonstrated) ** 2).sum() / demonstrations


def divided_by_those_that_pass(chosen: Tensor, demonstrated: Tensor, cloned: Tensor, demonstrations: Tensor) -> Tensor:
    return ((chosen - demonstrated) ** 2)[cloned].sum() / cloned.sum()


def divided_by_the_batch(chosen: Tensor, demonstrated: Tensor, cloned: Tensor, demonstrations: Tensor) -> Tensor:
    return ((chosen - demonstrated) ** 2)[cloned].sum() / len(cloned)


def flipped_filter(demonstrated: Tensor, chosen: Tensor) -> Tensor:
    return demonstrated < chosen


CLONING_BUGS = (
    ("cloning_loss", flipped_cloning),
    ("cloning_loss", cloning_of_everything),
    ("cloning_loss", divided_by_those_that_pass),
    ("cloning_loss", divided_by_the_batch),
)
"""In the module of the method; ``passes_filter``, which is asked by a function that the methods share, in its own."""
