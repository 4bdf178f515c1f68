"""The methods, by name. A new method is one file here and one line in ``METHODS``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from tenon.algorithms.awac import AWAC, AWACConfig
from tenon.algorithms.base import Algorithm, AlgorithmConfig, DivergenceError, LearnerState, Metrics, StateError
from tenon.algorithms.bc import BC, BCConfig
from tenon.algorithms.ddpg_her import DDPGHER, DDPGHERConfig
from tenon.algorithms.gradient import GradientAlgorithm
from tenon.algorithms.iql import IQL, IQLConfig
from tenon.algorithms.iql_daib import IQLDAIB, IQLDAIBConfig
from tenon.algorithms.sac import SAC, SACConfig
from tenon.algorithms.td3 import TD3, TD3Config
from tenon.configuration import ConfigurationError, parse
from tenon.data.transitions import EnvironmentSpec

__all__ = [
    "METHODS",
    "Algorithm",
    "AlgorithmConfig",
    "DivergenceError",
    "LearnerState",
    "Method",
    "Metrics",
    "StateError",
    "check_compiled",
    "create",
    "method_named",
    "parse_config",
]


@dataclass(frozen=True)
class Method:
    """A learner's class and the class of its configuration."""

    config: type[AlgorithmConfig]
    learner: type[Algorithm[Any, Any]]


METHODS: Mapping[str, Method] = {
    "awac": Method(AWACConfig, AWAC),
    "bc": Method(BCConfig, BC),
    "ddpg_her": Method(DDPGHERConfig, DDPGHER),
    "iql": Method(IQLConfig, IQL),
    "iql_daib": Method(IQLDAIBConfig, IQLDAIB),
    "sac": Method(SACConfig, SAC),
    "td3": Method(TD3Config, TD3),
}


def method_named(name: str) -> Method:
    """Raises ConfigurationError, with the names there are, for one that is not among them."""
    if name not in METHODS:
        near = difflib.get_close_matches(name, METHODS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigurationError(f"method {name!r} is unknown. There are: {', '.join(sorted(METHODS))}{hint}")
    return METHODS[name]


def parse_config(name: str, config: Mapping[str, Any], *, where: str = "algorithm") -> AlgorithmConfig:
    """The validated configuration of method ``name``. Raises ConfigurationError for unknown names, keys and values."""
    return parse(method_named(name).config, config, where=where)


def create(
    name: str,
    config: Mapping[str, Any],
    spec: EnvironmentSpec,
    seed: int,
    *,
    device: str = "cpu",
    compiled: bool = False,
) -> Algorithm[Any, Any]:
    """A learner with fresh weights, which depend on ``seed`` alone. Raises ConfigurationError."""
    learner = method_named(name).learner(parse_config(name, config), spec, seed, _device(device))
    if compiled:
        check_compiled(name)
        assert isinstance(learner, GradientAlgorithm)
        learner.compile()
    return learner


def check_compiled(name: str) -> None:
    """Raises ConfigurationError for a method whose updates cannot be compiled."""
    if not issubclass(method_named(name).learner, GradientAlgorithm):
        can = ", ".join(key for key, method in METHODS.items() if issubclass(method.learner, GradientAlgorithm))
        raise ConfigurationError(f"compiled: updates of {name} cannot be compiled, those of {can} can: set it to false")


def _device(name: str) -> torch.device:
    """Raises ConfigurationError for one that torch does not know, or that is not here."""
    try:
        return torch.empty(0, device=name).device
    # A torch without CUDA says so by an AssertionError.
    except (AssertionError, ImportError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigurationError(
            f"device: {name!r} cannot be used here: {reason}. Set device: cpu; a training that was begun on another "
            f"machine has it in its trainer.json and, if `tenon train` began it, in OUT/experiment.json as well"
        ) from error
