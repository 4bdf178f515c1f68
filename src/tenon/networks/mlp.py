"""Multi-layer perceptrons: one network, and an ensemble whose members run in one batched product per layer."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class MLP(nn.Module):
    """ReLU layers of ``hidden_sizes``, then a linear layer. (batch, inputs) -> (batch, outputs).

    Weights (in, out) start uniform in +-1/sqrt(in), as torch's Linear layers do; biases start at zero.

    last_layer_scale: factor on the initial weights of the last layer; 0.01 gives an output near zero, as a residual
    on a working controller needs at its start (residual-rl.md, pitfall 1).
    """

    def __init__(self, inputs: int, hidden_sizes: Sequence[int], outputs: int, *, last_layer_scale: float = 1.0):
        super().__init__()
        shapes = list(itertools.pairwise((inputs, *hidden_sizes, outputs)))
        self.weights = nn.ParameterList(_uniform_fan_in(a, b) for a, b in shapes)
        self.biases = nn.ParameterList(torch.zeros(b) for _, b in shapes)
        with torch.no_grad():
            self.weights[-1].mul_(last_layer_scale)
        # Looking a parameter up in a ParameterList costs as much as a small layer does; a plain tuple costs nothing.
        *self._hidden, self._last = zip(self.biases, self.weights, strict=True)

    @property
    def last_bias(self) -> Tensor:
        """(outputs,)."""
        bias: Tensor = self.biases[-1]
        return bias

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = inputs
        for bias, weight in self._hidden:
            hidden = torch.addmm(bias, hidden, weight).relu_()
        bias, weight = self._last
        return torch.addmm(bias, hidden, weight)


class EnsembleMLP(nn.Module):
    """``members`` independent MLPs of one shape. (batch, inputs) -> (members, batch, outputs).

    Weights are stacked, (members, in, out), so that each layer of the whole ensemble is one batched product.
    """

    def __init__(self, members: int, inputs: int, hidden_sizes: Sequence[int], outputs: int):
        super().__init__()
        shapes = list(itertools.pairwise((inputs, *hidden_sizes, outputs)))
        self.members = members
        self.weights = nn.ParameterList(_uniform_fan_in(a, b, members=members) for a, b in shapes)
        self.biases = nn.ParameterList(torch.zeros(members, 1, b) for _, b in shapes)
        self._layers = tuple(zip(self.biases, self.weights, strict=True))  # as in MLP

    def forward(self, inputs: Tensor, *, first: int | None = None) -> Tensor:
        """first: so many members alone, from the first on; None: all of them."""
        layers = self._layers
        if first is not None:  # even a slice of all members costs a copy of the weights in the backward pass
            layers = tuple((bias[:first], weight[:first]) for bias, weight in layers)
        *hidden_layers, (last_bias, last_weight) = layers
        hidden = inputs.expand(first or self.members, -1, -1)
        for bias, weight in hidden_layers:
            hidden = torch.baddbmm(bias, hidden, weight).relu_()
        return torch.baddbmm(last_bias, hidden, last_weight)


def _uniform_fan_in(inputs: int, outputs: int, *, members: int | None = None) -> Tensor:
    """(inputs, outputs), or (members, inputs, outputs)."""
    bound = 1.0 / math.sqrt(inputs)
    shape = (inputs, outputs) if members is None else (members, inputs, outputs)
    return torch.empty(shape).uniform_(-bound, bound)
