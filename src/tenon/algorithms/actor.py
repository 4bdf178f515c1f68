"""The actor: encoder and policy as a robot uses them, from one observation to one action."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from tenon.data.batch import ObservationBatch
from tenon.data.transitions import EnvironmentSpec, FloatArray, Observation, check_observation
from tenon.networks.encoders import Encoder
from tenon.networks.policies import Policy


class ActorNetwork(nn.Module):
    """All that acting takes: its state dict is what snapshots carry."""

    def __init__(self, encoder: Encoder, policy: Policy):
        super().__init__()
        self.encoder = encoder
        self.policy = policy

    def action(self, observation: ObservationBatch, noise: Tensor | None) -> Tensor:
        """Actions (batch, A) in [-1, 1]; noise: (batch, policy.noise_size), or None for the greedy ones."""
        return self.policy.action(self.encoder(observation), noise)


class Actor:
    """Chooses actions with ``network``; exploration draws from ``rng``."""

    def __init__(self, network: ActorNetwork, spec: EnvironmentSpec, rng: np.random.Generator):
        self._network = network
        self._spec = spec
        self._rng = rng
        self._device = network.encoder.inverse_scale.device

    def act(self, observation: Observation, *, deterministic: bool) -> FloatArray:
        """An action (A,) of float32 in [-1, 1]. Raises TransitionError for wrong sizes and for NaN or infinity."""
        check_observation(observation, self._spec.observation, "observation")
        noise = None
        if not deterministic:
            drawn = self._rng.standard_normal((1, self._network.policy.noise_size), dtype=np.float32)
            noise = torch.from_numpy(drawn).to(self._device)
        with torch.inference_mode():
            action: FloatArray = self._network.action(self._as_batch(observation), noise)[0].cpu().numpy()
        return action

    def _as_batch(self, observation: Observation) -> ObservationBatch:
        state = torch.tensor(observation.state, dtype=torch.float32, device=self._device)[None]
        image = observation.image
        return ObservationBatch(state, None if image is None else torch.tensor(image, device=self._device)[None])
