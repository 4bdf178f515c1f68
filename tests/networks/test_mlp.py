"""Networks against their written-out form."""

from __future__ import annotations

import numpy as np
import torch

from tenon.networks.mlp import MLP, EnsembleMLP


def test_mlp_is_relu_layers_and_a_linear_one() -> None:
    network = MLP(3, (5, 4), 2)
    x = torch.randn(7, 3)
    hidden = x.numpy()
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        hidden = np.maximum(hidden @ weight.detach().numpy() + bias.detach().numpy(), 0.0)
    expected = hidden @ network.weights[-1].detach().numpy() + network.biases[-1].detach().numpy()
    np.testing.assert_allclose(network(x).detach().numpy(), expected, rtol=1e-5, atol=1e-6)


def test_ensemble_members_are_the_separate_networks() -> None:
    ensemble = EnsembleMLP(3, 4, (6, 5), 2)
    x = torch.randn(8, 4)
    outputs = ensemble(x)
    assert outputs.shape == (3, 8, 2)
    for member in range(3):
        single = MLP(4, (6, 5), 2)
        with torch.no_grad():
            for own, stacked in zip(single.weights, ensemble.weights, strict=True):
                own.copy_(stacked[member])
            for own, stacked in zip(single.biases, ensemble.biases, strict=True):
                own.copy_(stacked[member, 0])
        torch.testing.assert_close(outputs[member], single(x))
    torch.testing.assert_close(ensemble(x, first=2), outputs[:2])


def test_gradient_of_a_member_depends_on_that_member_alone() -> None:
    ensemble = EnsembleMLP(2, 3, (4,), 1)
    ensemble(torch.randn(5, 3))[0].sum().backward()
    for weight in ensemble.weights:
        assert weight.grad is not None
        assert weight.grad[0].abs().sum() > 0.0
        assert weight.grad[1].abs().sum() == 0.0


def test_small_last_layer_starts_near_zero() -> None:
    torch.manual_seed(0)
    assert MLP(4, (32, 32), 3, last_layer_scale=0.01)(torch.randn(100, 4)).abs().max() < 0.02
    assert MLP(4, (32, 32), 3)(torch.randn(100, 4)).abs().max() > 0.1
