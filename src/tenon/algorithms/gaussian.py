"""The Gaussian policy of the methods that clone actions of the data, weighted or not: BC, AWAC, IQL."""

from __future__ import annotations

import math

from pydantic import Field, model_validator

from tenon.algorithms.base import AlgorithmConfig
from tenon.data.transitions import EnvironmentSpec
from tenon.networks.encoders import encoded_size
from tenon.networks.policies import GaussianPolicy


class GaussianPolicyConfig(AlgorithmConfig):
    """Fields of the methods whose policy is a Gaussian with a log-std that no state changes."""

    log_std_minimum: float = Field(default=-6.0, description="lower end of the policy's log-std; awac.md 2.2 (rlkit)")
    log_std_maximum: float = Field(default=0.0, description="upper end of the policy's log-std; awac.md 2.2 (rlkit)")
    initial_std: float = Field(
        default=0.05, gt=0.0, description="the policy's standard deviation at the start; awac.md 2.2 (rlkit)"
    )

    @model_validator(mode="after")
    def _check_range(self) -> GaussianPolicyConfig:
        low, high = self.log_std_minimum, self.log_std_maximum
        if low >= high:
            raise ValueError(f"log_std_minimum {low} is not below log_std_maximum {high}")
        start = math.log(self.initial_std)
        if not low < start < high:
            raise ValueError(
                f"initial_std {self.initial_std} has log {start:.3g}: it must lie inside the range of the log-std, "
                f"log_std_minimum {low} to log_std_maximum {high}"
            )
        return self


def gaussian_policy(config: GaussianPolicyConfig, spec: EnvironmentSpec) -> GaussianPolicy:
    """The policy with fresh weights."""
    return GaussianPolicy(
        encoded_size(spec.observation, config.encoder),
        spec.action_size,
        config.hidden_sizes,
        log_std_range=(config.log_std_minimum, config.log_std_maximum),
        initial_std=config.initial_std,
        last_layer_scale=config.last_layer_scale,
    )
