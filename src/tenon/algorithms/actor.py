"""The actor: a policy as a robot uses it, from one observation to one action."""

from __future__ import annotations

import numpy as np
import torch

from tenon.data.batch import ObservationBatch
from tenon.data.transitions import EnvironmentSpec, FloatArray, Observation, check_observation
from tenon.networks.encoders import FlatEncoder
from tenon.networks.policies import Policy


class Actor:
    """Chooses actions with ``policy``; exploration draws from ``rng``."""

    def __init__(self, policy: Policy, encoder: FlatEncoder, spec: EnvironmentSpec, rng: np.random.Generator):
        self._policy = policy
        self._encoder = encoder
        self._spec = spec
        self._rng = rng
        self._device = encoder.inverse_scale.device

    def act(self, observation: Observation, *, deterministic: bool) -> FloatArray:
        """An action (A,) of float32 in [-1, 1]. Raises TransitionError for wrong sizes and for NaN or infinity."""
        check_observation(observation, self._spec.observation, "observation")
        noise = None
        if not deterministic:
            noise = torch.from_numpy(self._rng.standard_normal((1, self._spec.action_size), dtype=np.float32))
            noise = noise.to(self._device)
        with torch.inference_mode():
            features = self._encoder(self._as_batch(observation))
            action: FloatArray = self._policy.action(features, noise)[0].cpu().numpy()
        return action

    def _as_batch(self, observation: Observation) -> ObservationBatch:
        state = torch.tensor(observation.state, dtype=torch.float32, device=self._device)[None]
        image = observation.image
        return ObservationBatch(state, None if image is None else torch.tensor(image, device=self._device)[None])
