"""Choosing a method by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tenon.algorithms import METHODS, create, parse_config
from tenon.configuration import ConfigurationError, parse
from tenon.data.transitions import EnvironmentSpec, Observation, ObservationSpec, Transition
from tenon.session.setup import load_setup
from tenon.training.config import TrainerConfig
from tenon.training.trainer import Trainer

SPEC = EnvironmentSpec(observation=ObservationSpec(state_size=3), action_size=2)


def test_unknown_method_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"method 'sca' is unknown. There are: .*sac.*td3; did you mean 'sac'"):
        create("sca", {}, SPEC, seed=0)


@pytest.mark.parametrize("device", ["gpu", "xpu:99"])
def test_device_that_is_not_here_is_refused_with_what_to_set(device: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"device: '{device}' cannot be used here: .*Set device: cpu"):
        create("sac", {}, SPEC, seed=0, device=device)


@pytest.mark.parametrize(
    ("key", "value"), [("discount", 1.0), ("target_rate", 0.0), ("hidden_sizes", []), ("actor_learning_rate", -1.0)]
)
def test_value_out_of_range_is_refused_with_its_key(key: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=key):
        parse_config("sac", {key: value})


@pytest.mark.parametrize("name", ["sac", "bc", "awac", "iql"])
def test_empty_range_of_log_std_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="log_std_minimum"):
        parse_config(name, {"log_std_minimum": 3.0})


@pytest.mark.parametrize("name", ["bc", "awac", "iql"])
@pytest.mark.parametrize("std", [1e-4, 20.0])
def test_initial_std_outside_its_range_is_refused(name: str, std: float) -> None:
    with pytest.raises(ConfigurationError, match=f"initial_std {std} .*inside the range"):
        parse_config(name, {"initial_std": std})


@pytest.mark.parametrize("name", METHODS)
def test_every_method_can_be_chosen_by_name_in_a_session(name: str, tmp_path: Path) -> None:
    setup = load_setup("sim", {"algorithm": name})
    config, spec = parse(TrainerConfig, setup.algorithm, where=name), setup.environment_spec
    prior = [a_transition(spec)] if config.sampling.prior_share else None
    trainer = Trainer.create(config, spec, tmp_path, seed=0, prior=prior)
    assert trainer.status.method == name
    trainer.close()


def a_transition(spec: EnvironmentSpec) -> Transition:
    observation = Observation(np.zeros(spec.observation.state_size, np.float32))
    return Transition(
        session="shown",
        episode=0,
        step=0,
        observation=observation,
        action=np.zeros(spec.action_size, np.float32),
        reward=0.0,
        next_observation=observation,
        terminated=False,
        truncated=True,
    )
