"""Every file under config/ loads, under its own name, and what names another file names one that exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import Config, ConfigurationError, load, load_yaml
from tenon.configuration.calibration import CalibrationConfig
from tenon.configuration.camera import CameraConfig
from tenon.configuration.hand import HandConfig
from tenon.configuration.resolve import ConfigKind, config_root, load_named, names, resolve_session
from tenon.configuration.robot import RobotConfig
from tenon.configuration.safety import SafetyConfig
from tenon.configuration.session import SessionConfig
from tenon.configuration.teleop import TeleopConfig
from tenon.console.config import FILE as CONSOLE_FILE
from tenon.console.config import load_console
from tenon.environments.claw_valve import ClawValveEnv
from tenon.rewards.daib.config import ClassifierConfig
from tenon.session.setup import load_setup
from tenon.session.stand import controllers_of, load_stand
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.family import FamilyConfig
from tenon.simulation.task_kinds import INSERTION_KIND, insertion_tasks, kind_of_task, model_of_task
from tenon.simulation.tasks import InsertionTaskConfig
from tenon.training.config import TrainerConfig

MODELS: dict[ConfigKind, type[Config]] = {
    ConfigKind.ALGORITHMS: TrainerConfig,
    ConfigKind.ARMS: ArmConfig,
    ConfigKind.CALIBRATIONS: CalibrationConfig,
    ConfigKind.CAMERAS: CameraConfig,
    ConfigKind.CONNECTORS: ConnectorConfig,
    ConfigKind.FAMILIES: FamilyConfig,
    ConfigKind.HANDS: HandConfig,
    ConfigKind.REWARDS: ClassifierConfig,
    ConfigKind.ROBOTS: RobotConfig,
    ConfigKind.SAFETY: SafetyConfig,
    ConfigKind.SESSIONS: SessionConfig,
    ConfigKind.TELEOP: TeleopConfig,
}
SHIPPED = sorted(config_root().glob("*/**/*.y*ml"))
INSERTION_SESSIONS = [
    name for name in names(ConfigKind.SESSIONS) if kind_of_task(resolve_session(name).task) == INSERTION_KIND
]
CLAWS = {
    name
    for name in names(ConfigKind.ROBOTS)
    if load_named(RobotConfig, ConfigKind.ROBOTS, name).arm in names(ConfigKind.HANDS)
}


def kind_of(path: Path) -> ConfigKind:
    """Of the folder below the tree; a family's connectors lie one deeper."""
    return ConfigKind(path.relative_to(config_root()).parts[0])


def test_console_is_the_only_file_beside_the_folders_and_is_valid() -> None:
    assert [path.name for path in config_root().iterdir() if path.is_file()] == [CONSOLE_FILE]
    assert not load_console({}).is_exposed


def test_there_is_something_of_every_kind() -> None:
    assert {kind_of(path) for path in SHIPPED} == set(ConfigKind) == {*MODELS, ConfigKind.TASKS}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_shipped_file_is_valid(path: Path) -> None:
    kind = kind_of(path)
    config = load(model_of_task(path) if kind is ConfigKind.TASKS else MODELS[kind], path)
    name = getattr(config, "name", None) or getattr(config, "robot", None)
    assert name is None or name == path.stem


@pytest.mark.parametrize("name", INSERTION_SESSIONS)
@pytest.mark.parametrize("robot", sorted(set(names(ConfigKind.ROBOTS)) - CLAWS))
@pytest.mark.parametrize("task", insertion_tasks())
def test_every_session_runs_with_every_robot_and_task_that_its_controller_acts_in(
    name: str, robot: str, task: str
) -> None:
    session = resolve_session(name, {"robot": robot, "task": task})
    if session.controller not in controllers_of(load_named(InsertionTaskConfig, ConfigKind.TASKS, task)):
        with pytest.raises(ConfigurationError, match=f"cannot act in task '{task}'"):
            load_stand(session)
        return
    stand = load_stand(session)
    assert stand.safety.robot == stand.arm.name == stand.robot.arm
    assert stand.connector.name == stand.task.connector


@pytest.mark.parametrize("robot", sorted(CLAWS))
def test_every_claw_turns_the_valve(robot: str) -> None:
    setup = load_setup("valve", {"robot": robot})
    assert setup.safety.robot == setup.job.robot_name == setup.robot.arm
    assert setup.environment_spec == ClawValveEnv().spec


def test_an_arm_is_no_claw_and_a_claw_no_arm() -> None:
    with pytest.raises(ConfigurationError, match="task 'valve' is for a claw, robot 'sim' is an arm"):
        load_setup("valve", {"robot": "sim"})
    with pytest.raises(ConfigurationError, match="task 'hard' is for an arm, robot 'claw' is a claw"):
        load_setup("sim", {"robot": "claw"})
    with pytest.raises(ConfigurationError, match="this is for an arm with a plug; task 'valve' is a claw's"):
        _ = load_setup("valve").connector


@pytest.mark.parametrize("name", names(ConfigKind.HANDS))
def test_limits_are_no_wider_than_the_hands_own(name: str) -> None:
    hand = load_named(HandConfig, ConfigKind.HANDS, name)
    joints = hand.joints * len(hand.fingers)
    for limit, joint in zip(load_named(SafetyConfig, ConfigKind.SAFETY, name).joints, joints, strict=True):
        assert joint.lower_rad <= limit.lower_rad < limit.upper_rad <= joint.upper_rad
        assert limit.speed_max_rad_s <= joint.velocity_limit_rad_s


@pytest.mark.parametrize("name", names(ConfigKind.ARMS))
def test_limits_are_no_wider_than_the_arms_own(name: str) -> None:
    arm = load_named(ArmConfig, ConfigKind.ARMS, name)
    for limit, joint in zip(load_named(SafetyConfig, ConfigKind.SAFETY, name).joints, arm.joints, strict=True):
        assert joint.lower_rad <= limit.lower_rad < limit.upper_rad <= joint.upper_rad
        assert limit.speed_max_rad_s <= joint.velocity_limit_rad_s


def test_residual_and_reset_stay_below_the_speed_limits() -> None:
    """A full step on all axes, and one that is late by a third of a period, must not be a fault."""
    for name in INSERTION_SESSIONS:
        stand = load_stand(resolve_session(name))
        step_m = 3**0.5 * stand.task.residual.step_limit_m
        period_s = stand.session.control_period_s
        assert step_m / period_s < stand.safety.tcp_speed_max_m_s
        assert 1.3 * stand.session.reset.step_m / period_s < stand.safety.tcp_speed_max_m_s
        assert 2 * step_m / period_s**2 < stand.safety.tcp_acceleration_max_m_s2
        assert stand.session.reset.lead_m + stand.session.reset.step_m < stand.safety.jump_max_m


def test_every_yaml_is_a_mapping_without_hidden_duplicates() -> None:
    for path in SHIPPED:
        keys = [line.split(":")[0] for line in path.read_text().splitlines() if line[:1].isalpha()]
        assert len(keys) == len(set(keys)) == len(load_yaml(path)), path
