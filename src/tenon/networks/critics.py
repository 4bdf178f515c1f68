"""Critics: ensembles of action values, and the value of a state."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tenon.networks.mlp import MLP, EnsembleMLP


class CriticEnsemble(nn.Module):
    """Q_i(s, a) for i < members. features (batch, F) and action (batch, A) -> (members, batch).

    first: so many members alone, where a loss reads no others; None: all of them.
    """

    def __init__(self, features: int, actions: int, hidden_sizes: Sequence[int], *, members: int = 2):
        super().__init__()
        self.network = EnsembleMLP(members, features + actions, hidden_sizes, 1)

    def forward(self, features: Tensor, action: Tensor, *, first: int | None = None) -> Tensor:
        values: Tensor = self.network(torch.cat((features, action), dim=1), first=first)
        return values.squeeze(-1)


class StateValue(nn.Module):
    """V(s). features (batch, F) -> (batch,)."""

    def __init__(self, features: int, hidden_sizes: Sequence[int]):
        super().__init__()
        self.network = MLP(features, hidden_sizes, 1)

    def forward(self, features: Tensor) -> Tensor:
        values: Tensor = self.network(features)
        return values.squeeze(-1)
