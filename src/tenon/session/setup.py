"""A session as its nodes see it: the stand, the goal, what an observation holds, where data go."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from tenon.configuration.arm import ArmConfig
from tenon.configuration.base import Config, ConfigurationError, load_yaml
from tenon.configuration.resolve import ConfigKind, resolve, resolve_session
from tenon.configuration.robot import RobotConfig
from tenon.configuration.safety import SafetyConfig
from tenon.configuration.session import SessionConfig
from tenon.control.geometry import pose
from tenon.control.kinematics import frame_pose
from tenon.control.types import Pose, Vector
from tenon.data.transitions import EnvironmentSpec
from tenon.session.claw_stand import ClawStand, load_claw_stand
from tenon.session.insertion_job import InsertionJob
from tenon.session.job import Job
from tenon.session.stand import Stand, load_stand
from tenon.session.valve_job import ValveJob
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.scene import TOOL_DOWN_XYZW
from tenon.simulation.task_kinds import VALVE_KIND, kind_of_task
from tenon.simulation.tasks import InsertionTaskConfig

APART_FROM_TRAINING = ("name", "run_directory", "episodes", "operator", "recording", "teleop", "algorithm")
"""Keys of a session's file that a training may have otherwise when it goes on. algorithm: a path, to what is compared
by itself."""
APART_FROM_DATA = (
    *APART_FROM_TRAINING,
    *("seed", "controller", "deterministic"),
    *("train", "weights_every_updates", "wait_for_training", "prior_data", "initial_checkpoint", "practice"),
)
"""Keys of a session's file on which a step that was recorded does not depend: which run it is and how its file is
written; who acts, which the contract of each episode tells; how a policy is trained on it afterwards."""
_VERSIONED = ("tenon", "torch", "numpy", "mujoco")


@dataclass(frozen=True)
class SessionSetup:
    """Everything that nodes need to know of their session. algorithm: the method's YAML as it was read."""

    stand: Stand | ClawStand
    algorithm: Mapping[str, Any]
    run_directory: Path

    @property
    def config(self) -> SessionConfig:
        return self.stand.session

    @property
    def robot(self) -> RobotConfig:
        return self.stand.robot

    @cached_property
    def job(self) -> Job:
        """The work at hand, as far as nodes need not know of which kind it is."""
        return ValveJob(self.stand) if isinstance(self.stand, ClawStand) else InsertionJob(self, self.stand)

    @property
    def arm(self) -> ArmConfig:
        return self.insertion_stand.arm

    @property
    def task(self) -> InsertionTaskConfig:
        return self.insertion_stand.task

    @property
    def connector(self) -> ConnectorConfig:
        return self.insertion_stand.connector

    @property
    def insertion_stand(self) -> Stand:
        """The stand of an arm with a plug. Raises ConfigurationError in a session with a claw."""
        if isinstance(self.stand, ClawStand):
            raise ConfigurationError(
                f"this is for an arm with a plug; task {self.config.task!r} is a claw's: choose another with --task"
            )
        return self.stand

    @property
    def safety(self) -> SafetyConfig:
        return self.stand.safety

    @property
    def command_lost_ns(self) -> int:
        """After so long without a command that passes, silence is a fault."""
        return round(self.safety.command_lost_periods * self.config.control_period_ns)

    @property
    def goal_error_m(self) -> float:
        """How far the goal may be off: what the session says, else what the task does."""
        stated = self.config.goal_error_m
        return self.job.goal_error_m if stated is None else stated

    @property
    def goal_error_min_m(self) -> float | None:
        """The inner radius of the ring that it lies in; None for a square, as where the session has its own word."""
        return self.job.goal_error_min_m if self.config.goal_error_m is None else None

    @property
    def goal_image(self) -> Path | None:
        """Picture of the finished state: what the session says, else as it was calibrated."""
        taken = None if self.stand.calibration is None else self.stand.calibration.goal_image
        return self.config.goal_image or (None if taken is None else taken.file)

    @property
    def calibration_labels(self) -> dict[str, str]:
        """What identifies what was taught and measured at this stand, for the metadata of episodes."""
        return {} if self.stand.calibration is None else {"stand": self.stand.calibration.label}

    @property
    def episodes_directory(self) -> Path:
        return self.run_directory / "episodes"

    @property
    def trainer_directory(self) -> Path:
        return self.run_directory / "trainer"

    @cached_property
    def nominal_goal_in_base(self) -> Pose:
        """Where the TCP is when the plug is seated: as it was taught, else where the task says."""
        taught = None if self.stand.calibration is None else self.stand.calibration.goal
        if taught is not None:
            return frame_pose(taught.tcp_in_base)
        mouth = np.array(self.task.scene.socket_mouth_in_base_m)
        return pose(mouth - np.array((0.0, 0.0, self.connector.depth_m)), TOOL_DOWN_XYZW)

    def estimated_goal_in_base(self, goal_error_m: Vector) -> Pose:
        """The goal as the robot is told it. goal_error_m (3,): what it is off by."""
        goal = self.nominal_goal_in_base
        return Pose(goal.position_m + goal_error_m, goal.quaternion_xyzw)

    @property
    def environment_spec(self) -> EnvironmentSpec:
        """What a learner must know of this session."""
        return self.job.environment_spec

    @cached_property
    def configuration_hash(self) -> str:
        """16 hex digits that change with any value of the session or of what it refers to."""
        stand = self.stand
        parts = (stand.session, stand.robot, *self.job.parts, stand.safety, stand.calibration)
        return _hash_of([*_models(*parts, stand.teleop, *stand.cameras), dict(self.algorithm)])

    @cached_property
    def data_hash(self) -> str:
        """16 hex digits of what recorded data depend on: the same for all runs whose episodes belong together.

        ``APART_FROM_DATA``, the learner's algorithm and the teleoperation device are left out.
        """
        stand = self.stand
        session = stand.session.model_dump(mode="json", exclude=set(APART_FROM_DATA))
        parts = (stand.robot, *self.job.parts, stand.safety, stand.calibration, *stand.cameras)
        return _hash_of([session, *_models(*parts)])

    @cached_property
    def part_hashes(self) -> dict[str, str]:
        """16 hex digits of each part of what a training rests on, by name, so that a change can be named.

        Left out: which run it is and how long, how it is recorded, the device that a person may take over by.
        """
        stand = self.stand
        session = stand.session.model_dump(mode="json", exclude=set(APART_FROM_TRAINING))
        parts: dict[str, list[dict[str, Any]]] = {
            "session": [session],
            "robot": _models(stand.robot),
            "job": _models(*self.job.parts),
            "safety": _models(stand.safety),
            "calibration": _models(stand.calibration),
            "cameras": _models(*stand.cameras),
            "algorithm": [dict(self.algorithm)],
        }
        return {name: _hash_of(content) for name, content in parts.items()}

    @cached_property
    def versions(self) -> dict[str, str]:
        """Versions of what the data depend on."""
        return {name: metadata.version(name) for name in _VERSIONED}


