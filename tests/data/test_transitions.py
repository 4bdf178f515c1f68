"""What counts as a transition."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tenon.data.transitions import (
    EnvironmentSpec,
    ImageSpec,
    Observation,
    ObservationSpec,
    Transition,
    TransitionError,
    check_transition,
)

SPEC = EnvironmentSpec(observation=ObservationSpec(state_size=2), action_size=1)
IMAGE = EnvironmentSpec(
    observation=ObservationSpec(state_size=2, image=ImageSpec(height=2, width=3, channels=1)), action_size=1
)


def _transition(**changes: Any) -> Transition:
    transition = Transition(
        session="s",
        episode=1,
        step=2,
        observation=Observation(np.zeros(2, dtype=np.float32)),
        action=np.zeros(1, dtype=np.float32),
        reward=0.0,
        next_observation=Observation(np.zeros(2, dtype=np.float32)),
        terminated=False,
        truncated=False,
    )
    return dataclasses.replace(transition, **changes)


def test_a_good_transition_passes() -> None:
    check_transition(_transition(), SPEC)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reward": float("nan")}, "reward is nan"),
        ({"reward": float("inf")}, "reward is inf"),
        ({"reward": -1e39}, "reward is -1e\\+39: a finite number of 32 bits"),
        ({"action": np.array([1.5], dtype=np.float32)}, r"every entry must be in \[-1, 1\]"),
        ({"action": np.zeros(2, dtype=np.float32)}, r"action has shape \(2,\), \(1,\) is needed"),
        ({"action": np.array([np.nan], dtype=np.float32)}, "finite"),
        ({"observation": Observation(np.zeros(3, dtype=np.float32))}, r"state has shape \(3,\)"),
        ({"next_observation": Observation(np.array([0, np.inf], dtype=np.float32))}, "next observation: state"),
        ({"observation": Observation(np.zeros(2, dtype=np.float32), np.zeros((2, 3, 1), np.uint8))}, "uses none"),
        ({"step": -1}, "count from 0"),
    ],
)
def test_a_bad_transition_is_refused_with_its_place(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TransitionError, match=message) as caught:
        check_transition(_transition(**changes), SPEC)
    assert "session 's', episode 1, step" in str(caught.value)


@pytest.mark.parametrize(
    "image", [None, np.zeros((3, 2, 1), np.uint8), np.zeros((2, 3, 1), np.float32), np.zeros((2, 3), np.uint8)]
)
def test_an_image_of_other_sizes_is_refused(image: Any) -> None:
    good = Observation(np.zeros(2, dtype=np.float32), np.zeros((2, 3, 1), np.uint8))
    bad = Observation(np.zeros(2, dtype=np.float32), image)
    check_transition(_transition(observation=good, next_observation=good), IMAGE)
    with pytest.raises(TransitionError, match="image"):
        check_transition(_transition(observation=good, next_observation=bad), IMAGE)


@pytest.mark.parametrize("scale", [(1.0,), (1.0, 0.0), (1.0, -2.0)])
def test_a_scale_that_does_not_fit_the_state_is_refused(scale: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError, match="2 positive numbers are needed"):
        ObservationSpec(state_size=2, state_scale=scale)
