"""A stand where nothing tells whether the plug is in: sessions run on a reward that sees, and accuse nobody."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import yaml
from tenon_msgs.action import RunSession
from tenon_msgs.msg import SessionState

from tenon.configuration.resolve import ConfigKind, load_named
from tenon.configuration.robot import DeviceConfig, RobotConfig
from tenon.data.store import EpisodeStore
from tenon.session.plans import configured_plan
from tenon.session.recordings import Recordings
from tenon.session.setup import load_setup
from tenon_graph import contract
from tenon_session.testing.one_process import one_process
from tenon_session.testing.sessions import constant_classifier, picture_session
from tenon_session.testing.stage import Stage

EPISODES, HORIZON_STEPS, LOGIT = 2, 5, 2.5
RUN_TIMEOUT_S = 120.0
OBSERVATIONS = 10

pytestmark = [pytest.mark.session, pytest.mark.timeout(300)]


def robot_file(directory: Path, name: str, **changes: Any) -> Path:
    """A shipped robot whose stand lost its detector."""
    robot = load_named(RobotConfig, ConfigKind.ROBOTS, name).model_copy(update={"detector": None, **changes})
    file = directory / "robot.yaml"
    file.write_text(yaml.safe_dump(robot.model_dump(mode="json")), encoding="utf-8")
    return file


def test_practice_runs_on_what_the_classifier_sees(tmp_path: Path) -> None:
    paid = {"reward": "daib", "reward_checkpoint": str(constant_classifier(tmp_path / "daib", LOGIT))}
    session = picture_session(tmp_path, robot=str(robot_file(tmp_path, "sim")), **paid)
    with one_process(session, tmp_path) as probe:
        probe.listen(contract.OBSERVATION, contract.EPISODE_SUMMARY)
        goal = RunSession.Goal(controller="policy", episodes=EPISODES, train=True, goal_error_m=0.001, record=True)
        result = probe.finish_run(probe.start_run(goal), RUN_TIMEOUT_S)
        assert (result.stop_reason, result.episodes) == ("done", EPISODES)
        assert not probe.get_publishers_info_by_topic(f"/{contract.TASK_ELECTRICAL.name}")
        seen = [msg for msg in probe.heard(contract.OBSERVATION) if msg.phase == SessionState.RUNNING]
        assert len(seen) > EPISODES * HORIZON_STEPS
        assert all(msg.no_detector and not msg.electrical for msg in seen)
        store = EpisodeStore(tmp_path / "run" / "episodes")
        probe.wait_for(lambda: len(store.episodes()) == EPISODES, "the last episode on disk")
    plan = configured_plan(load_setup(tmp_path / "session.yaml", {"episodes": EPISODES}))
    for trial in Recordings(store).trials(plan):
        summary = trial.summary
        assert (summary.success, summary.connected, summary.false_steps) == (True, None, 0)
        assert not trial.exploits


@pytest.mark.devices
def test_observations_of_an_arm_without_an_input_for_one_come(tmp_path: Path) -> None:
    port = _free_port()
    shipped = load_named(RobotConfig, ConfigKind.ROBOTS, "sawyer-emulated")
    assert shipped.emulator is not None
    driver, emulator = ({**device.settings} for device in (shipped.driver, shipped.emulator))
    driver["master_uri"], emulator["port"] = f"http://127.0.0.1:{port}/", port
    devices = {
        "driver": DeviceConfig(package=shipped.driver.package, settings=driver),
        "emulator": DeviceConfig(package=shipped.emulator.package, settings=emulator),
    }
    session = {
        "name": "blind",
        "robot": str(robot_file(tmp_path, "sawyer-emulated", **devices)),
        "task": "easy",
        "controller": "p_controller",
        "reward": "dense",
        "train": False,
        "episodes": 1,
        "tare": {"window_s": 0.3, "samples_min": 15},
    }
    with Stage(session, tmp_path, {"trainer": "false", "emulator": "true"}).open() as stage:
        probe = stage.probe
        probe.listen(contract.OBSERVATION)
        probe.wait_for(lambda: len(probe.heard(contract.OBSERVATION)) >= OBSERVATIONS, "observations", RUN_TIMEOUT_S)
        assert all(msg.no_detector for msg in probe.heard(contract.OBSERVATION))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