def load_setup(session: str | Path, overrides: Mapping[str, Any] | None = None) -> SessionSetup:
    """Finds, reads and validates a session and all that it names. Raises ConfigurationError."""
    config = resolve_session(session, overrides)
    setup = SessionSetup(
        stand=load_claw_stand(config) if kind_of_task(config.task) == VALVE_KIND else load_stand(config),
        algorithm=load_yaml(resolve(ConfigKind.ALGORITHMS, config.algorithm)),
        run_directory=config.run_directory.absolute(),
    )
    if isinstance(setup.stand, Stand):
        _check_goal(setup)
    return setup


def with_algorithm(setup: SessionSetup, config: SessionConfig, algorithm: Mapping[str, Any]) -> SessionSetup:
    """The same stand under a configuration that changes nothing of it, with another learner."""
    return replace(setup, stand=replace(setup.stand, session=config), algorithm=algorithm)


def _models(*parts: Config | None) -> list[dict[str, Any]]:
    return [part.model_dump(mode="json") for part in parts if part is not None]


def _hash_of(content: list[dict[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _check_goal(setup: SessionSetup) -> None:
    """A goal outside the workspace would be found only once the arm is under way."""
    box, goal = setup.safety.workspace, setup.nominal_goal_in_base.position_m
    if not all(low <= x <= high for low, x, high in zip(box.min_m, goal, box.max_m, strict=True)):
        raise ConfigurationError(
            f"the goal of task {setup.config.task!r} is at {np.round(goal, 4).tolist()} m, outside the workspace of "
            f"safety {setup.stand.safety_name!r} ({list(box.min_m)} to {list(box.max_m)} m): move the socket or "
            "choose another safety file"
        )
