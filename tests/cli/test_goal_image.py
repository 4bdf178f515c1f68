"""`tenon goal-image`: the picture that the image reward compares with."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tenon.configuration.resolve import resolve_session
from tenon.data.images import resize
from tenon.rewards import GoalImageConfig, GoalImageReward, RewardObservation
from tenon.session.stand import load_stand
from tenon.simulation.insertion import InsertionSimulation

Tenon = Callable[..., subprocess.CompletedProcess[str]]


def test_simulated_picture_rewards_the_plugged_connector_and_not_the_start(tenon: Tenon, tmp_path: Path) -> None:
    out = tmp_path / "goal.png"
    assert tenon("goal-image", "--simulated", "--out", str(out)).returncode == 0
    picture = cv2.cvtColor(cv2.imread(str(out)), cv2.COLOR_BGR2RGB)
    stand = load_stand(resolve_session("sim"))
    reward = GoalImageReward(resize(picture, 32, 32), GoalImageConfig())
    simulation = InsertionSimulation(stand.arm, stand.connector, stand.task)

    def value() -> float:
        seen = simulation.render("wrist", 64, 64)
        observation = RewardObservation(position_error_m=np.zeros(3), pressing_force_n=0.0, image=resize(seen, 32, 32))
        return reward.reward(observation).value

    simulation.reset(0, goal_error_scale=0.0)
    at_start = value()
    heights = np.linspace(simulation.start_in_base.position_m[2], simulation.goal_in_base.position_m[2], 40)
    goal = simulation.goal_in_base
    for height in (*heights, *[goal.position_m[2] - 0.005] * 10):
        target = goal.position_m.copy()
        target[2] = height
        simulation.step(type(goal)(target, goal.quaternion_xyzw), 50)
    assert simulation.electrical()
    assert value() > at_start
    assert value() > GoalImageConfig().success_above


def test_picture_comes_from_the_graph_as_it_was_sent(talker: None, tenon: Tenon, tmp_path: Path) -> None:
    out = tmp_path / "goal.png"
    run = tenon("goal-image", "--out", str(out))
    assert run.returncode == 0, run.stderr
    assert cv2.imread(str(out)).tolist() == [[[0, 0, 250], [250, 0, 0]]]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--out", "goal.jpg"), "must not lose anything"),
        (("--out", "there.png"), "choose another name"),
        (("--out", "new.png", "--task", "hard"), "are for --simulated"),
        (("--out", "new.png", "--simulated", "--task", "hrad"), "did you mean 'hard'"),
    ],
)
def test_what_cannot_be_done_is_said(tenon: Tenon, tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    there = tmp_path / "there.png"
    there.write_bytes(b"mine")
    run = tenon("goal-image", *arguments, cwd=tmp_path)
    assert run.returncode == 2
    assert says in " ".join(run.stderr.split())
    assert there.read_bytes() == b"mine"
