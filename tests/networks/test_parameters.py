"""Flat parameters, Adam on them, targets and frozen views."""

from __future__ import annotations

import copy

import pytest
import torch

from tenon.networks.mlp import MLP, EnsembleMLP
from tenon.networks.parameters import Adam, ParameterVector, frozen_view, target_of


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_adam_takes_the_steps_of_torch(weight_decay: float) -> None:
    torch.manual_seed(0)
    module = EnsembleMLP(2, 3, (7,), 1)
    reference = copy.deepcopy(module)
    vector = ParameterVector(module)
    adam = Adam(vector, 1e-2, weight_decay=weight_decay)
    torch_adam = torch.optim.Adam(reference.parameters(), lr=1e-2, weight_decay=weight_decay)
    for step in range(30):
        adam.learning_rate = torch_adam.param_groups[0]["lr"] = 1e-2 / (1 + step)  # a schedule
        x = torch.randn(5, 3)
        vector.zero_gradients()
        module(x).square().sum().backward()
        adam.step()
        torch_adam.zero_grad()
        reference(x).square().sum().backward()
        torch_adam.step()
    for own, other in zip(module.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-6)


def test_parameters_and_vector_are_the_same_memory() -> None:
    module = MLP(3, (5,), 2)
    before = copy.deepcopy(module.state_dict())
    vector = ParameterVector(module)
    for name, tensor in module.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)
    vector.values.zero_()
    assert all(bool((parameter == 0).all()) for parameter in module.parameters())
    module.load_state_dict(before)
    assert vector.values.abs().sum() > 0


def test_gradient_norm_is_over_all_parameters() -> None:
    module = MLP(3, (5,), 2)
    vector = ParameterVector(module)
    module(torch.randn(4, 3)).sum().backward()
    expected = torch.cat([parameter.grad.flatten() for parameter in module.parameters()]).norm()  # type: ignore[union-attr]
    torch.testing.assert_close(vector.gradient_norm(), expected)


def test_target_moves_by_its_rate_and_collects_no_gradient() -> None:
    module = MLP(2, (4,), 1)
    vector = ParameterVector(module)
    target, target_vector = target_of(module)
    start = target_vector.values.clone()
    vector.values.add_(1.0)
    target_vector.move_towards(vector, 0.25)
    torch.testing.assert_close(target_vector.values, 0.75 * start + 0.25 * vector.values)
    assert not any(parameter.requires_grad for parameter in target.parameters())


def test_vector_of_two_modules_trains_both_and_its_target_is_of_the_first() -> None:
    critic, encoder = MLP(2, (4,), 1), MLP(3, (5,), 2)
    vector = ParameterVector(critic, encoder)
    target, target_vector = target_of(critic)
    frozen = frozen_view(critic, vector)
    before = [parameter.detach().clone() for parameter in (*critic.parameters(), *encoder.parameters())]
    x = torch.randn(6, 3)
    critic(encoder(x)).sum().backward()
    Adam(vector, 1e-1).step()
    after = (*critic.parameters(), *encoder.parameters())
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    torch.testing.assert_close(frozen(encoder(x)), critic(encoder(x)))
    target_vector.move_towards(vector, 1.0)
    torch.testing.assert_close(target(encoder(x)), critic(encoder(x)))


def test_frozen_view_sees_every_step_and_passes_gradients_to_inputs_only() -> None:
    module = MLP(2, (4,), 1)
    vector = ParameterVector(module)
    frozen = frozen_view(module, vector)
    vector.values.mul_(1.5)
    x = torch.randn(3, 2, requires_grad=True)
    torch.testing.assert_close(frozen(x), module(x))
    frozen(x).sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0
    assert vector.gradients.abs().sum() == pytest.approx(0.0)
