"""Choosing a method by name."""

from __future__ import annotations

import pytest

from tenon.algorithms import create, parse_config
from tenon.configuration import ConfigurationError
from tenon.data.transitions import EnvironmentSpec, ObservationSpec

SPEC = EnvironmentSpec(observation=ObservationSpec(state_size=3), action_size=2)


def test_unknown_method_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"method 'sca' is unknown. There are: .*sac.*td3; did you mean 'sac'"):
        create("sca", {}, SPEC, seed=0)


@pytest.mark.parametrize(
    ("key", "value"), [("discount", 1.0), ("target_rate", 0.0), ("hidden_sizes", []), ("actor_learning_rate", -1.0)]
)
def test_value_out_of_range_is_refused_with_its_key(key: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=key):
        parse_config("sac", {key: value})


def test_empty_range_of_log_std_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="log_std_minimum"):
        parse_config("sac", {"log_std_minimum": 3.0})
