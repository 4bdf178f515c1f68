"""The reward that a session names: made, or refused before anything moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tenon.configuration import ConfigurationError
from tenon.rewards import RewardError, RewardObservation
from tenon.rewards.daib.free_plug import FREE_STEPS
from tenon.session.rewards import OF_DETECTOR, create_reward
from tenon.session.setup import SessionSetup, load_setup
from tenon_session.testing.sessions import constant_classifier

SIZE_PX = 64
PICTURE = RewardObservation(image=np.zeros((SIZE_PX, SIZE_PX, 3), np.uint8))


def setup_with(checkpoint: Path) -> SessionSetup:
    return load_setup("job", {"reward": "daib", "reward_checkpoint": str(checkpoint)})


def test_classifier_pays_once_the_plug_was_seen_free_and_says_who_it_is(tmp_path: Path) -> None:
    reward = create_reward(setup_with(constant_classifier(tmp_path / "daib", 1.5, size_px=SIZE_PX)))
    paid = []
    for _ in range(2):
        reward.begin_episode()
        paid += [reward.reward(PICTURE) for _ in range(FREE_STEPS + 2)]
    assert [result.value for result in paid] == [*[0.0] * FREE_STEPS, 1.0, 1.0] * 2
    assert {result.logit for result in paid} == {1.5}
    assert {len(result.version) for result in paid} == {16}


def test_classifier_must_be_named_and_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="reward 'daib' needs reward_checkpoint"):
        load_setup("job", {"reward": "daib"})
    with pytest.raises(ConfigurationError, match=r"no classifier that can be used: .*no checkpoint is here"):
        create_reward(setup_with(tmp_path / "none"))


@pytest.mark.parametrize("reward", OF_DETECTOR)
@pytest.mark.parametrize("robot", ["ur5", "sawyer"])
def test_reward_of_a_detector_is_refused_where_the_stand_has_none(robot: str, reward: str) -> None:
    setup = load_setup("sim", {"robot": robot, "reward": reward})
    told = f"reward '{reward}' needs a detector of the connection, and robot '{robot}' has none .*with `--reward dense`"
    with pytest.raises(ConfigurationError, match=told):
        create_reward(setup)


@pytest.mark.parametrize(
    ("session", "robot", "reward"),
    [
        ("sim", "sawyer", "dense"),
        ("sim", "ur5-emulated", "electrical"),
        ("sim", "sawyer-emulated", "electrical"),
        ("valve", "claw", "completion"),
    ],
)
def test_reward_that_the_stand_can_measure_is_made(session: str, robot: str, reward: str) -> None:
    assert create_reward(load_setup(session, {"robot": robot, "reward": reward}))


def test_classifier_of_another_picture_size_is_refused(tmp_path: Path) -> None:
    checkpoint = constant_classifier(tmp_path / "daib", 1.0, size_px=32)
    with pytest.raises(ConfigurationError, match="judges pictures of 32 x 32 pixels, session 'job' takes 64 x 64"):
        create_reward(setup_with(checkpoint))


def test_classifier_that_says_nan_is_an_error_and_no_failure(tmp_path: Path) -> None:
    reward = create_reward(setup_with(constant_classifier(tmp_path / "daib", float("nan"), size_px=SIZE_PX)))
    with pytest.raises(RewardError, match="the classifier says nan"):
        reward.reward(PICTURE)
